"""Statements in .xlsx: numbers as Excel shows them, formulas told, and archives that would fill the memory refused."""

from __future__ import annotations

import io
import resource
import tracemalloc
import zipfile
from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livehub.kit.sheets import decoding, workbook
from livehub.kit.sheets.errors import Unreadable
from livehub.orders.statements import reading, registry
from livehub.orders.statements.reading import Row, Skipped, Wrong
from tests.factories.statements import GENERIC

ORDER = "6920512345678901234"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def a_book(sheet: str, *, strings: Sequence[str] = (), more: dict[str, bytes] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", "<Types/>")
        book.writestr("xl/worksheets/sheet1.xml", sheet)
        if strings:
            items = "".join(f"<si><t>{each}</t></si>" for each in strings)
            book.writestr("xl/sharedStrings.xml", f"<sst {MAIN}>{items}</sst>")
        for name, body in (more or {}).items():
            book.writestr(name, body)
    return out.getvalue()


def a_sheet(*rows: str) -> str:
    head = "".join(text(name) for name in GENERIC)
    lines = "".join(f'<row r="{n}">{cells}</row>' for n, cells in enumerate((head, *rows), start=1))
    return f"<worksheet {MAIN}><sheetData>{lines}</sheetData></worksheet>"


def text(value: str) -> str:
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def number(value: str) -> str:
    return f"<c><v>{value}</v></c>"


def cells(order: str, sales: str, *, day: str = "") -> str:
    return text("L1") + (day or text("2026-04-02 08:00:00")) + order + text("") + sales


def read(raw: bytes) -> list[Row | Wrong | Skipped]:
    return list(reading.rows(decoding.read(raw), registry.get("generic")))


def test_a_sheet_is_read_like_a_csv() -> None:
    shared = f'<c r="A2" t="s"><v>0</v></c>{text("2026-04-02")}<c r="C2" t="s"><v>1</v></c><c r="E2"><v>128.80000000000001</v></c>'

    (row,) = read(a_book(a_sheet(shared), strings=["L9", ORDER]))

    assert isinstance(row, Row)
    assert (row.line, row.entry_ref, row.order_ref, row.sales_fen) == (2, "L9", ORDER, 12_880)


def test_texts_of_several_pieces_and_how_they_are_read_aloud() -> None:
    strings = "<si><r><t>69</t></r><r><t>205</t></r><rPh><t>ろく</t></rPh></si>"
    sheet = a_sheet(cells('<c t="s"><v>0</v></c>', number("1")))

    (row,) = read(a_book(sheet, more={"xl/sharedStrings.xml": f"<sst {MAIN}>{strings}</sst>".encode()}))

    assert isinstance(row, Row)
    assert row.order_ref == "69205"


@pytest.mark.parametrize(
    ("stored", "fen"), [("0.1", 10), ("0.30000000000000004", 30), ("-5", -500), ("1E2", 10_000), ("1234567.89", 123_456_789)]
)  # fmt: skip
def test_numbers_are_those_that_excel_shows(stored: str, fen: int) -> None:
    (row,) = read(a_book(a_sheet(cells(text(ORDER), number(stored)))))

    assert isinstance(row, Row)
    assert row.sales_fen == fen


def test_a_day_that_is_stored_as_a_number() -> None:
    (row,) = read(a_book(a_sheet(cells(text(ORDER), number("1"), day=number("46114.5")))))

    assert isinstance(row, Row)
    assert row.settled_on == date(2026, 4, 2)


@pytest.mark.parametrize(
    ("order", "sales", "column", "reason"),
    [
        (number("6.9205123456789E+18"), number("1"), "订单号", "科学计数法"),
        (number(ORDER), number("1"), "订单号", "科学计数法"),
        (text(ORDER), "<c><f>SUM(A1:A9)</f><v>5</v></c>", "销售款", "公式"),
        (text(ORDER), number("0.125"), "销售款", "多于两位小数"),
        (text(ORDER), '<c t="e"><v>#REF!</v></c>', "销售款", "不是金额"),
        (text(ORDER), number("NaN"), "销售款", "不是金额"),
        ('<c t="s"><v>99</v></c>', number("1"), "订单号", "没有订单号"),
    ],
)
def test_a_cell_that_cannot_be_trusted_is_named(order: str, sales: str, column: str, reason: str) -> None:
    (wrong,) = read(a_book(a_sheet(cells(order, sales))))

    assert isinstance(wrong, Wrong)
    assert (wrong.line, wrong.column, reason in wrong.reason) == (2, column, True), wrong


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (a_book(a_sheet(cells(text(ORDER), number("1"))))[:-40], "坏的"),
        (a_book(a_sheet())[:300] + b"x" * 900, "坏的"),
        (a_book("<worksheet><sheetData><row>"), "坏的"),
        (a_book(ENTITIES + a_sheet(cells(text("&b;"), number("1")))), "DTD"),
        (a_book(a_sheet(), more={"xl/sharedStrings.xml": f"{ENTITIES}<sst/>".encode()}), "DTD"),
        (a_book(a_sheet(cells(text("9" * 3000), number("1")))), "太长"),
        (a_book(a_sheet('<c r="ZZZ2"><v>1</v></c>')), "太长"),
        (a_book("<worksheet/>"), "找不到列"),
    ],
)
def test_what_is_no_workbook_is_told(raw: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(raw)

    assert reason in refused.value.details[0].reason


def test_an_archive_without_a_sheet_is_told() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("photo.jpg", b"x")

    with pytest.raises(Unreadable) as refused:
        read(out.getvalue())

    assert "没有工作表" in refused.value.details[0].reason


def test_a_bomb_is_refused_while_it_unpacks_and_never_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "SHEET_BYTES", 8 * 2**20)
    monkeypatch.setattr(workbook, "STRINGS_BYTES", 8 * 2**20)
    sheet = a_book(a_sheet() + " " * (40 * 2**20))
    strings = a_book(a_sheet(), more={"xl/sharedStrings.xml": b"<sst>" + b" " * (40 * 2**20)})
    assert max(len(sheet), len(strings)) < 200_000

    for raw in (sheet, strings):
        tracemalloc.start()
        with pytest.raises(Unreadable) as refused:
            read(raw)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert "解开后超过 8 MB" in refused.value.details[0].reason
        assert peak < 4 * 2**20


