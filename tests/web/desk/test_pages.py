"""Today, who may open what, and what a longer list costs."""

from __future__ import annotations

import pytest
from tortoise.connection import get_connection

from livehub.accounts.models import Role
from livehub.web import desk
from livehub.web.doors import POLICY
from tests.factories.merchants import a_merchant, a_product
from tests.factories.rooms import a_booking, a_broadcast, a_room, local
from tests.factories.streamers import a_streamer
from tests.web.desk.office import Office, Visitor
from tests.web.phones import visible

DOORS = {
    "/desk": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR, Role.ADMIN},
    "/desk/bookings": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR},
    "/desk/rooms": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR, Role.ADMIN},
    "/desk/closures": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR, Role.ADMIN},
    "/desk/quotas": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR},
    "/desk/waitlist": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR},
    "/desk/broadcasts": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR},
    "/desk/streamers": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.AUDITOR},
    "/desk/merchants": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR},
    "/desk/products": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR},
    "/desk/campaigns": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR},
    "/desk/sales": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR},
    "/desk/sales/lines": {Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR},
    "/desk/inbox": {Role.STAFF, Role.MANAGER, Role.AUDITOR},
    "/desk/shops": {Role.STAFF, Role.MANAGER, Role.AUDITOR, Role.ADMIN},
    "/desk/outbox": {Role.STAFF, Role.MANAGER, Role.AUDITOR},
}


async def test_today_shows_what_is_on_air_late_and_waiting(office: Office) -> None:
    await office.sell("A1", paid_fen=10_000, refund_fen=2_500)
    await office.sell("D1", currency="USD")
    await a_booking(office.house, local(4, 20), title="合浦大蚝")
    room, streamer = await a_room(office.house.centre), await a_streamer(office.house.centre)
    late = await a_broadcast(office.house, local(2, 20), room=room.public_id, streamer=streamer.public_id)
    manager = await office.visitor()

    html = await manager.page("/desk")
    page = visible(html)

    assert "今日净成交 ¥75.00" in page
    assert "1 场直播中" in page
    assert "1 个排期申请待审批" in page
    assert "1 场到点未开播" in page
    assert "1 条推送已隔离" in page
    assert f"/desk/broadcasts/{late.public_id}" in html
    assert "沙田沙虫" in page


async def test_today_shows_an_admin_no_money_and_an_officer_her_own(office: Office) -> None:
    await office.sell("A1", paid_fen=10_000)
    admin = visible(await (await office.visitor(Role.ADMIN)).page("/desk"))
    hers = await office.visitor(Role.BUREAU, bureau=0)
    own = visible(await hers.page("/desk"))
    await hers.session.close()
    other = visible(await (await office.visitor(Role.BUREAU, bureau=1)).page("/desk"))

    assert ("100.00" in admin, "净成交" in admin, "沙田沙虫" in admin) == (False, False, False)
    assert ("¥100.00" in own, "沙田沙虫" in own) == (True, True)
    assert ("100.00" in other, "沙田沙虫" in other) == (False, False)


@pytest.mark.parametrize("role", list(Role))
async def test_every_role_opens_its_doors_and_no_others(office: Office, role: Role) -> None:
    visitor = await office.visitor(role)

    opened = {path for path in DOORS if (await visitor.get(path))[0] == 200}
    refused = {path for path in DOORS if (await visitor.get(path))[0] == 403}

    assert opened == {path for path, roles in DOORS.items() if role in roles}
    assert refused == DOORS.keys() - opened


@pytest.mark.parametrize("role", [Role.STAFF, Role.FINANCE, Role.AUDITOR, Role.ADMIN])
async def test_the_navigation_offers_only_what_opens(office: Office, role: Role) -> None:
    visitor = await office.visitor(role)
    page = await visitor.page("/desk")

    offered = {path for path in DOORS if f'<a href="{path}"' in page.partition("<main")[0]}

    assert offered == {path for path, roles in DOORS.items() if role in roles} - {"/desk/sales/lines"}


def test_every_route_of_the_desk_says_who_may_come() -> None:
    routes = [route for bp in desk.BLUEPRINTS for route in bp._future_routes]

    assert len(routes) > 25
    assert [route.uri for route in routes if getattr(route.handler, POLICY, ("?",))[0] != "session"] == []
    assert [route.uri for route in routes if not getattr(route.handler, POLICY)[1]] == []


async def test_a_longer_list_costs_no_more_statements(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager, counter = await office.visitor(), Counter(monkeypatch)
    paths = [
        "/desk", "/desk/bookings", "/desk/rooms", "/desk/closures", "/desk/quotas", "/desk/waitlist", "/desk/broadcasts",
        "/desk/sales?by=broadcast", "/desk/sales?by=product",
        "/desk/sales/lines", "/desk/inbox", "/desk/outbox", "/desk/campaigns",
        "/desk/streamers", "/desk/merchants", "/desk/products", f"/desk/streamers/{office.house.streamer.public_id}",
        "/desk/streamers/ranking",
    ]  # fmt: skip
    await office.sell("A1")
    await a_merchant(office.house.centre)
    await a_product(office.house.centre)

    one = {path: await counter.of(manager, path) for path in paths}
    for day in (4, 5):
        await a_broadcast(office.house, local(day, 20))
        await office.sell(f"A{day}")
        await a_streamer(office.house.centre)
        await a_merchant(office.house.centre)
        await a_product(office.house.centre)
    three = {path: await counter.of(manager, path) for path in paths}

    assert min(one.values()) > 0
    assert three == one


async def test_numbers_and_days_beyond_all_there_are_are_no_faults(office: Office) -> None:
    manager = await office.visitor(Role.MANAGER)

    asked = {}
    for path in (
        "/desk/inbox/99999999999999999999",
        "/desk/deliveries/9223372036854775808",
        "/desk/sales?to=0001-01-01",
        "/desk/sales/lines.csv?from=0001-01-01&to=0001-01-01",
        "/desk/trail/99999999999999999999",
        "/desk/trail?from=0001-01-01",
        "/desk/trail?to=9999-12-31",
    ):
        asked[path], _, _ = await manager.get(path)
    stretch, _, _ = await manager.post(
        "/desk/trail/verify", chain="centre", since="0001-01-01", until="9999-12-31"
    )
    ending, _, _ = await manager.post("/account/logins/end", login="9223372036854775808")

    assert list(asked.values()) == [404, 404, 422, 422, 404, 422, 422]
    assert (stretch, ending) == (422, 422)


class Counter:
    """Counts the statements that reach the database, and lets them pass."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        kind = type(get_connection("default"))
        for name in ("execute_query", "execute_query_dict"):
            patch.setattr(kind, name, self._counted(getattr(kind, name)))

    def _counted(self, plain):
        async def counted(*args, **more):
            self.count += 1
            return await plain(*args, **more)

        return counted

    async def of(self, visitor: Visitor, path: str) -> int:
        """How many statements a page costs."""
        before = self.count
        await visitor.page(path)
        return self.count - before
