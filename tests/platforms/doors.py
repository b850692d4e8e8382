"""One imitated sender per platform, signing by code that shares nothing with the adapters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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


@dataclass(frozen=True)
class Door:
    """Everything a table of cases needs to send one platform's deliveries."""

    name: str
    credential: Credential
    headers: Callable[[bytes], dict[str, str]]
    body: bytes  # one good delivery with at least one element
    unknown: bytes  # a type nobody has heard of
    types_are_wrong: bytes  # well-formed, of a known type, but its fields are not what they should be
    repeated_key: bytes  # the shop is given twice in it; the last one is "900001"
    large_ids: bytes  # its order's id is 6900000000000000001, a JSON number where the platform sends one

    @property
    def adapter(self) -> Adapter:
        return registry.get(self.name)

    def receive(self, body: bytes) -> list:
        plaintext = self.authenticate(body, self.headers(body))
        return list(self.adapter.split(plaintext, headers=self.headers(body)))

    def authenticate(self, body: bytes, headers: dict[str, str], **changes: object) -> bytes:
        given = {"credential": self.credential, "now_ms": NOW_MS, "query": {}} | changes
        return self.adapter.authenticate(headers=headers, raw=body, **given)


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
    )


DOORS = (doudian(), standard_webhooks())
