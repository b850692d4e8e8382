"""An officer of another bureau gets nothing of ours: not by address, not by a filter, not in a file.

The addresses are those of the router; a name in a path that ``Town.named`` does not know fails, so that a
new route says what stands for it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from msgspec import Struct

from livehub import database
from livehub.accounts.models import Role
from livehub.inbox.models import InboxDelivery, InboxMessage
from livehub.kit import clock
from livehub.merchants.models import Product
from livehub.vouchers import drops
from livehub.vouchers.models import Campaign, Round
from rooms.models import Booking, Broadcast
from streamers.models import StreamerLink
from tests.site import Site
from tests.web.api.callers import a_token
from tests.web.desk.office import EVENING, Office, Visitor, an_office
from tests.web.desk.test_broadcasts import a_template

OURS = ("/desk", "/bureau", "/api/v1", "/m")
SECRET, PAID_FEN = "甲部门的秘密", 1_234_567
ORDER = "SECRET-ORDER-1"
TOLD_TO_ALL = {"/wall", "/wall/events", "/api/v1/wall"}  # the centre's own sums
LOGGED = "access.refused"
SIGNS = (SECRET, ORDER, "1234567", "12,345.67", "12345.67")


class Town(Struct, kw_only=True):
    """An office with one of everything of the first bureau, and an officer of the second."""

    office: Office
    named: dict[str, str]
    stranger: Visitor
    stranger_token: str
    auditor: Visitor
    auditor_token: str

    def paths(self, method: str) -> list[str]:
        """Every address of the doors for logins and machines that names an object, filled with ours."""
        found = []
        for route in self.office.site.app.router.routes:
            path = f"/{route.path}"
            if method in route.methods and path.startswith(OURS) and "<" in path:
                found.append("/".join(self._filled(part, path) for part in path.split("/")))
        assert len(found) > 10
        return sorted(found)

    def lists(self) -> list[str]:
        """Every page and call without a name in its address."""
        routes = self.office.site.app.router.routes
        paths = {f"/{route.path}" for route in routes if "GET" in route.methods and "<" not in route.path}
        return sorted(each for each in paths - TOLD_TO_ALL if each.startswith(OURS))

    def _filled(self, part: str, path: str) -> str:
        name = part.strip("<>").partition(":")[0]
        if not part.startswith("<"):
            return part
        return self.named[path.split("/")[2] if name == "public_id" else name]  # /desk/broadcasts/<public_id>


@pytest.fixture
async def town(client: Site) -> AsyncIterator[Town]:
    with time_machine.travel(EVENING, tick=True):
        office = await an_office(client)
        centre, (ours, theirs, *_) = office.house.centre, office.house.bureaus
        template = await a_template(office)
        await office.sell(ORDER, paid_fen=PAID_FEN)
        await Broadcast.filter(id=office.broadcast.id).update(title=SECRET)
        await Booking.filter(id=office.broadcast.booking_id).update(title=SECRET)
        await Campaign.all().update(name=SECRET, budget_fen=PAID_FEN)
        drop = await database.unit(
            lambda: drops.plan(
                office.broadcast.id, template_id=template.id, quantity=9, window_s=60,
                actor=office.house.manager, now=clock.now(),
            )
        )  # fmt: skip
        link = await StreamerLink.create(
            streamer_id=office.broadcast.streamer_id, token_hash=b"x" * 32, created_at=EVENING,
            expires_at=EVENING + timedelta(days=1),
        )  # fmt: skip
        campaign, booking = await Campaign.get(), await Booking.get(id=office.broadcast.booking_id)
        delivery, message = await InboxDelivery.get(), await InboxMessage.get()
        made = Town(
            office=office,
            named={
                "broadcasts": office.broadcast.public_id,
                "broadcast_id": office.broadcast.public_id,
                "bookings": booking.public_id,
                "booking_id": booking.public_id,
                "campaigns": campaign.public_id,
                "campaign_id": campaign.public_id,
                "round_id": (await Round.get()).public_id,
                "drop": drop.public_id,
                "drop_id": drop.public_id,
                "shop": office.shop.public_id,
                "shop_id": office.shop.public_id,
                "order_ref": ORDER,
                "delivery_id": str(delivery.id),
                "message_id": str(message.id),
                "link_id": str(link.id),
                "redemptions": "ourredemption000",
            },
            stranger=await office.visitor(Role.BUREAU, bureau=1),
            stranger_token=await a_token(Role.BUREAU, centre_id=centre.id, bureau_id=theirs.id),
            auditor=await office.visitor(Role.AUDITOR),
            auditor_token=await a_token(Role.AUDITOR, centre_id=centre.id),
        )
        assert ours.id == office.broadcast.bureau_id == campaign.bureau_id
        yield made
        await office.close()


async def asked(who: Visitor, token: str, path: str, *, method: str = "GET", **more: Any) -> tuple[int, str]:
    """Status and body; calls of the API come with the bearer's token."""
    is_call = path.startswith("/api/")
    headers = {"Authorization": f"Bearer {token}"} if is_call else {}
    session = who.site.session if is_call else who.session
    async with session.request(method, path, headers=headers, allow_redirects=False, **more) as answer:
        return answer.status, await answer.text()


