"""The sandbox's own truth in figures, computed from its orders alone and by its own arithmetic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from livehub.sandbox.orders import Line, Order

_EIGHT_HOURS = timedelta(hours=8)  # Asia/Shanghai knows no summer time since 1991


@dataclass
class Tally:
    """Sums of one scope; ``refund_g2_fen`` is what was refunded there, whenever it was sold."""

    orders: int = 0
    units: int = 0
    g1_fen: int = 0
    g2_fen: int = 0
    voucher_subsidy_fen: int = 0
    refund_cash_fen: int = 0
    refund_g2_fen: int = 0

    def as_json(self) -> dict[str, int]:
        """The sums and their difference G3."""
        return {**vars(self), "g3_fen": self.g2_fen - self.refund_g2_fen}


def books(orders: Iterable[Order], *, with_orders: bool = False) -> dict[str, Any]:
    """Totals, and the same by shop, local day, product and room of the platform."""
    totals = Tally()
    scopes: dict[str, dict[str, Tally]] = {
        name: defaultdict(Tally) for name in ("by_shop", "by_day", "by_shop_day", "by_product", "by_room")
    }
    listed = []
    for order in orders:
        if with_orders:
            listed.append(order_as_json(order))
        if order.is_sale:
            _count(order, totals, scopes)
    answer: dict[str, Any] = {"totals": totals.as_json()}
    for name, tallies in scopes.items():
        answer[name] = {key: tallies[key].as_json() for key in sorted(tallies)}
    if with_orders:
        answer["orders"] = listed
    return answer


def local_day(at_ms: int) -> str:
    """The calendar day in Asia/Shanghai."""
    return (datetime.fromtimestamp(at_ms // 1000, UTC) + _EIGHT_HOURS).date().isoformat()


def refunded_g2(line: Line, *, cash_fen: int, quantity: int) -> int:
    """The part of a line's G2 that so much refunded cash (or, where none was paid, goods) undoes."""
    if line.buyer_paid_fen == 0:
        return line.g2_fen * quantity // line.quantity
    return line.g2_fen * cash_fen // line.buyer_paid_fen


def refund_bookings(order: Order, line: Line) -> list[tuple[int, int, int]]:
    """(success time, cash, G2) of each refund of a line, the G2 as the growth of the whole."""
    done = [r for r in order.refunds if r.line is line and r.succeeded_at is not None and r.moves_money]
    done.sort(key=lambda refund: (refund.succeeded_at or 0, refund.refund_ref))
    bookings = []
    cash = quantity = booked = 0
    for refund in done:
        cash += refund.cash_fen
        quantity += refund.quantity
        whole = refunded_g2(line, cash_fen=cash, quantity=quantity)
        bookings.append((refund.succeeded_at or 0, refund.cash_fen, whole - booked))
        booked = whole
    return bookings


def order_as_json(order: Order) -> dict[str, Any]:
    """One order with its lines, after-sales and figures."""
    bookings = [booking for line in order.lines for booking in refund_bookings(order, line)]
    return {
        "shop": order.shop_ref,
        "order_ref": order.order_ref,
        "status": order.status(),
        "is_sale": order.is_sale,
        "buyer_id": order.buyer_id,
        "receiver_tel": order.receiver_tel,
        "voucher_code": order.voucher_code,
        "broadcast_ref": order.broadcast_ref,
        **{f"{name}_at_ms": at for name, at in order.steps()},
        "g1_fen": sum(line.buyer_paid_fen for line in order.lines) if order.is_sale else 0,
        "g2_fen": sum(line.g2_fen for line in order.lines) if order.is_sale else 0,
        "refund_g2_fen": sum(g2 for _, _, g2 in bookings) if order.is_sale else 0,
        "lines": [_line_as_json(order, line) for line in order.lines],
        "refunds": [
            {
                "refund_ref": refund.refund_ref,
                "line_ref": refund.line.line_ref,
                "kind": refund.kind,
                "applied_fen": refund.applied_fen,
                "cash_fen": refund.cash_fen,
                "freight_fen": refund.freight_fen,
                "quantity": refund.quantity,
                "applied_at_ms": refund.applied_at,
                "succeeded_at_ms": refund.succeeded_at,
                "closed_at_ms": refund.closed_at,
            }
            for refund in order.refunds
        ],
    }


def _line_as_json(order: Order, line: Line) -> dict[str, Any]:
    return {
        "line_ref": line.line_ref,
        "product_ref": line.product_ref,
        "title": line.title,
        "quantity": line.quantity,
        "list_fen": line.list_fen,
        "merchant_disc_fen": line.merchant_disc_fen,
        "platform_disc_fen": line.platform_disc_fen,
        "other_disc_fen": line.other_disc_fen,
        "voucher_subsidy_fen": line.voucher_subsidy_fen,
        "buyer_paid_fen": line.buyer_paid_fen,
        "freight_fen": line.freight_fen,
        "room_ref": line.room_ref,
        "author_ref": line.author_ref,
        "g2_fen": line.g2_fen,
        "refund_g2_fen": sum(g2 for _, _, g2 in refund_bookings(order, line)),
    }


def _count(order: Order, totals: Tally, scopes: dict[str, dict[str, Tally]]) -> None:
    paid_day = local_day(order.paid_at or 0)
    seen: set[int] = set()
    for line in order.lines:
        for tally in (totals, *_tallies(order, line, paid_day, scopes)):
            _sell(tally, line, first=id(tally) not in seen)
            seen.add(id(tally))
        for at, cash, g2 in refund_bookings(order, line):
            for tally in (totals, *_tallies(order, line, local_day(at), scopes)):
                tally.refund_cash_fen += cash
                tally.refund_g2_fen += g2


def _tallies(order: Order, line: Line, day: str, scopes: dict[str, dict[str, Tally]]) -> Iterable[Tally]:
    yield scopes["by_shop"][order.shop_ref]
    yield scopes["by_day"][day]
    yield scopes["by_shop_day"][f"{order.shop_ref}|{day}"]
    yield scopes["by_product"][f"{order.shop_ref}|{line.product_ref}"]
    yield scopes["by_room"][line.room_ref]


def _sell(tally: Tally, line: Line, *, first: bool) -> None:
    tally.orders += first
    tally.units += line.quantity
    tally.g1_fen += line.buyer_paid_fen
    tally.g2_fen += line.g2_fen
    tally.voucher_subsidy_fen += line.voucher_subsidy_fen
