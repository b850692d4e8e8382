"""An imitated platform that knocks at a running hub: it signs anything, also what no honest sender writes."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.models import Bureau
from livehub.inbox import queue
from livehub.kit import clock
from livehub.orders import intake
from livehub.platforms.models import Endpoint
from tests.factories.accounts import a_bureau
from tests.factories.platforms import an_endpoint
from tests.platforms.doors import Door, wechat_headers
from tests.site import Site


class Sender(Struct):
    """One platform with the hub's endpoint for it."""

    door: Door
    site: Site
    endpoint: Endpoint

    @property
    def path(self) -> str:
        return f"/hooks/{self.door.name}/{self.endpoint.endpoint_key}"

    def signed(
        self, body: bytes, *, secret: str = "", at: datetime | None = None, message_id: str = "msg_1"
    ) -> dict[str, str]:
        """Headers that are right for what is sent and the secret; ``?name`` goes into the query."""
        secret = secret or self.door.credential.secrets[0]
        if self.door.name == "doudian":
            app_key = self.endpoint.app_key
            sign = hashlib.md5(app_key.encode() + body + secret.encode()).hexdigest()
            return {"app-id": app_key, "event-sign": sign}
        if self.door.name == "wechat_store":
            return wechat_headers(body, secret=secret)
        stamp = str(int((at or clock.now()).timestamp()))
        key = b64decode(secret.removeprefix("whsec_"))
        sign = b64encode(hmac.digest(key, f"{message_id}.{stamp}.".encode() + body, sha256)).decode()
        return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{sign}"}

    async def send(self, body: bytes, headers: Mapping[str, str] | None = None, *, path: str = "") -> int:
        """The status of the answer; a 503 or a broken connection is the test's failure, not an answer."""
        given = self.signed(body) if headers is None else dict(headers)
        given = {"content-type": "application/json", **given}
        query = {name[1:]: given.pop(name) for name in tuple(given) if name.startswith("?")}
        async with self.site.post(path or self.path, params=query, data=body, headers=given) as answer:
            await answer.read()
            return int(answer.status)


async def a_sender(site: Site, door: Door, *, bureau: Bureau | None = None) -> Sender:
    """Give a platform an endpoint in the running hub."""
    endpoint = await an_endpoint(
        bureau or await a_bureau(),
        platform=door.name,
        app_key=door.credential.app_key,
        secret=door.credential.secrets[0],
    )
    return Sender(door, site, endpoint)


async def kept(body: bytes) -> str:
    """What became of a delivery, found by its bytes: its status, '' when nothing of it is stored."""
    row = await database.fetch_one(
        "SELECT id, status FROM inbox_delivery WHERE sha256 = $1", sha256(body).digest()
    )
    if row is None:
        return ""
    opened = await queue.bodies([row["id"]])
    assert opened[row["id"]][0] == body
    return str(row["status"])


async def fates() -> list[tuple[str, str]]:
    """Let intake work; status and reason of every message in the order of arrival."""
    while await intake.run_once(now=clock.now(), lease_seconds=30):
        pass
    rows: list[dict[str, Any]] = await database.fetch("SELECT status, reason FROM inbox_message ORDER BY id")
    return [(row["status"], row["reason"]) for row in rows]
