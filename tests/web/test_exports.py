"""What leaves as a file must not do anything in the program that opens it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime

import pytest

from livehub.web import exports
from livehub.web.exports import Fen


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("侨港海味", "侨港海味"),
        ("12345678901", "12345678901"),
        ("123456789012", "\t123456789012"),
        ("6920000000000000001", "\t6920000000000000001"),
        ("0771", "\t0771"),
        ("A1", "A1"),
        ("=1+1", "'=1+1"),
        ("  =1+1", "'  =1+1"),
        ("+86", "'+86"),
        ("-5", "'-5"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("＝1+1", "'＝1+1"),
        ("|calc", "'|calc"),
        ("", ""),
        (None, ""),
        (7, "7"),
        (-7, "-7"),
        (Fen(123_456_789), "1234567.89"),
        (Fen(-5), "-0.05"),
        (date(2026, 3, 2), "2026-03-02"),
        (datetime(2026, 3, 2, 16, 30, 1, tzinfo=UTC), "2026-03-03 00:30:01"),
    ],
)
def test_a_cell_says_what_is_meant_and_calculates_nothing(value: exports.Cell, written: str) -> None:
    assert exports.cell(value) == written


def test_a_file_reads_back_as_it_was_written_and_says_what_it_left_out() -> None:
    answer = exports.csv_file(
        "销售 汇总", ["名称", "金额"], [('逗号,引号"换行\n', Fen(100))], cut=exports.cut(20_001)
    )
    text = answer.body.decode()

    assert text[0] == "\ufeff"
    assert list(csv.reader(io.StringIO(text[1:], newline=""))) == [
        ["名称", "金额"], ['逗号,引号"换行\n', "1.00"], ["只导出了前 20,000 行，请缩小范围再导出"],
    ]  # fmt: skip
    assert answer.headers["Content-Disposition"].endswith(
        "filename*=UTF-8''%E9%94%80%E5%94%AE%20%E6%B1%87%E6%80%BB.csv"
    )
    assert exports.cut(20_000) == ""
