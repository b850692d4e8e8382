"""抖店 (Doudian): thin signed batches pushed to us; orders and after-sales read from its signed API.

What is known of the format, from where, and what is unverified: docs/platforms/doudian.md.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct, field

from livehub.platforms import business_time, scan, thin
from livehub.platforms.adapters import doudian_calls, doudian_lists, doudian_replies
from livehub.platforms.adapters.doudian_replies import STATUSES
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
from livehub.platforms.decoding import decode
from livehub.platforms.errors import UnusableSecret
from livehub.platforms.wire import MAX_NATIVE_ID, MAX_NATIVE_TYPE, MAX_SHOP_REF, Id, ref, required

PROBE_BYTES = 512
_LIKE_A_PROBE = re.compile(rb'"tag"\s*:\s*"?0\b')  # most messages need not be taken apart to say no


class Element(Struct, frozen=True):
    """One message of a batch. Two spellings of its id are in use; the tag comes as text or as number."""

    tag: Id = ""
    msg_id: Id = ""
    msg_id_camel: Id = field(name="msgId", default="")
    data: Raw = Raw(b"")


class Data(Struct, frozen=True):
    """What we read of a message; receivers' names and telephone numbers are never taken in."""

    p_id: Id = ""
    shop_id: Id = ""
    aftersale_id: Id = ""
    order_status: int | None = None
    create_time: int | None = None
    pay_time: int | None = None
    update_time: int | None = None
    complete_time: int | None = None
    cancel_time: int | None = None
    modify_time: int | None = None
    apply_time: int | None = None
    agree_time: int | None = None
    refuse_time: int | None = None
    success_time: int | None = None
    close_time: int | None = None


class Plain(Struct, frozen=True):
    """An Element as nearly all are: its data is taken apart with it, or is JSON in a text without escapes."""

    tag: Id
    msg_id: Id
    data: Data | str
    msg_id_camel: Id = field(name="msgId", default="")  # not read, but a wrong one is unusual


class Sender(Struct, frozen=True):
    """Whose message it is, read leniently from data that is otherwise of no interest or broken."""

    shop_id: Id = ""


class Message(Struct, frozen=True):
    """An element after a first look: its data, or what is wrong with it."""

    msg_id: str
    data: Data | None = None
    problem: str = ""


class Tag(Struct, frozen=True):
    """What a tag means to us, and which field dates it."""

    type: EventType
    time: str
    status: OrderStatus | None = None


TAGS = {
    "100": Tag(EventType.ORDER_CREATED, "create_time", OrderStatus.CREATED),
    "101": Tag(EventType.ORDER_PAID, "pay_time", OrderStatus.PAID),
    "102": Tag(EventType.ORDER_SHIPPED, "update_time", OrderStatus.SHIPPED),
    "103": Tag(EventType.ORDER_FINISHED, "complete_time", OrderStatus.FINISHED),
    "106": Tag(EventType.ORDER_CANCELLED, "cancel_time", OrderStatus.CANCELLED),
    "108": Tag(EventType.ORDER_PARTIALLY_SHIPPED, "update_time", OrderStatus.PARTIALLY_SHIPPED),
    "109": Tag(EventType.ORDER_AMOUNT_CHANGED, "modify_time"),
    "110": Tag(EventType.ORDER_UPDATED, "update_time"),
    "200": Tag(EventType.REFUND_CREATED, "apply_time"),
    "201": Tag(EventType.REFUND_AGREED, "agree_time"),
    "202": Tag(EventType.REFUND_AGREED, "agree_time"),
    "203": Tag(EventType.REFUND_UPDATED, "update_time"),
    "204": Tag(EventType.REFUND_REFUSED, "refuse_time"),
    "205": Tag(EventType.REFUND_REFUSED, "refuse_time"),
    "206": Tag(EventType.REFUND_SUCCEEDED, "success_time"),
    "207": Tag(EventType.REFUND_CLOSED, "close_time"),
    "208": Tag(EventType.REFUND_UPDATED, "modify_time"),
    "209": Tag(EventType.REFUND_UPDATED, "modify_time"),
    "224": Tag(EventType.REFUND_CREATED, "apply_time"),
    "225": Tag(EventType.REFUND_SUCCEEDED, "success_time"),
}
TIMES = tuple(name for name in Data.__struct_fields__ if name.endswith("_time"))

# Fetch kind -> method and the name of the one business parameter.
METHODS = {
    FetchKind.ORDER: ("order.orderDetail", "shop_order_id"),
    FetchKind.REFUND: ("afterSale.Detail", "after_sale_id"),
}

