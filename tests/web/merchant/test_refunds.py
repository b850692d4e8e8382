"""A refund at the merchant's phone: what the customer gets back, once, and what then is payable."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine

from livehub.vouchers.after_models import RedemptionRefund
from livehub.vouchers.models import Redemption
from tests.factories.vouchers import NOW
from tests.site import Site
from tests.web.merchant.test_redeem import Shop, _evening, a_shop, token  # noqa: F401 -- the evening is a fixture
from tests.web.phones import hidden, tap, visible


async def a_use(shop: Shop, amount: str = "100.00") -> str:
    """The address of a redemption."""
    voucher = await shop.voucher()
    _, _, where = await shop.tap(token(voucher), amount, receipt_no="A-1")
    return where


async def refund(site: Site, where: str, amount: str, **given: str) -> tuple[int, str, str]:
    page = await site.text(where)
    key = given.pop("key", hidden(page, "key"))
    return await tap(site, f"{where}/refund", page=page, amount=amount, key=key, **given)


async def test_a_part_given_back_is_shared_and_less_is_payable(client: Site) -> None:
    shop = await a_shop(client)
    where = await a_use(shop)
    before = visible(await client.text(where))

    status, _, leads = await refund(client, where, "50.00", refund_no="TH-7")
    after, till = visible(await client.text(leads)), visible(await shop.till())

    assert "全部退掉：退顾客 ¥80.00，补贴收回 ¥20.00，券退还顾客，5月26日 24:00 前有效" in before
    assert (status, leads) == (303, f"{where}?refunded=now")
    assert "已登记退款 应退顾客 ¥40.00 补贴收回 ¥10.00 · 订单没有退完，券不退还" in after
    assert "本店应收补贴 已收回 10.00 10.00" in after
    assert "TH-7" in after
    assert "核销 1 笔 订单 ¥50.00 应收补贴 ¥10.00 未付合计 ¥10.00" in till
    assert "部分退款" in till


async def test_all_given_back_says_that_the_voucher_came_back(client: Site) -> None:
    shop = await a_shop(client)
    where = await a_use(shop)

    _, _, leads = await refund(client, where, "100.00")
    after, till = visible(await client.text(leads)), visible(await shop.till())

    assert "应退顾客 ¥80.00 补贴收回 ¥20.00 · 券退还顾客" in after
    assert re.search(r"M-[2-9A-Z]{4}-[2-9A-Z]{4}\b", after)  # a number that can be read out
    assert "办理退款" not in after
    assert "未付合计 ¥0.00" in till


async def test_two_taps_are_one_refund(client: Site) -> None:
    shop = await a_shop(client)
    where = await a_use(shop)

    first = await refund(client, where, "30.00", key="same")
    second = await refund(client, where, "30.00", key="same")

    assert (first[0], second[0], second[2]) == (303, 303, f"{where}?refunded=again")
    assert "没有重复退" in visible(await client.text(second[2]))
    assert await RedemptionRefund.all().count() == 1


@pytest.mark.parametrize(
    ("amount", "status", "said"),
    [
        ("100.01", 409, "这一单最多还能退 100.00 元。"),
        ("0", 422, "请填写金额，如 326.00"),
        ("一百", 422, "请填写金额，如 326.00"),
    ],
)
async def test_what_does_not_fit_is_said_and_kept(client: Site, amount: str, status: int, said: str) -> None:
    shop = await a_shop(client)
    where = await a_use(shop)

    answered, html, _ = await refund(client, where, amount, refund_no="TH-8")

    assert answered == status
    assert said in visible(html)
    assert f'value="{amount}"' in html
    assert 'value="TH-8"' in html
    assert await RedemptionRefund.all().count() == 0


async def test_another_merchants_redemption_is_not_there(client: Site) -> None:
    shop = await a_shop(client)
    where = await a_use(shop)
    page = await client.text(where)
    await Redemption.all().update(merchant_id=shop.merchant.id + 1)

    shown = await client.session.get(where)
    status, _, _ = await tap(client, f"{where}/refund", page=page, amount="1.00", key="k")

    assert (shown.status, status) == (404, 404)


async def test_after_thirty_days_the_centre_does_it(client: Site) -> None:
    shop = await a_shop(client)
    where = await a_use(shop)
    page = await client.text(where)

    await Redemption.all().update(at=NOW - timedelta(days=30))
    with time_machine.travel(NOW + timedelta(minutes=1), tick=True):
        later = visible(await client.text(where))
        status, html, _ = await tap(client, f"{where}/refund", page=page, amount="1.00", key="k")

    assert "退款请联系中心办理" in later
    assert (status, "核销已超过 30 天" in visible(html)) == (409, True)
