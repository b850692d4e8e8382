"""One thing a platform tells livehub, and what became of telling it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True, eq=False)
class Message:
    """A message with its final bytes; it is sent, and repeated, exactly as it is."""

    message_id: str
    shop_ref: str
    order_ref: str
    kind: str  # paid, refund_succeeded, ...
    at: int  # business time, milliseconds
    body: bytes  # 抖店: one element of the array; ERP: the whole body; 微信小店: what is encrypted
    copies: int = 0  # deliveries of it that were acknowledged
    attempts: int = 0  # deliveries of it that were tried
    acknowledged_at: int | None = None
    latency_ms: float | None = None  # of the first acknowledged attempt
    lost: bool = False
