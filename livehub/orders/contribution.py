"""What an order's state adds to the buckets: a pure function, in integer fen and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from operator import add, sub

import msgspec
from msgspec import Struct

from livehub.kit import clock, money
from livehub.orders.state import OrderState
from livehub.platforms.contract import Line, OrderStatus, RefundKind, RefundSnapshot, RefundStatus

MEASURES = (
    "buyer_paid",
    "platform_disc",
    "other_disc",
    "voucher_subsidy",
    "freight",
    "refund_sale",
    "refund_done",
    "refund_apply",
    "refund_cash",
    "orders",
    "orders_with",
    "units",
    "refunds",
    "pending",
    "placed_unpaid",
    "placed_closed",
    "placed_shift",
)

Vector = tuple[int, ...]  # one integer per measure, in the order of MEASURES
ZERO: Vector = (0,) * len(MEASURES)

_REFUND_SALE = MEASURES.index("refund_sale")
_REFUND_DONE = MEASURES.index("refund_done")
_REFUND_APPLY = MEASURES.index("refund_apply")
_REFUND_CASH = MEASURES.index("refund_cash")
_REFUNDS = MEASURES.index("refunds")
_PENDING = MEASURES.index("pending")
_UNPAID = MEASURES.index("placed_unpaid")
_CLOSED = MEASURES.index("placed_closed")
_SHIFT = MEASURES.index("placed_shift")
_HOUR_MS = 3_600_000


class Key(Struct, frozen=True, order=True, cache_hash=True):
    """One bucket, and the line and minute that speak for it. 0 or '' means none."""

    centre_id: int
    day: int  # YYYYMMDD in Asia/Shanghai
    broadcast_id: int
    shop_id: int
    streamer_id: int
    product_id: int
    attribution: str
    line_ref: str
    minute: int


Contribution = dict[Key, Vector]


class Attributed(Struct, frozen=True):
    """To which broadcast a line belongs, and how we know."""

    broadcast_id: int = 0
    streamer_id: int = 0
    attribution: str = "U"


class Place(Struct, frozen=True):
    """Whose order it is."""

    centre_id: int
    shop_id: int


def of(
    state: OrderState,
    *,
    place: Place,
    attribute: Callable[[Line, int], Attributed],
    product_of: Callable[[str], int],
    is_left_unpaid: bool = False,
) -> Contribution:
    """The contribution of a state. ``attribute`` gets a line and the time it is attributed by, in ms.

    ``is_left_unpaid``: it was noted that nobody paid for a while. Most orders are paid within seconds, and
    are not booked before.
    """
    total: dict[Key, list[int]] = {}
    paid_at = state.get("paid_at")
    lines = () if state.lines is None else state.lines[1]
    if lines and not state.get("excluded"):
        if paid_at:
            _book_sale(total, state, lines, paid_at, place, attribute, product_of)
        elif is_left_unpaid or _is_closed(state):
            _book_unpaid(total, state, lines, place, attribute, product_of)
    if state.pending:
        at = paid_at or state.first_seen
        unknown = Key(place.centre_id, _day(at), 0, place.shop_id, 0, 0, "U", "", 0)
        _vector(total, unknown)[_PENDING] += 1
    return {key: tuple(vector) for key, vector in total.items() if any(vector)}


def grounds(state: OrderState) -> tuple[object, ...]:
    """All that a contribution is made of: where it is the same, so is the contribution."""
    pending, paid_at = state.pending, state.get("paid_at")
    return (
        None if state.lines is None else state.lines[1],
        paid_at,
        bool(state.get("excluded")),
        state.get("broadcast_ref"),
        succeeded(state),
        pending,
        state.get("created_at"),
        0 if paid_at else state.first_seen,
        not paid_at and _is_closed(state),
    )


def attributed_by(state: OrderState) -> int:
    """The time by which an order's lines find their broadcast: of its payment, until then of its placing."""
    return int(state.get("paid_at") or state.get("created_at") or state.first_seen)


