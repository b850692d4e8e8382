"""微信小店 (视频号小店): encrypted thin messages pushed to us; orders and after-sales read from its API.

What is known of the format, from where, and what is unverified: docs/platforms/wechat_store.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from livehub.platforms import business_time, plain_xml, scan, thin
from livehub.platforms.adapters import wechat_store_envelope as envelope
from livehub.platforms.adapters import wechat_store_lists
from livehub.platforms.adapters import wechat_store_replies as replies
from livehub.platforms.contract import (
    BadSignature,
    Covers,
    Credential,
    Event,
    EventType,
    Fetch,
    FetchKind,
    HttpCall,
    Malformed,
    Native,
    OrderStatus,
    Reply,
)
from livehub.platforms.decoding import T, decode, explain
from livehub.platforms.errors import UnusableSecret
from livehub.platforms.wire import MAX_NATIVE_ID, MAX_NATIVE_TYPE, MAX_SHOP_REF, Id, ref, required

AFTER_SALE = "channels_ec_aftersale_update"
DELIVER = "channels_ec_order_deliver"
CANCEL = "channels_ec_order_cancel"
ALL_REFUNDED = "3"  # cancel_type: nothing is left of a paid order, which stays a sale with its after-sales
JSON = "application/json"

_ECHO = re.compile(r"[A-Za-z0-9+/=_-]{1,256}")


class Locker(Struct, frozen=True):
    """The body of a delivery: nothing in it but Encrypt is signed."""

    encrypted: str = field(name="Encrypt")


class Head(Struct, frozen=True):
    """What every message has, and the parts that some have, not looked at yet."""

    to: Id = field(name="ToUserName")
    kind: str = field(name="MsgType")
    at: Id = field(name="CreateTime")
    event: str = field(name="Event", default="")
    order: Any = field(name="order_info", default=None)
    after_sale: Any = field(name="finder_shop_aftersale_status_update", default=None)

    @property
    def native_type(self) -> str:
        """The event's name; of what is no event, the kind of message."""
        return (self.event or self.kind)[:MAX_NATIVE_TYPE]


class OrderInfo(Struct, frozen=True):
    """Numbers and digits in quotes both occur; in XML everything is text."""

    order_id: Id
    pay_time: Id = 0
    finish_delivery: Id = ""
    confirm_type: Id = ""
    cancel_type: Id = ""
    type: Id = ""  # of an ext_info update

    @property
    def state(self) -> str:
        """What tells apart two messages of one event, order and second."""
        return f"{self.finish_delivery}{self.confirm_type}{self.cancel_type}{self.type}"


class AfterSaleInfo(Struct, frozen=True):
    """A change of one after-sale."""

    status: str
    after_sale_order_id: Id
    order_id: Id


class Kind(Struct, frozen=True):
    """What an order's event means to us."""

    type: EventType
    status: OrderStatus | None = None


EVENTS = {
    "channels_ec_order_new": Kind(EventType.ORDER_CREATED, OrderStatus.CREATED),
    "channels_ec_order_pay": Kind(EventType.ORDER_PAID, OrderStatus.PAID),
    "channels_ec_order_wait_shipping": Kind(EventType.ORDER_UPDATED),
    DELIVER: Kind(EventType.ORDER_UPDATED),  # by finish_delivery, see DELIVERED
    "channels_ec_order_confirm": Kind(EventType.ORDER_FINISHED, OrderStatus.FINISHED),
    CANCEL: Kind(EventType.ORDER_CANCELLED, OrderStatus.CANCELLED),
    "channels_ec_order_settle": Kind(EventType.ORDER_UPDATED),
    "channels_ec_order_ext_info_update": Kind(EventType.ORDER_UPDATED),  # its attribution may have changed
}
DELIVERED = {
    "0": Kind(EventType.ORDER_PARTIALLY_SHIPPED, OrderStatus.PARTIALLY_SHIPPED),
    "1": Kind(EventType.ORDER_SHIPPED, OrderStatus.SHIPPED),
}

