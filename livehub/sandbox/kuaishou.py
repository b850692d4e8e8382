"""快手小店, imitated: encrypted messages that name an order, and the API that knows what it cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from livehub.sandbox import signatures
from livehub.sandbox.doudian import CallRefused
from livehub.sandbox.messages import Message
from livehub.sandbox.orders import Order, Refund

METHODS = {
    "/" + method.replace(".", "/"): method
    for method in (
        "open.order.detail",
        "open.seller.order.fee.detail",
        "open.seller.order.refund.detail",
        "open.order.cursor.list",
        "open.seller.order.refund.pcursor.list",
    )
}
MOST_LISTED = {"open.order.cursor.list": 50, "open.seller.order.refund.pcursor.list": 100}
LONGEST_DAYS = {"open.order.cursor.list": 7, "open.seller.order.refund.pcursor.list": 1}
NO_MORE = "nomore"
T = TypeVar("T")
CLOCK_TOLERANCE_MS = 10 * 60 * 1000

_EVENTS = {
    "created": "kwaishop_order_addOrder",
    "paid": "kwaishop_order_paySuccess",
    "shipped": "kwaishop_order_delivering",
    "finished": "kwaishop_order_orderSuccess",
    "cancelled": "kwaishop_order_orderFail",
}
_STATUS = {"created": 10, "paid": 30, "shipped": 40, "finished": 70, "cancelled": 80}
_HANDLING = {"return_refund": 1, "refund_only": 10, "exchange": 3}
_APPLIED, _SUCCEEDED, _CLOSED = 10, 60, 70  # status of an after-sale


def messages(order: Order) -> Iterator[Message]:
    """Every message of an order so far; the ids tell which were made before."""
    for name, at in order.steps():
        info: dict[str, Any] = {"oid": int(order.order_ref), "sellerId": int(order.shop_ref)}
        if name == "created":
            info |= {"createTime": at, "openId": order.shop_ref, "buyerOpenId": order.buyer_id}
        else:
            info |= {"status": _STATUS[name], "updateTime": at}
        yield _message(order, _EVENTS[name], name, at, order.order_ref, info)
    for refund in order.refunds:
        ref, event = refund.refund_ref, "kwaishop_aftersales_updateRefund"
        created = _refund_info(order, refund, _APPLIED) | {"createTime": refund.applied_at}
        yield _message(
            order, "kwaishop_aftersales_addRefund", "refund_created", refund.applied_at, ref, created
        )
        for name, status, ended in (
            ("refund_succeeded", _SUCCEEDED, refund.succeeded_at),
            ("refund_closed", _CLOSED, refund.closed_at),
        ):
            if ended is not None:
                info = _refund_info(order, refund, status) | {"eventType": 1, "updateTime": ended}
                yield _message(order, event, name, ended, ref, info)


def body(message: bytes, *, app_key: str, secret: str) -> bytes:
    """The body of a delivery: one message that names its app, encrypted."""
    whole = json.loads(message) | {"appKey": app_key}
    return signatures.kuaishou_body(_json(whole).encode(), message_key=secret.partition(":")[2])


def is_acknowledged(status: int, answer: bytes) -> bool:
    """Status 200 and ``{"result":1}``."""
    try:
        found = json.loads(answer)
    except ValueError:
        return False
    return status == 200 and isinstance(found, dict) and found.get("result") == 1


def check_call(path: str, query: Mapping[str, str], *, secret: str, now_ms: int) -> dict[str, Any]:
    """The business parameters of a call, or CallRefused: method, time, then signature."""
    if query.get("method") != METHODS[path] or query.get("version") != "1":
        raise CallRefused(21, "method", "method or version does not fit the path")
    if query.get("signMethod") not in {"MD5", "HMAC_SHA256"}:
        raise CallRefused(23, "signMethod", "signMethod must be MD5 or HMAC_SHA256")
    timestamp = query.get("timestamp", "")
    if not timestamp.isdigit() or abs(int(timestamp) - now_ms) > CLOCK_TOLERANCE_MS:
        raise CallRefused(22, "timestamp", "timestamp is missing or too far off")
    if query.get("sign", "") != signatures.kuaishou_call(query, sign_secret=secret.partition(":")[0]):
        raise CallRefused(23, "sign", "签名校验失败")
    try:
        wanted = json.loads(query.get("param", ""))
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        raise CallRefused(21, "param", "param is not a JSON object")
    return wanted


def order_detail(order: Order) -> dict[str, Any]:
    """``data`` of open.order.detail: what was bought, and not what the buyer paid."""
    (line,) = order.lines
    return {
        "orderBaseInfo": {
            "oid": int(order.order_ref),
            "status": _STATUS[order.status()],
            "createTime": order.created_at,
            "payTime": order.paid_at or 0,
            "sendTime": order.shipped_at or 0,
            "recvTime": order.finished_at or 0,
            "updateTime": order.updated_at,
            "refundTime": max((refund.applied_at for refund in order.refunds), default=0),
            "totalFee": line.list_fen - line.merchant_disc_fen,
            "expressFee": line.freight_fen,
            "discountFee": line.list_fen - line.buyer_paid_fen,
            "payChannelDiscount": line.pay_disc_fen,
            "governmentDiscount": line.talent_disc_fen,
            "cpsType": 1,
            "buyerOpenId": order.buyer_id,
        },
        "orderItemInfo": {
            "itemId": int(line.product_ref) if line.product_ref.isdigit() else 0,
            "itemTitle": line.title,
            "skuId": int(line.sku_ref) if line.sku_ref.isdigit() else 0,
            "num": line.quantity,
            "originalPrice": line.price_fen,
            "price": line.price_fen,
        },
        "orderAddress": {"mobile": order.receiver_tel, "consignee": "收件人"},
    }


def order_list(orders: Sequence[Order], *, size: int, cursor: str) -> dict[str, Any]:
    """``data`` of open.order.cursor.list."""
    shown, following = _shown([(order.updated_at, order.order_ref, order) for order in orders], size, cursor)
    return {"orderList": [order_detail(order) for order in shown], "pageSize": size, "cursor": following}


def refund_list(pairs: Sequence[tuple[Order, Refund]], *, size: int, cursor: str) -> dict[str, Any]:
    """``data`` of open.seller.order.refund.pcursor.list."""
    keyed = [(refund.updated_at, refund.refund_ref, (order, refund)) for order, refund in pairs]
    shown, following = _shown(keyed, size, cursor)
    return {
        "refundOrderInfoList": [refund_detail(order, refund) for order, refund in shown],
        "pageSize": size,
        "pcursor": following,
    }


def _shown(rows: Sequence[tuple[int, str, T]], size: int, cursor: str) -> tuple[list[T], str]:
    """A page after a cursor, and the cursor behind it."""
    at, _, ref = cursor.partition("_")
    after = (int(at), ref) if at.isdigit() else (0, "")
    rest = [row for row in rows if row[:2] > after]
    shown = rest[:size]
    following = f"{shown[-1][0]}_{shown[-1][1]}" if len(rest) > size else NO_MORE
    return [row[2] for row in shown], following


def fee_detail(order: Order) -> dict[str, Any]:
    """``data`` of open.seller.order.fee.detail."""
    (line,) = order.lines
    return {
        "oid": int(order.order_ref),
        "sellerId": int(order.shop_ref),
        "totalFee": line.list_fen - line.merchant_disc_fen,
        "discountFee": line.list_fen - line.buyer_paid_fen,
        "expressFee": line.freight_fen,
        "platformAllowance": line.platform_disc_fen + line.merchant_disc_fen,
        "sellerRecv": line.g2_fen + line.freight_fen,
        "buyerPay": line.buyer_paid_fen + line.freight_fen,
        "platformBearAmount": line.platform_disc_fen,
        "merchantBearAmount": line.merchant_disc_fen,
    }


def refund_detail(order: Order, refund: Refund) -> dict[str, Any]:
    """``data`` of open.seller.order.refund.detail; the amount is final only after the success."""
    done = refund.succeeded_at is not None
    ended = refund.succeeded_at or refund.closed_at
    status = _SUCCEEDED if done else _APPLIED if ended is None else _CLOSED
    return {
        "refundId": int(refund.refund_ref),
        "oid": int(order.order_ref),
        "sellerId": int(order.shop_ref),
        "status": status,
        "handlingWay": _HANDLING[refund.kind],
        "refundFee": refund.cash_fen if done else refund.applied_fen,
        "productNum": refund.quantity,
        "submitTime": refund.applied_at,
        "createTime": refund.applied_at,
        "updateTime": ended or refund.applied_at,
        "endTime": ended or 0,
    }


def _refund_info(order: Order, refund: Refund, status: int) -> dict[str, Any]:
    return {
        "orderId": int(order.order_ref),
        "refundId": int(refund.refund_ref),
        "handlingWay": _HANDLING[refund.kind],
        "specialRefundType": 0,
        "status": status,
    }


def _message(order: Order, event: str, name: str, at: int, ref: str, info: dict[str, Any]) -> Message:
    event_id = f"{ref}_{name}_{at}"
    whole = {
        "eventId": event_id,
        "msgId": event_id,
        "bizId": int(ref),
        "userId": int(order.shop_ref),
        "openId": f"open{order.shop_ref}",
        "event": event,
        "info": _json(info),
        "status": 2,
        "createTime": at,
        "updateTime": at,
    }
    return Message(
        message_id=event_id,
        shop_ref=order.shop_ref,
        order_ref=order.order_ref,
        kind=name,
        at=at,
        body=_json(whole).encode(),
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
