"""The desk in a real browser: log in, approve, run a show, follow a number down to its bytes; a refusal each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import time_machine
from playwright.async_api import Page, async_playwright, expect

from livehub.accounts.actors import Grant
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.vouchers import identity
from rooms.models import Booking, BookingState
from tests.browser.phone import CHROMIUM, fits, picture
from tests.factories.accounts import PASSWORD, a_user
from tests.factories.rooms import a_booking, local
from tests.site import Site
from tests.web.desk.office import EVENING, Office, an_office
from tests.web.desk.test_broadcasts import a_template
from tests.web.desk.test_money import a_draft
from tests.web.phones import code_sent_to

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(EVENING, tick=True):
        yield


@asynccontextmanager
async def seat(site: Site, *, scripts: bool = True, width: int = 1360) -> AsyncIterator[Page]:
    """A page of an own, empty profile on a desk's screen; an error of the console fails the test."""
    errors: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        context = await browser.new_context(
            viewport={"width": width, "height": 900}, java_script_enabled=scripts, locale="zh-CN",
            base_url=str(site.url),
        )  # fmt: skip
        page = await context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda each: errors.append(each.text) if _is_ours(each) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        yield page
        await browser.close()
    assert errors == []


async def sit_down(page: Page, office: Office, role: Role, *, bureau: int = 0) -> None:
    """Log in by the form as somebody of a role."""
    grant = Grant(role, bureau_id=office.house.bureaus[bureau].id if role is Role.BUREAU else 0)
    user = await a_user(grant, centre=office.house.centre, name="梁海燕")
    await page.goto("/login")
    await page.fill("#account", user.login)
    await page.fill("#password", PASSWORD)
    await page.get_by_role("button", name="登录").click()
    await page.wait_for_url(lambda url: "/login" not in url)


@pytest.mark.parametrize("scripts", [True, False])
async def test_log_in_be_refused_and_log_out(client: Site, scripts: bool) -> None:
    office = await an_office(client)
    user = await a_user(Grant(Role.STAFF), centre=office.house.centre)
    async with seat(client, scripts=scripts, width=390) as page:
        await page.goto("/desk/sales")
        await expect(page).to_have_url(f"{client.url}/login?next=/desk/sales")
        await picture(page, "login")
        await page.fill("#account", user.login)
        await page.fill("#password", "not-her-password")
        await page.get_by_role("button", name="登录").click()
        await expect(page.get_by_role("alert")).to_contain_text("账号或密码不正确")
        await expect(page.locator("#account")).to_have_value(user.login)
        assert await fits(page)

        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(f"{client.url}/desk/sales")
        assert await fits(page)
        await page.get_by_role("button", name="退出", exact=True).click()
        await expect(page).to_have_url(f"{client.url}/login")


@pytest.mark.parametrize("scripts", [True, False])
async def test_approve_one_booking_and_reject_another(client: Site, scripts: bool) -> None:
    office = await an_office(client)
    good = await a_booking(office.house, local(4, 20), title="合浦大蚝")
    bad = await a_booking(office.house, local(5, 20), title="香山鸡嘴荔枝")
    async with seat(client, scripts=scripts) as page:
        await sit_down(page, office, Role.MANAGER)
        await picture(page, "desk-today")
        await page.get_by_role("link", name="审批", exact=True).click()
        await picture(page, "desk-bookings")
        row = page.get_by_role("row").filter(has_text="合浦大蚝")
        await row.get_by_role("button", name="批准").click()
        await expect(page.get_by_role("status")).to_have_text("已批准")

        row = page.get_by_role("row").filter(has_text="香山鸡嘴荔枝")
        await row.locator("summary").click()
        await row.locator("textarea").fill("当天设备检修")
        await row.get_by_role("button", name="确认驳回").click()
        await expect(page.get_by_role("status")).to_contain_text("已驳回")
        await expect(page.get_by_role("row").filter(has_text="香山鸡嘴荔枝")).to_contain_text("当天设备检修")

    assert (await Booking.get(id=good.id)).state is BookingState.APPROVED
    assert (await Booking.get(id=bad.id)).state is BookingState.REJECTED


async def test_somebody_was_faster(client: Site) -> None:
    office = await an_office(client)
    asked = await a_booking(office.house, local(4, 20), title="合浦大蚝")
    async with seat(client) as page:
        await sit_down(page, office, Role.MANAGER)
        await page.goto("/desk/bookings")
        asked.version += 1
        await asked.save(update_fields=["version"])
        await page.get_by_role("row").filter(has_text="合浦大蚝").get_by_role("button", name="批准").click()
        await expect(page.get_by_role("alert")).to_contain_text("已被别人修改")


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_number_opens_down_to_its_bytes(client: Site, scripts: bool) -> None:
    office = await an_office(client)
    await office.sell("6920000000000000001", paid_fen=12_800, disc_fen=200)
    await office.sell("6920000000000000002", paid_fen=5_000, refund_fen=2_000)
    async with seat(client, scripts=scripts) as page:
        await sit_down(page, office, Role.AUDITOR)
        await page.get_by_role("link", name="汇总").click()
        await picture(page, "desk-sales")
        await page.get_by_role("link", name="160.00").first.click()
        await expect(page.locator(".top .chip")).to_have_text("2 行相加 = ¥160.00")
        await picture(page, "desk-sales-lines")
        await page.get_by_role("link", name="6920000000000000001").click()
        await expect(page.locator("h1")).to_have_text("6920000000000000001")
        await picture(page, "desk-order")
        await page.get_by_role("link", name="订单变更").click()
        await expect(page.locator("pre.code")).to_contain_text('"order_ref": "6920000000000000001"')
        await picture(page, "desk-message")
        await page.locator("dd a[href^='/desk/deliveries/']").click()
        await page.fill("#reason", "核对 3 月抽查第 1 号")
        await page.get_by_role("button", name="打开").click()
        await expect(page.locator("pre.code")).to_contain_text('"order_ref":"6920000000000000001"')
        await picture(page, "desk-delivery")
        await page.goto(page.url.removesuffix("/open"))
        await expect(page.locator("pre.code")).to_have_count(0)