# Fetch kind -> path and the name of the one parameter.
CALLS = {
    FetchKind.ORDER: ("/channels/ec/order/get", "order_id"),
    FetchKind.REFUND: ("/channels/ec/aftersale/getaftersaleorder", "after_sale_order_id"),
}

_LOCKER = msgspec.json.Decoder(Locker)
_HEAD = msgspec.json.Decoder(Head)


class WechatStore:
    """See docs/platforms/wechat_store.md."""

    name = "wechat_store"
    label = "微信小店"
    covers = Covers.ENCRYPT_FIELD
    content_type = "text/plain"
    lister = wechat_store_lists.LISTER
    signed_query = ("timestamp", "nonce", "msg_signature")

    def check_secret(self, secret: str) -> None:
        """Token and EncodingAESKey as one text: they are changed together."""
        if not envelope.is_usable(secret):
            raise UnusableSecret(
                "微信小店的密钥写作 Token:EncodingAESKey，前者 3 到 32 位字母数字，后者 43 位。"
            )

    def authenticate(
        self,
        *,
        credential: Credential,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        raw: bytes,
        now_ms: int,
    ) -> bytes:
        """Check the SHA-1 over Encrypt, decrypt it, and see for which app it is. It may be hours old."""
        del headers, now_ms
        try:
            encrypted = _encrypted(raw)
        except Malformed as problem:
            raise BadSignature("no Encrypt: safe mode is needed") from problem
        for secret in credential.secrets:
            if envelope.is_signed(
                query.get("msg_signature", ""),
                secret=secret,
                stamp=query.get("timestamp", ""),
                nonce=query.get("nonce", ""),
                more=(encrypted,),
            ):
                plaintext = envelope.opened(encrypted, secret=secret, appid=credential.app_key)
                if plaintext is not None:
                    return plaintext
        raise BadSignature("msg_signature, EncodingAESKey or appid")

    def verify_address(self, *, credential: Credential, query: Mapping[str, str]) -> Reply:
        """Send echostr back; it is not signed, so only what can do no harm is."""
        echo = query.get("echostr", "")
        known = any(
            envelope.is_signed(
                query.get("signature", ""),
                secret=secret,
                stamp=query.get("timestamp", ""),
                nonce=query.get("nonce", ""),
            )
            for secret in credential.secrets
        )
        if not known or not _ECHO.fullmatch(echo):
            raise BadSignature("signature")
        return Reply(200, self.content_type, echo.encode())

    def reopen(self, *, credential: Credential, raw: bytes) -> bytes:
        """Decrypt what was authentic when it came, whichever secret it came by."""
        try:
            encrypted = _encrypted(raw)
        except Malformed as problem:
            raise BadSignature("no Encrypt") from problem
        for secret in credential.secrets:
            plaintext = envelope.opened(encrypted, secret=secret, appid=credential.app_key)
            if plaintext is not None:
                return plaintext
        raise BadSignature("no EncodingAESKey opens it")

    def probe(self, plaintext: bytes) -> Reply | None:
        """An address is tried by a GET, see verify_address."""
        del plaintext
        return None

    def split(self, plaintext: bytes, *, headers: Mapping[str, str]) -> Sequence[Native]:
        """One delivery is one message. It has no id: event, object, state and second make one."""
        del headers
        head = _head(plaintext)
        return (
            Native(
                native_type=head.native_type,
                native_id=_native_id(head),
                shop_ref=_shop_ref(head),
                element=plaintext,
                value=head,
                provider_ts=_provider_ts(head),
            ),
        )

    def normalise(self, native: Native) -> Sequence[Event]:
        """A thin event, () for what is of no interest."""
        head: Head = native.value
        if head.event == AFTER_SALE:
            return (_refund_event(head),)
        return (_order_event(head),) if head.event in EVENTS else ()

    def ack(self) -> Reply:
        """Anything else makes the platform send again."""
        return Reply(200, self.content_type, b"success")

    def refuse(self) -> Reply:
        """The platform prescribes no words."""
        return Reply(401, self.content_type, b"signature refused")

    def fetches(self, event: Event) -> Sequence[Fetch]:
        """The order, and the after-sale the event is about."""
        return thin.fetches(event)

    def call(self, fetch: Fetch, *, credential: Credential, now_ms: int) -> HttpCall:
        """The token is all that is checked."""
        del now_ms
        path, parameter = CALLS[fetch.kind]
        body = msgspec.json.encode({parameter: fetch.ref})
        return HttpCall("POST", path, {"access_token": credential.access_token}, {"content-type": JSON}, body)

    def read_reply(self, fetch: Fetch, raw: bytes) -> Event:
        """A complete order or after-sale, see wechat_store_replies.py."""
        return replies.read(fetch, raw)


