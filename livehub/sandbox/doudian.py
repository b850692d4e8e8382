"""抖店, imitated: thin pushes out, and the order and after-sale APIs that know the amounts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from livehub.sandbox import signatures
from livehub.sandbox.messages import Message
from livehub.sandbox.orders import Line, Order, Refund

METHODS = {
    "/" + method.replace(".", "/"): method
    for method in ("order.orderDetail", "afterSale.Detail", "order.searchList", "afterSale.List")
}
MOST_LISTED = 100
CLOCK_TOLERANCE_MS = 10 * 60 * 1000

_TAGS = {"created": 100, "paid": 101, "shipped": 102, "finished": 103, "cancelled": 106}
_STATUS = {"created": 1, "paid": 2, "shipped": 3, "cancelled": 4, "finished": 5}
_KINDS = {"return_refund": 0, "refund_only": 1, "exchange": 3}
_APPLIED, _SUCCEEDED, _EXCHANGED, _CLOSED = 6, 12, 14, 28  # after_sale_status
_TO_REFUND, _REFUNDED, _FAILED = 1, 3, 4  # refund_status


class CallRefused(Exception):
    """An API call that the platform answers with an error of its own."""

    def __init__(self, code: int, sub_code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.sub_code = sub_code
        self.detail = detail


def messages(order: Order) -> Iterator[Message]:
    """Every message of an order so far; the ids tell which were made before."""
    for name, at in order.steps():
        yield _message(order, str(_TAGS[name]), name, at, order.order_ref, _order_data(order, name, at))
    for refund in order.refunds:
        ref = refund.refund_ref
        created = _refund_data(order, refund, _APPLIED) | {"apply_time": _s(refund.applied_at)}
        yield _message(order, "200", "refund_created", refund.applied_at, ref, created)
        if refund.succeeded_at is not None:
            at = refund.succeeded_at
            done = _refund_data(order, refund, _process_status(refund)) | {"success_time": _s(at)}
            yield _message(order, "206", "refund_succeeded", at, ref, done)
        if refund.closed_at is not None:
            closed = _refund_data(order, refund, _CLOSED) | {"close_time": _s(refund.closed_at)}
            yield _message(order, "207", "refund_closed", refund.closed_at, ref, closed)


def envelope(elements: list[bytes]) -> bytes:
    """The body of a delivery: an array of messages."""
    return b"[" + b",".join(elements) + b"]"


def headers(body: bytes, *, app_key: str, app_secret: str) -> dict[str, str]:
    """The headers of a delivery."""
    return {
        "app-id": app_key,
        "event-sign": signatures.doudian_event(body, app_key=app_key, app_secret=app_secret),
        "content-type": "application/json",
    }


def is_acknowledged(status: int, body: bytes) -> bool:
    """Status 200 and ``{"code":0}``."""
    if status != 200:
        return False
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("code") == 0


def check_call(
    path: str, query: Mapping[str, str], raw: bytes, *, app_secret: str, now_ms: int
) -> dict[str, Any]:
    """The business parameters of a call, or CallRefused: method, time, then signature."""
    if query.get("method") != METHODS[path] or query.get("v") != "2":
        raise CallRefused(40002, "isv.invalid-method", "method or v does not fit the path")
    if query.get("sign_method", "hmac-sha256") != "hmac-sha256":
        raise CallRefused(40002, "isv.invalid-sign-method", "sign_method must be hmac-sha256")
    timestamp = query.get("timestamp", "")
    if not timestamp.isdigit() or abs(int(timestamp) * 1000 - now_ms) > CLOCK_TOLERANCE_MS:
        raise CallRefused(30003, "isv.invalid-timestamp", "timestamp is missing or too far off")
    try:
        wanted = json.loads(raw)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        raise CallRefused(40003, "isv.invalid-parameter", "the body is not a JSON object")
    sign = signatures.doudian_call(query, signatures.canonical_json(wanted), app_secret=app_secret)
    if query.get("sign", "") != sign:
        raise CallRefused(30002, "isv.signature-invalid", "签名校验失败")
    return wanted


def order_detail(order: Order) -> dict[str, Any]:
    """``data`` of order.orderDetail."""
    return {
        "shop_order_detail": _order_fields(order) | {"sku_order_list": [_sku(order, x) for x in order.lines]}
    }


def order_list(orders: Sequence[Order], *, page: int, size: int) -> dict[str, Any]:
    """``data`` of order.searchList: pages by number of what fits now."""
    shown = orders[page * size : (page + 1) * size]
    return {
        "page": page,
        "size": len(shown),
        "total": len(orders),
        "shop_order_list": [order_detail(order)["shop_order_detail"] for order in shown],
    }


def after_sale_list(pairs: Sequence[tuple[Order, Refund]], *, page: int, size: int) -> dict[str, Any]:
    """``data`` of afterSale.List; its names are written otherwise than in the detail."""
    shown = pairs[page * size : (page + 1) * size]
    return {
        "items": [_listed_after_sale(order, refund) for order, refund in shown],
        "has_more": (page + 1) * size < len(pairs),
        "page": page,
        "size": len(shown),
        "total": len(pairs),
    }


def _listed_after_sale(order: Order, refund: Refund) -> dict[str, Any]:
    real = refund.cash_fen + refund.freight_fen if refund.succeeded_at is not None else 0
    return {
        "aftersale_info": {
            "aftersale_id": refund.refund_ref,
            "aftersale_status": _process_status(refund),
            "aftersale_type": _KINDS[refund.kind],
            "related_id": refund.line.line_ref,
            "refund_status": _refund_status(refund),
            "refund_amount": refund.applied_fen,
            "refund_post_amount": refund.freight_fen,
            "real_refund_amount": real if refund.moves_money else 0,
            "apply_time": _s(refund.applied_at),
            "update_time": _s(refund.updated_at),
        },
        "order_info": {"shop_order_id": order.order_ref},
    }


def after_sale_detail(order: Order, refund: Refund) -> dict[str, Any]:
    """``data`` of afterSale.Detail; what was really paid back is known only after the success."""
    real = refund.cash_fen + refund.freight_fen if refund.succeeded_at is not None else 0
    ended = refund.succeeded_at or refund.closed_at
    return {
        "process_info": {
            "after_sale_info": {
                "after_sale_id": int(refund.refund_ref),
                "after_sale_status": _process_status(refund),
                "after_sale_type": _KINDS[refund.kind],
                "refund_status": _refund_status(refund),
                "refund_amount": refund.applied_fen,
                "refund_post_amount": refund.freight_fen,
                "real_refund_amount": real if refund.moves_money else 0,
                "apply_time": _s(refund.applied_at),
                "refund_time": _s(refund.succeeded_at) if refund.moves_money else 0,
                "update_time": _s(ended or refund.applied_at),
            },
        },
        "order_info": {
            "shop_order_id": int(order.order_ref),
            "sku_order_infos": [
                {"sku_order_id": int(refund.line.line_ref), "item_quantity": refund.quantity},
            ],
        },
    }


def _message(order: Order, tag: str, name: str, at: int, ref: str, data: dict[str, Any]) -> Message:
    message_id = f"{ref}:{tag}:{_s(at)}:{order.shop_ref}"
    element = {"tag": tag, "msg_id": message_id, "data": _json(data)}
    return Message(
        message_id=message_id,
        shop_ref=order.shop_ref,
        order_ref=order.order_ref,
        kind=name,
        at=at,
        body=_json(element).encode(),
    )


def _order_data(order: Order, name: str, at: int) -> dict[str, Any]:
    data: dict[str, Any] = {
        "p_id": int(order.order_ref),
        "s_ids": [int(line.line_ref) for line in order.lines],
        "shop_id": int(order.shop_ref),
        "order_status": _STATUS[name],
        "order_type": 0,
        "biz": 2,
    }
    match name:
        case "created":
            return data | {"create_time": _s(at)}
        case "paid":
            return data | {
                "pay_time": _s(at),
                "pay_amount": sum(map(_pay_amount, order.lines)),
                "pay_type": 2,
            }
        case "shipped":
            receiver = {"name": "收件人", "tel": order.receiver_tel, "addr": {"province": {"name": "广西"}}}
            return data | {"update_time": _s(at), "receiver_msg": receiver, "logistics_msg": {}}
        case "finished":
            return data | {"complete_time": _s(at)}
        case _:
            return data | {"cancel_time": _s(at), "cancel_reason": "超时未支付"}


def _refund_data(order: Order, refund: Refund, status: int) -> dict[str, Any]:
    return {
        "p_id": int(order.order_ref),
        "s_id": int(refund.line.line_ref),
        "shop_id": int(order.shop_ref),
        "aftersale_id": int(refund.refund_ref),
        "aftersale_status": status,
        "aftersale_type": _KINDS[refund.kind],
        "refund_amount": refund.applied_fen,
        "refund_post_amount": refund.freight_fen,
        "refund_voucher_num": 0,
        "reason_code": 15,
    }


def _order_fields(order: Order) -> dict[str, Any]:
    lines = order.lines
    return {
        "order_id": order.order_ref,
        "shop_id": int(order.shop_ref),
        "order_status": _STATUS[order.status()],
        "order_type": 0,
        "biz": 2,
        "trade_type": order.trade_type,
        "doudian_open_id": order.buyer_id,
        "create_time": _s(order.created_at),
        "pay_time": _s(order.paid_at),
        "ship_time": _s(order.shipped_at),
        "finish_time": _s(order.finished_at),
        "update_time": _s(order.updated_at),
        "cancel_reason": "超时未支付" if order.cancelled_at is not None else "",
        "order_amount": sum(line.list_fen + line.freight_fen for line in lines),
        "pay_amount": sum(map(_pay_amount, lines)),
        "post_amount": sum(line.freight_fen for line in lines),
        "promotion_amount": sum(map(_promotion_amount, lines)),
        "promotion_shop_amount": sum(line.merchant_disc_fen for line in lines),
        "promotion_platform_amount": sum(line.platform_disc_fen for line in lines),
        "promotion_talent_amount": sum(line.talent_disc_fen for line in lines),
        "promotion_pay_amount": sum(line.pay_disc_fen for line in lines),
    }


def _sku(order: Order, line: Line) -> dict[str, Any]:
    return {
        "order_id": line.line_ref,
        "parent_order_id": order.order_ref,
        "product_id": int(line.product_ref) if line.product_ref.isdigit() else 0,
        "product_id_str": line.product_ref,
        "sku_id": int(line.sku_ref) if line.sku_ref.isdigit() else 0,
        "product_name": line.title,
        "item_num": line.quantity,
        "origin_amount": line.price_fen,
        "sum_amount": line.list_fen,
        "pay_amount": _pay_amount(line),
        "post_amount": line.freight_fen,
        "promotion_amount": _promotion_amount(line),
        "promotion_shop_amount": line.merchant_disc_fen,
        "promotion_platform_amount": line.platform_disc_fen,
        "promotion_talent_amount": line.talent_disc_fen,
        "promotion_pay_amount": line.pay_disc_fen,
        "author_id": int(line.author_ref) if line.author_ref.isdigit() else 0,
        "author_name": line.author_name,
        "room_id": int(line.room_ref) if line.room_ref.isdigit() else 0,
        "room_id_str": line.room_ref,
        "theme_type": "1" if line.room_ref else "0",
        "trade_type": order.trade_type,
        "c_biz": 8,
    }


def _pay_amount(line: Line) -> int:
    """The platform's pay amount: with freight, and with what the payment channel gave."""
    return line.buyer_paid_fen + line.pay_disc_fen + line.freight_fen


def _promotion_amount(line: Line) -> int:
    return line.merchant_disc_fen + line.platform_disc_fen + line.talent_disc_fen


def _process_status(refund: Refund) -> int:
    if refund.succeeded_at is not None:
        return _SUCCEEDED if refund.moves_money else _EXCHANGED
    return _APPLIED if refund.closed_at is None else _CLOSED


def _refund_status(refund: Refund) -> int:
    if not refund.moves_money:
        return 0
    if refund.succeeded_at is not None:
        return _REFUNDED
    return _TO_REFUND if refund.closed_at is None else _FAILED


def _s(at: int | None) -> int:
    return 0 if at is None else at // 1000


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
