"""Our own order on the wire: what ERP bridges, hand tools and file imports send us, whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from livehub.kit import clock
from livehub.platforms import business_time
from livehub.platforms.contract import (
    Event,
    EventType,
    Line,
    Malformed,
    OrderSnapshot,
    OrderStatus,
    RefundKind,
    RefundSnapshot,
    RefundStatus,
)
from livehub.platforms.decoding import decode
from livehub.platforms.wire import MAX_REF, MAX_SHOP_REF, MAX_TITLE, Fen

# No white space in an identifier, not even the line feed that "$" alone would let pass.
ShopRef = Annotated[str, Meta(min_length=1, max_length=MAX_SHOP_REF, pattern=r"^[A-Za-z0-9._-]+$(?!\n)")]
Ref = Annotated[str, Meta(min_length=1, max_length=MAX_REF, pattern=r"^\S+$(?!\n)")]
OptionalRef = Annotated[str, Meta(max_length=MAX_REF, pattern=r"^\S*$(?!\n)")]
Title = Annotated[str, Meta(max_length=MAX_TITLE)]
Quantity = Annotated[int, Meta(ge=0, le=1_000_000)]
Instant = Annotated[datetime, Meta(tz=True)]

TypeName = Literal[
    "order.created",
    "order.paid",
    "order.amount_changed",
    "order.partially_shipped",
    "order.shipped",
    "order.finished",
    "order.cancelled",
    "order.updated",
    "refund.created",
    "refund.agreed",
    "refund.refused",
    "refund.closed",
    "refund.succeeded",
    "refund.updated",
]
StatusName = Literal["created", "paid", "partially_shipped", "shipped", "finished", "cancelled"]
RefundStatusName = Literal["created", "agreed", "returning", "refused", "closed", "succeeded", "failed"]

TYPES = frozenset(get_args(TypeName))


class WireLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order line. list_fen is the sum of the five parts after it; freight_fen stands apart."""

    line_ref: Ref
    product_ref: OptionalRef = ""
    sku_ref: OptionalRef = ""
    title: Title = ""
    quantity: Quantity
    list_fen: Fen
    merchant_disc_fen: Fen = 0
    platform_disc_fen: Fen = 0
    other_disc_fen: Fen = 0
    voucher_subsidy_fen: Fen = 0
    buyer_paid_fen: Fen
    freight_fen: Fen = 0
    author_ref: OptionalRef = ""
    author_name: Title = ""
    room_ref: OptionalRef = ""