_PLAIN = msgspec.json.Decoder(list[Plain])
_BATCH = msgspec.json.Decoder(list[Raw])
_ONE = msgspec.json.Decoder(Raw)
_ELEMENT = msgspec.json.Decoder(Element)
_TEXT = msgspec.json.Decoder(str)
_DATA = msgspec.json.Decoder(Data)
_SENDER = msgspec.json.Decoder(Sender)


class Doudian:
    """See docs/platforms/doudian.md."""

    name = "doudian"
    label = "抖店"
    covers = Covers.BODY
    content_type = "application/json"
    lister = doudian_lists.LISTER

    def check_secret(self, secret: str) -> None:
        """Any text the open platform shows as app_secret; white space means a bad copy."""
        if not secret or secret != secret.strip():
            raise UnusableSecret

    def authenticate(
        self,
        *,
        credential: Credential,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        raw: bytes,
        now_ms: int,
    ) -> bytes:
        """Check app-id, then the MD5 over app_key, raw body and app_secret; no time is signed."""
        del query, now_ms
        if headers.get("sign-method", "md5").lower() != "md5":
            raise BadSignature("sign-method is not md5, the only one whose rule is known")
        if not hmac.compare_digest(_bytes(headers.get("app-id", "")), _bytes(credential.app_key)):
            raise BadSignature("app-id")
        given = _bytes(headers.get("event-sign", "").lower())
        signs = (_sign(credential.app_key, raw, secret) for secret in credential.secrets)
        if not any(hmac.compare_digest(sign, given) for sign in signs):
            raise BadSignature("event-sign")
        return raw

    def reopen(self, *, credential: Credential, raw: bytes) -> bytes:
        """Nothing is encrypted."""
        del credential
        return raw

    def probe(self, plaintext: bytes) -> Reply | None:
        """The platform tries an address with a single message of tag 0 when it is saved."""
        if len(plaintext) > PROBE_BYTES or not _LIKE_A_PROBE.search(plaintext):
            return None
        try:
            natives = self.split(plaintext, headers={})
        except Malformed:
            return None
        return self.ack() if [each.native_type for each in natives] == ["0"] else None

    def split(self, plaintext: bytes, *, headers: Mapping[str, str]) -> Sequence[Native]:
        """Take a batch apart; an element that cannot be read stays in it and does not harm its neighbours."""
        del headers  # nothing in them is signed
        scan.refuse_unsafe(plaintext)
        natives = _of_plain(plaintext)
        if natives is not None:
            return natives
        if plaintext.lstrip().startswith(b"{"):
            return (_native(bytes(decode(_ONE, plaintext))),)
        return tuple(_native(bytes(raw)) for raw in decode(_BATCH, plaintext))

    def normalise(self, native: Native) -> Sequence[Event]:
        """A thin event, () for tags of no interest; a push's amounts are never passed on."""
        message: Message = native.value
        if not native.native_type:
            raise Malformed("schema", message.problem)
        tag = TAGS.get(native.native_type)
        if tag is None:
            return ()
        if message.data is None:
            raise Malformed("schema", message.problem)
        return (_event(tag, message.data, msg_id=message.msg_id),)

    def ack(self) -> Reply:
        """Anything else makes the platform send again."""
        return Reply(200, self.content_type, b'{"code":0,"msg":"success"}')

    def refuse(self) -> Reply:
        """40041 is what public clients answer to a message they do not accept."""
        return Reply(401, self.content_type, b'{"code":40041,"msg":"signature refused"}')

    def fetches(self, event: Event) -> Sequence[Fetch]:
        """The order, and the after-sale the event is about."""
        return thin.fetches(event)

    def call(self, fetch: Fetch, *, credential: Credential, now_ms: int) -> HttpCall:
        """Sign with the first of the active secrets, which is the newest."""
        method, parameter = METHODS[fetch.kind]
        return doudian_calls.signed(method, {parameter: fetch.ref}, credential=credential, now_ms=now_ms)

    def read_reply(self, fetch: Fetch, raw: bytes) -> Event:
        """A complete order or after-sale, see doudian_replies.py."""
        return doudian_replies.read(fetch, raw)


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def _sign(app_key: str, raw: bytes, secret: str) -> bytes:
    """MD5 is the platform's choice, not ours."""
    return hashlib.md5(_bytes(app_key) + raw + _bytes(secret), usedforsecurity=False).hexdigest().encode()


