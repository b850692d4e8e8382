"""Rows of text as rows of a statement: each is read, or named with what is wrong and would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from livehub.kit.sheets.decoding import Table
from livehub.kit.sheets.errors import unreadable
from livehub.orders.statements.contract import Amount, Source, plain

T = TypeVar("T")
Reader = Callable[[str], T]
HEAD_WITHIN = 30  # rows among which the names of the columns are looked for: exports begin with a title
MOST_FEN = 10**11  # of one cell: a file of such amounts adds up to what a bigint holds
YEARS = range(2010, 2100)
_FOOTER = re.compile(r"^(合计|总计|小计|汇总|共计)")
_SCIENTIFIC = re.compile(r"^\d(\.\d+)?E\+\d+$", re.IGNORECASE)
_REF = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")
_AS_TEXT = re.compile(r'^="([^"]*)"$')  # how exports keep Excel from rounding a long number
_MONEY = re.compile(r"^[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?$")
_SERIAL = re.compile(r"^[45]\d{4}(\.\d+)?$")  # how a sheet stores a date: 46114.33
_DATE = re.compile(r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]+\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?$")


class Wrong(Struct, frozen=True, kw_only=True):
    """One cell that cannot be read."""

    line: int
    column: str
    reason: str
    expected: str


class Row(Struct, frozen=True, kw_only=True):
    """One row of a statement; integer fen. ``digest`` recognises it in another file of the same shop."""

    line: int
    order_ref: str
    line_ref: str
    entry_ref: str
    settled_on: date
    sales_fen: int
    fee_fen: int
    commission_fen: int
    freight_fen: int
    other_fen: int
    digest: bytes


class Skipped(Struct, frozen=True):
    """A row that is none of an order: empty, or a sum at the end."""

    line: int
    is_footer: bool


def rows(table: Table, source: Source) -> Iterator[Row | Wrong | Skipped]:
    """Every row of a table, in its sequence; Unreadable when it has not the columns of the source."""
    begun = iter(table.rows)
    columns = _head(begun, source)
    seen = _Seen()
    for line, cells in begun:
        if not any(cell.strip() for cell in cells):
            yield Skipped(line, is_footer=False)
        elif _FOOTER.match(_cell(next(cell for cell in cells if cell.strip()))):
            yield Skipped(line, is_footer=True)
        else:
            yield from _row(line, cells, columns, seen)


class _Columns(Struct, frozen=True, kw_only=True):
    width: int
    order_ref: tuple[int, str]
    settled_at: tuple[int, str]
    line_ref: tuple[int, str] | None
    entry_ref: tuple[int, str] | None
    amounts: Mapping[Amount, Sequence[tuple[int, str]]]
    less: Sequence[tuple[int, str]]


class _Unfit(Exception):
    def __init__(self, reason: str, expected: str) -> None:
        super().__init__(reason)
        self.reason, self.expected = reason, expected


def _head(begun: Iterator[tuple[int, list[str]]], source: Source) -> _Columns:
    """The columns by the first row that has those without which it is no statement."""
    best = _missing([], source)
    for _, cells in (pair for pair, _ in zip(begun, range(HEAD_WITHIN), strict=False)):
        names = [plain(_cell(cell)) for cell in cells]
        missing = _missing(names, source)
        if not missing:
            return _columns(names, source)
        if len(missing) < len(best):
            best = missing
    raise unreadable(
        f"找不到列：{'、'.join(best)}", f"{source.label}的原始导出文件，列名在前 {HEAD_WITHIN} 行之内"
    )


def _missing(names: Sequence[str], source: Source) -> list[str]:
    wanted = [source.order_ref, source.settled_at, *((name,) for name in source.must)]
    return [" 或 ".join(choice) for choice in wanted if not any(plain(name) in names for name in choice)]


def _columns(names: Sequence[str], source: Source) -> _Columns:
    used = [
        *source.order_ref, *source.settled_at, *source.line_ref, *source.entry_ref, *source.less,
        *(name for group in source.amounts.values() for name in group),
    ]  # fmt: skip
    twice = sorted({name for name in map(plain, used) if names.count(name) > 1})
    if twice:
        raise unreadable(f"列名重复：{'、'.join(twice)}", "每个列名只出现一次的原始导出文件")

    def first(choice: Sequence[str]) -> tuple[int, str] | None:
        return next(((names.index(plain(name)), name) for name in choice if plain(name) in names), None)

    def every(group: Sequence[str]) -> list[tuple[int, str]]:
        return [(names.index(plain(name)), name) for name in group if plain(name) in names]

    order_ref, settled_at = first(source.order_ref), first(source.settled_at)
    assert order_ref is not None  # noqa: S101 -- nothing is missing
    assert settled_at is not None  # noqa: S101 -- as above
    return _Columns(
        width=len(names),
        order_ref=order_ref,
        settled_at=settled_at,
        line_ref=first(source.line_ref),
        entry_ref=first(source.entry_ref),
        amounts={kind: every(group) for kind, group in source.amounts.items()},
        less=every(source.less),
    )


def _row(line: int, cells: list[str], columns: _Columns, seen: _Seen) -> Iterator[Row | Wrong]:
    wrong: list[Wrong] = []

    def take(column: tuple[int, str] | None, read: Reader[T], none: T) -> T:
        if column is None:
            return none
        place, name = column
        text = _cell(cells[place]) if place < len(cells) else ""
        try:
            return read(text)
        except _Unfit as unfit:
            wrong.append(Wrong(line=line, column=name, reason=unfit.reason, expected=unfit.expected))
            return none

    if any(_cell(cell) for cell in cells[columns.width :]):
        wrong.append(
            Wrong(line=line, column="", reason="单元格比列名多", expected="没有被改动过的原始导出文件")
        )
    order_ref = take(columns.order_ref, _order_ref, "")
    line_ref = take(columns.line_ref, _ref, "")
    entry_ref = take(columns.entry_ref, _ref, "")
    settled_on = take(columns.settled_at, _day, date.min)
    sums = {kind: sum(take(column, _fen, 0) for column in group) for kind, group in columns.amounts.items()}
    sales = sums.get(Amount.SALES, 0) - sum(abs(take(column, _fen, 0)) for column in columns.less)
    if wrong:
        yield from wrong
        return
    amounts = [
        sales,
        *(sums.get(kind, 0) for kind in (Amount.FEE, Amount.COMMISSION, Amount.FREIGHT, Amount.OTHER)),
    ]
    amounts_of = dict(zip(("sales", "fee", "commission", "freight", "other"), amounts, strict=True))
    row = Row(
        line=line,
        order_ref=order_ref,
        line_ref=line_ref,
        entry_ref=entry_ref,
        settled_on=settled_on,
        **{f"{name}_fen": fen for name, fen in amounts_of.items()},
        digest=b"",
    )
    yield seen.recognised(row, column=columns.entry_ref)


class _Seen:
    """The rows of a file so far: which of them are the same row of the platform."""

    def __init__(self) -> None:
        self._amounts: dict[bytes, tuple[object, ...]] = {}
        self._count: dict[bytes, int] = {}

    def recognised(self, row: Row, *, column: tuple[int, str] | None) -> Row | Wrong:
        """By the platform's own id of the row; without one by all it says and the how manieth it is."""
        if row.entry_ref:
            found = _digest("entry", row.entry_ref, row.order_ref, row.line_ref)
            if self._amounts.setdefault(found, said(row)) != said(row):
                name = column[1] if column else ""
                return Wrong(
                    line=row.line,
                    column=name,
                    reason="和前面一行流水号相同、金额不同",
                    expected="每个流水号一行",
                )
            return replace(row, digest=found)
        found = _digest("row", row.order_ref, row.line_ref, *map(str, said(row)))
        count = self._count[found] = self._count.get(found, 0) + 1
        return replace(row, digest=found if count == 1 else _digest(found.hex(), str(count)))


