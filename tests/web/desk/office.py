"""A centre in the evening: one show on air, a shop that pushes, and somebody of every role at a browser."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import msgspec
import standardwebhooks

from livehub import database
from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Role
from livehub.kit import clock, outbox
from livehub.orders import intake, unpaid
from livehub.platforms.models import Endpoint, Shop
from rooms import onair
from rooms.models import Broadcast
from tests.factories.accounts import PASSWORD, a_user
from tests.factories.platforms import STANDARD_SECRET, a_shop, an_endpoint
from tests.factories.rooms import House, a_broadcast, a_house, local
from tests.site import Site
from tests.web.phones import hidden

EVENING = local(2, 20, 30)  # 20:30 on a Monday, half an hour into the show
ROOM = "room-on-air"


class Visitor:
    """Somebody who is logged in, with a browser of her own."""

    def __init__(self, site: Site, session: aiohttp.ClientSession, name: str) -> None:
        self.site, self.session, self.name = site, session, name

    async def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        """Status, body, and where it leads."""
        async with self.session.get(path, allow_redirects=False, headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers.get("Location", "")

    async def page(self, path: str) -> str:
        """A page that must open."""
        status, body, _ = await self.get(path)
        assert status == 200, (path, status, body[-1500:])
        return body

    async def post(self, path: str, *, csrf: str | None = None, **fields: Any) -> tuple[int, str, str]:
        """Send a form with this login's token."""
        token = hidden(await self.page("/desk"), "csrf") if csrf is None else csrf
        given = {"csrf": token, **{name: str(value) for name, value in fields.items()}}
        async with self.session.post(path, data=given, allow_redirects=False) as answer:
            return answer.status, await answer.text(), answer.headers.get("Location", "")


class Office(msgspec.Struct, kw_only=True):
    """The world of a test of the desk."""

    site: Site
    house: House
    endpoint: Endpoint
    shop: Shop
    broadcast: Broadcast
    visitors: dict[Role, Visitor] = {}

    async def visitor(self, role: Role = Role.MANAGER, *, bureau: int = 0) -> Visitor:
        """Somebody of a role; the officer's bureau is the show's unless told otherwise."""
        grant = Grant(role, bureau_id=self.house.bureaus[bureau].id if role is Role.BUREAU else 0)
        user = await a_user(grant, centre=self.house.centre, name=f"{role}·阿海")
        session = self.site.browser()
        token, _ = await logins.log_in(
            user.login, PASSWORD, ip="198.51.100.7", agent="tests", now=clock.now()
        )
        session.cookie_jar.update_cookies({"__Host-session": token}, self.site.url)
        visitor = Visitor(self.site, session, user.name)
        self.visitors[role] = visitor
        return visitor

    async def close(self) -> None:
        """Close the browsers."""
        for each in self.visitors.values():
            await each.session.close()

    async def push(
        self, order_ref: str, *, name: str = "", secret: str = STANDARD_SECRET, **changes: Any
    ) -> int:
        """One signed delivery of a whole order over HTTP; returns the status."""
        told = self.told(order_ref, **changes)
        name = name or f"msg-{order_ref}-{len(msgspec.json.encode(told))}"
        return await self._send(name, told, secret=secret)

    async def _send(self, message_id: str, told: Any, *, secret: str = STANDARD_SECRET) -> int:
        raw, now = msgspec.json.encode(told).decode(), clock.now()
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": standardwebhooks.Webhook(secret).sign(message_id, now, raw),
        }
        path = f"/hooks/standard_webhooks/{self.endpoint.endpoint_key}"
        async with self.site.session.post(path, data=raw.encode(), headers=headers) as answer:
            return answer.status

    async def sell(self, order_ref: str, **changes: Any) -> None:
        """An order that arrives and is booked."""
        assert await self.push(order_ref, **changes) == 200
        await intake.run_once(now=clock.now(), lease_seconds=30)

    async def place(self, order_ref: str, *, status: str = "created", **changes: Any) -> None:
        """An order that nobody paid, booked."""
        told = self.told(order_ref, **changes)
        told["data"] |= {"status": status}
        del told["data"]["paid_at"]
        assert await self._send(f"msg-{order_ref}-{status}", told) == 200
        await intake.run_once(now=clock.now(), lease_seconds=30)
        later = clock.now() + unpaid.PATIENCE
        await unpaid.note(since=later - timedelta(hours=6), now=later)

    def told(
        self,
        order_ref: str,
        *,
        paid_fen: int = 12_800,
        disc_fen: int = 0,
        refund_fen: int = 0,
        shop_ref: str = "",
        currency: str = "CNY",
        room_ref: str = ROOM,
        title: str = "沙虫干 250g",
        at: datetime = EVENING - timedelta(minutes=5),
    ) -> dict[str, Any]:
        """What an ERP says of one paid order of one line."""
        moment = clock.local(at).isoformat()
        line = {
            "line_ref": f"{order_ref}-1", "product_ref": "p1", "quantity": 2, "list_fen": paid_fen + disc_fen,
            "platform_disc_fen": disc_fen, "buyer_paid_fen": paid_fen, "title": title, "room_ref": room_ref,
        }  # fmt: skip
        refunds = [{
            "refund_ref": f"r-{order_ref}", "line_ref": f"{order_ref}-1", "kind": "refund_only",
            "status": "succeeded", "refunded_fen": refund_fen, "applied_at": moment, "succeeded_at": moment,
            "updated_at": moment,
        }]  # fmt: skip
        return {
            "type": "order.updated",
            "timestamp": clock.local(clock.now()).isoformat(),
            "data": {
                "shop_ref": shop_ref or self.shop.shop_ref, "order_ref": order_ref, "status": "paid",
                "currency": currency, "created_at": moment, "paid_at": moment, "updated_at": moment,
                "lines": [line], "refunds": refunds if refund_fen else [],
            },
        }  # fmt: skip


async def an_office(site: Site) -> Office:
    """A live show of the first bureau in a room whose orders the ERP tells."""
    house = await a_house()
    broadcast = await a_broadcast(house, local(2, 20), minutes=180)
    await outbox.hand_out(now=clock.now(), limit=200)

    async def on_air() -> Broadcast:
        await onair.start(broadcast.public_id, actor=house.manager, now=local(2, 20))
        await onair.bind_room(
            broadcast.public_id, platform="standard_webhooks", account_ref="erp", room_ref=ROOM,
            actor=house.manager, now=local(2, 20),
        )  # fmt: skip
        return await Broadcast.get(id=broadcast.id)

    endpoint = await an_endpoint(house.bureaus[0], platform="standard_webhooks")
    shop = await a_shop(house.bureaus[0], endpoint=endpoint, shop_ref="erp-1")
    return Office(
        site=site,
        house=house,
        endpoint=endpoint,
        shop=shop,
        broadcast=await database.unit(on_air),
    )


def links(html: str, prefix: str) -> list[str]:
    """The addresses of a page's links below a prefix, in order."""
    found = [each.replace("&amp;", "&") for each in re.findall(r'href="([^"]+)"', html)]
    return [each for each in found if each.startswith(prefix) and each != prefix.rstrip("/")]
