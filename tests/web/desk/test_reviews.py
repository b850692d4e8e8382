"""The review of a show on the desk, by the API and on the streamer's phone: what stands there, and for whom."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape

import aiohttp
import pytest
import time_machine

from livehub import database
from livehub.accounts.models import Role
from livehub.kit import clock, outbox
from livehub.reports import reviews
from livehub.web.streamer import door
from rooms import onair
from streamers import links
from tests.factories.accounts import an_actor
from tests.factories.rooms import local
from tests.factories.streamers import a_streamer
from tests.site import Site
from tests.web.api.callers import a_caller
from tests.web.desk.office import Office
from tests.web.phones import visible

END = local(2, 21)


@pytest.fixture
async def ended(office: Office) -> AsyncIterator[Office]:
    """A show that ended at 21:00, its first review made; a week later somebody looks at it."""
    await office.sell("A1", paid_fen=10_000)
    await office.sell("A2", paid_fen=5_000)
    await database.unit(lambda: onair.end(office.broadcast.public_id, actor=office.house.manager, now=END))
    while await outbox.hand_out(now=END):
        pass
    with time_machine.travel(END + timedelta(days=2), tick=True):
        await reviews.freeze_due(now=clock.now())
        await office.sell("A1", paid_fen=10_000, refund_fen=2_500)
        await office.sell("B1", paid_fen=700, at=END + timedelta(days=1))
        yield office


def address(office: Office) -> str:
    return f"/desk/broadcasts/{office.broadcast.public_id}"


async def test_three_stages_and_now_and_why_they_differ(ended: Office) -> None:
    manager = await ended.visitor()

    page = await manager.page(f"{address(ended)}/review")
    text = visible(page)

    assert "T+0 已封存 净成交额 · 下播后 10 分钟 ¥150.00 G3 · 截至 3月2日 21:10:00" in text
    assert text.count("未到期") == 2
    assert "3月9日 21:00 到期" in text
    assert "None" not in text
    assert "现在 实时 净成交额 ¥132.00" in text
    assert "播后成交 下播以后才付款的订单 +7.00 1 单" in text
    assert "退款 按退款成功时间 -25.00 1 单" in text
    assert "期末净成交 132.00 -18.00" in text
    assert page.count("<tr data-at=") == 61
    assert "每分钟成交" in text


async def test_every_figure_opens_the_lines_that_add_up_to_it(ended: Office) -> None:
    manager = await ended.visitor()
    page = await manager.page(f"{address(ended)}/review")
    found = re.findall(r'<a [^>]*?href="(/desk/sales/lines[^"]*)"[^>]*>([^<]*)</a>', page)

    assert len(found) > 10
    for href, shown in found:
        lines = visible(await manager.page(unescape(href)))
        amount = shown.strip().lstrip("+").replace("¥", "")
        if "." not in amount or "booked_after" in href or amount == "25.00":  # counts, and parts of a whole
            continue
        assert f"相加 = ¥{amount}" in lines, (href, shown)
    since = next(href for href, _ in found if "booked_after" in href)
    assert "相加 = -¥18.00" in visible(await manager.page(unescape(since)))


async def test_the_console_and_the_list_lead_to_it_for_those_who_see_sales(ended: Office) -> None:
    auditor = await ended.visitor(Role.AUDITOR)

    for path in ("/desk/broadcasts", address(ended)):
        assert f'href="{address(ended)}/review"' in await auditor.page(path)


async def test_a_show_that_is_on_air_says_when_there_will_be_a_review(office: Office) -> None:
    manager = await office.visitor()

    text = visible(await manager.page(f"{address(office)}/review"))

    assert "这一场还没有结束" in text
    assert f'href="{address(office)}/review"' not in await manager.page(address(office))


async def test_a_bureau_sees_the_reviews_of_its_own_shows_only(ended: Office) -> None:
    own = await ended.visitor(Role.BUREAU)
    assert "¥150.00" in await own.page(f"{address(ended)}/review")
    await own.session.close()
    other = await ended.visitor(Role.BUREAU, bureau=1)

    refused, body, _ = await other.get(f"{address(ended)}/review")
    unknown, _, _ = await other.get("/desk/broadcasts/nosuchshow/review")

    assert (refused, unknown) == (404, 404)
    assert "150.00" not in body


async def test_machines_read_the_same(ended: Office) -> None:
    centre = ended.house.centre.id
    caller = await a_caller(ended.site, Role.AUDITOR, centre_id=centre)
    neighbour = await a_caller(ended.site, Role.BUREAU, centre_id=centre, bureau_id=ended.house.bureaus[1].id)
    path = f"/broadcasts/{ended.broadcast.public_id}/reviews"

    found = await caller.get(path)

    assert [each["state"] for each in found["stages"]] == ["frozen", "not_due", "not_due"]
    first = found["stages"][0]["figures"]
    assert (first["numerator"], first["pending"], first["pending_fen"], len(first["curve"])) == (
        15_000, 0, None, 61,
    )  # fmt: skip
    assert (await caller.get(first["evidence_url"]))["numerator"] == 15_000
    (change,) = found["changes"]
    assert (change["since"], change["until"], change["fen"]) == ("T+0", None, -1_800)
    assert (change["tail"], change["refunds"]) == ({"fen": 700, "orders": 1}, {"fen": -2_500, "orders": 1})
    assert found["now"]["tail_7"]["g2_fen"] == 700
    assert (await neighbour.get(path)).status == 404


async def a_phone(office: Office, streamer: str) -> aiohttp.ClientSession:
    staff = an_actor(Role.STAFF, centre_id=office.house.centre.id)
    issued = await links.issue(streamer, actor=staff, now=clock.now())
    opened = await links.open_link(issued.token, device_token=None, now=clock.now())
    session = office.site.browser()
    session.cookie_jar.update_cookies({door.DEVICE: opened.device_token}, office.site.url)
    return session


async def test_the_streamer_reads_her_own_show_in_plain_words(ended: Office) -> None:
    path = f"/s/review/{ended.broadcast.public_id}"
    async with await a_phone(ended, ended.house.streamer.public_id) as phone:
        async with phone.get("/s/") as answer:
            assert path in await answer.text()
        async with phone.get(path) as answer:
            text = visible(await answer.text())
    other = await a_streamer(ended.house.centre)
    async with await a_phone(ended, other.public_id) as phone, phone.get(path) as answer:
        assert answer.status == 404

    assert "到现在，扣掉退款，这一场卖了 ¥132.00" in text
    assert "下播时 T+0 · 3月2日 21:10 ¥150.00" in text
    assert "卖得最旺的一分钟是 20:25：¥150.00，2 单" in text
    assert text.count("未到期") == 2


async def test_nobody_without_her_link_reads_it(client: Site, ended: Office) -> None:
    async with client.browser() as stranger, stranger.get(f"/s/review/{ended.broadcast.public_id}") as answer:
        assert answer.status == 401
