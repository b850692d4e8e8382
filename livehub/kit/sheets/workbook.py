"""The first sheet of an .xlsx file as rows of text, read as a stream: nothing of it is ever held whole."""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from decimal import Context, Decimal, InvalidOperation
from typing import IO

from livehub.kit.sheets.errors import unreadable
from livehub.kit.sheets.xml import Parser

ROWS = 100_000  # above it a CSV: a sheet takes ten times as long
SHEET_BYTES = 256 * 1024 * 1024  # unpacked
STRINGS_BYTES = 64 * 1024 * 1024  # unpacked, of the one part that is held
STRINGS = 2_000_000
CELL = 2000
COLUMNS = 300
PARTS = 10_000  # of the archive: each costs half a kilobyte before anything of it is read
FORMULA = 8  # pieces of a formula that are told
LAST_LINE = 1_048_576  # that Excel knows
_PIECE = 64 * 1024
_BROKEN = (  # what reading an archive may raise, besides our own refusals
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, NotImplementedError, RuntimeError, ValueError, KeyError),
)
_EXCEL_DIGITS = Context(prec=15)  # what Excel itself keeps of a number
_EXACT = 10**15
_PLACE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_SHEET = re.compile(r"xl/worksheets/sheet(\d+)\.xml")


class Number(str):
    """The text of a cell that holds a number: a reference that stands so may have lost its end."""

    __slots__ = ()


def rows(raw: bytes) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of the first sheet; Unreadable for what is no workbook, or one that unpacks to too much.

    A number is told as Excel shows it, a formula with its equals sign; a number is a ``Number``.
    """
    if raw.count(b"PK\x01\x02") > PARTS:
        raise unreadable("Excel 文件里的内容太多", "能正常打开的 .xlsx，或 CSV")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as book:
            strings = _strings(book)
            sheets = sorted(
                (int(found[1]), name) for name in book.namelist() if (found := _SHEET.fullmatch(name))
            )
            if not sheets:
                raise unreadable("压缩文件里没有工作表", ".xlsx 或 CSV")
            with book.open(sheets[0][1]) as sheet:
                yield from _sheet(sheet, strings)
    except _BROKEN:
        raise unreadable("Excel 文件是坏的或加了密", "能正常打开的 .xlsx，或 CSV") from None


def _strings(book: zipfile.ZipFile) -> list[str]:
    """The texts that cells name by number."""
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    reader = _Texts()
    with book.open("xl/sharedStrings.xml") as part:
        for piece in _pieces(part, STRINGS_BYTES):
            reader.feed(piece)
        reader.feed(b"", last=True)
    return reader.found


class _Texts(Parser):
    """Collects the shared texts; how one is read aloud is no part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._parts: list[str] = []
        self._is_text = self._is_aloud = False

    def begun(self, name: str, _: dict[str, str]) -> None:
        """A tag opens."""
        if name == "si":
            self._parts = []
        self._is_text = name == "t"
        self._is_aloud = self._is_aloud or name == "rPh"

    def ended(self, name: str) -> None:
        """A tag closes."""
        self._is_text = False
        if name == "rPh":
            self._is_aloud = False
        if name == "si":
            self.found.append("".join(self._parts)[: CELL + 1])
            if len(self.found) > STRINGS:
                raise unreadable(f"超过 {STRINGS:,} 段文字", "另存为 CSV 后上传")

    def said(self, data: str) -> None:
        """Text between tags."""
        if self._is_text and not self._is_aloud:
            self._parts.append(data)


def _sheet(sheet: IO[bytes], strings: list[str]) -> Iterator[tuple[int, list[str]]]:
    reader = _Reader(strings)
    for piece in _pieces(sheet, SHEET_BYTES):
        reader.feed(piece)
        while reader.done:
            yield reader.done.popleft()
    reader.feed(b"", last=True)


class _Reader(Parser):
    """Collects rows from a sheet's XML."""

    def __init__(self, strings: list[str]) -> None:
        super().__init__()
        self.done: deque[tuple[int, list[str]]] = deque()
        self._strings = strings
        self._row: list[str] = []
        self._line = self._count = self._column = 0
        self._kind = self._into = ""
        self._value, self._formula = list[str](), list[str]()
        self._has_formula = False

    def begun(self, name: str, given: dict[str, str]) -> None:
        """A tag opens."""
        if name == "row":
            self._line = _following(given.get("r", ""), self._line)
            self._row, self._column = [], 0
            self._count += 1
            if self._count > ROWS + 1:
                raise unreadable(f"工作表超过 {ROWS:,} 行", "另存为 CSV 后上传")
        elif name == "c":
            place = _PLACE.fullmatch(given.get("r", ""))
            self._column = _number(place[1]) if place else self._column + 1
            if self._column > COLUMNS:
                raise unreadable(f"第 {self._line} 行太长", "导出的原件")
            self._kind, self._has_formula = given.get("t", "n"), False
            self._value, self._formula = [], []
        elif name in {"v", "t", "f"}:
            self._into = name
            self._has_formula = self._has_formula or name == "f"

    def ended(self, name: str) -> None:
        """A tag closes."""
        if name == "row":
            self.done.append((self._line, self._row))
        elif name == "c":
            self._row.extend([""] * (self._column - len(self._row)))
            self._row[self._column - 1] = self._cell()
        elif name in {"v", "t", "f"}:
            self._into = ""

    def said(self, data: str) -> None:
        """Text between tags."""
        if self._into == "f":
            if len(self._formula) < FORMULA:
                self._formula.append(data[:CELL])
        elif self._into:
            self._value.append(data)
            if sum(map(len, self._value)) > CELL:
                raise unreadable(f"第 {self._line} 行太长", "导出的原件")

    def _cell(self) -> str:
        if self._has_formula:
            return f"={''.join(self._formula)[:CELL]}"
        value = "".join(self._value)
        if self._kind == "s":
            place = int(value) if value.isascii() and value.isdigit() else -1
            return self._strings[place] if 0 <= place < len(self._strings) else ""
        return Number(_as_shown(value)) if self._kind == "n" and value else value


def _as_shown(value: str) -> str:
    """A number as Excel shows it: 128.80000000000001 is 128.8; what is too long for it has lost its end."""
    try:
        number = _EXCEL_DIGITS.create_decimal(Decimal(value))
    except InvalidOperation:
        return value
    if not number.is_finite():
        return value
    if abs(number) >= _EXACT:
        return f"{number:.2E}"
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _following(said: str, line: int) -> int:
    """The number of the next row: as the sheet says, which may leave some out and never goes back."""
    if not said:
        return line + 1
    number = int(said) if said.isascii() and said.isdigit() and len(said) <= len(str(LAST_LINE)) else 0
    if not line < number <= LAST_LINE:
        raise unreadable(f"第 {line} 行之后的行号不对", "平台导出的 .xlsx，或 CSV")
    return number


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _pieces(part: IO[bytes], most: int) -> Iterator[bytes]:
    """The bytes of a part as they unpack, whatever size its header claims."""
    taken = 0
    while piece := part.read(_PIECE):
        taken += len(piece)
        if taken > most:
            raise unreadable(f"解开后超过 {most // 2**20} MB", "另存为 CSV 后上传")
        yield piece
