"""Accounts in a real browser: made, first password, second factor; the trail and its chain; narrow and wide."""

from __future__ import annotations

import pytest
import time_machine
from playwright.async_api import Page, expect

from livehub.accounts import chain, factor_codes, logins, totp
from livehub.accounts.actors import Grant
from livehub.accounts.models import Role, SecondFactor, User
from livehub.kit import clock
from tests.browser.desktop import desktop
from tests.browser.phone import CHROMIUM, fits, picture
from tests.factories.accounts import PASSWORD, a_user
from tests.factories.merchants import a_merchant, a_store
from tests.site import Site
from tests.web.desk.office import EVENING, an_office

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]

OWN = "Own-words-7-here"


async def session_of(user: User) -> str:
    token, _ = await logins.log_in(user.login, PASSWORD, ip="198.51.100.7", agent="Firefox", now=clock.now())
    return token


async def log_in(page: Page, login: str, password: str) -> None:
    await page.goto("/login")
    await page.get_by_label("账号", exact=True).fill(login)
    await page.get_by_label("密码", exact=True).fill(password)
    await page.get_by_role("button", name="登录").click()


async def test_somebody_new_from_her_first_password_to_her_second_factor(client: Site) -> None:
    with time_machine.travel(EVENING, tick=True):
        office = await an_office(client)
        admin = await a_user(Grant(Role.ADMIN), centre=office.house.centre, name="陈管理")
        await a_user(
            Grant(Role.STAFF), centre=office.house.centre, login="zhao.liu", name="赵六", active=False
        )
        async with desktop(client, session=await session_of(admin)) as page:
            page.on("dialog", lambda dialog: dialog.accept())
            await page.goto("/desk/users/new")
            await page.get_by_label("账号").fill("li.hua")
            await page.get_by_label("姓名").fill("李华")
            await page.get_by_label("角色", exact=True).select_option(label="主管部门")
            await page.get_by_role("button", name="建立").click()
            await expect(page.get_by_text("这个角色须指定单位")).to_be_visible()
            await picture(page, "desk-user-new")
            await page.get_by_label("所属部门").select_option(index=1)
            await page.get_by_role("button", name="建立").click()
            first = await page.locator("dd.mono b").inner_text()
            await picture(page, "desk-user-password")
            await page.get_by_role("link", name="我已告诉本人").click()
            await expect(page.get_by_text("待改初始密码")).to_be_visible()
            await picture(page, "desk-user")
            assert await fits(page)
            await page.get_by_label("再授予一个角色").select_option(label="财务")
            await page.get_by_role("button", name="授予", exact=True).click()
            await expect(page.get_by_text("已授予角色")).to_be_visible()
            await page.goto("/desk/users/")
            await picture(page, "desk-users")
            assert await fits(page)
        async with desktop(client, width=390, height=800) as page:
            await log_in(page, "li.hua", first)
            await expect(page.get_by_role("heading", name="设置自己的密码")).to_be_visible()
            await picture(page, "account-first-password")
            await page.get_by_label("初始密码").fill(first)
            await page.get_by_label("新密码", exact=True).fill(OWN)
            await page.get_by_label("再输一次新密码").fill(OWN)
            await page.get_by_role("button", name="更改密码").click()
            await expect(page.get_by_text("密码已更改")).to_be_visible()
            await page.get_by_role("button", name="启用动态码").click()
            await picture(page, "account-second-factor")
            assert await fits(page)
            secret = factor_codes.secret_of(await SecondFactor.get())
            here = totp.step_of(clock.now())
            await page.get_by_label("2. 输入").fill("000000")
            await page.get_by_role("button", name="启用", exact=True).click()
            await expect(page.get_by_text("动态码不正确，请等下一个")).to_be_visible()
            await page.get_by_label("2. 输入").fill(totp.code_at(secret, here))
            await page.get_by_role("button", name="启用", exact=True).click()
            await picture(page, "account-recovery-codes")
            await page.get_by_role("link", name="我已保存").click()
            await picture(page, "account")
            assert await fits(page)
            await page.get_by_role("button", name="退出").click()
            await log_in(page, "li.hua", OWN)
            await picture(page, "login-code")
            await page.get_by_label("动态码").fill(totp.code_at(secret, here + 1))
            await page.get_by_role("button", name="登录").click()
            await page.wait_for_url("**/bureau**")
        await office.close()


async def test_the_trail_and_its_chain(client: Site) -> None:
    with time_machine.travel(EVENING, tick=True):
        office = await an_office(client)
        auditor = await a_user(Grant(Role.AUDITOR), centre=office.house.centre, name="孙审计")
        token = await session_of(auditor)
        while await chain.chain_tail(clock.now()):
            pass
        for width, name in ((1440, ""), (390, "-narrow")):
            async with desktop(client, session=token, width=width) as page:
                await page.goto(f"/desk/broadcasts/{office.broadcast.public_id}")
                await page.get_by_role("link", name="审计记录").last.click()
                await expect(page.get_by_role("cell", name="开播").first).to_be_visible()
                await page.get_by_role("link", name="查看").first.click()
                await expect(page.get_by_text("一致", exact=True)).to_be_visible()
                await picture(page, f"desk-trail-entry{name}")
                assert await fits(page)
                await page.goto("/desk/trail/")
                await page.get_by_label("从", exact=True).last.fill("2026-03-03")
                await page.get_by_role("button", name="验证").click()
                await expect(page.get_by_text("不能早于开始日期")).to_be_visible()
                await page.get_by_label("从", exact=True).last.fill("2026-03-01")
                await page.get_by_role("button", name="验证").click()
                await expect(page.get_by_text("完整")).to_be_visible()
                await picture(page, f"desk-trail{name}")
                assert await fits(page)
        await office.close()


async def test_a_cashier_at_her_phone(client: Site) -> None:
    with time_machine.travel(EVENING, tick=True):
        office = await an_office(client)
        merchant = await a_merchant(office.house.centre)
        await a_store(merchant)
        user = await a_user(
            Grant(Role.MERCHANT, merchant_id=merchant.id), centre=office.house.centre, name="阿珍"
        )
        async with desktop(client, session=await session_of(user), width=390, height=800) as page:
            await page.goto("/m/")
            await page.get_by_role("link", name="阿珍").click()
            await page.get_by_role("link", name="更改密码").click()
            await page.get_by_label("原密码").fill("guess")
            await page.get_by_label("新密码", exact=True).fill(OWN)
            await page.get_by_label("再输一次新密码").fill(OWN)
            await page.get_by_role("button", name="更改密码").click()
            await expect(page.locator("#old-wrong")).to_have_text("原密码不正确")
            await picture(page, "account-password")
            assert await fits(page)
        await office.close()
