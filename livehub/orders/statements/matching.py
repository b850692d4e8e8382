"""Which order line a row of a statement settles: by its id, or shared out over the lines of its order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.kit import clock, money
from livehub.orders import contribution
from livehub.orders.contribution import MEASURES, g2

NOT_FOUND, NO_LINE = "not_found", "no_line"
_REFUND_SALE, _UNITS = MEASURES.index("refund_sale"), MEASURES.index("units")

Sold = Mapping[str, int]  # line -> its G2 less what was ever refunded of it, in fen


class Stored(Struct, frozen=True, kw_only=True):
    """A row of a statement as it is stored."""

    id: int
    centre_id: int
    shop_id: int
    statement_id: int
    order_ref: str
    line_ref: str
    sales_fen: int


class Matched(Struct, frozen=True, kw_only=True):
    """What came of some rows: the orders they settle, and the rows that settle nothing with the reason."""

    order_ids: frozenset[int]
    unmatched: Mapping[int, tuple[str, int]]  # row -> (NOT_FOUND or NO_LINE, the order if it is known)


async def mark(rows: Sequence[Stored], *, now: datetime) -> Matched:
    """Settle order lines by rows, each row once; in the current transaction, whose orders stay locked.

    A row that has its marks keeps them: what its order has become since is no reason to settle it again.
    """
    orders = await lock_of({(row.shop_id, row.order_ref) for row in rows})
    settled, marked = await _marked(order_id for order_id, _ in orders.values())
    marks: list[tuple[int, int, int, str, int, int]] = []
    unmatched: dict[int, tuple[str, int]] = {}
    at = clock.to_ms(now)
    for row in rows:
        order_id, sold = orders.get((row.shop_id, row.order_ref), (0, {}))
        if row.id in marked:
            continue
        shares = _shares(row, sold, settled[order_id])
        if shares is None:
            unmatched[row.id] = (NO_LINE if sold else NOT_FOUND, order_id)
            continue
        marks += [(row.id, row.statement_id, order_id, line, fen, at) for line, fen in shares.items()]
        settled[order_id].update(shares)
    await database.with_rows(_MARK, marks, _INSERT_MARK)
    known = {order_id for order_id, _ in orders.values()}
    return Matched(order_ids=frozenset(known), unmatched=unmatched)


async def _marked(order_ids: Iterable[int]) -> tuple[defaultdict[int, Counter[str]], set[int]]:
    """What is settled of each line by order, and the rows that did it."""
    settled: defaultdict[int, Counter[str]] = defaultdict(Counter)
    marked: set[int] = set()
    for each in await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in sorted(set(order_ids))],
        "SELECT m.order_id AS order_id, m.line_ref AS line_ref, m.fen AS fen, m.statement_line_id AS row_id"
        " FROM v JOIN settled_mark m ON m.order_id = v.id",
    ):
        settled[each["order_id"]][each["line_ref"]] += each["fen"]
        marked.add(each["row_id"])
    return settled, marked


async def lock_of(keys: Iterable[tuple[int, str]]) -> dict[tuple[int, str], tuple[int, Sold]]:
    """(order id, its sold lines) of the orders that are known, locked in key order as intake does it."""
    rows = await database.with_rows(
        {"shop_id": "bigint", "order_ref": "text"},
        sorted(keys),
        "SELECT o.id AS id, o.shop_id AS shop_id, o.order_ref AS order_ref, o.contribution AS contribution"
        " FROM v JOIN sales_order o ON o.shop_id = v.shop_id AND o.order_ref = v.order_ref"
        f" ORDER BY o.shop_id, o.order_ref {_for_update()}",
    )
    return {(row["shop_id"], row["order_ref"]): (row["id"], sold_of(row["contribution"])) for row in rows}


def sold_of(booked: str) -> Sold:
    """The lines that an order's contribution says are sold, and what is left of each after refunds."""
    left: dict[str, int] = {}
    for key, vector in contribution.decode(booked).items():
        if g2(vector) or vector[_UNITS]:
            left[key.line_ref] = left.get(key.line_ref, 0) + g2(vector) - vector[_REFUND_SALE]
    return left


def _shares(row: Stored, sold: Sold, settled: Mapping[str, int]) -> dict[str, int] | None:
    """Line -> its part of the row's sales; None when there is no such line.

    A row without a line, or with the order's own number for it, is shared out by what the lines still lack,
    or have too much where it takes back; where nothing does, by what is left of them.
    """
    if row.line_ref in sold:
        return {row.line_ref: row.sales_fen}
    if not sold or row.line_ref not in {"", row.order_ref}:
        return None
    lines = sorted(sold)
    sign = -1 if row.sales_fen < 0 else 1
    lacking = [max(0, sign * (sold[line] - settled.get(line, 0))) for line in lines]
    weights = lacking if any(lacking) else [max(0, sold[line]) for line in lines]
    parts = money.split(row.sales_fen, weights)
    shared = {line: part for line, part in zip(lines, parts, strict=True) if part}
    return shared or {lines[0]: 0}


def _for_update() -> str:
    return "FOR UPDATE OF o" if database.dialect() == "postgres" else ""


_MARK = {
    "statement_line_id": "bigint",
    "statement_id": "bigint",
    "order_id": "bigint",
    "line_ref": "text",
    "fen": "bigint",
    "at": "bigint",
}
_INSERT_MARK = (
    f"INSERT INTO settled_mark ({', '.join(_MARK)}) SELECT {', '.join(_MARK)} FROM v WHERE true"
    " ON CONFLICT (statement_line_id, line_ref) DO NOTHING"
)
