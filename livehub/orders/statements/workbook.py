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
from xml.parsers import expat

from livehub.orders.statements.errors import unreadable

ROWS = 100_000  # above it a CSV: a sheet takes ten times as long
SHEET_BYTES = 256 * 1024 * 1024  # unpacked
STRINGS_BYTES = 64 * 1024 * 1024  # unpacked, of the one part that is held
STRINGS = 2_000_000
CELL = 2000
COLUMNS = 300
_PIECE = 64 * 1024
_BROKEN = (  # what reading an archive may raise, besides our own refusals
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, OSError, NotImplementedError, RuntimeError, ValueError, KeyError),
)
_EXCEL_DIGITS = Context(prec=15)  # what Excel itself keeps of a number
_EXACT = 10**15
_PLACE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_SHEET = re.compile(r"xl/worksheets/sheet(\d+)\.xml")


def rows(raw: bytes) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of the first sheet; Unreadable for what is no workbook, or one that unpacks to too much.

    A number is told as Excel shows it, a formula with its equals sign.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as book:
            strings = _strings(book)
            sheets = sorted(
                (int(found[1]), name) for name in book.namelist() if (found := _SHEET.fullmatch(name))
            )
            if not sheets:
                raise unreadable("压缩文件里没有工作表", "平台导出的 .xlsx 或 CSV")
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
            _feed(reader.parser, piece)
        _feed(reader.parser, b"", last=True)
    return reader.found


class _Texts:
    """Collects the shared texts; how one is read aloud is no part of it."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.parser = _parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._parts: list[str] = []
        self._is_text = self._is_aloud = False

    def _start(self, name: str, _: dict[str, str]) -> None:
        if name == "si":
            self._parts = []
        self._is_text = name == "t"
        self._is_aloud = self._is_aloud or name == "rPh"

    def _end(self, name: str) -> None:
        self._is_text = False
        if name == "rPh":
            self._is_aloud = False
        if name == "si":
            self.found.append("".join(self._parts)[: CELL + 1])
            if len(self.found) > STRINGS:
                raise unreadable(f"超过 {STRINGS:,} 段文字", "另存为 CSV 后上传")

    def _text(self, data: str) -> None:
        if self._is_text and not self._is_aloud:
            self._parts.append(data)


def _sheet(sheet: IO[bytes], strings: list[str]) -> Iterator[tuple[int, list[str]]]:
    reader = _Reader(strings)
    for piece in _pieces(sheet, SHEET_BYTES):
        _feed(reader.parser, piece)
        while reader.done:
            yield reader.done.popleft()
    _feed(reader.parser, b"", last=True)


class _Reader:
    """Collects rows from a sheet's XML."""

    def __init__(self, strings: list[str]) -> None:
        self.done: deque[tuple[int, list[str]]] = deque()
        self.parser = _parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._strings = strings
        self._row: list[str] = []
        self._line = self._count = self._column = 0
        self._kind = self._into = ""
        self._value, self._formula = list[str](), list[str]()
        self._has_formula = False

    def _start(self, name: str, given: dict[str, str]) -> None:
        if name == "row":
            self._line = int(given["r"]) if given.get("r", "").isdigit() else self._line + 1
            self._row, self._column = [], 0
            self._count += 1
            if self._count > ROWS + 1:
                raise unreadable(f"工作表超过 {ROWS:,} 行", "另存为 CSV 后上传")
        elif name == "c":
            place = _PLACE.fullmatch(given.get("r", ""))
            self._column = _number(place[1]) if place else self._column + 1
            if self._column > COLUMNS:
                raise unreadable(f"第 {self._line} 行太长，不是结算单", "平台导出的原件")
            self._kind, self._has_formula = given.get("t", "n"), False
            self._value, self._formula = [], []
        elif name in {"v", "t", "f"}:
            self._into = name
            self._has_formula = self._has_formula or name == "f"

    def _end(self, name: str) -> None:
        if name == "row":
            self.done.append((self._line, self._row))
        elif name == "c":
            self._row.extend([""] * (self._column - len(self._row)))
            self._row[self._column - 1] = self._cell()
        elif name in {"v", "t", "f"}:
            self._into = ""

    def _text(self, data: str) -> None:
        if self._into == "f":
            self._formula.append(data)
        elif self._into:
            self._value.append(data)
            if sum(map(len, self._value)) > CELL:
                raise unreadable(f"第 {self._line} 行太长，不是结算单", "平台导出的原件")

    def _cell(self) -> str:
        if self._has_formula:
            return f"={''.join(self._formula)[:CELL]}"
        value = "".join(self._value)
        if self._kind == "s":
            place = int(value) if value.isascii() and value.isdigit() else -1
            return self._strings[place] if 0 <= place < len(self._strings) else ""
        return _as_shown(value) if self._kind == "n" and value else value


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


def _parser() -> expat.XMLParserType:
    """XML that knows no types and no entities of its own."""
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise unreadable("Excel 文件里有不该有的内容（DTD）", "平台导出的 .xlsx，或 CSV")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    return parser


def _feed(parser: expat.XMLParserType, piece: bytes, *, last: bool = False) -> None:
    try:
        parser.Parse(piece, last)
    except expat.ExpatError:
        raise unreadable("Excel 文件的内容是坏的", "能正常打开的 .xlsx，或 CSV") from None
