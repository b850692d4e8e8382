"""What of the lines of a scope is settled: G4, and why it is not G3 less the refunds of other days.

Of each line that is sold in the scope, what the books say is due (G2 less everything ever refunded of it) is
compared with what statements settled of it. A line whose order a statement names without naming any of
its lines is *unmatched*; what is left of the others is not settled yet, or settled too much.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from livehub import database
from livehub.kit import clock
from livehub.kit.paging import Page
from livehub.orders.statements.matching import NO_LINE
from livehub.reports import drill
from livehub.reports.basis import G2_SQL
from livehub.reports.drill import LineAmount
from livehub.reports.figures import Scope

# Of a line with what is ``due``, ``settled`` (NULL: no row names it) and whether one names its order.
_LOST = "settled IS NULL AND is_named = 1"
_SETTLED = "coalesce(settled, 0)"
AMOUNTS: Mapping[str, str] = {
    "unsettled": f"CASE WHEN NOT ({_LOST}) AND due > {_SETTLED} THEN due - {_SETTLED} ELSE 0 END",
    "unmatched": f"CASE WHEN {_LOST} THEN due ELSE 0 END",
    "over_settled": f"CASE WHEN NOT ({_LOST}) AND {_SETTLED} > due THEN {_SETTLED} - due ELSE 0 END",
    "G4": _SETTLED,
}


async def sums(scope: Scope) -> dict[str, int]:
    """Each of AMOUNTS in fen."""
    lines, args = _lines(scope)
    columns = ", ".join(f'coalesce(sum({sql}), 0) AS "{name}"' for name, sql in AMOUNTS.items())
    row = await database.fetch_one(f"SELECT {columns} FROM ({lines}) x", *args)
    assert row is not None  # noqa: S101 -- an aggregate has one row
    return {name: int(row[name]) for name in AMOUNTS}


async def lines(scope: Scope, name: str, *, number: int, size: int) -> Page[LineAmount]:
    """The lines that add to one of AMOUNTS, largest first."""
    found, args = _lines(scope)
    grouped = (
        f"SELECT order_id, line_ref, {AMOUNTS[name]} AS amount, day, attribution, broadcast, broadcast_title,"
        f" product_name FROM ({found}) x WHERE {AMOUNTS[name]} <> 0"
    )
    return await drill.page_of(grouped, args, number=number, size=size)


def _lines(scope: Scope) -> tuple[str, list[Any]]:
    """(statement, arguments) of every sold line, with all that AMOUNTS speak of."""
    sold, args = drill.grouping(
        scope, f"{G2_SQL} - r.refund_sale", having=f"sum(r.units) <> 0 OR sum({G2_SQL}) <> 0"
    )
    marked = named = ""
    if scope.as_of is not None:
        args.append(clock.to_ms(scope.as_of))
        marked = f" WHERE at <= ${len(args)}"
        named = f" AND d.opened_at <= ${len(args)} AND coalesce(d.closed_at, ${len(args)} + 1) > ${len(args)}"
    else:
        named = " AND d.state <> 'closed'"
    return (
        f"SELECT g.*, g.amount AS due, m.fen AS settled, CASE WHEN n.id IS NULL THEN 0 ELSE 1 END AS is_named"
        f" FROM ({sold}) g LEFT JOIN (SELECT order_id, line_ref, sum(fen) AS fen FROM settled_mark{marked}"
        " GROUP BY order_id, line_ref) m ON m.order_id = g.order_id AND m.line_ref = g.line_ref"
        " LEFT JOIN (SELECT DISTINCT o.id AS id FROM settlement_difference d"
        " JOIN statement_line l ON l.id = d.statement_line_id"
        " JOIN sales_order o ON o.shop_id = l.shop_id AND o.order_ref = l.order_ref"
        f" WHERE d.kind = '{NO_LINE}'{named}) n ON n.id = g.order_id"
    ), args