DEEP = a_book("<worksheet>" + "<a>" * 1_000_000)
WIDE = a_book("<worksheet " + "".join(f'a{n}="" ' for n in range(400_000)) + "/>")
MANY = a_book(a_sheet(), more={f"x{n}": b"" for n in range(12_000)})


@pytest.mark.parametrize(("raw", "reason"), [(DEEP, "套得太深"), (WIDE, "一处太长"), (MANY, "内容太多")])
def test_what_is_small_and_would_be_held_whole_is_refused(raw: bytes, reason: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Unreadable) as refused:
        read(raw)

    assert reason in refused.value.details[0].reason
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 16 * 1024  # KiB


def test_of_a_long_formula_only_its_beginning_is_held() -> None:
    raw = a_book(a_sheet(cells(text(ORDER), f"<c><f>{'1+' * 4_000_000}</f></c>")))

    tracemalloc.start()
    (wrong,) = read(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert isinstance(wrong, Wrong)
    assert peak < 4 * 2**20


@pytest.mark.parametrize("number_of_row", ["99999999999", "1"])
def test_a_row_number_that_no_sheet_has_is_told(number_of_row: str) -> None:
    row = f'<row r="{number_of_row}">{cells(text(ORDER), number("1"))}</row>'

    with pytest.raises(Unreadable):
        read(a_book(a_sheet().replace("</sheetData>", f"{row}</sheetData>")))


def test_more_rows_than_a_sheet_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "ROWS", 50)
    sheet = a_sheet(*[cells(text(f"{ORDER}{n}"), number("1")) for n in range(60)])

    with pytest.raises(Unreadable) as refused:
        read(a_book(sheet))

    assert "超过 50 行" in refused.value.details[0].reason


@given(raw=st.binary(max_size=300), at=st.integers(0, 900))
def test_no_damage_to_a_workbook_is_a_fault(raw: bytes, at: int) -> None:
    whole = a_book(a_sheet(cells(text(ORDER), number("1"))), strings=["a"])
    for damaged in (whole[:at] + raw + whole[at + len(raw) :], b"PK\x03\x04" + raw):
        try:
            read(damaged)
        except Unreadable:
            continue