def _of_plain(plaintext: bytes) -> tuple[Native, ...] | None:
    """The messages of a batch in which nothing is unusual, in a third of the time; None of any other.

    What is missing here, unknown or of another type is for the careful way, which says of each element by
    itself what is wrong. Without escaped characters an inner JSON holds no more brackets and commas than its
    body, so that few of them need no look of their own.
    """
    if b"\\u" in plaintext or not scan.is_slight(plaintext):
        return None
    natives = []
    try:
        for element in _PLAIN.decode(plaintext):
            tag, msg_id, data = str(element.tag), str(element.msg_id), element.data
            if isinstance(data, str):
                data = _DATA.decode(data)
            shop_ref = str(data.shop_id)
            seconds = getattr(data, TAGS[tag].time)
            if not (0 < len(msg_id) <= MAX_NATIVE_ID and 0 < len(shop_ref) <= MAX_SHOP_REF and seconds):
                return None
            if msg_id == "0" or shop_ref == "0":
                return None
            at = business_time.from_seconds(seconds, field=TAGS[tag].time) or 0
            natives.append(Native(tag, msg_id, shop_ref, b"", Message(msg_id, data), at))
    except (msgspec.DecodeError, KeyError, Malformed):
        return None
    return tuple(natives)


def _native(raw: bytes) -> Native:
    try:
        element = decode(_ELEMENT, raw)
        msg_id = ref(element.msg_id or element.msg_id_camel, field="msg_id", longest=MAX_NATIVE_ID)
    except Malformed as problem:
        return Native("", "", "", raw, Message("", problem=problem.detail))
    tag, known_by = str(element.tag), b"" if msg_id else raw
    if not 0 < len(tag) <= MAX_NATIVE_TYPE:
        return Native("", msg_id, "", known_by, Message(msg_id, problem="tag is missing or too long"))
    try:
        content = _content(element.data)
    except Malformed as problem:
        return Native(tag, msg_id, "", known_by, Message(msg_id, problem=problem.detail))
    message = _message(tag, msg_id, content)
    return Native(tag, msg_id, _shop_ref(message, content), known_by, message, _provider_ts(tag, message))


def _content(data: Raw) -> bytes:
    """The inner JSON, whether it came as an object or as text; the text is looked at as any body is."""
    raw = bytes(data)
    if not raw.startswith(b'"'):
        return raw
    inner = decode(_TEXT, raw).encode()
    scan.refuse_unsafe(inner)
    return inner


def _message(tag: str, msg_id: str, content: bytes) -> Message:
    if tag not in TAGS:
        return Message(msg_id)
    try:
        return Message(msg_id, decode(_DATA, content))
    except Malformed as problem:
        return Message(msg_id, problem=problem.detail)


def _shop_ref(message: Message, content: bytes) -> str:
    """The shop where one can be read, so that even a broken message is found under its shop."""
    try:
        return ref((message.data or decode(_SENDER, content)).shop_id, field="shop_id", longest=MAX_SHOP_REF)
    except Malformed:
        return ""


def _provider_ts(tag: str, message: Message) -> int:
    if message.data is None:
        return 0
    try:
        return _status_at(TAGS[tag], message.data, msg_id=message.msg_id)
    except Malformed:
        return 0


def _event(tag: Tag, data: Data, *, msg_id: str) -> Event:
    about_refund = tag.type.startswith("refund.")
    status = tag.status or (None if about_refund else STATUSES.get(data.order_status or 0))
    return Event(
        type=tag.type,
        shop_ref=required(data.shop_id, field="shop_id", longest=MAX_SHOP_REF),
        order_ref=required(data.p_id, field="p_id"),
        refund_ref=ref(data.aftersale_id, field="aftersale_id") if about_refund else "",
        status=status,
        status_at=_status_at(tag, data, msg_id=msg_id),
        created_at=business_time.from_seconds(data.create_time, field="create_time"),
        paid_at=business_time.from_seconds(data.pay_time, field="pay_time"),
    )


def _status_at(tag: Tag, data: Data, *, msg_id: str) -> int:
    """The event's own time, else the latest it mentions, else the one inside msg_id."""
    seconds = (
        getattr(data, tag.time)
        or max(getattr(data, name) or 0 for name in TIMES)
        or _seconds_of_msg_id(msg_id)
    )
    at = business_time.from_seconds(seconds, field=tag.time)
    if at is None:
        raise Malformed("time", f"{tag.time} is missing")
    return at


def _seconds_of_msg_id(msg_id: str) -> int:
    """Ids look like ``order:tag:seconds:shop``."""
    parts = msg_id.split(":")
    third = parts[2] if len(parts) > 2 else ""
    return int(third) if third.isascii() and third.isdigit() and len(third) <= 12 else 0


ADAPTER = Doudian()
