"""The order lines behind the sales of a report, and the entries they are the sums of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from itertools import groupby
from typing import Any

from livehub import database
from livehub.kit import clock
from livehub.reports import figures
from livehub.reports.basis import G2_SQL
from livehub.reports.forms import NONE, Ask

ORDERS_AT_A_TIME = 200
# Column of the evidence -> amount of one entry ``r``.
MEASURES: Mapping[str, str] = {
    "g2_fen": G2_SQL,
    "refund_fen": "r.refund_done",
    "g3_fen": f"{G2_SQL} - r.refund_done",
    "buyer_paid_fen": "r.buyer_paid",
    "platform_disc_fen": "r.platform_disc",
    "other_disc_fen": "r.other_disc",
    "voucher_subsidy_fen": "r.voucher_subsidy",
    "orders": "r.orders",
    "units": "r.units",
    "pending": "r.pending",
}
SOMETHING = " OR ".join(f"sum({sql}) <> 0" for sql in MEASURES.values())
KEY = ("order", "line", "day", "broadcast", "attribution", "product", "streamer")
NAMES = ("shop", "platform", "theme", "town", "merchant", "product_name")
_KEYS = {
    "order": "o.order_ref",
    "line": "r.line_ref",
    "broadcast": f"coalesce(b.public_id, '{NONE}')",
    "attribution": "r.attribution",
    "product": f"coalesce(p.public_id, '{NONE}')",
    "streamer": f"coalesce(t.public_id, '{NONE}')",
    "shop": "s.public_id",
    "platform": "s.platform",
    "theme": f"coalesce(m.theme, '{NONE}')",
    "town": f"coalesce(nullif(p.town, ''), '{NONE}')",
    "merchant": f"coalesce(g.public_id, '{NONE}')",
    "product_name": "coalesce(p.name, '')",
}
Entry = dict[str, Any]


async def orders(ask: Ask) -> list[int]:
    """Row ids of every order that the sales of a report speak of."""
    source, where, args = figures.question(ask.scope())
    rows = await database.fetch(
        f"SELECT DISTINCT r.order_id AS id FROM {source} WHERE {where} ORDER BY r.order_id", *args
    )
    return [row["id"] for row in rows]


async def entries(ask: Ask) -> AsyncIterator[list[Entry]]:
    """Every entry that adds to a measure, a few orders at a time; those of a line stand together."""
    source, where, args = figures.question(ask.scope())
    wanted = await orders(ask)
    named = ", ".join(f'{sql} AS "{name}"' for name, sql in _KEYS.items())
    measured = ", ".join(f"{sql} AS {name}" for name, sql in MEASURES.items())
    for start in range(0, len(wanted), ORDERS_AT_A_TIME):
        some = ", ".join(map(str, wanted[start : start + ORDERS_AT_A_TIME]))
        rows = await database.fetch(
            f"SELECT r.id, r.order_id, {ask.axis.sql()} AS day, {named}, {measured}, r.message_id, r.reason,"
            f" r.applied_at FROM {source} JOIN sales_order o ON o.id = r.order_id"
            " LEFT JOIN merchant g ON g.id = p.merchant_id"
            f" WHERE {where} AND r.order_id IN ({some}) ORDER BY r.order_id, r.line_ref, 3, r.broadcast_id,"
            " r.attribution, r.product_id, r.streamer_id, r.id",
            *args,
        )
        for row in rows:
            row["day"] = clock.day_of_number(row["day"])
        yield [row for row in rows if any(row[name] for name in MEASURES)]


async def lines(ask: Ask) -> AsyncIterator[list[Entry]]:
    """What the entries of each line add up to; lines of which nothing is left are none."""
    async for rows in entries(ask):
        page = []
        for _, some in groupby(rows, key=lambda row: (row["order_id"], *(row[name] for name in KEY))):
            each = list(some)
            sums = {name: sum(int(row[name]) for row in each) for name in MEASURES}
            if any(sums.values()):
                page.append(each[0] | sums)
        yield page
