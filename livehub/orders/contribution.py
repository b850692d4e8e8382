"""What an order's state adds to the buckets: a pure function, in integer fen and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date

import msgspec
from msgspec import Struct

from livehub.kit import clock, money
from livehub.orders.state import OrderState
from livehub.platforms.contract import Line, RefundKind, RefundSnapshot, RefundStatus

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
)

Vector = tuple[int, ...]  # one integer per measure, in the order of MEASURES
ZERO: Vector = (0,) * len(MEASURES)


class Key(Struct, frozen=True, order=True):
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
) -> Contribution:
    """The contribution of a state. ``attribute`` gets a line and its payment time in ms."""
    total: dict[Key, dict[str, int]] = {}
    paid_at = state.get("paid_at")
    lines = () if state.lines is None else state.lines[1]
    if lines and paid_at and not state.get("excluded"):
        _book_sale(total, state, lines, paid_at, place, attribute, product_of)
    if state.pending:
        at = paid_at or state.first_seen
        unknown = Key(place.centre_id, _day(at), 0, place.shop_id, 0, 0, "U", "", 0)
        _add(total, unknown, pending=1)
    return {
        key: vector
        for key, values in total.items()
        if any(vector := tuple(values.get(m, 0) for m in MEASURES))
    }


def _book_sale(
    total: dict[Key, dict[str, int]],
    state: OrderState,
    lines: tuple[Line, ...],
    paid_at: int,
    place: Place,
    attribute: Callable[[Line, int], Attributed],
    product_of: Callable[[str], int],
) -> None:
    refunded = _refunded_by_line(state, lines)
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
        _add(
            total,
            sale,
            buyer_paid=line.buyer_paid_fen,
            platform_disc=line.platform_disc_fen,
            other_disc=line.other_disc_fen,
            voucher_subsidy=line.voucher_subsidy_fen,
            freight=line.freight_fen,
            orders=int(position == 0),
            orders_with=int(product_id not in seen_products),
            units=line.quantity,
        )
        seen_products.add(product_id)
        for share in refunded[position]:
            _add(total, sale, refund_sale=share.g2)
            _add(
                total,
                key(share.succeeded_at),
                refund_done=share.g2,
                refund_cash=share.cash,
                refunds=share.count,
            )
            _add(total, key(share.applied_at), refund_apply=share.g2)


class _Share(Struct, frozen=True):
    """What one after-sale takes back from one line."""

    succeeded_at: int
    applied_at: int
    g2: int
    cash: int
    count: int


def _refunded_by_line(state: OrderState, lines: tuple[Line, ...]) -> list[list[_Share]]:
    """Shares of each line, in the order in which the refunds succeeded.

    ``floor(G2_line x cumulative refunded / buyer_paid_line)``, booked by difference: all of G2 when the
    line is fully refunded, and beyond it in the same proportion. Where the buyer paid nothing, by quantity.
    """
    shares: list[list[_Share]] = [[] for _ in lines]
    cash_so_far = [0] * len(lines)
    units_so_far = [0] * len(lines)
    booked = [0] * len(lines)
    for refund in _succeeded(state):
        counted = False
        for i, (cash, units) in _parts(refund, lines).items():
            line = lines[i]
            cash_so_far[i] += cash
            units_so_far[i] += units
            g2 = line.buyer_paid_fen + line.platform_disc_fen + line.other_disc_fen + line.voucher_subsidy_fen
            if line.buyer_paid_fen:
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


def _succeeded(state: OrderState) -> list[RefundSnapshot]:
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
    changed = {
        key: tuple(a - b for a, b in zip(new.get(key, ZERO), old.get(key, ZERO), strict=True))
        for key in new.keys() | old.keys()
    }
    return {key: changed[key] for key in sorted(changed) if any(changed[key])}


def encode(contribution: Contribution) -> str:
    """Canonical JSON of a contribution."""
    rows = [(msgspec.structs.astuple(key), vector) for key, vector in sorted(contribution.items())]
    return msgspec.json.encode(rows).decode()


def decode(text: str) -> Contribution:
    """The contribution of its stored text."""
    if not text:
        return {}
    rows: list[tuple[tuple[int, int, int, int, int, int, str, str, int], Vector]] = _ROWS.decode(text)
    return {Key(*key): vector for key, vector in rows}


_ROWS = msgspec.json.Decoder(list[tuple[tuple[int, int, int, int, int, int, str, str, int], tuple[int, ...]]])


def g2(vector: Vector) -> int:
    """Gross sales of a vector."""
    return vector[0] + vector[1] + vector[2] + vector[3]


def total(contribution: Iterable[Vector]) -> Vector:
    """The sum of vectors."""
    return tuple(sum(column) for column in zip(*contribution, strict=True)) or ZERO


def _add(total_: dict[Key, dict[str, int]], key: Key, **measures: int) -> None:
    values = total_.setdefault(key, {})
    for name, amount in measures.items():
        values[name] = values.get(name, 0) + amount


def _day(ms: int) -> int:
    day: date = clock.local_day(clock.from_ms(ms))
    return clock.day_number(day)