def _book_unpaid(
    total: dict[Key, list[int]],
    state: OrderState,
    lines: tuple[Line, ...],
    place: Place,
    attribute: Callable[[Line, int], Attributed],
    product_of: Callable[[str], int],
) -> None:
    """What was placed and not paid, on the day of its placing: of G0 only."""
    at = attributed_by(state)
    measure = _CLOSED if _is_closed(state) else _UNPAID
    for line in lines:
        where = attribute(line, at)
        key = Key(
            place.centre_id,
            _day(at),
            where.broadcast_id,
            place.shop_id,
            where.streamer_id,
            product_of(line.product_ref),
            where.attribution,
            line.line_ref,
            0,
        )
        _vector(total, key)[measure] += _placed(line)


def _is_closed(state: OrderState) -> bool:
    return bool(state.get("status") == OrderStatus.CANCELLED)


def _placed(line: Line) -> int:
    """List price less the merchant's discount: what the line is in G0, and once it is paid in G2."""
    return line.list_fen - line.merchant_disc_fen


def _book_sale(
    total: dict[Key, list[int]],
    state: OrderState,
    lines: tuple[Line, ...],
    paid_at: int,
    place: Place,
    attribute: Callable[[Line, int], Attributed],
    product_of: Callable[[str], int],
) -> None:
    refunded = _refunded_by_line(state, lines)
    created_at = state.get("created_at")
    is_shifted = created_at is not None and _day(created_at) != _day(paid_at)
    seen_products: set[int] = set()
    for position, line in enumerate(lines):
        where = attribute(line, paid_at)
        product_id = product_of(line.product_ref)

        def key(
            at: int,
            minute: int = 0,
            where: Attributed = where,
            line: Line = line,
            product_id: int = product_id,
        ) -> Key:
            return Key(
                place.centre_id,
                _day(at),
                where.broadcast_id,
                place.shop_id,
                where.streamer_id,
                product_id,
                where.attribution,
                line.line_ref,
                minute,
            )

        sale = key(paid_at, paid_at // 60_000)
        booked = _vector(total, sale)
        sold = (  # the first measures, in their order
            line.buyer_paid_fen,
            line.platform_disc_fen,
            line.other_disc_fen,
            line.voucher_subsidy_fen,
            line.freight_fen,
            *(0, 0, 0, 0),  # refunds
            int(position == 0),
            int(product_id not in seen_products),
            line.quantity,
        )
        booked[: len(sold)] = map(add, booked, sold)
        seen_products.add(product_id)
        if is_shifted:
            booked[_SHIFT] -= _placed(line)
            _vector(total, key(created_at))[_SHIFT] += _placed(line)
        for share in refunded[position]:
            booked[_REFUND_SALE] += share.g2
            done = _vector(total, key(share.succeeded_at))
            done[_REFUND_DONE] += share.g2
            done[_REFUND_CASH] += share.cash
            done[_REFUNDS] += share.count
            _vector(total, key(share.applied_at))[_REFUND_APPLY] += share.g2


class _Share(Struct, frozen=True):
    """What one after-sale takes back from one line."""

    succeeded_at: int
    applied_at: int
    g2: int
    cash: int
    count: int


def is_all_refunded(state: OrderState) -> bool:
    """Whether nothing of an order's G2 is left."""
    lines = state.lines[1] if state.lines else ()
    shares = _refunded_by_line(state, lines)
    return bool(lines) and all(
        sum(share.g2 for share in of) >= _g2(line) for line, of in zip(lines, shares, strict=True)
    )


def _g2(line: Line) -> int:
    return line.buyer_paid_fen + line.platform_disc_fen + line.other_disc_fen + line.voucher_subsidy_fen


def _refunded_by_line(state: OrderState, lines: tuple[Line, ...]) -> list[list[_Share]]:
    """Shares of each line, in the order in which the refunds succeeded.

    ``floor(G2_line x cumulative refunded / buyer_paid_line)``, booked by difference: all of G2 when the
    line is fully refunded, and beyond it in the same proportion. Where the buyer paid nothing, by quantity.
    An after-sale that tells its G2 is booked as it tells.
    """
    shares: list[list[_Share]] = [[] for _ in lines]
    moved = succeeded(state)
    if not moved:
        return shares
    cash_so_far = [0] * len(lines)
    units_so_far = [0] * len(lines)
    booked = [0] * len(lines)
    for refund in moved:
        counted = False
        for i, (cash, units) in _parts(refund, lines).items():
            line = lines[i]
            cash_so_far[i] += cash
            units_so_far[i] += units
            g2 = _g2(line)
            if refund.goods_fen is not None:
                until_now = booked[i] + _goods(refund.goods_fen, i, refund, lines)
            elif line.buyer_paid_fen:
                until_now = g2 * cash_so_far[i] // line.buyer_paid_fen
            else:
                until_now = g2 * min(units_so_far[i], line.quantity) // max(line.quantity, 1)
            at = refund.succeeded_at or refund.updated_at
            shares[i].append(
                _Share(at, refund.applied_at or at, until_now - booked[i], cash, int(not counted))
            )
            counted = True
            booked[i] = until_now
    return shares


def _goods(goods_fen: int, position: int, refund: RefundSnapshot, lines: tuple[Line, ...]) -> int:
    """The part of one line in the G2 that an after-sale tells."""
    if any(line.line_ref == refund.line_ref for line in lines):
        return goods_fen
    return money.split(goods_fen, [_g2(line) for line in lines])[position]


def succeeded(state: OrderState) -> list[RefundSnapshot]:
    """The after-sales that moved money, in the order in which they succeeded."""
    if not state.refunds:
        return []
    moved = [
        each.value
        for each in state.refunds.values()
        if each.value.status is RefundStatus.SUCCEEDED
        and each.value.kind in {RefundKind.REFUND_ONLY, RefundKind.RETURN_REFUND}
    ]
    return sorted(moved, key=lambda each: (each.succeeded_at or each.updated_at, each.refund_ref))


def _parts(refund: RefundSnapshot, lines: tuple[Line, ...]) -> Mapping[int, tuple[int, int]]:
    """Line position -> (cash, units) of one after-sale; one without a line is split by what was paid."""
    cash = refund.refunded_fen or 0
    for i, line in enumerate(lines):
        if line.line_ref == refund.line_ref:
            return {i: (cash, refund.quantity)}
    split = money.split(cash, [line.buyer_paid_fen for line in lines])
    whole = cash >= sum(line.buyer_paid_fen for line in lines)
    return {i: (part, lines[i].quantity if whole else 0) for i, part in enumerate(split) if part or whole}


def difference(new: Contribution, old: Contribution) -> Contribution:
    """What must be appended so that the sum of entries becomes ``new``; zeroes are left out."""
    if new == old:
        return {}
    changed = {
        key: tuple(map(sub, new.get(key, ZERO), old.get(key, ZERO)))
        for key in sorted(new.keys() | old.keys())
    }
    return {key: delta for key, delta in changed.items() if any(delta)}


def encode(contribution: Contribution) -> str:
    """Canonical JSON of a contribution."""
    rows = [(msgspec.structs.astuple(key), vector) for key, vector in sorted(contribution.items())]
    return msgspec.json.encode(rows).decode()


def decode(text: str) -> Contribution:
    """The contribution of its stored text; a measure that is younger than the text is 0."""
    if not text:
        return {}
    rows: list[tuple[tuple[int, int, int, int, int, int, str, str, int], Vector]] = _ROWS.decode(text)
    return {Key(*key): vector + ZERO[len(vector) :] for key, vector in rows}


_ROWS = msgspec.json.Decoder(list[tuple[tuple[int, int, int, int, int, int, str, str, int], tuple[int, ...]]])


def g2(vector: Vector) -> int:
    """Gross sales of a vector."""
    return vector[0] + vector[1] + vector[2] + vector[3]


def total(contribution: Iterable[Vector]) -> Vector:
    """The sum of vectors."""
    return tuple(map(sum, zip(*contribution, strict=True))) or ZERO


def _vector(total_: dict[Key, list[int]], key: Key) -> list[int]:
    """The sums of a key so far, to be raised."""
    found = total_.get(key)
    if found is None:
        found = total_[key] = list(ZERO)
    return found


def _day(ms: int) -> int:
    return _day_of_hour(ms // _HOUR_MS)


@lru_cache(maxsize=4096)
def _day_of_hour(hour: int) -> int:
    """Local time is whole hours from UTC, so an hour lies in one local day."""
    return clock.day_number(clock.local_day(clock.from_ms(hour * _HOUR_MS)))
