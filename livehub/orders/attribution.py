"""Which broadcast a line belongs to: A by room or author, B by a voucher, M by a clerk, else U."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct

from livehub import database
from livehub.merchants import queries as merchants
from livehub.orders.contribution import Attributed
from livehub.platforms.contract import Line
from rooms import matching

_RANK = {"M": 0, "A": 1, "B": 2, "C": 3, "D": 4, "U": 5}


class Sold(Struct, frozen=True):
    """A line that is to be attributed, with where it was sold."""

    platform: str
    shop_id: int
    line: Line


class Bindings:
    """Everything a batch of orders needs to be attributed, read in a handful of statements."""

    def __init__(
        self,
        rooms_: dict[tuple[str, str], list[matching.Match]],
        accounts: dict[tuple[str, str], list[matching.Match]],
        assigned: dict[int, Attributed],
        products: dict[tuple[int, str], int],
    ) -> None:
        self._rooms = rooms_
        self._accounts = accounts
        self._assigned = assigned
        self._products = products

    def attribute(self, order_id: int, sold: Sold, paid_at: int) -> Attributed:
        """The best class there is for one line of an order."""
        found = [
            self._assigned.get(order_id, Attributed()),
            self._by_platform(sold.platform, sold.line, paid_at),
        ]
        return min(found, key=lambda each: _RANK[each.attribution])

    def product(self, shop_id: int, product_ref: str) -> int:
        """The product's id; 0 when it is not mapped."""
        return self._products.get((shop_id, product_ref), 0)

    def _by_platform(self, platform: str, line: Line, paid_at: int) -> Attributed:
        if line.room_ref:
            matches = self._rooms.get((platform, line.room_ref), [])
            within = [match for match in matches if _within(match, paid_at)] or matches
            if len(within) == 1:
                return _as_a(within[0])
        if line.author_ref:
            matches = [m for m in self._accounts.get((platform, line.author_ref), []) if _within(m, paid_at)]
            if len(matches) == 1:
                return _as_a(matches[0])
        return Attributed()


def _within(match: matching.Match, paid_at: int) -> bool:
    return match.started_at_ms <= paid_at and (match.ended_at_ms is None or paid_at <= match.ended_at_ms)


def _as_a(match: matching.Match) -> Attributed:
    return Attributed(match.broadcast_id, match.streamer_id, "A")


async def bindings(order_ids: Collection[int], sold: Iterable[Sold]) -> Bindings:
    """Read what these orders and lines need, in the current transaction."""
    room_pairs: set[tuple[str, str]] = set()
    account_pairs: set[tuple[str, str]] = set()
    product_pairs: set[tuple[int, str]] = set()
    for each in sold:
        if each.line.room_ref:
            room_pairs.add((each.platform, each.line.room_ref))
        if each.line.author_ref:
            account_pairs.add((each.platform, each.line.author_ref))
        if each.line.product_ref:
            product_pairs.add((each.shop_id, each.line.product_ref))
    return Bindings(
        await matching.by_room(sorted(room_pairs)),
        await matching.by_account(sorted(account_pairs)),
        await _assignments(order_ids),
        await merchants.products_by_ref(sorted(product_pairs)),
    )


async def _assignments(order_ids: Collection[int]) -> dict[int, Attributed]:
    rows = await database.with_rows(
        {"order_id": "bigint"},
        [(each,) for each in sorted(order_ids)],
        "SELECT a.order_id, a.broadcast_id, a.streamer_id, a.attribution"
        " FROM v JOIN order_assignment a ON a.order_id = v.order_id",
    )
    return {
        row["order_id"]: Attributed(row["broadcast_id"], row["streamer_id"], row["attribution"])
        for row in rows
    }
