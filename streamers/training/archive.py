"""一班一档: everything about a class as one ZIP, with an index of SHA-256, written file by file.

Numbers of persons are masked and scanned files only named, unless somebody who may open them says why; that
is audited first. One file is in memory at a time. Every cell is text: one that begins with = is no formula.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock
from livehub.kit.errors import Detail
from livehub.kit.sheets import writing
from streamers.errors import RevealReasonMissing
from streamers.training import archive_sheets, archive_words, evidence, queries
from streamers.training.archive_sheets import Sheet
from streamers.training.queries import Whole

REASON_LENGTH = 200
INDEX = "index.json"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the archive."""

    path: str
    title: str
    rows: int | None = None  # of a sheet, without its head
    size: int
    sha256: str
    included: bool = True  # a scanned file may show numbers: it is named here, and packed with those in clear


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What index.json says."""

    cohort: str
    code: str
    name: str
    programme: str
    bureau: str
    state: str
    made_at: datetime
    made_by: str
    numbers: str  # masked | clear
    retain_until: str
    files: list[Entry]


async def prepared(cohort: str, *, reason: str | None = None, actor: Actor, now: datetime) -> Whole:
    """The class that is to be packed, audited; with a ``reason`` its numbers are in clear.

    PermissionMissing for whoever may not open numbers, RevealReasonMissing for no reason.
    """
    whole = await queries.cohort(cohort, actor=actor, now=now)
    row, owner = whole.row, whole.programme
    detail: dict[str, object] = {"numbers": "masked"}
    if reason is not None:
        require(actor, Permission.PERSONAL_DATA_OPEN, centre_id=row.centre_id)
        if not 2 <= len(reason.strip()) <= REASON_LENGTH:
            raise RevealReasonMissing(details=[Detail("reason", "请写明用途", f"2 到 {REASON_LENGTH} 个字")])
        detail = {"numbers": "clear", "reason": reason.strip(), "people": len(whole.people)}

    async def note() -> None:
        about = ("cohort", row.public_id)
        await audit.write(
            "archive.packed", actor=actor, now=now, about=about, bureau_id=owner.bureau_id, detail=detail
        )

    await database.unit(note)
    return whole


async def stream(whole: Whole, *, in_clear: bool, actor: Actor, now: datetime) -> AsyncIterator[bytes]:
    """The bytes of the ZIP as they come; the index is its last file."""
    out = _Pieces()
    files: list[Entry] = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        async for sheet in archive_sheets.of(whole, in_clear=in_clear):
            body = await asyncio.to_thread(_workbook, sheet)
            files.append(
                Entry(
                    path=f"{sheet.path}.xlsx",
                    title=sheet.title,
                    rows=len(sheet.rows),
                    size=len(body),
                    sha256=sha256(body).hexdigest(),
                )
            )
            await asyncio.to_thread(_write(book, files[-1].path, body, now))
            for piece in out.taken():
                yield piece
        for number, each in enumerate(await evidence.listing(whole.row.id), start=1):
            path = f"90-佐证材料/{number:03}-{archive_sheets.plain(each.name)}"
            files.append(
                Entry(
                    path=path,
                    title=archive_words.EVIDENCE[each.kind],
                    size=each.size,
                    sha256=bytes(each.sha256).hex(),
                    included=in_clear,
                )
            )
            if in_clear:
                await asyncio.to_thread(_write(book, path, await evidence.content(each.id), now))
            for piece in out.taken():
                yield piece
        index = Index(
            cohort=whole.row.public_id,
            code=whole.row.code,
            name=whole.row.name,
            programme=whole.programme.name,
            bureau=whole.bureau,
            state=str(whole.row.state),
            made_at=now,
            made_by=actor.name,
            numbers="clear" if in_clear else "masked",
            retain_until=str(evidence.kept_until(whole.row, whole.terms, now=now)),
            files=files,
        )
        raw = msgspec.json.format(msgspec.json.encode(index), indent=2)
        await asyncio.to_thread(_write(book, INDEX, raw, now))
    for piece in out.taken():
        yield piece


class _Pieces(io.RawIOBase):
    """A file that can only be written to, and is emptied as it grows: what zipfile takes for a stream."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._waiting.append(bytes(piece))
        return len(piece)

    def taken(self) -> list[bytes]:
        taken, self._waiting = self._waiting, []
        return taken


def _workbook(sheet: Sheet) -> bytes:
    return writing.workbook([sheet.head, *sheet.rows], sheet=sheet.title)


def _write(book: zipfile.ZipFile, name: str, body: bytes, now: datetime) -> Callable[[], None]:
    """Pack one file, stamped with the time of Beijing."""
    info = zipfile.ZipInfo(name, date_time=clock.local(now).timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    return lambda: book.writestr(info, body)
