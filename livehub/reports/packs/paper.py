"""The forms of a report as files: a page that prints, and each table as CSV and as a workbook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from html import escape

from livehub.kit import clock, tables
from livehub.kit.sheets import writing
from livehub.reports.forms import Document, Figure, Table

_STYLE = (
    "body{font:14px/1.6 'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif}body{margin:24px}"
    "h1{font-size:20px;margin:0}h2{font-size:16px;margin:24px 0 6px}p{margin:4px 0;color:#5f6a63}"
    "table{border-collapse:collapse;width:100%}th,td{border:1px solid #b8c2bc;padding:4px 8px}"
    "th,td{text-align:left}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}tr.t{font-weight:600}"
    "@media print{body{margin:0}h2{break-after:avoid}tr{break-inside:avoid}}"
)


def files(document: Document, signature: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every form."""
    yield "forms/report.html", page(document, signature).encode()
    for table in document.tables:
        head = (*table.heads, *table.columns)
        rows = [(*row.names, *(value(each) for each in row.figures)) for row in table.rows]
        notes = (table.note,) if table.note else ()
        yield f"forms/{table.name}.csv", tables.written(head, [*rows, *([note] for note in notes)])
        texts = [head, *([tables.cell(each) for each in row] for row in rows), *([note] for note in notes)]
        yield f"forms/{table.name}.xlsx", writing.workbook(texts, sheet=table.title)


def value(figure: Figure) -> tables.Cell:
    """A figure as a cell: an amount in yuan, a count, a quotient; its reason where there is none."""
    if figure.unit == "fen" and figure.numerator is not None:
        return tables.Fen(figure.numerator)
    if figure.text == "—":
        return figure.why or ""
    return figure.numerator if figure.per is None else figure.text


def page(document: Document, signature: Mapping[str, str]) -> str:
    """The whole report as one page without anything from elsewhere."""
    last = document.until - timedelta(days=1)
    about = (
        f"{document.bureau_name} · {document.since} 至 {last}"
        f" · {document.axis.label} · 口径 {document.basis.label} {document.basis}"
        f" · 截至 {clock.local(document.as_of):%Y-%m-%d %H:%M:%S}"
    )
    signed = " · ".join(f"{name} {text}" for name, text in signature.items())
    body = "".join(_table(each) for each in document.tables)
    return (
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{escape(document.title)}</title>'
        f"<style>{_STYLE}</style><h1>{escape(document.centre)} {escape(document.title)}</h1>"
        f"<p>{escape(about)}</p><p>{escape(signed)}</p>{body}</html>"
    )


def _table(table: Table) -> str:
    heads = "".join(f"<th>{escape(each)}</th>" for each in table.heads)
    heads += "".join(f'<th class="n">{escape(each)}</th>' for each in table.columns)
    rows = "".join(
        ('<tr class="t">' if row.is_total else "<tr>")
        + "".join(f"<td>{escape(each)}</td>" for each in row.names)
        + "".join(f'<td class="n">{escape(_shown(each))}</td>' for each in row.figures)
        + "</tr>"
        for row in table.rows
    )
    note = f"<p>{escape(table.note)}</p>" if table.note else ""
    return f"<h2>{escape(table.title)}</h2><table><tr>{heads}</tr>{rows}</table>{note}"


def _shown(figure: Figure) -> str:
    return f"{figure.text}（{figure.why}）" if figure.why else figure.text
