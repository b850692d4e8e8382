"""The three phones in a real browser, with and without scripts: claim, redeem, put vouchers out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from playwright.async_api import Page, expect

from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Centre, Role
from livehub.kit import clock, ids
from livehub.vouchers import drops, enrolments
from livehub.vouchers import links as claim_links
from livehub.vouchers.models import ClaimLink, Redemption, Voucher
from rooms.facts import BookingApproved
from rooms.models import Broadcast, Cue
from streamers import links
from streamers.models import Streamer
from tests.browser.phone import CHROMIUM, fits, phone, picture
from tests.factories.accounts import PASSWORD, a_user, an_actor
from tests.factories.merchants import a_product
from tests.factories.vouchers import NOW, World, a_broadcast, a_claimant, a_kind, a_merchant, a_world
from tests.site import Site
from tests.web.phones import code_sent_to

PHONE = "13900001234"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(NOW + timedelta(minutes=41), tick=True):
        yield


async def a_town() -> World:
    """A campaign as a county gives it, 2,000 vouchers, two merchants."""
    world = await a_world(
        a_kind(
            name="北海农特消费券", face_fen=3000, threshold_fen=20_000, quantity=2000, merchants_only=True
        ),
        a_kind(name="海鲜到店券", face_fen=10_000, threshold_fen=50_000, quantity=200),
    )
    for name in ("侨港海味馆", "老街饭店"):
        merchant, _ = await a_merchant(world, name)
        await enrolments.enrol(world.campaign.id, merchant_id=merchant.id, actor=world.officer, now=NOW)
    return world


async def on_air(world: World) -> tuple[Broadcast, str]:
    """A live broadcast with its links and a drop of 500 that is open."""
    broadcast = await a_broadcast(world, platforms=("doudian", "kuaishou"))
    fact = BookingApproved(
        booking_id=broadcast.booking_id,
        centre_id=world.bureau.centre_id,
        bureau_id=world.bureau.id,
        broadcast_id=broadcast.id,
        at_ms=0,
    )
    await claim_links.on_booking_approved(fact, NOW)
    drop = await drops.plan(
        broadcast.id,
        template_id=world.template.id,
        quantity=500,
        window_s=900,
        actor=world.staff,
        now=clock.now(),
    )
    await drops.open_drop(drop.id, actor=world.staff, now=clock.now())
    return broadcast, (await ClaimLink.filter(broadcast_id=broadcast.id).first()).slug


async def claim(page: Page, url: str, *, by: str = PHONE) -> None:
    """Phone, code, 领取."""
    await page.goto(url)
    await page.fill("#phone", by)
    await page.get_by_role("button", name="获取验证码").click()
    await expect(page.get_by_text("验证码已发出")).to_be_visible()
    await page.fill("#code", await code_sent_to(by[-4:]))
    await page.get_by_role("button", name="领取 1 张").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_a_consumer_claims_shows_her_code_and_is_refused_a_second(client: Site, scripts: bool) -> None:
    world = await a_town()
    _, slug = await on_air(world)
    url = f"/c/{slug}"
    async with phone(scripts=scripts, site=client) as page:
        await page.goto(url)
        await picture(page, "claim")
        await page.get_by_role("button", name="获取验证码").click()
        await expect(page.locator("#phone-wrong")).to_be_visible()
        await claim(page, url)

        await expect(page.get_by_text("领到了")).to_be_visible()
        await expect(page.locator(".qr")).to_be_visible()
        assert await fits(page)
        await picture(page, "claim-mine")

        await page.goto(url)
        await page.get_by_role("button", name="领取 1 张").click()
        await expect(page.get_by_role("alert")).to_have_text("每人限领 1 张，您已经领过了。")
        assert await fits(page)
        await picture(page, "claim-refused")

    assert await Voucher.all().count() == 1


async def test_two_quick_taps_claim_once(client: Site) -> None:
    world = await a_world(a_kind(rules={"per_person": {"limit": 5}}))
    url = f"/c/{world.link.slug}"
    async with phone(site=client) as page:
        await claim(page, url)
        await page.goto(url)
        await page.get_by_role("button", name="领取 1 张").dblclick()
        await expect(page.get_by_text("共 2 张")).to_be_visible()

    assert await Voucher.all().count() == 2


async def test_the_code_changes_by_itself_and_shows_when_it_was_used(client: Site) -> None:
    world = await a_town()
    merchant, store = await a_merchant(world, "银滩酒家")
    await enrolments.enrol(world.campaign.id, merchant_id=merchant.id, actor=world.officer, now=NOW)
    _, slug = await on_air(world)
    with time_machine.travel(NOW + timedelta(minutes=41, seconds=22), tick=True):
        async with phone(site=client) as page:
            await claim(page, f"/c/{slug}")
            before = await page.locator(".qr-box").inner_html()
            await expect(page.locator(".qr-box")).not_to_have_js_property("innerHTML", before, timeout=12_000)

            voucher = await Voucher.get()
            cashier = an_actor(Role.MERCHANT, merchant_id=merchant.id, centre_id=world.bureau.centre_id)
            await client.app.ctx.redeem_desk.redeem(
                voucher_qr(voucher),
                merchant_id=merchant.id,
                store_id=store.id,
                order_fen=32_600,
                key="k",
                actor=cashier,
                now=clock.now(),
            )
            await page.reload()
            await expect(page.get_by_text("已使用")).to_be_visible()
            await expect(page.get_by_text("银滩酒家")).to_be_visible()
            await picture(page, "claim-used")


def voucher_qr(voucher: Voucher) -> str:
    from livehub.vouchers import codes  # noqa: PLC0415 -- one helper of one test

    return codes.qr(voucher.public_id, now=clock.now())


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_a_merchant_redeems_and_reads_a_refusal(client: Site, scripts: bool) -> None:
    world = await a_town()
    merchant, _ = await a_merchant(world, "侨港海鲜大排档")
    await enrolments.enrol(world.campaign.id, merchant_id=merchant.id, actor=world.officer, now=NOW)
    centre = await Centre.get(id=world.bureau.centre_id)
    cashier = await a_user(Grant(Role.MERCHANT, merchant_id=merchant.id), centre=centre, name="林收银")
    session, _ = await logins.log_in(
        cashier.login, PASSWORD, ip="198.51.100.7", agent="tests", now=clock.now()
    )
    claimant = await a_claimant(world, PHONE)
    claimed = await client.app.ctx.claim_desk.claim(
        world.link.slug,
        claimant=claimant,
        key=ids.token(),
        now=clock.now(),
        template=world.template.public_id,
    )
    voucher = await Voucher.get(public_id=claimed.voucher)

    async with phone(scripts=scripts, site=client, cookies={"__Host-session": session}) as page:
        await page.goto("/m")
        await page.fill("#code", voucher_qr(voucher))
        await page.fill("#amount", "168")
        await page.get_by_role("button", name="核销", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("满 200.00 元可用")
        assert await page.input_value("#amount") == "168"
        assert await fits(page)
        await picture(page, "merchant-refused")

        await page.fill("#code", voucher_qr(voucher))
        await page.fill("#amount", "326.00")
        await page.fill("#receipt_no", "A-1029")
        button = page.get_by_role("button", name="核销", exact=True)
        await (button.dblclick() if scripts else button.click())
        await expect(page.get_by_text("核销成功")).to_be_visible()
        await expect(page.locator(".lead")).to_have_text("¥296.00")
        assert await fits(page)
        await picture(page, "merchant-result")

        await page.get_by_role("link", name="下一单").click()
        await expect(page.get_by_text("未付合计 ¥30.00")).to_be_visible()
        await picture(page, "merchant")

    assert await Redemption.all().count() == 1


async def test_a_scanned_code_needs_no_phone_digits(client: Site) -> None:
    world = await a_town()
    merchant, _ = await a_merchant(world, "侨港海鲜大排档")
    centre = await Centre.get(id=world.bureau.centre_id)
    cashier = await a_user(Grant(Role.MERCHANT, merchant_id=merchant.id), centre=centre)
    session, _ = await logins.log_in(
        cashier.login, PASSWORD, ip="198.51.100.7", agent="tests", now=clock.now()
    )
    async with phone(site=client, cookies={"__Host-session": session}) as page:
        await page.goto("/m")
        await expect(page.locator("#phone_tail")).to_be_visible()
        await page.fill("#code", "v1.abc")
        await expect(page.locator("#phone_tail")).to_be_hidden()
        await page.fill("#code", "ABCD")
        await expect(page.locator("#phone_tail")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_a_streamer_puts_vouchers_out_and_sees_them_go(client: Site, scripts: bool) -> None:
    world = await a_town()
    broadcast, slug = await on_air(world)
    open_now = (await drops.Drop.filter(broadcast_id=broadcast.id).first()).id
    await drops.close_drop(open_now, actor=world.staff, now=clock.now())
    await drops.plan(
        broadcast.id,
        template_id=world.template.id,
        quantity=300,
        window_s=600,
        actor=world.staff,
        now=clock.now(),
    )
    product = await a_product(centre := await Centre.get(id=world.bureau.centre_id), "沙田沙虫干 250 克")
    for position, (kind, title) in enumerate((("opening", "开海问候"), ("product", "头图爆款")), start=1):
        await Cue.create(
            public_id=ids.public_id(),
            broadcast_id=broadcast.id,
            position=position,
            kind=kind,
            title=title,
            product_id=product.id if kind == "product" else None,
        )
    streamer = await Streamer.get(id=broadcast.streamer_id)
    manager = an_actor(Role.MANAGER, centre_id=centre.id)
    link = await links.issue(streamer.public_id, actor=manager, now=clock.now())

    async with phone(scripts=scripts, site=client) as page:
        await page.goto(f"/s/{link.token}")
        await page.get_by_role("button", name="就用这部手机").click()
        await expect(page).to_have_url(re.compile("/s/$"))
        await page.fill("#quantity", "301")
        await page.get_by_role("button", name="立即投放").click()
        await expect(page.get_by_role("alert")).to_contain_text("超过了")
        await page.fill("#quantity", "200")
        await page.get_by_role("button", name="立即投放").click()
        await expect(page.get_by_text("已投放，观众现在可以领券")).to_be_visible()
        await expect(page.locator("[data-live=drop]")).to_contain_text("0 / 200")

        claimant = await a_claimant(world)
        await client.app.ctx.claim_desk.claim(slug, claimant=claimant, key="k", now=clock.now())
        if not scripts:
            await page.reload()
        await expect(page.locator("[data-live=drop]")).to_contain_text("1 / 200", timeout=4000)
        assert await fits(page)
        await picture(page, "streamer")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
async def test_the_first_device_takes_the_link_by_a_tap(client: Site, scripts: bool) -> None:
    world = await a_town()
    broadcast, _ = await on_air(world)
    streamer = await Streamer.get(id=broadcast.streamer_id)
    manager = an_actor(Role.MANAGER, centre_id=world.bureau.centre_id)
    link = await links.issue(streamer.public_id, actor=manager, now=clock.now())

    async with phone(site=client, scripts=scripts) as page:
        await page.goto(f"/s/{link.token}")
        await expect(page.get_by_role("heading", name="海哥，您好")).to_be_visible()
        assert link.token not in page.url
        assert await fits(page)
        await picture(page, "streamer-first")
        await page.get_by_role("button", name="就用这部手机").click()
        await expect(page.get_by_role("button", name="下播")).to_be_visible()


async def test_another_device_is_asked_for_the_code(client: Site) -> None:
    world = await a_town()
    broadcast, _ = await on_air(world)
    streamer = await Streamer.get(id=broadcast.streamer_id)
    manager = an_actor(Role.MANAGER, centre_id=world.bureau.centre_id)
    link = await links.issue(streamer.public_id, actor=manager, now=clock.now())
    await links.open_link(link.token, device_token=None, now=clock.now())

    async with phone(site=client) as page:
        await page.goto(f"/s/{link.token}")
        await expect(page.get_by_role("heading", name="换了手机？")).to_be_visible()
        assert link.token not in page.url
        await picture(page, "streamer-device")


async def test_every_reason_why_nothing_can_be_claimed_reads_well(client: Site) -> None:
    world = await a_town()
    broadcast, slug = await on_air(world)
    drop = await drops.Drop.get(broadcast_id=broadcast.id)
    async with phone(site=client, dark=True) as page:
        await page.goto(f"/c/{slug}")
        await picture(page, "claim-dark")
        await drops.close_drop(drop.id, actor=world.staff, now=clock.now())
        await page.reload()
        await expect(page.get_by_role("heading", name="这一批已结束")).to_be_visible()
        await picture(page, "claim-between")
        await page.get_by_role("link", name="查看我的券").click()
        await expect(page.get_by_text("用领券时的手机号查看")).to_be_visible()
        await picture(page, "claim-who")
        await page.goto("/c/privacy")
        await picture(page, "claim-privacy")
        await page.goto("/c/nosuchlink")
        await expect(page.get_by_text("这个领券链接不存在")).to_be_visible()
        assert await fits(page)
