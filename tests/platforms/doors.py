"""One imitated sender per platform, signing by code that shares nothing with the adapters."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from standardwebhooks import Webhook

from livehub.platforms import registry
from livehub.platforms.contract import Adapter, Credential

SAMPLES = Path(__file__).parent / "samples"
NOW = datetime(2025, 10, 9, 9, 0, tzinfo=UTC)
NOW_MS = 1_760_000_400_000


def sample(platform: str, name: str) -> dict:
    return json.loads((SAMPLES / platform / f"{name}.json").read_text())


def compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def as_it_is(plaintext: bytes, *, secret: str = "") -> bytes:
    del secret
    return plaintext


@dataclass(frozen=True)
class Door:
    """Everything a table of cases needs to send one platform's deliveries.

    Its deliveries are plaintext here; ``sent`` makes of one what goes over the wire.
    """

    name: str
    credential: Credential
    headers: Callable[[bytes], dict[str, str]]  # of what is sent; what is in the query is called ``?name``
    body: bytes  # one good delivery with at least one element
    unknown: bytes  # a type nobody has heard of
    types_are_wrong: bytes  # well-formed, of a known type, but its fields are not what they should be
    repeated_key: bytes  # the shop is given twice in it; the last one is "900001"
    large_ids: bytes  # its order's id is 6900000000000000001, a JSON number where the platform sends one
    other_secret: str  # as good as the credential's, and not it
    sent: Callable[..., bytes] = as_it_is

    @property
    def adapter(self) -> Adapter:
        return registry.get(self.name)

    def receive(self, body: bytes) -> list:
        raw = self.sent(body)
        plaintext = self.authenticate(raw, self.headers(raw))
        return list(self.adapter.split(plaintext, headers=self.headers(raw)))

    def authenticate(self, body: bytes, headers: dict[str, str], **changes: object) -> bytes:
        query = {name[1:]: value for name, value in headers.items() if name.startswith("?")}
        given = {"credential": self.credential, "now_ms": NOW_MS, "query": query} | changes
        plain = {name: value for name, value in headers.items() if not name.startswith("?")}
        return self.adapter.authenticate(headers=plain, raw=body, **given)


def doudian_element(tag: object, *, msg_id: str | None = None, as_text: bool = True, **data: object) -> dict:
    fields = {"p_id": 6900000000000000001, "shop_id": 900001} | data
    return {
        "tag": tag,
        "msg_id": msg_id or f"6900:{tag}:1760000010:900001",
        "data": compact(fields).decode() if as_text else fields,
    }


def doudian_headers(body: bytes) -> dict[str, str]:
    known = sample("doudian", "doudian")
    whole = known["app_key"].encode() + body + known["app_secret"].encode()
    return {"app-id": known["app_key"], "event-sign": hashlib.md5(whole).hexdigest()}


def standard_order(**changes: object) -> dict:
    order = sample("standard_webhooks", "order_paid")["body"]
    return order | {"data": order["data"] | changes}


def standard_headers(
    body: bytes, *, secret: str = "", message_id: str = "msg_1", at: datetime = NOW
) -> dict[str, str]:
    signer = Webhook(secret or sample("standard_webhooks", "standard_webhooks")["secret"])
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signer.sign(message_id, at, body.decode(errors="surrogateescape")),
    }


def doudian() -> Door:
    known = sample("doudian", "doudian")
    return Door(
        name="doudian",
        credential=Credential(known["app_key"], (known["app_secret"],)),
        headers=doudian_headers,
        body=known["body"].encode(),
        unknown=compact([doudian_element("999")]),
        types_are_wrong=compact([doudian_element("101", pay_time={"a": 1})]),
        repeated_key=b'[{"tag":"101","msg_id":"1","data":{"p_id":1,"shop_id":5,"pay_time":1760000010,"shop_id":900001}}]',
        large_ids=compact([doudian_element("101", pay_time=1760000010)]),
        other_secret="of-another-shop",
    )


def standard_webhooks() -> Door:
    known = sample("standard_webhooks", "standard_webhooks")
    good = compact(standard_order())
    return Door(
        name="standard_webhooks",
        credential=Credential("", (known["secret"],)),
        headers=standard_headers,
        body=good,
        unknown=compact(standard_order() | {"type": "customer.merged"}),
        types_are_wrong=compact(standard_order(lines="three")),
        repeated_key=good.replace(b'"shop_ref":"900001"', b'"shop_ref":"5","shop_ref":"900001"'),
        large_ids=compact(standard_order(order_ref="6900000000000000001")),
        other_secret="whsec_" + "C" * 42 + "E=",
    )


WECHAT = sample("wechat_store", "wechat_store_order_pay")
WECHAT_SECRET = f"{WECHAT['token']}:{WECHAT['encoding_aes_key']}"


def wechat_message(event: str = "channels_ec_order_pay", **changes: object) -> dict:
    return {
        "ToUserName": "900001",
        "FromUserName": "oOpenIdMadeUp0001",
        "CreateTime": 1760000011,
        "MsgType": "event",
        "Event": event,
        "order_info": {"order_id": 6900000000000000001, "pay_time": "1760000010"},
    } | changes


def wechat_encrypted(
    plaintext: bytes, *, secret: str = WECHAT_SECRET, appid: str = WECHAT["appid"], fill: int = 32
) -> str:
    """As the platform encrypts, but always with the same bytes where it takes random ones."""
    content = b"0123456789abcdef" + len(plaintext).to_bytes(4, "big") + plaintext + appid.encode()
    filling = fill - len(content) % fill
    key = base64.b64decode(secret.partition(":")[2] + "=")
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(content + bytes([filling]) * filling)).decode()


def wechat_sent(plaintext: bytes, *, secret: str = WECHAT_SECRET) -> bytes:
    encrypted = wechat_encrypted(plaintext, secret=secret)
    return compact({"ToUserName": "900001", "Encrypt": encrypted})


def wechat_headers(
    raw: bytes, *, secret: str = WECHAT_SECRET, stamp: str = "1760000015", nonce: str = "998877"
) -> dict[str, str]:
    try:
        encrypted = str(json.loads(raw)["Encrypt"])
    except (ValueError, KeyError, TypeError):
        encrypted = ""
    joined = "".join(sorted([secret.partition(":")[0], stamp, nonce, encrypted]))
    signed = hashlib.sha1(joined.encode(errors="replace")).hexdigest()
    return {"?timestamp": stamp, "?nonce": nonce, "?msg_signature": signed}


def wechat_store() -> Door:
    good = compact(wechat_message())
    return Door(
        name="wechat_store",
        credential=Credential(WECHAT["appid"], (WECHAT_SECRET,)),
        headers=wechat_headers,
        body=good,
        unknown=compact(wechat_message("channels_ec_something_new")),
        types_are_wrong=compact(wechat_message(order_info={"order_id": {"a": 1}})),
        repeated_key=good.replace(b'"ToUserName"', b'"ToUserName":5,"ToUserName"'),
        large_ids=good,
        other_secret="anotherToken:" + "B" * 43,
        sent=wechat_sent,
    )


def kuaishou_message(event: str, **changes: object) -> dict:
    """A decrypted message of the known app; ``info`` is what it says of the order."""
    info = {"oid": 6900000000000000001, "sellerId": 900001, "status": 30, "updateTime": 1_760_000_010_123}
    whole = {
        "eventId": f"243_{event}_1000001",
        "bizId": 6900000000000000001,
        "userId": 900001,
        "appKey": "ks700000000000000001",
        "event": f"kwaishop_{event}",
        "info": compact(info | changes).decode(),
        "createTime": 1_760_000_010_200,
        "updateTime": 1_760_000_010_300,
    }
    return {name: value for name, value in whole.items() if value is not None}


def kuaishou_sealed(plaintext: bytes, *, key: bytes = b"0123456789abcdef", secret: str = "") -> bytes:
    """AES-CBC from a zero vector, base64."""
    key = base64.b64decode(secret.partition(":")[2]) or key
    padded = plaintext + bytes([16 - len(plaintext) % 16]) * (16 - len(plaintext) % 16)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize())


def kuaishou() -> Door:
    known = sample("kuaishou", "kuaishou")
    good = compact(kuaishou_message("order_paySuccess"))
    sign_secret = sample("kuaishou", "kuaishou_api_sign")["sign_secret"]
    return Door(
        name="kuaishou",
        credential=Credential(
            "ks700000000000000001", (f"{sign_secret}:{known['message_private_key_b64']}",), "tok"
        ),
        headers=lambda _: {},
        body=good,
        unknown=compact(kuaishou_message("order_somethingNew")),
        types_are_wrong=compact(kuaishou_message("order_paySuccess", updateTime={"a": 1})),
        repeated_key=good.replace(b'"userId":900001', b'"userId":5,"userId":900001'),
        large_ids=good,
        other_secret=f"{sign_secret}:QUJDREVGR0hJSktMTU5PUA==",
        sent=kuaishou_sealed,
    )


DOORS = (doudian(), kuaishou(), standard_webhooks(), wechat_store())
