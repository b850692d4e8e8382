"""Facts without personal data: what identifies a buyer becomes a keyed hash before anything is stored."""

from __future__ import annotations

import msgspec

from livehub.kit import ids, sealing
from livehub.platforms.contract import Event


def redacted(event: Event, *, platform: str) -> Event:
    """The event with the buyer and the voucher code replaced by keyed hashes."""
    order = event.order
    if order is None:
        return event
    ring, code = sealing.ring(), ids.code_as_meant(order.voucher_code)
    return msgspec.structs.replace(
        event,
        order=msgspec.structs.replace(
            order,
            buyer_id=ring.blind(order.buyer_id, purpose=f"buyer:{platform}").hex() if order.buyer_id else "",
            voucher_code=ring.blind(code, purpose="voucher").hex() if code else "",
        ),
    )