def said(row: Row) -> tuple[object, ...]:
    """What a row says of its order line."""
    return (row.settled_on, row.sales_fen, row.fee_fen, row.commission_fen, row.freight_fen, row.other_fen)


def _digest(*parts: str) -> bytes:
    return blake2b("\x1f".join(parts).encode(), digest_size=16).digest()


def _cell(text: str) -> str:
    """A cell without what exports put around it to keep Excel from rounding."""
    bare = text.strip(" \t\r\n\u3000\ufeff").removeprefix("'").removeprefix("`")
    quoted = _AS_TEXT.match(bare)
    return (quoted[1] if quoted else bare).strip()


def _order_ref(text: str) -> str:
    if not text or text in {"-", "--", "/"}:
        raise _Unfit("没有订单号", "平台的订单号")
    return _ref(text)


def _ref(text: str) -> str:
    if text in {"", "-", "--", "/"}:
        return ""
    if _SCIENTIFIC.match(text):
        raise _Unfit(
            "号码被 Excel 改成了科学计数法，后几位已丢失", "从平台重新导出，不要用 Excel 打开后再保存"
        )
    if text.startswith("="):
        raise _Unfit("单元格是公式", "数字或文字")
    if not _REF.match(text):
        raise _Unfit("号码里有不该有的字符，或超过 64 位", "平台的号码，如 6920512345678901234")
    return text


def _fen(text: str) -> int:
    """Integer fen of a decimal text; empty is none of it."""
    if text in {"", "-", "--", "/"}:
        return 0
    bare = text.translate(_HALF_WIDTH).replace(" ", "").removeprefix("¥").removesuffix("元")
    if bare.startswith("="):
        raise _Unfit("单元格是公式", "数字，如 128.80")
    if bare.startswith("(") and bare.endswith(")"):
        bare = f"-{bare[1:-1]}"
    if not bare or not _MONEY.match(bare):
        raise _Unfit("不是金额", "数字，如 128.80")
    try:
        fen = Decimal(bare.replace(",", "")) * 100
    except InvalidOperation:
        raise _Unfit("不是金额", "数字，如 128.80") from None
    if fen != fen.to_integral_value():
        raise _Unfit("金额多于两位小数", "精确到分，如 128.80")
    if abs(fen) > MOST_FEN:
        raise _Unfit("金额太大", "以元为单位的金额")
    return int(fen)


def _day(text: str) -> date:
    found = _DATE.match(text)
    if found is None and _SERIAL.match(text):
        return _EXCEL_EPOCH + timedelta(days=int(text.partition(".")[0]))
    if found is None:
        raise _Unfit("没有结算时间" if not text else "不是日期", "如 2026-03-06 12:00:00")
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise _Unfit("没有这一天", "如 2026-03-06 12:00:00") from None
    if day.year not in YEARS:
        raise _Unfit("日期超出范围", "如 2026-03-06 12:00:00")
    return day


_EXCEL_EPOCH = date(1899, 12, 30)
_HALF_WIDTH = str.maketrans("０１２３４５６７８９．，－＋￥（）", "0123456789.,-+¥()")
