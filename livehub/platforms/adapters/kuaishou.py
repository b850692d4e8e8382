"""快手小店 (Kuaishou): encrypted messages without a signature, which only make us ask its signed API.

What is known of the format, from where, and what is unverified: docs/platforms/kuaishou.md.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from msgspec import Struct

from livehub.platforms import business_time, scan, thin
from livehub.platforms.adapters import kuaishou_calls, kuaishou_lists, kuaishou_replies
from livehub.platforms.adapters.kuaishou_replies import MONEY_BACK, SUCCEEDED
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
    Reply,
)
from livehub.platforms.decoding import decode
from livehub.platforms.errors import UnusableSecret
from livehub.platforms.wire import MAX_NATIVE_ID, MAX_NATIVE_TYPE, MAX_SHOP_REF, Id, ref, required

BLOCK = 16  # bytes of AES
IV = bytes(BLOCK)
KEY_BYTES = (16, 24, 32)
PROBE_BYTES = 64
OF_ORDERS, OF_REFUNDS = "kwaishop_order_", "kwaishop_aftersales_"

ORDER_EVENTS = {
    "addOrder": EventType.ORDER_CREATED,
    "paySuccess": EventType.ORDER_PAID,
    "delivering": EventType.ORDER_SHIPPED,
    "deliverySuccess": EventType.ORDER_UPDATED,  # the parcel was signed for
    "orderSuccess": EventType.ORDER_FINISHED,
    "orderFail": EventType.ORDER_CANCELLED,  # after payment too: what became of it is asked
    "totalFeeChange": EventType.ORDER_AMOUNT_CHANGED,
}
REFUND_EVENTS = {"addRefund": EventType.REFUND_CREATED, "updateRefund": EventType.REFUND_UPDATED}
EVENTS = {OF_ORDERS + name: kind for name, kind in ORDER_EVENTS.items()} | {
    OF_REFUNDS + name: kind for name, kind in REFUND_EVENTS.items()
}

ORDER_DETAIL, FEE_DETAIL, REFUND_DETAIL = (
    "open.order.detail",
    "open.seller.order.fee.detail",
    "open.seller.order.refund.detail",
)


class Sender(Struct, frozen=True):
    """Whose message it is: all that can be proved without a signature."""

    app_key: str = msgspec.field(name="appKey", default="")


class Heartbeat(Struct, frozen=True, forbid_unknown_fields=True):
    """By which the platform tries an address."""

    test: bool


class Message(Struct, frozen=True, rename="camel"):
    """A decrypted message; ``info`` is JSON in a text. The number of the buyer is never taken in."""

    event_id: Id = ""
    user_id: Id = ""  # the seller
    event: str = ""
    info: str = ""
    create_time: int = 0
    update_time: int = 0
    test: bool = False


class Info(Struct, frozen=True, rename="camel"):
    """What we read of a message's content; its amounts are not."""

    oid: Id = ""
    order_id: Id = ""
    refund_id: Id = ""
    handling_way: int = 0
    status: int = 0
    create_time: int = 0
    update_time: int = 0


_SENDER = msgspec.json.Decoder(Sender)
_HEARTBEAT = msgspec.json.Decoder(Heartbeat)
_MESSAGE = msgspec.json.Decoder(Message)
_INFO = msgspec.json.Decoder(Info)