async def test_no_address_of_another_bureaus_object_opens(town: Town) -> None:
    refused, opened = {}, {}
    for path in town.paths("GET"):
        refused[path], body = await asked(town.stranger, town.stranger_token, path)
        assert not any(sign in body for sign in SIGNS), path
        opened[path], _ = await asked(town.auditor, town.auditor_token, path)

    assert {path: status for path, status in refused.items() if status not in (403, 404)} == {}
    # The same addresses are real: who reads everything opens them, but for the till's.
    assert {path for path, status in opened.items() if status != 200} == {"/m/redemptions/ourredemption000"}


async def test_nothing_of_another_bureau_can_be_changed(town: Town) -> None:
    page = await town.stranger.page("/bureau")
    csrf = re.search(r'name="csrf" value="([^"]*)"', page)
    assert csrf
    taken = {}
    for path in town.paths("POST"):
        sent: dict[str, Any] = {"json": {}} if path.startswith("/api/") else {"data": {"csrf": csrf[1]}}
        status, body = await asked(town.stranger, town.stranger_token, path, method="POST", **sent)
        assert not any(sign in body for sign in SIGNS), path
        if not 400 <= status < 500:
            taken[path] = status

    assert taken == {}
    done = await database.fetch(
        "SELECT action, result FROM audit_entry WHERE actor_kind = 'token' OR action = $1", LOGGED
    )
    assert {(row["action"], row["result"]) for row in done} == {(LOGGED, "refused")}


async def test_no_list_and_no_filter_tells_of_another_bureau(town: Town) -> None:
    office = town.office
    product = await Product.first()
    ours = {
        "bureau": office.house.bureaus[0].public_id,
        "broadcast": office.broadcast.public_id,
        "shop": office.shop.public_id,
        "room": office.house.room.public_id,
        "streamer": office.house.streamer.public_id,
        "platform": "standard_webhooks",
        "product": product.public_id if product else "-",
        "attribution": "A",
        "q": ORDER,
    }
    days = {"from": "2026-03-01", "to": "2026-03-05"}
    questions = [{}, days, *({**days, name: text} for name, text in ours.items())]
    questions += [{**days, "by": grain} for grain in ("broadcast", "shop", "streamer", "bureau", "product")]
    questions += [{**days, "as_of": "2026-03-04T00:00:00Z"}]
    told, meant = [], set()
    for path in town.lists():
        for query in questions:
            _, body = await asked(town.stranger, town.stranger_token, path, params=query)
            told += [(path, query, sign) for sign in SIGNS if sign in body and query.get("q") != sign]
            _, body = await asked(town.auditor, town.auditor_token, path, params=query)
            meant |= {path for sign in SIGNS if sign in body and query.get("q") != sign}

    assert told == []
    assert {"/desk/sales", "/desk/sales/lines.csv", "/desk/broadcasts", "/desk/campaigns"} <= meant
    assert {
        "/api/v1/sales/figures",
        "/api/v1/sales/lines",
        "/api/v1/broadcasts",
        "/api/v1/campaigns",
    } <= meant
