"""微信小店, imitated: thin encrypted pushes out, and order and after-sale APIs that know the amounts.

Every other order is told in XML, as a shop may choose.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

from livehub.sandbox import signatures
from livehub.sandbox.making import Refused
from livehub.sandbox.messages import Message
from livehub.sandbox.orders import Line, Order, Refund
from livehub.sandbox.spec import ShopSpec

_EVENTS = {
    "created": ("channels_ec_order_new", {}),
    "paid": ("channels_ec_order_pay", {}),
    "shipped": ("channels_ec_order_deliver", {"finish_delivery": 1}),
    "finished": ("channels_ec_order_confirm", {"confirm_type": 1}),
    "cancelled": ("channels_ec_order_cancel", {"cancel_type": 2}),
}
_STATUS = {"created": 10, "paid": 20, "shipped": 30, "finished": 100, "cancelled": 250}
_TYPES = {"refund_only": "REFUND", "return_refund": "RETURN", "exchange": "EXCHANGE"}
_DONE = {
    "refund_only": "MERCHANT_REFUND_SUCCESS",
    "return_refund": "MERCHANT_RETURN_SUCCESS",
    "exchange": "MERCHANT_EXCHANGE_SUCCESS",
}


def require_usable(shop: ShopSpec) -> None:
    """Refuse a shop that this platform could not have."""
    if not (shop.app_key and shop.access_token and signatures.is_wechat_secret(shop.secret)):
        raise Refused(
            "a 微信小店 shop needs an app_key, an access_token and a secret of Token:EncodingAESKey"
        )
    skus = [product.sku_ref for product in shop.products]
    if not all(skus) or len(set(skus)) < len(skus):
        raise Refused("every product of a 微信小店 shop has a sku_ref of its own")


def messages(order: Order) -> Iterator[Message]:
    """Every message of an order so far; the ids tell which were made before."""
    for name, at in order.steps():
        event, more = _EVENTS[name]
        # Numbers and digits in quotes both occur.
        number: int | str = int(order.order_ref) if name == "shipped" else order.order_ref
        info = {"order_id": number, **more, **({"pay_time": str(at // 1000)} if name == "paid" else {})}
        yield _message(order, event, name, at, order.order_ref, {"order_info": info})
    for refund in order.refunds:
        yield _after_sale(order, refund, "refund_created", refund.applied_at, "MERCHANT_PROCESSING")
        if refund.succeeded_at is not None:
            yield _after_sale(order, refund, "refund_succeeded", refund.succeeded_at, _DONE[refund.kind])
        if refund.closed_at is not None:
            yield _after_sale(order, refund, "refund_closed", refund.closed_at, _status(refund))


def delivery(message: bytes, *, shop: ShopSpec, now_ms: int) -> tuple[dict[str, str], bytes, dict[str, str]]:
    """Query, body and headers of one attempt; a repetition is encrypted and signed anew."""
    token, _, aes_key = shop.secret.partition(":")
    encrypted = signatures.wechat_encrypt(message, aes_key=aes_key, appid=shop.app_key)
    query = _query(token, now_ms=now_ms)
    signed = signatures.wechat(token, query["timestamp"], query["nonce"], encrypted)
    query |= {"encrypt_type": "aes", "msg_signature": signed}
    body: dict[str, Any] = {"ToUserName": shop.shop_ref, "Encrypt": encrypted}
    is_xml = message.startswith(b"<")
    headers = {"content-type": "text/xml" if is_xml else "application/json"}
    return query, (_xml(body) if is_xml else _json(body)).encode(), headers


def address_check(shop: ShopSpec, *, now_ms: int) -> dict[str, str]:
    """The query by which an address is tried; what is wanted back is its echostr."""
    return {**_query(shop.secret.partition(":")[0], now_ms=now_ms), "echostr": str(secrets.randbelow(10**18))}


def is_acknowledged(status: int, body: bytes) -> bool:
    """Status 200 and the word."""
    return status == 200 and body == b"success"


def order_get(order: Order) -> dict[str, Any]:
    """``order`` of /channels/ec/order/get."""
    lines = order.lines
    return {
        "order_id": order.order_ref,
        "openid": order.buyer_id,
        "status": _STATUS[order.status()],
        "create_time": _s(order.created_at),
        "update_time": _s(order.updated_at),
        "order_detail": {
            "product_infos": [_product(line) for line in lines],
            "pay_info": {
                "pay_time": _s(order.paid_at),
                "payment_method": 1,
                "transaction_id": f"42{order.order_ref}",
            },
            "price_info": {
                "product_price": sum(line.list_fen for line in lines),
                "order_price": sum(line.buyer_paid_fen + line.freight_fen for line in lines),
                "freight": sum(line.freight_fen for line in lines),
                "is_discounted": any(line.merchant_disc_fen for line in lines),
                **_discounts(lines),
            },
            "delivery_info": {
                "ship_done_time": _s(order.shipped_at),
                "address_info": {
                    "user_name": "收件人",
                    "tel_number": order.receiver_tel,
                    "province_name": "广西",
                },
            },
            "ext_info": {
                "live_id": lines[0].room_ref,
                "finder_id": lines[0].author_ref,
                "confirm_receipt_time": _s(order.finished_at),
            },
            "source_infos": [
                {
                    "sku_id": line.sku_ref,
                    "account_type": 1,
                    "account_id": line.author_ref,
                    "account_nickname": line.author_name,
                }
                for line in lines
                if line.author_ref
            ],
        },
    }


def after_sale_get(order: Order, refund: Refund) -> dict[str, Any]:
    """``after_sale_order``; before the success the amount is what the buyer asked for."""
    done = refund.succeeded_at is not None
    ended = refund.succeeded_at or refund.closed_at
    return {
        "after_sale_order_id": refund.refund_ref,
        "order_id": order.order_ref,
        "status": _status(refund),
        "type": _TYPES[refund.kind],
        "openid": order.buyer_id,
        "product_info": {
            "product_id": refund.line.product_ref,
            "sku_id": refund.line.sku_ref,
            "count": refund.quantity,
        },
        "refund_info": {"amount": (refund.cash_fen if done else refund.applied_fen) * refund.moves_money},
        "create_time": _s(refund.applied_at),
        "update_time": _s(ended or refund.applied_at),
        "complete_time": _s(ended),
    }


def _message(order: Order, event: str, name: str, at: int, ref: str, parts: dict[str, Any]) -> Message:
    content = {
        "ToUserName": order.shop_ref,
        "FromUserName": order.buyer_id,
        "CreateTime": _s(at),
        "MsgType": "event",
        "Event": event,
        **parts,
    }
    return Message(
        message_id=f"{ref}:{event}:{name}:{_s(at)}",
        shop_ref=order.shop_ref,
        order_ref=order.order_ref,
        kind=name,
        at=at,
        body=(_xml(content) if int(order.order_ref) % 2 else _json(content)).encode(),
    )


def _after_sale(order: Order, refund: Refund, name: str, at: int, status: str) -> Message:
    update = {"status": status, "after_sale_order_id": refund.refund_ref, "order_id": order.order_ref}
    parts = {"finder_shop_aftersale_status_update": update}
    return _message(order, "channels_ec_aftersale_update", name, at, refund.refund_ref, parts)


def _query(token: str, *, now_ms: int) -> dict[str, str]:
    timestamp, nonce = str(now_ms // 1000), str(secrets.randbelow(10**9))
    return {
        "signature": signatures.wechat(token, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
    }


def _status(refund: Refund) -> str:
    if refund.succeeded_at is not None:
        return _DONE[refund.kind]
    if refund.closed_at is not None:
        return "USER_CANCELD" if refund.kind == "refund_only" else "RETURN_CLOSED"
    return "MERCHANT_PROCESSING"


def _product(line: Line) -> dict[str, Any]:
    return {
        "product_id": line.product_ref,
        "sku_id": line.sku_ref,
        "title": line.title,
        "sku_cnt": line.quantity,
        "sale_price": line.price_fen,
        "market_price": line.price_fen,
        "real_price": line.buyer_paid_fen,
        **_discounts([line]),
    }


def _discounts(lines: list[Line]) -> dict[str, int]:
    """The platform's gift is half coupon, half subsidy; here the payment channel's counts as the finder's."""
    platform = sum(line.platform_disc_fen for line in lines)
    merchant = sum(line.merchant_disc_fen for line in lines)
    coupon = sum(line.platform_disc_fen // 2 for line in lines)
    return {
        "discounted_price": merchant,
        "merchant_discounted_price": merchant,
        "finder_discounted_price": sum(line.other_disc_fen for line in lines),
        "cash_coupon_discounted_price": coupon,
        "national_subsidy_discounted_price": platform - coupon,
    }


def _s(at: int | None) -> int:
    return 0 if at is None else at // 1000


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _xml(value: dict[str, Any], *, name: str = "xml") -> str:
    """Texts in CDATA, numbers as they are."""
    inside = "".join(_xml_of(each, name=child) for child, each in value.items())
    return f"<{name}>{inside}</{name}>"


def _xml_of(value: object, *, name: str) -> str:
    if isinstance(value, dict):
        return _xml(value, name=name)
    return f"<{name}>{value if isinstance(value, int) else f'<![CDATA[{value}]]>'}</{name}>"
