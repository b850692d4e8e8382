"""Lists as downloads, in CSV that Excel opens without harm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from sanic.response import HTTPResponse

from livehub.kit import tables
from livehub.kit.tables import Cell, Fen, cell

__all__ = ["LIMIT", "Cell", "Fen", "cell", "csv_file", "cut", "download"]

LIMIT = 20_000  # rows of one file; the last line says so when there are more


def csv_file(
    name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]], *, cut: str = ""
) -> HTTPResponse:
    """A download; ``cut`` is a last line about what was left out."""
    return download(name, tables.written(head, rows, cut=cut))


def download(name: str, body: bytes) -> HTTPResponse:
    """A file of CSV whose bytes are there already."""
    return HTTPResponse(
        body,
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f"attachment; filename=export.csv; filename*=UTF-8''{quote(name)}.csv"
        },
    )


def cut(rows: int) -> str:
    """The last line of a file that could not hold everything."""
    return f"只导出了前 {LIMIT:,} 行，请缩小范围再导出" if rows > LIMIT else ""