async def test_an_officer_of_another_bureau_finds_nothing(client: Site) -> None:
    office = await an_office(client)
    await office.sell("A1", paid_fen=12_800)
    async with seat(client) as page:
        await sit_down(page, office, Role.BUREAU, bureau=1)
        await page.goto(f"/desk/orders/{office.shop.public_id}/A1")
        await expect(page.locator("h1")).to_have_text("没有找到这个页面或对象。")
        await page.goto("/desk/inbox")
        await expect(page.locator("h1")).to_have_text("您没有权限做这个操作。")


async def test_run_a_show_from_its_console(client: Site) -> None:
    office = await an_office(client)
    await a_template(office)
    async with seat(client) as page:
        await sit_down(page, office, Role.STAFF)
        await page.get_by_role("link", name="沙田沙虫").first.click()
        await page.select_option("#template", index=1)
        await page.fill("#quantity", "5000")
        await page.get_by_role("button", name="立即投放").click()
        await expect(page.locator(".alert.bad")).to_be_visible()
        await expect(page.locator("#quantity")).to_have_value("5000")
        await page.fill("#quantity", "200")
        await page.get_by_role("button", name="立即投放").click()
        await expect(page.get_by_role("status")).to_have_text("已投放")
        await page.get_by_role("button", name="生成新的主播链接").click()
        await expect(page.locator("[data-streamer-link]")).to_contain_text("/s/")
        await picture(page, "desk-broadcast")
        await page.get_by_role("button", name="收回").click()
        await expect(page.get_by_role("status")).to_contain_text("已收回")
        await page.get_by_role("button", name="下播").click()
        await expect(page.get_by_role("status")).to_have_text("已下播")
        assert await fits(page)


async def test_a_stuck_message_is_put_back(client: Site) -> None:
    office = await an_office(client)
    await office.sell("D1", currency="USD")
    async with seat(client) as page:
        await sit_down(page, office, Role.STAFF)
        await page.get_by_role("link", name="推送收件箱").click()
        await picture(page, "desk-inbox")
        await page.get_by_role("link", name="已隔离 1").click()
        await page.get_by_role("link", name="查看").click()
        await page.get_by_label("重放原因").fill("已核实")
        await page.get_by_role("button", name="重放这一条").click()
        await expect(page.get_by_role("status")).to_contain_text("已放回队列")
        await expect(page.get_by_role("button", name="重放这一条")).to_have_count(0)


async def test_finance_countersigns_and_reads_the_outbox_not(client: Site) -> None:
    office = await an_office(client)
    await a_draft(office)
    await identity.send_code(
        "13900001234", centre_id=office.house.centre.id, ip="198.51.100.9", channel="outbox", now=clock.now()
    )
    async with seat(client) as page:
        await sit_down(page, office, Role.FINANCE)
        await page.get_by_role("link", name="会签", exact=True).click()
        await page.get_by_role("link", name="年货消费券").click()
        await page.get_by_role("button", name="会签 ¥60,000.00").click()
        await expect(page.get_by_role("status")).to_contain_text("预算已锁定")
        await picture(page, "desk-campaign")
        await page.goto("/desk/outbox")
        await expect(page.locator("h1")).to_have_text("您没有权限做这个操作。")
    async with seat(client) as page:
        await sit_down(page, office, Role.STAFF)
        await page.get_by_role("link", name="发件箱").click()
        await expect(page.locator("td b.mono")).to_have_text(await code_sent_to("1234"))
        await picture(page, "desk-outbox")


async def test_a_manager_gives_a_webhook_another_secret(client: Site) -> None:
    office = await an_office(client)
    async with seat(client) as page:
        await sit_down(page, office, Role.MANAGER)
        await page.get_by_role("link", name="店铺与接口").click()
        await page.get_by_role("link", name="更换密钥").click()
        await page.get_by_label("新密钥").fill("not a secret")
        await page.get_by_role("button", name="启用新密钥").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await picture(page, "desk-shop-secret")
        await page.get_by_label("新密钥").fill("whsec_" + "D" * 42 + "E=")
        await page.get_by_role("button", name="启用新密钥").click()
        await expect(page.get_by_role("status")).to_contain_text("新密钥已生效")
        await page.get_by_label("天数").fill("365")
        await page.get_by_role("button", name="保存").click()
        await expect(page.get_by_role("status")).to_contain_text("已保存")
        await picture(page, "desk-shops")


def _is_ours(message) -> bool:
    return message.type == "error" and not message.text.startswith("Failed to load resource")
