"""A platform says what a buyer got back: the order's redemption follows, whatever comes first or twice."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from livehub import database
from livehub.accounts.actors import system
from livehub.orders import refunds as orders
from livehub.orders.facts import OrderRefunded
from livehub.vouchers import refund_policy, refund_reads, refunds
from livehub.vouchers.enrolments import OFFLINE
from livehub.vouchers.refund_reads import Refundable


async def on_order_refunded(fact: OrderRefunded, now: datetime) -> None:
    """Refund what is known of the order by now; without a redemption there is nothing to do yet.

    A till's own refunds are booked where they are made.
    """
    if fact.platform != OFFLINE:
        await catch_up(
            fact.order_id, platform=fact.platform, shop_id=fact.shop_id, order_ref=fact.order_ref, now=now
        )


async def catch_up(order_id: int, *, platform: str, shop_id: int, order_ref: str, now: datetime) -> None:
    """Book the after-sales of an order that are not booked yet, in the current transaction.

    The platform tells cash: of the order is refunded the least that comes to as much cash so far, and all of
    it when all cash is back. What was booked stays, also when an after-sale turns out to have failed.
    """
    while (
        live := await refund_reads.live_of_order(platform=platform, shop_id=shop_id, order_ref=order_ref)
    ) is not None:
        held = await refund_reads.hold(live)
        known = await orders.of(order_id)
        due = None if held is None else _due(held, known, await _booked(held.id))
        if held is None or due is None:
            return
        refund_no, refund_fen = due
        await refunds.book(
            held,
            refund_fen,
            refund_no=refund_no,
            source="platform",
            actor=system("orders.refunds", centre_id=held.centre_id),
            now=now,
        )


def _due(held: Refundable, known: orders.Returned, booked: Collection[str]) -> tuple[str, int] | None:
    """(number, fen of the order) of the next refund to book, None when there is none."""
    cash = sum(each.cash_fen for each in known.parts if each.ref in booked)
    for each in known.parts:
        if each.ref not in booked:
            cash += each.cash_fen
            refund_fen = _refunded(held, known, cash) - held.refunded_fen
            if refund_fen > 0:
                return each.ref, refund_fen
    refund_fen = _refunded(held, known, cash) - held.refunded_fen  # an after-sale that was booked grew
    return (f"{known.parts[-1].ref}~{cash}", refund_fen) if known.parts and refund_fen > 0 else None


def _refunded(held: Refundable, known: orders.Returned, cash_fen: int) -> int:
    """Fen of the order that are refunded with so much cash back.

    Where others bore a discount, the buyer's cash stands for all that was paid besides the voucher.
    """
    if known.buyer_paid_fen <= 0:  # no cash tells how much is back: only all of it is seen
        return held.order_fen if known.is_whole else held.refunded_fen
    paid = held.paid_fen * min(cash_fen, known.buyer_paid_fen) // known.buyer_paid_fen
    return refund_policy.of_cash(held.preset, held.used, paid)


async def _booked(redemption_id: int) -> frozenset[str]:
    rows = await database.fetch(
        "SELECT refund_no FROM redemption_refund WHERE redemption_id = $1", redemption_id
    )
    return frozenset(row["refund_no"] for row in rows)
