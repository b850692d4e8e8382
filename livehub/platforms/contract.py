"""What every platform adapter promises, and the one shape all of them translate into.

An adapter is one file in ``adapters/`` with a module attribute ``ADAPTER``. It is pure: bytes and
secrets in, values out; it never touches the database, the clock or the network.

Money is integer fen, CNY; ``None`` means unknown and is never written as 0. Times are integer
milliseconds since the epoch, UTC. Identifiers are strings, whatever the platform sends.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct


class Covers(enum.StrEnum):
    """What the platform's signature covers, and so what a message may be trusted with."""

    BODY = "body"
    ENCRYPT_FIELD = "encrypt_field"
    NONE = "none"  # such a message may only trigger a fetch, never book anything


class EventType(enum.StrEnum):
    """The closed list of things that can happen to an order, a refund or a voucher."""

    ORDER_CREATED = "order.created"
    ORDER_PAID = "order.paid"
    ORDER_AMOUNT_CHANGED = "order.amount_changed"
    ORDER_PARTIALLY_SHIPPED = "order.partially_shipped"
    ORDER_SHIPPED = "order.shipped"
    ORDER_FINISHED = "order.finished"
    ORDER_CANCELLED = "order.cancelled"
    ORDER_UPDATED = "order.updated"
    REFUND_CREATED = "refund.created"
    REFUND_AGREED = "refund.agreed"
    REFUND_REFUSED = "refund.refused"
    REFUND_CLOSED = "refund.closed"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_UPDATED = "refund.updated"
    UNKNOWN = "unknown"


class OrderStatus(enum.IntEnum):
    """Platform-independent progress of an order; the number is its rank in a merge."""

    CREATED = 10
    PAID = 20
    PARTIALLY_SHIPPED = 30
    SHIPPED = 40
    FINISHED = 50
    CANCELLED = 60


class RefundStatus(enum.IntEnum):
    """Progress of one after-sale; only SUCCEEDED moves money."""

    CREATED = 10
    AGREED = 20
    RETURNING = 30
    REFUSED = 40
    CLOSED = 50
    SUCCEEDED = 60
    FAILED = 70  # reported after a success: the money came back to the shop


class RefundKind(enum.StrEnum):
    """What an after-sale is; exchange and resend move no money."""

    REFUND_ONLY = "refund_only"
    RETURN_REFUND = "return_refund"
    EXCHANGE = "exchange"
    RESEND = "resend"


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One order line with its six components; ``list = the sum of the other five``, freight apart."""

    line_ref: str
    product_ref: str = ""
    sku_ref: str = ""
    title: str = ""
    quantity: int
    list_fen: int
    merchant_disc_fen: int = 0
    platform_disc_fen: int = 0
    other_disc_fen: int = 0
    voucher_subsidy_fen: int = 0
    buyer_paid_fen: int
    freight_fen: int = 0
    author_ref: str = ""
    author_name: str = ""
    room_ref: str = ""


class OrderSnapshot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole order as the platform tells it: complete, so it may be booked."""

    status: OrderStatus
    lines: tuple[Line, ...]
    created_at: int | None = None
    paid_at: int | None = None
    finished_at: int | None = None
    cancelled_at: int | None = None
    updated_at: int
    buyer_id: str = ""  # replaced by a keyed hash before anything is stored
    voucher_code: str = ""  # replaced by a keyed hash before anything is stored
    broadcast_ref: str = ""  # a code of ours: of a broadcast's link, or the broadcast's public id
    excluded: bool = False  # samples, zero-price draws: no sale


class RefundSnapshot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole after-sale as the platform tells it; ``refunded_fen`` is cash, freight apart.

    ``goods_fen`` is what of the order's G2 came back where that is known, as at a till of ours, whose city
    may give the subsidy back before any cash. Platforms tell cash, and the G2 is reckoned from it.
    """

    refund_ref: str
    line_ref: str = ""  # empty: the whole order
    kind: RefundKind
    status: RefundStatus
    applied_fen: int | None = None
    refunded_fen: int | None = None  # known only when succeeded
    goods_fen: int | None = None
    freight_fen: int = 0
    quantity: int = 0
    applied_at: int | None = None
    succeeded_at: int | None = None
    updated_at: int


class Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing a platform said about one order: the *fact* that is stored, merged and folded anew.

    Thin events carry neither ``order`` nor ``refunds``: they only make the order incomplete.
    ``status_at`` is the business time the platform gives for this event; it versions the merge.
    """

    type: EventType
    shop_ref: str
    order_ref: str
    refund_ref: str = ""  # of a thin after-sale event
    status: OrderStatus | None = None  # what a thin event says of the order's progress
    status_at: int
    created_at: int | None = None
    paid_at: int | None = None
    order: OrderSnapshot | None = None
    refunds: tuple[RefundSnapshot, ...] = ()
    covers_until: int = 0  # a fetched reply: thin events up to this time are answered by it


class Native(Struct, frozen=True):
    """One element of a delivery before it is understood; its key makes duplicates recognisable."""

    native_type: str
    native_id: str  # '' where the platform gives none in its signed bytes
    shop_ref: str
    element: bytes  # canonical bytes of this element alone: what the digest is of without a native_id
    value: Any  # the adapter's own typed Struct
    provider_ts: int = 0  # milliseconds, 0 when unknown


class Reply(Struct, frozen=True):
    """An HTTP answer in the platform's own words."""

    status: int
    content_type: str
    body: bytes


class Credential(Struct, frozen=True):
    """One app credential of a platform; several secrets may be active while one is being rotated."""

    app_key: str
    secrets: tuple[str, ...]
    access_token: str = ""

    def __repr__(self) -> str:
        """Without the secrets, for logs and tracebacks."""
        return f"Credential({self.app_key!r})"


