"""Standard Webhooks: the generic door, where whole orders come in our own canonical form.

The signature is checked by our own code because the reference library raises on a list element that is
not exactly ``version,signature``; ours passes over such elements.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Annotated, NoReturn

import msgspec
from msgspec import Meta, Raw, Struct

from livehub.kit import clock
from livehub.platforms import business_time, canonical, scan
from livehub.platforms.contract import (
    BadSignature,
    Covers,
    Credential,
    Event,
    Fetch,
    HttpCall,
    Malformed,
    Native,
    Reply,
)
from livehub.platforms.decoding import decode
from livehub.platforms.errors import UnusableSecret
from livehub.platforms.wire import MAX_NATIVE_ID, MAX_NATIVE_TYPE

TOLERANCE_MS = 300_000
PREFIX = "whsec_"
KEY_BYTES = range(24, 65)


class Envelope(Struct, frozen=True):
    """As much of a delivery as is needed to know what it is."""

    type: Annotated[str, Meta(max_length=MAX_NATIVE_TYPE)]
    data: Raw
    timestamp: Raw = Raw(b"null")


class Sender(Struct, frozen=True):
    """Whose order it is, read leniently: what is not for us is stored and ignored all the same."""

    shop_ref: canonical.ShopRef


_ENVELOPE = msgspec.json.Decoder(Envelope)
_SENDER = msgspec.json.Decoder(Sender)
_INSTANT = msgspec.json.Decoder(canonical.Instant)


class StandardWebhooks:
    """See docs/platforms/standard_webhooks.md."""

    name = "standard_webhooks"
    label = "标准 Webhook"
    covers = Covers.BODY
    content_type = "application/json"
    lister = None  # the specification has deliveries alone

    def check_secret(self, secret: str) -> None:
        """whsec_ and the base64 of 24 to 64 bytes."""
        key = _key(secret)
        if key is None or len(key) not in KEY_BYTES:
            raise UnusableSecret("密钥应以 whsec_ 开头，后面是 24 到 64 字节的 base64。")

    def authenticate(
        self,
        *,
        credential: Credential,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        raw: bytes,
        now_ms: int,
    ) -> bytes:
        """HMAC-SHA256 over id, timestamp and body; any active secret, any ``v1`` of the list."""
        del query  # nothing in it is signed
        message_id = headers.get("webhook-id", "")
        stamp = headers.get("webhook-timestamp", "")
        if not (0 < len(message_id) <= MAX_NATIVE_ID and message_id.isascii() and message_id.isprintable()):
            raise BadSignature("webhook-id")
        if abs(now_ms - _sent_ms(stamp)) > TOLERANCE_MS:
            raise BadSignature("webhook-timestamp is more than five minutes away")
        given = _signatures(headers.get("webhook-signature", ""))
        signed = f"{message_id}.{stamp}.".encode() + raw
        for secret in credential.secrets:
            key = _key(secret)
            if key and any(
                hmac.compare_digest(b64encode(hmac.digest(key, signed, sha256)), each) for each in given
            ):
                return raw
        raise BadSignature("webhook-signature")

    def reopen(self, *, credential: Credential, raw: bytes) -> bytes:
        """Nothing is encrypted."""
        del credential
        return raw

    def probe(self, plaintext: bytes) -> Reply | None:
        """The standard knows no challenge."""
        del plaintext
        return None

    def split(self, plaintext: bytes, *, headers: Mapping[str, str]) -> Sequence[Native]:
        """One delivery is one message; its key is the signed webhook-id."""
        scan.refuse_unsafe(plaintext)
        envelope = decode(_ENVELOPE, plaintext)
        return (
            Native(
                native_type=envelope.type,
                native_id=headers["webhook-id"],
                shop_ref=_shop_ref(envelope.data),
                element=plaintext,
                value=envelope,
                provider_ts=_told_ms(envelope.timestamp),
            ),
        )

    def normalise(self, native: Native) -> Sequence[Event]:
        """The whole order; () for types that are not ours."""
        if native.native_type not in canonical.TYPES:
            return ()
        return (canonical.event(native.element),)

    def ack(self) -> Reply:
        """Any 2xx is a success."""
        return Reply(200, self.content_type, b'{"received":true}')

    def refuse(self) -> Reply:
        """The standard prescribes no body."""
        return Reply(401, self.content_type, b'{"error":"signature refused"}')

    def fetches(self, event: Event) -> Sequence[Fetch]:
        """Deliveries are complete."""
        del event
        return ()

    def call(self, fetch: Fetch, *, credential: Credential, now_ms: int) -> HttpCall:
        """There is no API behind this door; fetches() never asks for one."""
        del fetch, credential, now_ms
        _nothing_to_fetch()

    def read_reply(self, fetch: Fetch, raw: bytes) -> Event:
        """There is no API behind this door; fetches() never asks for one."""
        del fetch, raw
        _nothing_to_fetch()


def _key(secret: str) -> bytes | None:
    """The signing key of a secret, None when the secret is not of the standard's form."""
    if not secret.startswith(PREFIX):
        return None
    try:
        return b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None


def _sent_ms(stamp: str) -> int:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise BadSignature("webhook-timestamp")
    return int(stamp) * 1000


def _told_ms(timestamp: Raw) -> int:
    """When it happened. Not when it was sent: that differs from one attempt to the next."""
    try:
        return business_time.plausible(clock.to_ms(decode(_INSTANT, timestamp)), field="timestamp")
    except Malformed:
        return 0


def _signatures(header: str) -> list[bytes]:
    """The ``v1`` signatures of the space-separated list, passing over other versions and broken elements."""
    pairs = (each.partition(",") for each in header.split(" "))
    return [
        signature.encode(errors="replace") for version, _, signature in pairs if version == "v1" and signature
    ]


def _shop_ref(data: Raw) -> str:
    try:
        return decode(_SENDER, data).shop_ref
    except Malformed:
        return ""


def _nothing_to_fetch() -> NoReturn:
    raise ValueError("Standard Webhooks deliveries are complete: there is nothing to fetch")


ADAPTER = StandardWebhooks()
