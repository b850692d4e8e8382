"""An ERP, imitated: every message is the whole order as it stood then, by Standard Webhooks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from livehub.sandbox import signatures
from livehub.sandbox.messages import Message
from livehub.sandbox.orders import Line, Order, Refund

_LOCAL = timezone(timedelta(hours=8))  # Chinese ERPs write their wall clock with its offset


def messages(order: Order) -> Iterator[Message]:
    """Every message of an order so far; the ids tell which were made before."""
    for name, at in order.steps():
        yield _message(order, f"order.{name}", name, at, "")
    for refund in order.refunds:
        yield _message(order, "refund.created", "refund_created", refund.applied_at, refund.refund_ref)
        if refund.succeeded_at is not None:
            yield _message(
                order, "refund.succeeded", "refund_succeeded", refund.succeeded_at, refund.refund_ref
            )
        if refund.closed_at is not None:
            yield _message(order, "refund.closed", "refund_closed", refund.closed_at, refund.refund_ref)


def headers(body: bytes, *, message_id: str, secret: str, now_ms: int) -> dict[str, str]:
    """The headers of one attempt; a repetition carries the time of its own sending."""
    timestamp = now_ms // 1000
    signature = signatures.standard_webhook(body, message_id=message_id, timestamp=timestamp, secret=secret)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature,
        "content-type": "application/json",
    }


def is_acknowledged(status: int) -> bool:
    """Any 2xx."""
    return 200 <= status < 300


def snapshot(order: Order, *, at: int) -> dict[str, Any]:
    """The order as it stood at ``at``; what is empty is left out."""
    times = {f"{name}_at": _rfc3339(when) for name, when in order.steps() if when <= at and name != "shipped"}
    data = {
        "shop_ref": order.shop_ref,
        "order_ref": order.order_ref,
        "status": order.status(at=at),
        "currency": "CNY",
        **times,
        "updated_at": _rfc3339(at),
        "buyer_id": order.buyer_id,
        "voucher_code": order.voucher_code,
        "broadcast_ref": order.broadcast_ref,
        "lines": [_line(line) for line in order.lines],
        "refunds": [_refund(refund, at=at) for refund in order.refunds if refund.applied_at <= at],
    }
    return _without_empty(data)


def _message(order: Order, kind: str, name: str, at: int, refund_ref: str) -> Message:
    digest = hashlib.sha256(f"{order.shop_ref}|{order.order_ref}|{kind}|{refund_ref}".encode()).hexdigest()
    body = {"type": kind, "timestamp": _rfc3339(at), "data": snapshot(order, at=at)}
    return Message(
        message_id=f"msg_{digest[:26]}",
        shop_ref=order.shop_ref,
        order_ref=order.order_ref,
        kind=name,
        at=at,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def _line(line: Line) -> dict[str, Any]:
    fields = {
        "line_ref": line.line_ref,
        "product_ref": line.product_ref,
        "sku_ref": line.sku_ref,
        "title": line.title,
        "quantity": line.quantity,
        "list_fen": line.list_fen,
        "merchant_disc_fen": line.merchant_disc_fen,
        "platform_disc_fen": line.platform_disc_fen,
        "other_disc_fen": line.other_disc_fen,
        "voucher_subsidy_fen": line.voucher_subsidy_fen,
        "buyer_paid_fen": line.buyer_paid_fen,
        "freight_fen": line.freight_fen,
        "author_ref": line.author_ref,
        "author_name": line.author_name,
        "room_ref": line.room_ref,
    }
    return _without_empty(fields)


def _refund(refund: Refund, *, at: int) -> dict[str, Any]:
    succeeded = refund.succeeded_at if refund.succeeded_at is not None and refund.succeeded_at <= at else None
    closed = refund.closed_at if refund.closed_at is not None and refund.closed_at <= at else None
    fields: dict[str, Any] = {
        "refund_ref": refund.refund_ref,
        "line_ref": refund.line.line_ref,
        "kind": refund.kind,
        "status": "succeeded" if succeeded is not None else "closed" if closed is not None else "created",
        "applied_fen": refund.applied_fen,
        "refunded_fen": refund.cash_fen if succeeded is not None else None,
        "freight_fen": refund.freight_fen,
        "quantity": refund.quantity,
        "applied_at": _rfc3339(refund.applied_at),
        "succeeded_at": _rfc3339(succeeded) if succeeded is not None else None,
        "updated_at": _rfc3339(succeeded or closed or refund.applied_at),
    }
    return _without_empty(fields)


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [])}


def _rfc3339(at: int) -> str:
    instant = datetime.fromtimestamp(at // 1000, UTC) + timedelta(milliseconds=at % 1000)
    return instant.astimezone(_LOCAL).isoformat(timespec="milliseconds")
