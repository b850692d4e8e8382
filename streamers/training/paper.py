"""The paper of a certificate: one page of PDF, drawn with a font of ours, with the code to verify it by."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import segno
from msgspec import Struct

from livehub import kit
from livehub.kit import clock

if TYPE_CHECKING:
    from fpdf import FPDF

FONT = Path(kit.__file__).parent / "fonts" / "wqy-microhei.ttc"
LEVELS = {1: "一级", 2: "二级", 3: "三级", 4: "四级", 5: "五级"}

_INK, _QUIET, _ACCENT = (23, 33, 28), (95, 106, 99), (23, 121, 90)
_WIDTH, _HEIGHT = 297, 210  # millimetres, A4 lying


class Printed(Struct, frozen=True, kw_only=True):
    """What a certificate says; it never changes once issued."""

    serial: str
    name: str
    identity: str  # masked
    programme: str
    occupation: str
    level: int
    cohort: str
    starts_on: date
    ends_on: date
    tenths: int
    institution: str
    issued_on: date


def certificate(printed: Printed, *, verify_url: str) -> bytes:
    """The bytes of the page; it takes some tenths of a second: call it in a thread."""
    from fpdf import FPDF  # noqa: PLC0415 -- with NumPy and fontTools it is a third of every process's start

    pdf = FPDF(orientation="landscape", unit="mm", format="A4")
    pdf.set_auto_page_break(auto=False)
    pdf.set_creation_date(clock.at_local(printed.issued_on))  # not the present: the bytes are the same again
    pdf.set_title(f"培训证书 {printed.serial}")
    pdf.set_lang("zh-CN")
    pdf.add_font("hei", fname=FONT)
    pdf.add_page()
    _frame(pdf)
    _line(pdf, 34, 34, "培训结业证书", _INK)
    _line(pdf, 52, 11, f"编号 {printed.serial}", _QUIET)
    _line(pdf, 78, 24, printed.name, _INK)
    if printed.identity:
        _line(pdf, 91, 11, f"身份证号 {printed.identity}", _QUIET)
    _line(pdf, 106, 14, f"于 {_day(printed.starts_on)} 至 {_day(printed.ends_on)}，参加", _INK)
    _line(pdf, 118, 17, f"{printed.programme} · {printed.cohort}", _ACCENT)
    level = f" {LEVELS[printed.level]}" if printed.level in LEVELS else ""
    hours = f"共 {printed.tenths / 10:g} 学时"
    _line(pdf, 130, 14, f"{printed.occupation}{level}，{hours}，考核合格，准予结业。", _INK)
    pdf.set_text_color(*_INK)
    pdf.set_font("hei", size=13)
    pdf.set_xy(_WIDTH - 130, 158)
    pdf.cell(100, 8, printed.institution, align="R")
    pdf.set_xy(_WIDTH - 130, 168)
    pdf.cell(100, 8, _day(printed.issued_on), align="R")
    _code(pdf, verify_url, x=30, y=150, side=28)
    pdf.set_text_color(*_QUIET)
    pdf.set_font("hei", size=8)
    pdf.set_xy(61, 156)
    pdf.multi_cell(80, 4.6, f"扫码核对真伪\n{verify_url}", align="L")
    return bytes(pdf.output())


def _frame(pdf: FPDF) -> None:
    pdf.set_draw_color(*_ACCENT)
    pdf.set_line_width(0.9)
    pdf.rect(12, 12, _WIDTH - 24, _HEIGHT - 24)
    pdf.set_line_width(0.25)
    pdf.rect(14.5, 14.5, _WIDTH - 29, _HEIGHT - 29)


def _line(pdf: FPDF, y: float, size: float, text: str, ink: tuple[int, int, int]) -> None:
    """One centred line, smaller where it would not fit."""
    pdf.set_text_color(*ink)
    pdf.set_font("hei", size=size)
    while pdf.get_string_width(text) > _WIDTH - 50 and size > 7:
        size -= 1
        pdf.set_font_size(size)
    pdf.set_xy(20, y)
    pdf.cell(_WIDTH - 40, size * 0.5, text, align="C")


def _code(pdf: FPDF, text: str, *, x: float, y: float, side: float) -> None:
    matrix = tuple(segno.make(text, error="m", micro=False).matrix)
    module = side / len(matrix)
    pdf.set_fill_color(0, 0, 0)
    for down, row in enumerate(matrix):
        for across, is_dark in enumerate(row):
            if is_dark:
                pdf.rect(x + across * module, y + down * module, module, module, style="F")


def _day(day: date) -> str:
    return f"{day.year} 年 {day.month} 月 {day.day} 日"
