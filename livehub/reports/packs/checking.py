"""Check a pack with nothing but the pack: hashes, sums, balances, links. No database, no network."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from livehub.kit.tables import BOM
from livehub.reports import forms
from livehub.reports.forms import Document
from livehub.reports.packs import balances, links, tally
from livehub.reports.packs.building import CHAIN, FORMAT, INDEX, REPORT, SIGNATURE, Index
from livehub.reports.packs.tally import Tally

CHUNK = 1 << 20
MOST_TOLD = 20  # of one kind
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, msgspec.MsgspecError, UnicodeDecodeError, csv.Error),
    *(ValueError, KeyError, IndexError, EOFError, NotImplementedError, RuntimeError),
)


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at, and what is wrong with it."""

    name: str
    wrong: tuple[str, ...]


class Verdict(Struct, frozen=True, kw_only=True):
    """What a pack is worth."""

    sha256: str  # of the file itself, to be compared with what the system says
    report_sha256: str
    title: str
    checks: tuple[Check, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not any(each.wrong for each in self.checks)


class Reader:
    """A pack whose tables can be gone through row by row."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.names = [info.filename for info in archive.infolist()]

    def has(self, name: str) -> bool:
        """Whether it holds a file."""
        return name in self.names

    def bytes_of(self, name: str) -> bytes:
        """A small file whole."""
        return self._archive.read(name)

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file's bytes."""
        with self._archive.open(name) as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def lines(self, name: str) -> Iterator[bytes]:
        """A file's lines."""
        with self._archive.open(name) as file:
            yield from file

    def table(self, name: str) -> tuple[list[str], Iterator[list[str]]]:
        """(head, rows) of a table; ValueError for a row that is longer or shorter than its head."""
        csv.field_size_limit(CHUNK)
        text = io.TextIOWrapper(self._archive.open(name), "utf-8", newline="")
        rows = csv.reader(text, strict=True)
        head = next(rows, None)
        if head is None or not head[0].startswith(BOM):
            raise ValueError(f"{name} has no head")
        head[0] = head[0].removeprefix(BOM)
        return head, _whole(name, head, rows)

    def records(self, name: str) -> Iterator[dict[str, str]]:
        """The rows of a table by their heads."""
        head, rows = self.table(name)
        for row in rows:
            yield dict(zip(head, row, strict=True))


def _whole(name: str, head: list[str], rows: Iterable[list[str]]) -> Iterator[list[str]]:
    for number, row in enumerate(rows, start=2):
        if len(row) != len(head):
            raise ValueError(f"{name}, row {number}: {len(row)} cells under {len(head)} heads")
        yield row


def check(path: Path) -> Verdict:
    """Look at everything a pack says of itself."""
    whole = _digest_of(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _verdict(Reader(archive), whole)
    except _BROKEN as error:
        return _unreadable(whole, error)


def _digest_of(path: Path) -> str:
    found = sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _unreadable(whole: str, error: Exception) -> Verdict:
    check = Check(name="can be read", wrong=(_told(error),))
    return Verdict(sha256=whole, report_sha256="", title="", checks=(check,))


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _verdict(pack: Reader, whole: str) -> Verdict:
    index = msgspec.json.decode(pack.bytes_of(INDEX), type=Index)
    if index.format != FORMAT:
        raise ValueError(f"this is {index.format}, not {FORMAT}")
    content = pack.bytes_of(REPORT)
    document = forms.decoded(content)
    looked: list[tuple[str, Callable[[], Iterable[str]]]] = [
        ("files are those of the index", lambda: _names(pack, index)),
        ("files have the hashes of the index", lambda: _hashes(pack, index)),
        ("the report is what was signed", lambda: _signed(pack, index, content)),
        ("figures are the sums of their evidence", lambda: _figures(pack, document)),
        ("lines are the sums of their entries", lambda: balances.lines(pack)),
        ("entries have their messages, messages their facts", lambda: balances.messages(pack)),
        ("the ledger balances", lambda: balances.ledger(pack)),
        ("uses and refunds are what the ledger booked", lambda: balances.uses(pack)),
        ("vouchers are what the ledger booked", lambda: balances.vouchers(pack)),
        ("batches are the sums of their lines", lambda: balances.batches(pack)),
        ("the audit chain is whole", lambda: links.check(pack, CHAIN, content)),
    ]
    return Verdict(
        sha256=whole,
        report_sha256=forms.digest(content).hex(),
        title=f"{document.bureau_name} {document.title} {document.since} – {document.until}",
        checks=tuple(Check(name=name, wrong=_wrong(look)) for name, look in looked),
    )


def _wrong(look: Callable[[], Iterable[str]]) -> tuple[str, ...]:
    found: list[str] = []
    try:
        for each in look():
            found.append(each)
            if len(found) == MOST_TOLD:
                break
    except _BROKEN as error:
        found.append(_told(error))
    return tuple(found)


def _names(pack: Reader, index: Index) -> Iterator[str]:
    there, listed = Counter(pack.names), Counter(each.name for each in index.files)
    listed[INDEX] += 1
    for name in sorted(there.keys() | listed.keys()):
        if there[name] > listed[name]:
            yield (
                f"{name} is in the pack and not in its index"
                if not listed[name]
                else f"{name} is there twice"
            )
        elif there[name] < listed[name]:
            yield f"{name} is in the index and not in the pack"


def _hashes(pack: Reader, index: Index) -> Iterator[str]:
    for each in index.files:
        if not pack.has(each.name):
            continue
        found, size = sha256(), 0
        try:
            for chunk in pack.chunks(each.name):
                found.update(chunk)
                size += len(chunk)
        except _BROKEN as error:
            yield f"{each.name}: {_told(error)}"
            continue
        if (found.hexdigest(), size) != (each.sha256, each.size):
            yield f"{each.name} is not the file of which the index has the hash"


def _signed(pack: Reader, index: Index, content: bytes) -> Iterator[str]:
    found = forms.digest(content).hex()
    if index.report_sha256 != found:
        yield f"{REPORT} is not the report of which the index has the hash"
    if forms.encoded(forms.decoded(content)) != content:
        yield f"{REPORT} is not canonical JSON"
    if pack.has(SIGNATURE):
        signature = msgspec.json.decode(pack.bytes_of(SIGNATURE), type=dict[str, str])
        if signature.get("SHA-256") != found:
            yield f"{SIGNATURE} is of another report"


def _figures(pack: Reader, document: Document) -> Iterator[str]:
    sums = Tally(document)
    for file in sorted(sums.files()):
        name = f"evidence/{file}"
        if not pack.has(name):
            yield f"{name} is missing"
            continue
        head, rows = pack.table(name)
        sums.begin(file, head)
        for row in rows:
            sums.add(row)
    yield from tally.differing(document, sums)
