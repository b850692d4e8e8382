"""From a number to its lines: the order lines that add up to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock, paging
from livehub.kit.paging import Page
from livehub.reports.basis import Basis
from livehub.reports.figures import Scope, question, source


class LineAmount(Struct, frozen=True, kw_only=True):
    """What one order line adds to a number, in fen of the number's basis."""

    order_ref: str
    shop: str
    shop_name: str
    platform: str
    line_ref: str
    amount_fen: int
    day: date
    attribution: str
    broadcast: str
    broadcast_title: str
    product_name: str
    paid_at: datetime | None
    status: str


async def lines(scope: Scope, basis: Basis, *, number: int = 1, size: int = 50) -> Page[LineAmount]:
    """The lines whose contributions add up to the number, largest first; their sum is the number."""
    return await amounts(scope, basis.sql(), number=number, size=size)


async def amounts(
    scope: Scope, sql: str, *, only: str = "", above: bool = False, number: int = 1, size: int = 50
) -> Page[LineAmount]:
    """The lines that add to an amount of rows ``r``, largest first.

    ``only``: a condition that holds for every row that adds to it; ``above``: lines above 0 alone.
    """
    grouped, args = grouping(scope, sql, only=only, above=above)
    return await page_of(grouped, args, number=number, size=size)


async def page_of(grouped: str, args: Sequence[Any], *, number: int, size: int) -> Page[LineAmount]:
    """A page of the lines that a statement of ``grouping``'s columns finds, the largest amount first."""
    number, size, limit, offset = paging.window(number=number, size=size)
    count = await database.fetch_one(f"SELECT count(*) AS n FROM ({grouped}) g", *args)
    rows = await database.fetch(
        "SELECT g.*, o.order_ref AS order_ref, o.platform AS platform, o.paid_at AS paid_at, o.status AS"
        " status,"
        f" s.public_id AS shop, s.name AS shop_name FROM ({grouped}) g JOIN sales_order o ON o.id ="
        " g.order_id"
        f" JOIN shop s ON s.id = o.shop_id ORDER BY abs(g.amount) DESC, g.order_id, g.line_ref LIMIT {limit}"
        f" OFFSET {offset}",
        *args,
    )
    items = [
        LineAmount(
            order_ref=row["order_ref"],
            shop=row["shop"],
            shop_name=row["shop_name"],
            platform=row["platform"],
            line_ref=row["line_ref"],
            amount_fen=int(row["amount"]),
            day=clock.day_of_number(row["day"]),
            attribution=row["attribution"],
            broadcast=row["broadcast"] or "",
            broadcast_title=row["broadcast_title"] or "",
            product_name=row["product_name"] or "",
            paid_at=clock.from_ms(row["paid_at"]) if row["paid_at"] else None,
            status=row["status"],
        )
        for row in rows
    ]
    return Page(items, number, size, int(count["n"]) if count else 0)


async def sum_above(scope: Scope, sql: str, *, only: str) -> int:
    """The sum of the lines of ``amounts(above=True)``."""
    grouped, args = grouping(scope, sql, only=only, above=True)
    row = await database.fetch_one(f"SELECT coalesce(sum(amount), 0) AS fen FROM ({grouped}) g", *args)
    return int(row["fen"]) if row else 0


def grouping(
    scope: Scope, sql: str, *, only: str = "", above: bool = False, having: str = ""
) -> tuple[str, list[Any]]:
    """(statement, arguments) that sum an amount of rows ``r`` by line: those not 0, or of ``having``."""
    _, where, args = question(scope)
    where += f" AND {only}" if only else ""
    return (
        f"SELECT r.order_id AS order_id, r.line_ref AS line_ref, sum({sql}) AS amount, min(r.day) AS day,"
        " r.attribution AS attribution, max(b.public_id) AS broadcast, max(b.title) AS broadcast_title,"
        f" max(p.name) AS product_name FROM {source(as_of=True)} WHERE {where}"
        # A line that was moved stands where it is now: where it was before, its entries cancel out.
        " GROUP BY r.order_id, r.line_ref, r.broadcast_id, r.attribution, r.product_id"
        f" HAVING {having or f'sum({sql})' + (' > 0' if above else ' <> 0')}"
    ), args