class FetchKind(enum.StrEnum):
    """What a thin message makes us ask for."""

    ORDER = "order"
    REFUND = "refund"


class Fetch(Struct, frozen=True):
    """A wish to read one order or one after-sale from the platform's own API."""

    kind: FetchKind
    shop_ref: str
    order_ref: str
    ref: str  # the order's or the after-sale's id


class HttpCall(Struct, frozen=True):
    """A signed request, ready to be sent to the platform's configured host.

    ``also`` are requests without whose replies this one's says too little: they are sent after it, one by
    one, and all replies are read together (see ``replies.py``).
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    also: tuple[HttpCall, ...] = ()


class Window(Struct, frozen=True):
    """What a shop's platform says was updated from ``start`` (included) to ``end`` (excluded), in ms."""

    kind: FetchKind
    shop_ref: str
    start: int
    end: int


class Listed(Struct, frozen=True, kw_only=True):
    """One row of a platform's list: which order or after-sale, and as much as the list tells of it."""

    ref: str
    order_ref: str = ""  # '' where a list of after-sales does not say
    shop_ref: str = ""  # '' where the list does not say
    updated_at: int | None = None
    amount_fen: int | None = None  # what the buyer paid without freight; of an after-sale, what went back


class ListPage(Struct, frozen=True):
    """The rows of one reply, and how the next page is asked for; '' after the last."""

    rows: tuple[Listed, ...]
    following: str = ""


class Reach(Struct, frozen=True):
    """How far a platform's list goes: the longest window, and how old its start may be."""

    span_ms: int
    back_ms: int


class Lister(Protocol):
    """The lists of a platform, by time of update; a token is one shop's. Every method is pure."""

    @property
    def reaches(self) -> Mapping[FetchKind, Reach]:
        """How far each list goes."""
        ...

    def call(self, window: Window, page: str, *, credential: Credential, now_ms: int) -> HttpCall:
        """The request for a page of a window; '' is the first."""
        ...

    def read(self, window: Window, page: str, raw: bytes) -> ListPage:
        """What the reply lists; raises Malformed, or ReplyRefused."""
        ...


class BadSignature(Exception):
    """The delivery is not the platform's: answer 401, count it, store nothing."""


class Malformed(Exception):
    """Authentic but not readable; ``reason`` is one of schema, identity, time, currency."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Adapter(Protocol):
    """One platform. Every method is pure."""

    name: str  # the path segment in /hooks/{platform}/...
    label: str  # 抖店
    covers: Covers
    content_type: str

    @property
    def lister(self) -> Lister | None:
        """The platform's lists; None where it has none that ours could be compared with."""
        ...

    def check_secret(self, secret: str) -> None:
        """Raise UnusableSecret when no signature of this platform can be checked with it."""
        ...

    def authenticate(
        self,
        *,
        credential: Credential,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        raw: bytes,
        now_ms: int,
    ) -> bytes:
        """Return the plaintext, or raise BadSignature. Header names are lower case."""
        ...

    def reopen(self, *, credential: Credential, raw: bytes) -> bytes:
        """The plaintext of kept bytes that were authentic when they came, or BadSignature.

        Asked only of platforms whose signature does not cover the body; ``credential`` has ended secrets too.
        """
        ...

    def probe(self, plaintext: bytes) -> Reply | None:
        """Return the answer to a URL challenge or heartbeat, or None for an ordinary delivery."""
        ...

    def split(self, plaintext: bytes, *, headers: Mapping[str, str]) -> Sequence[Native]:
        """Take a delivery apart, or raise Malformed('schema'). At most 500 elements."""
        ...

    def normalise(self, native: Native) -> Sequence[Event]:
        """Translate one element; () when its type is of no interest. Raises Malformed."""
        ...

    def ack(self) -> Reply:
        """The platform's own words for 'received'."""
        ...

    def refuse(self) -> Reply:
        """The platform's own words for 'signature refused' (status 401)."""
        ...

    def fetches(self, event: Event) -> Sequence[Fetch]:
        """What must be read because this event is thin; () when it is complete."""
        ...

    def call(self, fetch: Fetch, *, credential: Credential, now_ms: int) -> HttpCall:
        """The signed request for a fetch."""
        ...

    def read_reply(self, fetch: Fetch, raw: bytes) -> Event:
        """Translate an API reply to a complete event; raises Malformed, or ReplyRefused.

        Where ``call`` had ``also``, ``raw`` is all replies joined.
        """
        ...


@runtime_checkable
class ChecksAddress(Protocol):
    """An adapter whose platform tries an address by a GET when it is saved."""

    def verify_address(self, *, credential: Credential, query: Mapping[str, str]) -> Reply:
        """Return what the platform wants to hear, or raise BadSignature. Nothing is kept of it."""
        ...


@runtime_checkable
class SignsQuery(Protocol):
    """An adapter whose platform puts its signature into the query: that is kept beside the headers."""

    signed_query: tuple[str, ...]  # the names; kept as ``?name``, which is no header's


def signed_query(adapter: Adapter, query: Mapping[str, str]) -> dict[str, str]:
    """What of a query belongs to the evidence, {} for most platforms."""
    if not isinstance(adapter, SignsQuery):
        return {}
    return {f"?{name}": query.get(name, "") for name in adapter.signed_query}


class ReplyRefused(Exception):
    """The platform answered with an error of its own; ``retry`` says whether asking again may help."""

    def __init__(self, code: str, detail: str, *, retry: bool) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.retry = retry
