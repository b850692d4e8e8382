"""CSV that Excel opens without harm: Chinese reads well, long numbers stay whole, no cell is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from livehub.kit import clock, money

BOM = "\ufeff"  # without it Excel reads Chinese in the wrong code page
SAFE_DIGITS = 11  # Excel writes longer numbers as 6.93E+18 and keeps 15 digits of them
_FORMULA = tuple("=+-@|\t\r\n＝＋－＠")

Cell = str | int | date | None


class Fen(int):
    """An amount: written as yuan with two decimals, so that it can be added up."""


def written(head: Sequence[str], rows: Iterable[Sequence[Cell]], *, cut: str = "") -> bytes:
    """The bytes of a file; ``cut`` is a last line about what was left out."""
    out = io.StringIO()
    out.write(BOM)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([cell(value) for value in row] for row in rows)
    if cut:
        writer.writerow([cut])
    return out.getvalue().encode()


def cell(value: Cell) -> str:
    """One value as it is written."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{clock.local(value):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Fen):
        return money.yuan(value).replace(",", "")
    if isinstance(value, int):
        return str(value)
    return _text(value)


def _text(text: str) -> str:
    if text.isascii() and text.isdigit() and (len(text) > SAFE_DIGITS or text.startswith("0")):
        return f"\t{text}"  # a number to Excel otherwise
    if text.lstrip(" ").startswith(_FORMULA):
        return f"'{text}"
    return text
