"""A file is looked at before it is imported: what it holds, what is wrong with it, and that it is kept."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids, money, sealing
from livehub.kit.errors import NotFound
from livehub.kit.resealing import Column
from livehub.kit.sheets import decoding
from livehub.kit.sheets.errors import unreadable
from livehub.orders.statements import reading, registry
from livehub.orders.statements.contract import Source
from livehub.orders.statements.errors import AlreadyImported, WrongShop
from livehub.orders.statements.models import SettlementStatement, StatementPiece, StatementState
from livehub.orders.statements.reading import Row, Skipped, Wrong
from livehub.platforms.models import Shop

T = TypeVar("T")

PLACE = "statement_piece.body"
SEALED = (Column("statement_piece", "body_sealed", PLACE),)
PIECE = 512 * 1024  # bytes of one sealed piece
CHUNK = 1000  # rows that are looked up or written at once
MISTAKES = 200  # that are told; all are counted
KEPT = timedelta(days=7)  # a draft that nobody imported


class Summary(Struct, kw_only=True):
    """What a file holds; integer fen."""

    encoding: str = ""
    rows: int = 0
    skipped: int = 0
    wrong: int = 0
    mistakes: list[Wrong] = []
    sums: dict[str, int] = {}
    first_day: date | None = None
    last_day: date | None = None
    repeated: int = 0  # rows that an earlier file had already
    unknown: int = 0  # others whose order is not known


async def draft(
    raw: bytes, *, name: str, shop: str, source: str, actor: Actor, now: datetime
) -> SettlementStatement:
    """Look at a file of a shop and keep it; Unreadable, WrongShop, or AlreadyImported.

    The same bytes again are the same draft. Nothing is booked yet.
    """
    require(actor, Permission.STATEMENT_IMPORT)
    mapping = registry.get(source)
    seller = await Shop.filter(public_id=shop, centre_id=actor.centre_id).first()
    if seller is None:
        raise NotFound
    if mapping.platform and mapping.platform != seller.platform:
        raise WrongShop
    summary = await _looked_at(raw, mapping, shop_id=seller.id)
    packed = await asyncio.to_thread(zlib.compress, raw)
    digest = sha256(raw).digest()
    amounts: dict[str, Any] = {f"{kind}_fen": summary.sums.get(kind, 0) for kind in SUMS}

    async def keep() -> SettlementStatement:
        before = await SettlementStatement.filter(shop_id=seller.id, sha256=digest).first()
        if before is not None and before.state != StatementState.DRAFT:
            raise AlreadyImported(data={"statement": before.public_id})
        if before is not None:
            await _forget([before.id])
        made = await SettlementStatement.create(
            public_id=before.public_id if before else ids.public_id(),
            centre_id=seller.centre_id,
            shop_id=seller.id,
            source=mapping.name,
            name=name,
            sha256=digest,
            size=len(raw),
            encoding=summary.encoding,
            state=StatementState.DRAFT,
            rows=summary.rows,
            skipped=summary.skipped,
            wrong=summary.wrong,
            mistakes=msgspec.json.encode(summary.mistakes).decode(),
            **amounts,
            first_day=summary.first_day,
            last_day=summary.last_day,
            repeated=summary.repeated,
            unknown=summary.unknown,
            made_by=actor.name,
            made_at=now,
        )
        ring = sealing.ring()
        for number, start in enumerate(range(0, len(packed), PIECE)):
            piece = ring.seal(packed[start : start + PIECE], place=PLACE)
            await StatementPiece.create(statement_id=made.id, number=number, body_sealed=piece)
        await audit.write(
            "statement.uploaded",
            actor=actor,
            now=now,
            about=("statement", made.public_id),
            detail={
                "source": mapping.name,
                "sha256": digest.hex(),
                "rows": summary.rows,
                "wrong": summary.wrong,
            },
        )
        return made

    try:
        return await database.unit(keep)
    except IntegrityError:  # somebody uploads the same file at this moment: hers is as good as ours
        made = await SettlementStatement.get(shop_id=seller.id, sha256=digest)
        if made.state != StatementState.DRAFT:
            raise AlreadyImported(data={"statement": made.public_id}) from None
        return made


SUMS = ("sales", "fee", "commission", "freight", "other")


async def kept(statement_id: int) -> bytes:
    """The bytes of a statement as they were uploaded."""
    pieces = await StatementPiece.filter(statement_id=statement_id).order_by("number")
    ring = sealing.ring()

    def unpacked() -> bytes:
        return zlib.decompress(b"".join(ring.open(bytes(each.body_sealed), place=PLACE) for each in pieces))

    return await asyncio.to_thread(unpacked)


def rows_of(raw: bytes, source: Source) -> Iterator[Row]:
    """The rows that can be read, in their sequence; nothing is read before the first is asked for."""
    for each in reading.rows(decoding.read(raw), source):
        if isinstance(each, Row):
            yield each


async def chunk(rows: Iterator[T]) -> Sequence[T]:
    """The next rows, read in a thread; an empty list at the end."""
    return await asyncio.to_thread(lambda: list(islice(rows, CHUNK)))


async def prune(*, now: datetime) -> int:
    """Forget drafts that nobody imported for a week."""

    async def forget() -> int:
        found = await SettlementStatement.filter(
            state=StatementState.DRAFT, made_at__lt=clock.to_ms(now - KEPT)
        )
        return await _forget([each.id for each in found])

    return await database.unit(forget)


async def _forget(statement_ids: Sequence[int]) -> int:
    """Drafts first: one that somebody begins to import at this moment keeps its file."""
    gone = await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in sorted(statement_ids)],
        "DELETE FROM settlement_statement WHERE id IN (SELECT id FROM v)"
        f" AND state = '{StatementState.DRAFT}' RETURNING id",
    )
    if gone:
        await StatementPiece.filter(statement_id__in=[row["id"] for row in gone]).delete()
    return len(gone)


async def _looked_at(raw: bytes, source: Source, *, shop_id: int) -> Summary:
    """Everything in a file, read once."""
    table = await asyncio.to_thread(decoding.read, raw)
    found = Summary(encoding=table.encoding, sums=dict.fromkeys(SUMS, 0))
    entries = reading.rows(table, source)
    while some := await chunk(entries):
        rows = [each for each in some if isinstance(each, Row)]
        contradicting = await _look_up(found, rows, shop_id=shop_id, source=source)
        for each in some:
            _count(found, contradicting.get(each.line, each) if isinstance(each, Row) else each)
    if not found.rows and not found.wrong:
        raise unreadable("只有列名，没有数据", "至少有一行的结算单")
    return found


def _count(found: Summary, each: Row | Wrong | Skipped) -> None:
    if isinstance(each, Skipped):
        found.skipped += each.is_footer
    elif isinstance(each, Wrong):
        found.wrong += 1
        if len(found.mistakes) < MISTAKES:
            found.mistakes.append(each)
    else:
        found.rows += 1
        for kind in SUMS:
            found.sums[kind] += getattr(each, f"{kind}_fen")
        found.first_day = min(found.first_day or each.settled_on, each.settled_on)
        found.last_day = max(found.last_day or each.settled_on, each.settled_on)


async def _look_up(found: Summary, rows: Sequence[Row], *, shop_id: int, source: Source) -> dict[int, Wrong]:
    """Count what is known, and whose order is not; by line the rows that contradict a known one."""
    stored = await database.with_rows(
        {"shop_id": "bigint", "digest": "bytea"},
        [(shop_id, row.digest) for row in rows],
        "SELECT l.digest AS digest, l.sales_fen AS sales_fen FROM v JOIN statement_line l"
        " ON l.shop_id = v.shop_id AND l.digest = v.digest",
    )
    known = {bytes(row["digest"]): int(row["sales_fen"]) for row in stored}
    orders = await database.with_rows(
        {"shop_id": "bigint", "order_ref": "text"},
        [(shop_id, ref) for ref in sorted({row.order_ref for row in rows})],
        "SELECT o.order_ref AS order_ref FROM v JOIN sales_order o ON o.shop_id = v.shop_id"
        " AND o.order_ref = v.order_ref",
    )
    refs = {row["order_ref"] for row in orders}
    contradicting = {
        row.line: Wrong(
            line=row.line,
            column=(*source.entry_ref, "")[0],
            reason=f"这个流水号在已导入的结算单里销售款是 {money.yuan(known[row.digest])}",
            expected="和已导入的一致；平台更正过的，另起一行只写差额",
        )
        for row in rows
        if known.get(row.digest, row.sales_fen) != row.sales_fen
    }
    found.repeated += sum(row.digest in known and row.line not in contradicting for row in rows)
    found.unknown += sum(row.digest not in known and row.order_ref not in refs for row in rows)
    return contradicting