def _encrypted(raw: bytes) -> str:
    if raw.lstrip()[:1] == b"<":
        return _converted(plain_xml.read(raw), Locker).encrypted
    scan.refuse_unsafe(raw)
    return decode(_LOCKER, raw).encrypted


def _head(plaintext: bytes) -> Head:
    """JSON or XML, as the shop chose; Malformed when it is neither."""
    if plaintext.lstrip()[:1] == b"<":
        return _converted(plain_xml.read(plaintext), Head)
    scan.refuse_unsafe(plaintext)
    return decode(_HEAD, plaintext)


def _converted(value: Any, wanted: type[T]) -> T:
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        raise Malformed("schema", explain(error)) from error


def _native_id(head: Head) -> str:
    """'' where a message is not understood: its own bytes tell it apart. The shop is in the key besides."""
    try:
        if head.event == AFTER_SALE:
            after_sale = _converted(head.after_sale, AfterSaleInfo)
            about, state = after_sale.after_sale_order_id, after_sale.status
        elif head.event in EVENTS:
            order = _converted(head.order, OrderInfo)
            about, state = order.order_id, order.state
        else:
            return ""
    except Malformed:
        return ""
    native_id = f"{head.event}:{about}:{state}:{head.at}"
    return native_id if len(native_id) <= MAX_NATIVE_ID else ""


def _shop_ref(head: Head) -> str:
    """The shop where one can be read, so that even a broken message is found under its shop."""
    try:
        return ref(head.to, field="ToUserName", longest=MAX_SHOP_REF)
    except Malformed:
        return ""


def _provider_ts(head: Head) -> int:
    try:
        return _created_at(head)
    except Malformed:
        return 0


def _created_at(head: Head) -> int:
    """When the event was made; it dates and versions what the message says."""
    at = _instant(head.at, field="CreateTime")
    if at is None:
        raise Malformed("time", "CreateTime is missing")
    return at


def _instant(value: Id, *, field: str) -> int | None:
    """Seconds, as a number or as digits."""
    text = str(value)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Malformed("time", f"{field} is not a number of seconds")
    return business_time.from_seconds(int(text), field=field)


def _order_event(head: Head) -> Event:
    order = _converted(head.order, OrderInfo)
    kind = EVENTS[head.event]
    if head.event == DELIVER:
        kind = DELIVERED.get(str(order.finish_delivery), kind)
    elif head.event == CANCEL and str(order.cancel_type) == ALL_REFUNDED:
        kind = Kind(EventType.ORDER_UPDATED)
    at = _created_at(head)
    return Event(
        type=kind.type,
        shop_ref=required(head.to, field="ToUserName", longest=MAX_SHOP_REF),
        order_ref=required(order.order_id, field="order_id"),
        status=kind.status,
        status_at=at,
        created_at=at if kind.type is EventType.ORDER_CREATED else None,
        paid_at=_instant(order.pay_time, field="pay_time"),
    )


def _refund_event(head: Head) -> Event:
    after_sale = _converted(head.after_sale, AfterSaleInfo)
    status = replies.AFTER_SALES.get(after_sale.status)
    return Event(
        type=replies.REFUND_TYPES.get(status, EventType.REFUND_UPDATED),
        shop_ref=required(head.to, field="ToUserName", longest=MAX_SHOP_REF),
        order_ref=required(after_sale.order_id, field="order_id"),
        refund_ref=required(after_sale.after_sale_order_id, field="after_sale_order_id"),
        status_at=_created_at(head),
    )


ADAPTER = WechatStore()
