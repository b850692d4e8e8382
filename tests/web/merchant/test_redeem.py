"""The merchant's till over real HTTP: one voucher, one order, once; and what a refusal says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest
import time_machine

from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Centre, Role, User
from livehub.kit import ids
from livehub.merchants.models import Merchant, MerchantStatus, Store
from livehub.vouchers import codes, enrolments, failed_codes
from livehub.vouchers.models import Redemption, Voucher
from tests.factories.accounts import PASSWORD, a_user
from tests.factories.vouchers import NOW, World, a_claimant, a_kind, a_merchant, a_world
from tests.site import Site
from tests.web.phones import hidden, tap, visible

PHONE = "13900008877"


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


class Shop(msgspec.Struct, kw_only=True):
    """A merchant whose cashier is logged in."""

    site: Site
    world: World
    merchant: Merchant
    cashier: User

    async def voucher(self, phone: str = PHONE) -> Voucher:
        claimant = await a_claimant(self.world, phone)
        claimed = await self.site.app.ctx.claim_desk.claim(
            self.world.link.slug, claimant=claimant, key=ids.token(), now=NOW
        )
        return await Voucher.get(public_id=claimed.voucher)

    async def till(self) -> str:
        return await self.site.text("/m")

    async def tap(self, code: str, amount: str = "326.00", *, page: str = "", **given: str):
        page = page or await self.till()
        key = given.pop("key", hidden(page, "key"))
        return await tap(self.site, "/m/redeem", page=page, code=code, amount=amount, key=key, **given)


def token(voucher: Voucher, at=NOW) -> str:
    return codes.qr(voucher.public_id, now=at)


def typed(voucher: Voucher) -> str:
    return codes.shown(bytes(voucher.code_sealed), voucher=voucher.public_id)


async def a_shop(site: Site, *kinds, enrolled: bool = True) -> Shop:
    world = await a_world(*kinds)
    merchant, _ = await a_merchant(world)
    if enrolled:
        await enrolments.enrol(world.campaign.id, merchant_id=merchant.id, actor=world.officer, now=NOW)
    centre = await Centre.get(id=world.bureau.centre_id)
    cashier = await a_user(Grant(Role.MERCHANT, merchant_id=merchant.id), centre=centre, name="林收银")
    await enter(site, cashier)
    return Shop(site=site, world=world, merchant=merchant, cashier=cashier)


async def enter(site: Site, user: User) -> None:
    session, _ = await logins.log_in(user.login, PASSWORD, ip="198.51.100.7", agent="tests", now=NOW)
    site.session.cookie_jar.update_cookies({"__Host-session": session}, site.url)


async def test_a_scanned_voucher_comes_off_the_bill(client: Site) -> None:
    shop = await a_shop(client)
    voucher = await shop.voucher()

    status, _, where = await shop.tap(token(voucher), receipt_no="A-1029")
    result = visible(await client.text(where))
    till = visible(await shop.till())

    assert status == 303
    assert where == f"/m/redemptions/{(await Redemption.get()).public_id}"
    assert "核销成功 顾客应付 ¥306.00" in result
    assert "消费金额 326.00" in result
    assert "−20.00" in result
    assert "A-1029" in result
    assert "核销 1 笔 订单 ¥326.00 应收补贴 ¥20.00 未付合计 ¥20.00" in till
    assert "¥326.00，顾客付 ¥306.00" in till


async def test_two_taps_are_one_redemption_and_the_second_says_so(client: Site) -> None:
    shop = await a_shop(client)
    code = token(await shop.voucher())
    page = await shop.till()

    first = await shop.tap(code, page=page)
    second = await shop.tap(code, page=page)

    assert first[0] == second[0] == 303
    assert second[2] == first[2] + "?again=1"
    assert "没有重复扣减" in visible(await client.text(second[2]))
    assert await Redemption.all().count() == 1


async def test_a_used_voucher_is_refused_and_the_form_is_kept(client: Site) -> None:
    shop = await a_shop(client)
    voucher = await shop.voucher()
    await shop.tap(token(voucher))

    status, html, _ = await shop.tap(typed(voucher), "99.90", phone_tail="8877", receipt_no="B-7")

    assert status == 409
    assert "没有核销。 这张券已经使用过了。" in visible(html)
    for value in (typed(voucher), "99.90", "8877", "B-7"):
        assert f'value="{value}"' in html


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("99.99", "订单金额没有达到使用门槛：满 100.00 元可用。"),
        ("12.345", "请填写金额，如 326.00"),
        ("0", "消费金额无效"),
    ],
)
async def test_an_amount_that_does_not_fit_is_said_so(client: Site, amount: str, said: str) -> None:
    shop = await a_shop(client)
    voucher = await shop.voucher()

    status, html, _ = await shop.tap(token(voucher), amount)

    assert status in (409, 422)
    assert said in visible(html)
    assert await Redemption.all().count() == 0


async def test_a_typed_code_needs_the_right_phone_digits(client: Site) -> None:
    shop = await a_shop(client)
    voucher = await shop.voucher()

    without = await shop.tap(typed(voucher))
    wrong = await shop.tap(typed(voucher), phone_tail="1111")
    right = await shop.tap(typed(voucher).lower(), phone_tail="8877")

    assert without[0] == 422
    assert 'id="phone_tail-wrong"' in without[1]
    assert wrong[0] == 404
    assert 'id="code-wrong"' in wrong[1]
    assert right[0] == 303


async def test_an_old_screenshot_is_refused(client: Site) -> None:
    shop = await a_shop(client)
    voucher = await shop.voucher()

    status, html, _ = await shop.tap(token(voucher, NOW - timedelta(minutes=2)))

    assert status == 409
    assert "二维码已过期" in visible(html)
    assert 'name="code" value=""' in html  # an old token is not given back


async def test_guessing_codes_ends_after_ten(client: Site) -> None:
    shop = await a_shop(client)
    voucher = await shop.voucher()
    for _ in range(failed_codes.LIMIT_USER):
        status, _, _ = await shop.tap(ids.voucher_code(), phone_tail="8877")
        assert status == 404

    async with client.post(
        "/m/redeem",
        data={
            "csrf": hidden(await shop.till(), "csrf"),
            "code": token(voucher),
            "amount": "326",
            "key": "k",
        },
    ) as answer:
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 0
        assert "次数过多" in await answer.text()


async def test_a_merchant_out_of_the_campaign_or_suspended_is_told(client: Site) -> None:
    shop = await a_shop(client, enrolled=False)
    voucher = await shop.voucher()

    refused = await shop.tap(token(voucher))
    await Merchant.filter(id=shop.merchant.id).update(status=MerchantStatus.SUSPENDED)
    till = visible(await shop.till())

    assert refused[0] == 409
    assert "本店没有参加这张券的活动" in visible(refused[1])
    assert "本店暂时不能核销" in till


async def test_of_two_stores_one_is_chosen(client: Site) -> None:
    shop = await a_shop(client)
    branch = await Store.create(public_id=ids.public_id(), merchant_id=shop.merchant.id, name="银滩店")
    voucher = await shop.voucher()

    unsaid = await shop.tap(token(voucher))
    said = await shop.tap(token(voucher), store=branch.public_id)

    assert unsaid[0] == 422
    assert 'id="store-wrong"' in unsaid[1]
    assert said[0] == 303
    assert (await Redemption.get()).store_id == branch.id


async def test_another_merchants_redemption_does_not_exist(client: Site) -> None:
    shop = await a_shop(client)
    _, _, where = await shop.tap(token(await shop.voucher()))
    other, _ = await a_merchant(shop.world, "隔壁饭店")
    centre = await Centre.get(id=shop.world.bureau.centre_id)
    await enter(client, await a_user(Grant(Role.MERCHANT, merchant_id=other.id), centre=centre))

    async with client.get(where) as answer:
        assert answer.status == 404
    assert "¥326.00" not in visible(await client.text("/m"))


async def test_the_till_is_for_merchants_who_are_logged_in(client: Site) -> None:
    async with client.get("/m") as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/login?next=/m")
    await enter(client, await a_user(Grant(Role.STAFF)))
    async with client.get("/m") as answer:
        assert answer.status == 403


async def test_a_form_without_its_token_is_refused(client: Site) -> None:
    shop = await a_shop(client)

    status, _, _ = await tap(client, "/m/redeem", code=token(await shop.voucher()), amount="326", key="k")

    assert status == 403
    assert await Redemption.all().count() == 0


async def test_a_subsidy_that_would_leave_nothing_to_pay_is_cut(client: Site) -> None:
    shop = await a_shop(client, a_kind(face_fen=2000, threshold_fen=2000))

    _, _, where = await shop.tap(token(await shop.voucher()), "20")

    text = visible(await client.text(where))
    assert "顾客应付 ¥0.01" in text
    assert "本单只够减这么多" in text
