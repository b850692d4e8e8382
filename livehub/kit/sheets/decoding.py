"""A file's bytes as rows of text: which encoding, which delimiter, and what is no statement at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from msgspec import Struct

from livehub.kit.sheets import workbook
from livehub.kit.sheets.errors import unreadable

CELL = 2000  # letters of one cell
COLUMNS = 300
ROWS = 500_000
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_SAMPLE = 64 * 1024


class Table(Struct, frozen=True, kw_only=True):
    """Rows with their line numbers, counted from 1 as a person counts them."""

    encoding: str
    rows: Iterator[tuple[int, list[str]]]


def read(raw: bytes) -> Table:
    """The rows of a file, read as they are asked for; Unreadable says what is wrong with it."""
    if not raw.strip():
        raise unreadable("文件是空的", "有列名和数据的 .xlsx 或 CSV")
    if raw.startswith(_OLD_EXCEL):
        raise unreadable("这是旧版（.xls）或加了密的 Excel 文件", "另存为 .xlsx 或 CSV 后再上传")
    if raw.startswith(_ZIP):
        return Table(encoding="xlsx", rows=workbook.rows(raw))
    text, encoding = _decoded(raw)
    return Table(encoding=encoding, rows=_rows(text))


def _decoded(raw: bytes) -> tuple[str, str]:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return _as(raw, encoding), encoding
    if b"\x00" in raw:
        raise unreadable("文件里有空字符（NUL），不是文本", "导出的 CSV 原件")
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _as(raw, "gb18030"), "gb18030"


def _as(raw: bytes, encoding: str) -> str:
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        raise unreadable("文字编码认不出来", "UTF-8 或 GBK 编码的 CSV") from None
    if "\x00" in text:
        raise unreadable("文件里有空字符（NUL），不是文本", "导出的 CSV 原件")
    return text


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    head = text[:_SAMPLE]
    delimiter = "\t" if head.count("\t") > head.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins, count = 1, 0
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            reason = "太长" if "larger" in str(error) else "起的引号没有配对"
            raise unreadable(f"第 {begins} 行{reason}", "导出的 CSV 原件，不要用记事本改") from None
        if row is None:
            return
        count += 1
        if count > ROWS:
            raise unreadable(f"超过 {ROWS:,} 行", "按月或按旬拆成几个文件")
        if len(row) > COLUMNS or any(len(cell) > CELL for cell in row):
            raise unreadable(f"第 {begins} 行太长", "导出的 CSV 原件")
        yield begins, row
        begins = reader.line_num + 1
