"""What an order's buyer got back so far, one after-sale after the other."""

from __future__ import annotations

from msgspec import Struct

from livehub import database
from livehub.orders import contribution, state


class GivenBack(Struct, frozen=True):
    """One after-sale that succeeded; cash in fen, freight apart."""

    ref: str
    cash_fen: int


class Returned(Struct, frozen=True):
    """What the buyer had paid, freight apart, and what came back of it, in the order in which it did."""

    buyer_paid_fen: int
    parts: tuple[GivenBack, ...]
    is_whole: bool  # nothing of the order is left, also where the buyer had paid nothing


async def of(order_id: int) -> Returned:
    """As the order is known now, and kept so until the transaction ends: later after-sales come after it."""
    lock = " FOR SHARE" if database.dialect() == "postgres" else ""
    row = await database.fetch_one(f"SELECT state FROM sales_order WHERE id = $1{lock}", order_id)
    known = state.decode(row["state"] if row else "")
    lines = known.lines[1] if known.lines else ()
    return Returned(
        buyer_paid_fen=sum(line.buyer_paid_fen for line in lines),
        parts=tuple(
            GivenBack(each.refund_ref, each.refunded_fen or 0) for each in contribution.succeeded(known)
        ),
        is_whole=contribution.is_all_refunded(known),
    )
