"""Files as platforms and Excel make them: each row is read to the fen, or named with what is wrong."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livehub.kit import money
from livehub.kit.sheets import decoding
from livehub.kit.sheets.errors import Unreadable
from livehub.orders.statements import reading, registry
from livehub.orders.statements.reading import Row, Skipped, Wrong
from tests.factories.statements import GENERIC, a_file, a_row

ORDER = "6920512345678901234"


def read(raw: bytes, source: str = "generic") -> list[Row | Wrong | Skipped]:
    return list(reading.rows(decoding.read(raw), registry.get(source)))


def only(raw: bytes, source: str = "generic") -> Row:
    (row,) = read(raw, source)
    assert isinstance(row, Row), row
    return row


def amounts(row: Row) -> tuple[int, ...]:
    return (row.sales_fen, row.fee_fen, row.commission_fen, row.freight_fen, row.other_fen)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_every_encoding_that_exports_come_in_is_read(encoding: str) -> None:
    row = only(a_file([a_row(ORDER, "128.80", entry="L1", fee="-6.40")], encoding=encoding))

    assert (row.order_ref, row.entry_ref, row.settled_on) == (ORDER, "L1", date(2026, 4, 2))
    assert amounts(row) == (12_880, -640, 0, 0, 0)


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("128.8", 12_880), ('"1,234.05"', 123_405), ("-3", -300), ("", 0), ("--", 0), ("¥12.00", 1200), ("12元", 1200),
        ("(5.00)", -500), (".5", 50), ("+7.10", 710), ("１２.５", 1250), ("128.8000", 12_880), (" 3 ", 300), ("\t9.9", 990),
    ],
)  # fmt: skip
def test_amounts_as_people_and_programs_write_them(text: str, fen: int) -> None:
    assert only(a_file([a_row(ORDER, text)])).sales_fen == fen


@given(fen=st.integers(-(10**11), 10**11))
def test_every_amount_comes_back_to_the_fen(fen: int) -> None:
    assert only(a_file([a_row(ORDER, f'"{money.yuan(fen)}"')])).sales_fen == fen


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (a_row("6.92E+18", "1"), "订单号", "科学计数法"),
        (a_row("", "1"), "订单号", "没有订单号"),
        (a_row("订单一", "1"), "订单号", "不该有的字符"),
        (a_row("9" * 65, "1"), "订单号", "超过 64 位"),
        (a_row(ORDER, "12.345"), "销售款", "多于两位小数"),
        (a_row(ORDER, "十二"), "销售款", "不是金额"),
        (a_row(ORDER, "=1+1"), "销售款", "公式"),
        (a_row(ORDER, "1e3"), "销售款", "不是金额"),
        (a_row(ORDER, "NaN"), "销售款", "不是金额"),
        (a_row(ORDER, "9" * 20), "销售款", "太大"),
        (a_row(ORDER, '"1,23"'), "销售款", "不是金额"),
        (a_row(ORDER, "1", day="2026-02-30"), "结算时间", "没有这一天"),
        (a_row(ORDER, "1", day="昨天"), "结算时间", "不是日期"),
        (a_row(ORDER, "1", day=""), "结算时间", "没有结算时间"),
        (a_row(ORDER, "1", day="1899-01-01"), "结算时间", "超出范围"),
        ((*a_row(ORDER, "1"), "多一格"), "", "单元格比列名多"),
        (a_row("=HYPERLINK(1)", "1"), "订单号", "公式"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(row: tuple[str, ...], column: str, reason: str) -> None:
    fine, wrong = read(a_file([a_row(ORDER, "5"), row]))

    assert isinstance(fine, Row)
    assert isinstance(wrong, Wrong)
    assert (wrong.line, wrong.column, reason in wrong.reason, bool(wrong.expected)) == (3, column, True, True)


def test_every_mistake_of_a_row_is_told_at_once() -> None:
    found = read(a_file([a_row("", "x", day="")]))

    assert [each.column for each in found if isinstance(each, Wrong)] == ["订单号", "结算时间", "销售款"]


def test_what_excel_is_kept_from_rounding_with_is_taken_off() -> None:
    for written in (f'"=""{ORDER}"""', f"\t{ORDER}", f"'{ORDER}", f"`{ORDER}"):
        assert only(a_file([a_row(written, "1")])).order_ref == ORDER


def test_titles_before_and_sums_after_are_no_rows() -> None:
    raw = "结算明细,,,\r\n导出时间：2026-04-03,,,\r\n".encode() + a_file([a_row(ORDER, "5"), ("",) * 8, ("合计", "", "", "", "5", "", "", "")])  # fmt: skip

    found = read(raw)

    assert [type(each) for each in found] == [Row, Skipped, Skipped]
    assert [each.is_footer for each in found if isinstance(each, Skipped)] == [False, True]
    assert found[0].line == 4


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "文件是空的"),
        (b" \r\n", "文件是空的"),
        (b"PK\x03\x04rest", "坏的"),
        (b"\xd0\xcf\x11\xe0old", "旧版"),
        (b"a,b\x00c", "NUL"),
        (b"\xff\xfea", "编码认不出来"),
        (b"\x81", "编码认不出来"),
        ("订单号,结算时间\r\n1,2".encode(), "找不到列：销售款"),
        (b"hello", "找不到列"),
        (a_file([], head=(*GENERIC, "订单号")), "列名重复：订单号"),
        (a_file([a_row(ORDER, '"5')]), "引号没有配对"),
        (a_file([a_row("1" * 3000, "5")]), "太长"),
        (a_file([("1",) * 301]), "太长"),
    ],
)
def test_what_is_no_statement_is_told(raw: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(raw)

    (detail,) = refused.value.details
    assert (detail.field, reason in detail.reason, bool(detail.expected)) == ("file", True, True), detail


def test_a_platforms_columns_become_sales_fees_commission_and_freight() -> None:
    head = ("动帐流水号", "动账时间", "订单号", "子订单号", "订单实付应结（元）", "运费实付", "实际平台补贴", "实际达人补贴",
            "订单退款", "平台服务费", "佣金", "招商服务费", "备注")  # fmt: skip
    row = (
        "D1",
        "2026-05-01 00:00:00",
        ORDER,
        f"{ORDER}1",
        "100",
        "6",
        "3",
        "2",
        "-20",
        "-5",
        "-8",
        "-1",
        "订单结算",
    )

    found = only(a_file([row], head=head), "doudian")

    assert amounts(found) == (8500, -500, -900, 600, 0)
    assert (found.entry_ref, found.line_ref) == ("D1", f"{ORDER}1")

    head = ("订单号", "订单实付(元)", "政府补贴", "平台补贴", "商家补贴(元)", "订单退款(元)", "技术服务费(元)", "达人佣金(元)",
            "实际结算时间")  # fmt: skip
    found = only(
        a_file([(ORDER, "100", "1", "3", "4", "10", "6", "7", "2026/5/1 0:00")], head=head), "kuaishou"
    )

    assert amounts(found) == (9400, 600, 700, 0, 0)


def test_a_row_is_recognised_in_another_file_by_its_own_number_or_by_all_it_says() -> None:
    first, again, twin, other = read(
        a_file([a_row("1", "5"), a_row("1", "5", entry="L1"), a_row("1", "5"), a_row("1", "6", entry="L2")])
    )
    second = [each.digest for each in read(a_file([a_row("1", "5", entry="L1", fee=""), a_row("1", "5")]))]

    assert len({each.digest for each in (first, again, twin, other)}) == 4
    assert second == [again.digest, first.digest]


def test_one_number_with_two_amounts_is_wrong() -> None:
    _, wrong = read(a_file([a_row("1", "5", entry="L1"), a_row("1", "6", entry="L1")]))

    assert isinstance(wrong, Wrong)
    assert (wrong.column, wrong.line) == ("流水号", 3)


def test_tabs_separate_as_well_and_a_cell_may_hold_a_line_break() -> None:
    raw = a_file([a_row(ORDER, "5")]).replace(b",", b"\t")
    assert only(raw).sales_fen == 500

    noted = a_file([(*a_row(ORDER, "5"), '"第一行\r\n第二行"'), a_row(ORDER, "x")], head=(*GENERIC, "备注"))
    fine, wrong = read(noted)
    assert isinstance(fine, Row)
    assert isinstance(wrong, Wrong)
    assert wrong.line == 4  # as an editor counts


@given(raw=st.binary(max_size=400))
def test_no_bytes_at_all_are_a_fault(raw: bytes) -> None:
    for head in (b"", a_file([]), "\ufeff".encode() + a_file([])):
        try:
            read(head + raw)
        except Unreadable:
            continue


@given(cells=st.lists(st.text(max_size=12), min_size=1, max_size=9))
def test_no_cells_at_all_are_a_fault(cells: list[str]) -> None:
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    with suppress(Unreadable, UnicodeEncodeError):
        read(a_file([quoted]))


def test_one_fen_and_two_fen_are_not_the_same_row() -> None:
    _, second = read(a_file([a_row(ORDER, "-0.01", entry="L1"), a_row(ORDER, "-0.02", entry="L1")]))

    assert isinstance(second, Wrong)
    assert "金额不同" in second.reason


def test_no_file_adds_up_to_more_than_the_books_can_hold() -> None:
    columns = 10  # that the widest source adds up

    assert reading.MOST_FEN * columns * decoding.ROWS < 2**63 // 10