class Kuaishou:
    """See docs/platforms/kuaishou.md."""

    name = "kuaishou"
    label = "快手小店"
    covers = Covers.NONE
    content_type = "application/json"
    lister = kuaishou_lists.LISTER

    def check_secret(self, secret: str) -> None:
        """signSecret, a colon, and the base64 of 16, 24 or 32 bytes: the key of the messages."""
        sign_secret, _, message_key = secret.partition(":")
        if not sign_secret or secret != secret.strip() or not sign_secret.isprintable():
            raise UnusableSecret(SECRET_SHAPE)
        if _decoded(message_key.encode(errors="replace"), sizes=KEY_BYTES) is None:
            raise UnusableSecret(SECRET_SHAPE)

    def authenticate(
        self,
        *,
        credential: Credential,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        raw: bytes,
        now_ms: int,
    ) -> bytes:
        """Decrypt, and find JSON of this app in it or the platform's heartbeat; no more can be checked."""
        del headers, query, now_ms
        return self.reopen(credential=credential, raw=raw)

    def reopen(self, *, credential: Credential, raw: bytes) -> bytes:
        """The plaintext by any of the keys; whatever is wrong with it, the refusal is the same."""
        sealed = _decoded(raw)
        if sealed is None or not sealed or len(sealed) % BLOCK:
            raise BadSignature("the body is not the base64 of whole blocks")
        for secret in credential.secrets:
            plain = _opened(sealed, _message_key(secret))
            if plain is not None and _is_ours(plain, credential.app_key):
                return plain
        raise BadSignature("no key opens the body, or it is another app's")

    def probe(self, plaintext: bytes) -> Reply | None:
        """The platform tries an address when it is saved, and goes on trying it, with nothing but a test."""
        if len(plaintext) > PROBE_BYTES:
            return None
        try:
            scan.refuse_unsafe(plaintext)
            return self.ack() if _is_heartbeat(plaintext) else None
        except Malformed:
            return None

    def split(self, plaintext: bytes, *, headers: Mapping[str, str]) -> Sequence[Native]:
        """One delivery is one message; its key is the eventId."""
        del headers
        scan.refuse_unsafe(plaintext)
        message = decode(_MESSAGE, plaintext)
        event_id = ref(message.event_id, field="eventId", longest=MAX_NATIVE_ID)
        if not 0 < len(message.event) <= MAX_NATIVE_TYPE:
            raise Malformed("schema", "event is missing or too long")
        shop_ref = required(message.user_id, field="userId", longest=MAX_SHOP_REF)
        known_by = b"" if event_id else plaintext
        return (Native(message.event, event_id, shop_ref, known_by, message, _provider_ts(message)),)

    def normalise(self, native: Native) -> Sequence[Event]:
        """A knock that names an order, without money and time of payment; () for what is no business."""
        message: Message = native.value
        kind = EVENTS.get(native.native_type)
        if kind is None or message.test:
            return ()
        info = _info(message)
        if kind is EventType.REFUND_UPDATED and info.status == SUCCEEDED and info.handling_way in MONEY_BACK:
            kind = EventType.REFUND_SUCCEEDED
        about_refund = native.native_type.startswith(OF_REFUNDS)
        return (
            Event(
                type=kind,
                shop_ref=native.shop_ref,
                order_ref=required(info.order_id if about_refund else info.oid, field="oid"),
                refund_ref=required(info.refund_id, field="refundId") if about_refund else "",
                status_at=_status_at(message, info),
            ),
        )

    def ack(self) -> Reply:
        """Anything else, or nothing within three seconds, makes the platform send again."""
        return Reply(200, self.content_type, b'{"result":1}')

    def refuse(self) -> Reply:
        """Any other result is a failure; no other is documented."""
        return Reply(401, self.content_type, b'{"result":0}')

    def fetches(self, event: Event) -> Sequence[Fetch]:
        """The order, and the after-sale the event is about."""
        return thin.fetches(event)

    def call(self, fetch: Fetch, *, credential: Credential, now_ms: int) -> HttpCall:
        """An order is asked for, then its fees: what was paid stands only there. The newest secret signs."""
        if fetch.kind is FetchKind.REFUND:
            return _call(REFUND_DETAIL, "refundId", fetch.ref, credential, now_ms)
        fees = _call(FEE_DETAIL, "oid", fetch.ref, credential, now_ms)
        order = _call(ORDER_DETAIL, "oid", fetch.ref, credential, now_ms)
        return msgspec.structs.replace(order, also=(fees,))

    def read_reply(self, fetch: Fetch, raw: bytes) -> Event:
        """A complete order or after-sale, see kuaishou_replies.py."""
        return kuaishou_replies.read(fetch, raw)


SECRET_SHAPE = "密钥应是 signSecret 和消息密钥，中间用冒号隔开；消息密钥是 16、24 或 32 字节的 base64。"  # noqa: S105 -- what one looks like


def _decoded(text: bytes, *, sizes: Sequence[int] = ()) -> bytes | None:
    """The bytes of a base64 text that is written as it must be, and None of any other."""
    try:
        found = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if b64encode(found) == text and (not sizes or len(found) in sizes) else None


def _message_key(secret: str) -> bytes:
    """The key in a secret; what is none is made into one: a stranger's delivery costs the same."""
    text = secret.partition(":")[2].encode(errors="replace")
    return _decoded(text, sizes=KEY_BYTES) or hashlib.sha256(text).digest()


def _opened(sealed: bytes, key: bytes) -> bytes | None:
    """AES-CBC without a MAC, as the platform has it: whoever knows an old body can make garbage of it."""
    decryptor, unpadder = Cipher(AES(key), CBC(IV)).decryptor(), PKCS7(BLOCK * 8).unpadder()
    try:
        return unpadder.update(decryptor.update(sealed) + decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        return None


def _is_ours(plain: bytes, app_key: str) -> bool:
    """Readable JSON that names our app, or nothing but a heartbeat."""
    try:
        plain.decode()
        sender = decode(_SENDER, plain)
    except (UnicodeDecodeError, Malformed):
        return False
    named = hmac.compare_digest(sender.app_key.encode(errors="replace"), app_key.encode(errors="replace"))
    return (named and bool(app_key)) or _is_heartbeat(plain)


def _is_heartbeat(plain: bytes) -> bool:
    try:
        return decode(_HEARTBEAT, plain).test
    except Malformed:
        return False


def _info(message: Message) -> Info:
    """The inner JSON, looked at as any body is."""
    inner = message.info.encode(errors="replace")
    scan.refuse_unsafe(inner)
    return decode(_INFO, inner)


def _status_at(message: Message, info: Info) -> int:
    """When it happened, else when the platform told of it; milliseconds."""
    times = (info.update_time, info.create_time, message.update_time, message.create_time)
    ms = next((each for each in times if each), 0)
    if not ms:
        raise Malformed("time", "updateTime is missing")
    return business_time.plausible(ms, field="updateTime")


def _provider_ts(message: Message) -> int:
    try:
        return _status_at(message, _info(message))
    except Malformed:
        return 0


def _call(method: str, parameter: str, number: str, credential: Credential, now_ms: int) -> HttpCall:
    """A call whose one parameter is a number, written as one where it is one."""
    value = int(number) if number.isascii() and number.isdigit() and len(number) < 20 else number
    return kuaishou_calls.signed(method, {parameter: value}, credential=credential, now_ms=now_ms)


ADAPTER = Kuaishou()
