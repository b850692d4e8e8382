"""Which broadcast a line belongs to: M clerk, A room or author, B voucher, C link, D its shop, else U."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from livehub import database
from livehub.merchants import queries as merchants
from livehub.orders.contribution import Attributed
from livehub.platforms.contract import Line
from rooms import matching
from rooms.matching import Coded, Match


class Sold(Struct, frozen=True):
    """A line that is to be attributed, with where it was sold."""

    centre_id: int
    shop_id: int
    platform: str
    code: str  # of ours that came with the order, '' for most
    line: Line


class Bindings:
    """Everything a batch of orders needs to be attributed, read in a handful of statements."""

    def __init__(
        self,
        *,
        rooms: Mapping[tuple[str, str], Sequence[Match]],
        accounts: Mapping[tuple[str, str], Sequence[Match]],
        codes: Mapping[tuple[int, str], Coded],
        shops: Mapping[int, Sequence[Match]],
        words: Mapping[tuple[int, str], Attributed],
        vouchers: Mapping[int, Attributed],
        products: Mapping[tuple[int, str], int],
    ) -> None:
        self._rooms = rooms
        self._accounts = accounts
        self._codes = codes
        self._shops = shops
        self._words = words
        self._vouchers = vouchers
        self._products = products

    def attribute(self, order_id: int, sold: Sold, paid_at: int) -> Attributed:
        """The best class there is for one line of an order."""
        return (
            (self._words.get((order_id, sold.line.line_ref)) if self._words else None)
            or self._by_platform(sold, paid_at)
            or self._vouchers.get(order_id)
            or self._by_code(sold)
            or self._by_shop(sold, paid_at)
            or NOWHERE
        )

    def product(self, shop_id: int, product_ref: str) -> int:
        """The product's id; 0 when it is not mapped."""
        return self._products.get((shop_id, product_ref), 0)

    def _by_platform(self, sold: Sold, paid_at: int) -> Attributed | None:
        platform, line = sold.platform, sold.line
        if line.room_ref:
            matches = self._rooms.get((platform, line.room_ref), ())
            within = [match for match in matches if _within(match, paid_at)] or matches
            if len(within) == 1:
                return _as("A", within[0])
        if line.author_ref:
            matches = [m for m in self._accounts.get((platform, line.author_ref), ()) if _within(m, paid_at)]
            if len(matches) == 1:
                return _as("A", matches[0])
        return None

    def _by_code(self, sold: Sold) -> Attributed | None:
        """Whenever it was paid: a link is used before the show and after it."""
        found = self._codes.get((sold.centre_id, sold.code)) if sold.code else None
        return None if found is None else _as("C", found)

    def _by_shop(self, sold: Sold, paid_at: int) -> Attributed | None:
        """The only broadcast on an account of its shop; of no line that the platform says more about."""
        if _is_told(sold.line):
            return None
        matches = [m for m in self._shops.get(sold.shop_id, ()) if _within(m, paid_at)]
        return _as("D", matches[0]) if len(matches) == 1 else None


NOWHERE = Attributed()


def _is_told(line: Line) -> bool:
    return bool(line.room_ref or line.author_ref)


def _within(match: Match, paid_at: int) -> bool:
    return match.started_at_ms <= paid_at and (match.ended_at_ms is None or paid_at <= match.ended_at_ms)


def _as(attribution: str, found: Match | Coded) -> Attributed:
    return Attributed(found.broadcast_id, found.streamer_id, attribution)


async def bindings(
    order_ids: Collection[int], sold: Iterable[Sold], *, at: Iterable[tuple[int, int]]
) -> Bindings:
    """Read what these orders and lines need, in the current transaction.

    ``at`` has (shop, instant in ms) of every time by which one of the lines may be attributed.
    """
    room_pairs: set[tuple[str, str]] = set()
    account_pairs: set[tuple[str, str]] = set()
    code_pairs: set[tuple[int, str]] = set()
    product_pairs: set[tuple[int, str]] = set()
    untold: set[int] = set()
    for each in sold:
        if each.line.room_ref:
            room_pairs.add((each.platform, each.line.room_ref))
        if each.line.author_ref:
            account_pairs.add((each.platform, each.line.author_ref))
        if each.line.product_ref:
            product_pairs.add((each.shop_id, each.line.product_ref))
        if each.code:
            code_pairs.add((each.centre_id, each.code))
        if not _is_told(each.line):
            untold.add(each.shop_id)
    words, vouchers = await _assignments(order_ids)
    return Bindings(
        rooms=await matching.by_room(sorted(room_pairs)),
        accounts=await matching.by_account(sorted(account_pairs)),
        codes=await matching.by_code(sorted(code_pairs)),
        shops=await matching.by_shop(_spans(untold, at)),
        words=words,
        vouchers=vouchers,
        products=await merchants.products_by_ref(sorted(product_pairs)),
    )


def _spans(shops: Collection[int], instants: Iterable[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """The first and the last instant of each of these shops."""
    spans: dict[int, tuple[int, int]] = {}
    for shop_id, at in instants:
        if shop_id in shops:
            first, last = spans.get(shop_id, (at, at))
            spans[shop_id] = (min(first, at), max(last, at))
    return spans


async def _assignments(
    order_ids: Collection[int],
) -> tuple[dict[tuple[int, str], Attributed], dict[int, Attributed]]:
    """What clerks said of lines, by (order, line), and to what vouchers gave orders."""
    rows = await database.with_rows(
        {"order_id": "bigint"},
        [(each,) for each in sorted(order_ids)],
        "SELECT a.order_id, '' AS line_ref, a.broadcast_id, a.streamer_id, 'B' AS attribution"
        " FROM v JOIN order_assignment a ON a.order_id = v.order_id"
        " UNION ALL SELECT a.order_id, a.line_ref, a.broadcast_id, a.streamer_id, 'M'"
        f" FROM v JOIN line_assignment a ON a.order_id = v.order_id WHERE a.broadcast_id <> 0 AND {NEWEST}",
    )
    words: dict[tuple[int, str], Attributed] = {}
    vouchers: dict[int, Attributed] = {}
    for row in rows:
        found = Attributed(row["broadcast_id"], row["streamer_id"], row["attribution"])
        if found.attribution == "M":
            words[row["order_id"], row["line_ref"]] = found
        else:
            vouchers[row["order_id"]] = found
    return words, vouchers


# The newest word on a line is the one that counts; ``a`` is a row of line_assignment.
NEWEST = (
    "NOT EXISTS (SELECT 1 FROM line_assignment n WHERE n.order_id = a.order_id AND n.line_ref = a.line_ref"
    " AND n.id > a.id)"
)
