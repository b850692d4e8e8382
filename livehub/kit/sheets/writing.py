"""A workbook written by us: every cell is a text, so that none is a formula and no number loses its end."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        '<Override PartName="/xl/styles.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/worksheet"'
        f' Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="{_OFFICE}/styles"'
        ' Target="styles.xml"/></Relationships>'
    ),
    "xl/styles.xml": (  # format 49 is "text": what is typed into a cell later stays as it was typed
        f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font><sz val="11"/></font></fonts>'
        '<fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        '<cellXfs count="1"><xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0"'
        ' applyNumberFormat="1"/></cellXfs></styleSheet>'
    ),
}


def workbook(rows: Iterable[Sequence[str]], *, sheet: str = "Sheet1", widths: Sequence[int] = ()) -> bytes:
    """The bytes of an .xlsx file with one sheet; ``widths`` of its first columns, in letters."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, part in _PARTS.items():
            book.writestr(_undated(name), _HEAD + part)
        book.writestr(
            _undated("xl/workbook.xml"),
            f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
            f'<sheet name={_attribute(sheet[:31])} sheetId="1" r:id="rId1"/></sheets></workbook>',
        )
        book.writestr(_undated("xl/worksheets/sheet1.xml"), f"{_HEAD}{_sheet(rows, widths)}")
    return out.getvalue()


def _undated(name: str) -> zipfile.ZipInfo:
    """A part without the present in it: the same rows give the same bytes."""
    part = zipfile.ZipInfo(name)
    part.compress_type = zipfile.ZIP_DEFLATED
    return part


def _sheet(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> str:
    columns = "".join(
        f'<col min="{number}" max="{number}" width="{width}" style="0" customWidth="1"/>'
        for number, width in enumerate(widths, start=1)
    )
    lines = "".join(
        f'<row r="{line}">{"".join(map(_cell, cells))}</row>' for line, cells in enumerate(rows, start=1)
    )
    head = f"<cols>{columns}</cols>" if columns else ""
    return f'<worksheet xmlns="{_MAIN}">{head}<sheetData>{lines}</sheetData></worksheet>'


def _cell(text: str) -> str:
    return f'<c t="inlineStr" s="0"><is><t xml:space="preserve">{escape(_NOT_XML.sub("", text))}</t></is></c>'


def _attribute(text: str) -> str:
    plain = re.sub(r"[\[\]:*?/\\]", " ", _NOT_XML.sub("", text)) or "Sheet1"
    return '"' + escape(plain, {'"': "&quot;"}) + '"'
