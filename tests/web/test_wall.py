"""The wall over real HTTP: it asks for a login, and its stream follows a change within a second."""

from __future__ import annotations

import asyncio
import time

import pytest

from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.orders import intake
from livehub.platforms.contract import Event, EventType, OrderSnapshot, OrderStatus
from livehub.settings import Settings
from livehub.web import sse
from livehub.web.doors import SESSION
from tests import site
from tests.factories import accounts as people
from tests.factories.orders import World
from tests.orders.test_state import a_line
from tests.web import phones


def a_sale(order_ref: str, fen: int) -> Event:
    at = clock.to_ms(clock.now()) - 1000
    order = OrderSnapshot(
        status=OrderStatus.PAID, lines=(a_line("1", paid=fen),), created_at=at, paid_at=at, updated_at=at
    )
    return Event(type=EventType.ORDER_PAID, shop_ref="s", order_ref=order_ref, status_at=at, order=order)


async def sign_in(running: site.Site, world: World, *roles: Role) -> None:
    user = await people.a_user(*(Grant(role) for role in roles), centre=world.centre)
    token, _ = await logins.log_in(user.login, people.PASSWORD, ip="127.0.0.1", agent="test", now=clock.now())
    running.session.cookie_jar.update_cookies({SESSION: token}, running.url)


async def test_nobody_sees_the_wall_without_a_login(db: Settings) -> None:
    async with site.running(db) as running, running.get("/wall") as answer:
        assert answer.status in {301, 303}
        assert "login" in answer.headers["location"] or answer.headers["location"].endswith("/wall/")


async def test_the_stream_follows_a_sale_within_a_second(world: World, db: Settings) -> None:
    async with site.running(db) as running:
        await sign_in(running, world, Role.MANAGER)
        page = await running.text("/wall/")
        assert "今日净成交额" in page
        assert "¥0.00" in page

        async with running.get("/wall/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            await asyncio.wait_for(_until(stream, "¥0.00"), 5)
            await world.tell(a_sale("o1", 123_456))
            await intake.run_once(now=clock.now(), lease_seconds=30)
            booked = time.monotonic()
            await asyncio.wait_for(_until(stream, "¥1,234.56"), 5)
            assert time.monotonic() - booked < 1


async def _until(stream: object, text: str) -> None:
    seen = ""
    while text not in seen:
        seen += (await stream.content.readany()).decode()  # type: ignore[attr-defined]  # aiohttp's response


async def test_an_admin_sees_no_money(world: World, db: Settings) -> None:
    async with site.running(db) as running:
        await sign_in(running, world, Role.ADMIN)
        async with running.get("/wall/") as answer:
            assert answer.status == 403


async def test_a_stream_ends_soon_after_its_login(
    world: World, db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse.stream, "__kwdefaults__", {"heartbeat_seconds": 0.3})
    async with site.running(db) as running:
        await sign_in(running, world, Role.MANAGER)
        async with running.get("/wall/events") as stream:
            await asyncio.wait_for(_until(stream, "¥0.00"), 5)
            page = await running.text("/desk/")
            await phones.tap(running, "/logout", page=page)
            await asyncio.wait_for(stream.read(), 5)  # to its end
        async with running.get("/wall/events") as shut:
            assert shut.status == 303