class WireRefund(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One after-sale. refunded_fen is cash without freight; an empty line_ref means the whole order."""

    refund_ref: Ref
    line_ref: OptionalRef = ""
    kind: RefundKind
    status: RefundStatusName
    applied_fen: Fen | None = None
    refunded_fen: Fen | None = None
    freight_fen: Fen = 0
    quantity: Quantity = 0
    applied_at: Instant | None = None
    succeeded_at: Instant | None = None
    updated_at: Instant


class WireOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole order as it stands now; updated_at decides which of two deliveries is the newer one."""

    shop_ref: ShopRef
    order_ref: Ref
    status: StatusName
    currency: Annotated[str, Meta(description="CNY; anything else is parked.")]
    created_at: Instant | None = None
    paid_at: Instant | None = None
    finished_at: Instant | None = None
    cancelled_at: Instant | None = None
    updated_at: Instant
    buyer_id: Annotated[str, Meta(max_length=128, description="Kept only as a keyed hash.")] = ""
    voucher_code: Annotated[OptionalRef, Meta(description="Our code, as the buyer entered it.")] = ""
    broadcast_ref: Annotated[
        OptionalRef, Meta(description="The code at the end of a broadcast's link, or the broadcast's id.")
    ] = ""
    excluded: Annotated[bool, Meta(description="A sample or a zero-price draw: no sale.")] = False
    lines: Annotated[tuple[WireLine, ...], Meta(min_length=1, max_length=500)]
    refunds: Annotated[tuple[WireRefund, ...], Meta(max_length=500)] = ()


class Delivery(Struct, frozen=True, kw_only=True):
    """One signed delivery of an order to livehub."""

    type: TypeName
    timestamp: Instant
    data: WireOrder


_DELIVERY = msgspec.json.Decoder(Delivery)


def event(raw: bytes) -> Event:
    """The event of one delivery's bytes; Malformed says which field is wrong and why."""
    delivery = decode(_DELIVERY, raw)
    business_time.from_instant(delivery.timestamp, field="timestamp")
    order = delivery.data
    if order.currency != "CNY":
        raise Malformed("currency", "data.currency is not CNY")
    snapshot = _order(order)
    return Event(
        type=EventType(delivery.type),
        shop_ref=order.shop_ref,
        order_ref=order.order_ref,
        status_at=snapshot.updated_at,
        created_at=snapshot.created_at,
        paid_at=snapshot.paid_at,
        order=snapshot,
        refunds=_refunds(order),
    )


def json_schema() -> bytes:
    """The JSON Schema of a delivery, as docs/platforms/standard_webhooks.schema.json has it."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An order delivered to livehub",
        **msgspec.json.schema(Delivery),
    }
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def _order(order: WireOrder) -> OrderSnapshot:
    status = OrderStatus[order.status.upper()]
    if OrderStatus.PAID <= status <= OrderStatus.FINISHED and order.paid_at is None:
        raise Malformed("schema", f"data.paid_at is missing although the order is {order.status}")
    _refuse_repeated("data.lines", "line_ref", [line.line_ref for line in order.lines])
    return OrderSnapshot(
        status=status,
        lines=tuple(Line(**msgspec.structs.asdict(line)) for line in order.lines),
        created_at=business_time.from_instant(order.created_at, field="data.created_at"),
        paid_at=business_time.from_instant(order.paid_at, field="data.paid_at"),
        finished_at=business_time.from_instant(order.finished_at, field="data.finished_at"),
        cancelled_at=business_time.from_instant(order.cancelled_at, field="data.cancelled_at"),
        updated_at=_instant(order.updated_at, field="data.updated_at"),
        buyer_id=order.buyer_id,
        voucher_code=order.voucher_code,
        broadcast_ref=order.broadcast_ref,
        excluded=order.excluded,
    )


def _refunds(order: WireOrder) -> tuple[RefundSnapshot, ...]:
    if not order.refunds:
        return ()
    _refuse_repeated("data.refunds", "refund_ref", [refund.refund_ref for refund in order.refunds])
    known = {line.line_ref for line in order.lines} | {""}
    return tuple(
        _refund(refund, known_lines=known, where=f"data.refunds[{at}]")
        for at, refund in enumerate(order.refunds)
    )


def _refund(refund: WireRefund, *, known_lines: set[str], where: str) -> RefundSnapshot:
    if refund.line_ref not in known_lines:
        raise Malformed("schema", f"{where}.line_ref names no line of this order")
    if refund.status == "succeeded" and (refund.refunded_fen is None or refund.succeeded_at is None):
        raise Malformed("schema", f"{where} succeeded and needs refunded_fen and succeeded_at")
    return RefundSnapshot(
        refund_ref=refund.refund_ref,
        line_ref=refund.line_ref,
        kind=refund.kind,
        status=RefundStatus[refund.status.upper()],
        applied_fen=refund.applied_fen,
        refunded_fen=refund.refunded_fen,
        freight_fen=refund.freight_fen,
        quantity=refund.quantity,
        applied_at=business_time.from_instant(refund.applied_at, field=f"{where}.applied_at"),
        succeeded_at=business_time.from_instant(refund.succeeded_at, field=f"{where}.succeeded_at"),
        updated_at=_instant(refund.updated_at, field=f"{where}.updated_at"),
    )


def _instant(value: datetime, *, field: str) -> int:
    return business_time.plausible(clock.to_ms(value), field=field)


def _refuse_repeated(where: str, name: str, refs: Sequence[str]) -> None:
    if len(set(refs)) == len(refs):
        return
    at = next(at for at, each in enumerate(refs) if each in refs[:at])
    raise Malformed("schema", f"{where}[{at}].{name} is repeated")
