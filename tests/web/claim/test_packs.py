"""A pack on the consumer's phone, and the vouchers of whoever is on a roster, without any link."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine

from livehub.accounts.models import Centre
from livehub.vouchers import direct
from livehub.vouchers.models import Voucher
from streamers.training.importing import Mode
from tests.factories.vouchers import NOW, a_kind, a_pack, a_world, an_item
from tests.site import Site
from tests.vouchers.test_packs import ZHONGWEI
from tests.web.claim.test_claim import PHONE, claimed, page_of
from tests.web.phones import code_sent_to, hidden, tap, visible


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


async def test_the_page_says_what_is_in_a_pack_and_the_wallet_shows_each_voucher(client: Site) -> None:
    world = await a_world(a_pack(*ZHONGWEI))
    slug = world.link.slug

    before = visible(await page_of(client, f"/c/{slug}"))
    where = await claimed(client, slug)
    mine = visible(await page_of(client, where))

    assert "惠民券包 9 张，共 90 元，一次领齐" in before
    for each in ("满20减5 × 6", "满50减15 × 2", "满100减30"):
        assert each in before
    assert "领取 1 包（9 张）" in before
    assert "每人限领 1 包 ，每单限用 1 张，先享商家优惠再看是否满 券上的金额" in before
    assert "剩余（包） 10 / 10" in before
    assert "139****1234 · 共 9 张" in mine
    assert (mine.count("满20减5"), mine.count("满50减15"), mine.count("满100减30")) == (6, 2, 1)
    assert await Voucher.all().count() == 9


async def test_a_second_pack_is_refused_and_the_last_one_gone_is_said(client: Site) -> None:
    world = await a_world(a_pack(an_item(20, 100), an_item(35, 200), quantity=1))
    slug = world.link.slug
    page = await page_of(client, f"/c/{slug}")
    await claimed(client, slug)
    status, html, _ = await tap(client, f"/c/{slug}/claim", page=page, key="another")

    gone = visible(await page_of(client, f"/c/{slug}"))

    assert status == 409
    assert "已" in visible(html)
    assert "这一批已领完 一人一包，先到先得。" in gone


async def test_a_link_with_a_pack_and_a_voucher_lets_choose(client: Site) -> None:
    world = await a_world(a_kind(name="满50减10", quantity=3), a_pack())
    slug = world.link.slug

    first = await page_of(client, f"/c/{slug}")

    assert "换领“惠民券包”" in visible(first)
    assert "领取 1 张" in visible(first)


async def a_household(world, phone: str) -> None:
    await direct.take(
        f"手机号\n{phone}\n".encode(),
        round_id=world.round.id,
        mode=Mode.STRICT,
        name="名册.csv",
        actor=world.officer,
        now=NOW,
    )


async def test_a_household_sees_its_vouchers_after_a_code_without_a_link(client: Site) -> None:
    world = await a_world(a_pack(*ZHONGWEI), mode="direct")
    await a_household(world, PHONE)
    centre = await Centre.get()
    home = f"/c/at/{centre.public_id}"

    async with client.get("/c/mine", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, home)
    page = await page_of(client, home)
    assert "用登记的手机号查看" in visible(page)
    status, page, _ = await tap(client, f"{home}/code", page=page, phone=PHONE)
    assert status == 200
    wrong = await tap(client, home, page=page, phone=PHONE, code="000000")
    status, _, where = await tap(client, home, page=page, phone=PHONE, code=await code_sent_to("1234"))
    mine = await page_of(client, where)

    assert (wrong[0], status, where) == (422, 303, "/c/mine")
    assert "139****1234 · 共 9 张" in visible(mine)
    assert "二维码 30 秒更换一次" in visible(mine)
    async with client.get(home, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/c/mine")
    status, _, where = await tap(client, f"{home}/forget", page=mine)
    assert (status, where) == (303, home)
    async with client.get("/c/mine", allow_redirects=False) as answer:
        assert answer.headers["Location"] == home


async def test_nobody_is_told_whose_phone_is_on_a_roster(client: Site) -> None:
    world = await a_world(a_pack(), mode="direct")
    await a_household(world, PHONE)
    home = f"/c/at/{(await Centre.get()).public_id}"
    page = await page_of(client, home)

    known = await tap(client, f"{home}/code", page=page, phone=PHONE)
    unknown = await tap(client, f"{home}/code", page=page, phone="13900009999")

    assert known[0] == unknown[0] == 200
    assert known[1].replace(PHONE, "…") == unknown[1].replace("13900009999", "…")
    for path in ("/c/at/nosuchcentre", "/c/at/nosuchcentre/code"):
        async with client.get(path, allow_redirects=False) as answer:
            assert answer.status in (303, 404)
    assert (await tap(client, "/c/at/nosuchcentre/code", page=page, phone=PHONE))[0] == 404
    for again in ("code", "forget"):
        async with client.get(f"{home}/{again}", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, home)


async def test_with_two_centres_a_phone_comes_by_the_address_of_hers(client: Site) -> None:
    world = await a_world(a_pack(), mode="direct")
    await a_household(world, PHONE)
    await a_world()

    async with client.get("/c/mine", allow_redirects=False) as answer:
        assert answer.status == 401
    home = f"/c/at/{(await Centre.get(id=world.bureau.centre_id)).public_id}"
    assert hidden(await page_of(client, home), "csrf")
