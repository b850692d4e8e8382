"""Leverage before and after refunds, its floors, and where the vouchers of a campaign are."""

from __future__ import annotations

import pytest

from livehub.reports import leverage as reported
from livehub.settings import Settings
from livehub.vouchers import expiry, funnel, leverage
from livehub.vouchers.leverage import Leverage
from livehub.web.api import campaign_answers
from tests.factories.vouchers import a_kind
from tests.vouchers.test_ends import MONTH, claimed
from tests.vouchers.test_redemptions import Till, a_till
from tests.vouchers.test_refunds import asked, used


def pulled(order_fen: int, subsidy_fen: int, **changes: int) -> Leverage:
    usual = {
        "redemptions": int(subsidy_fen > 0),
        "order_fen": order_fen,
        "subsidy_fen": subsidy_fen,
        "net_order_fen": order_fen,
        "net_subsidy_fen": subsidy_fen,
    }
    return leverage.of_row(usual | changes)


@pytest.mark.parametrize(
    ("order_fen", "subsidy_fen", "gross", "net_pull"),
    [
        (180_500_000_000, 14_500_000_000, "12.45", "11.45"),  # 杭州 I
        (42_100_000_000, 5_736_000_000, "7.34", "6.34"),  # 杭州 II
        (21_000_000_000, 2_753_000_000, "7.63", "6.63"),  # 福州
        (942_930_000, 329_770_000, "2.86", "1.86"),  # 南京
    ],
)
def test_published_figures(order_fen: int, subsidy_fen: int, gross: str, net_pull: str) -> None:
    answer = campaign_answers.leverages(pulled(order_fen, subsidy_fen))

    assert round(float(answer.leverage_gross.value or ""), 2) == float(gross)
    assert round(float(answer.net_pull.value or ""), 2) == float(net_pull)


def test_without_a_subsidy_there_is_a_reason_and_no_ratio() -> None:
    nothing = campaign_answers.leverages(pulled(0, 0))
    all_back = campaign_answers.leverages(pulled(10_000, 2_000, net_order_fen=0, net_subsidy_fen=0))

    for each in (nothing.leverage_gross, nothing.leverage_after_refunds, nothing.floor, nothing.net_pull):
        assert (each.value, each.reason) == (None, "尚无核销")
    assert all_back.leverage_gross.value == "5.0000"
    after = all_back.leverage_after_refunds
    assert (after.value, after.reason) == (None, "补贴已随退款全部收回")


@pytest.mark.parametrize(
    ("net_order", "net_subsidy", "lost"),
    [(10_000, 2_000, 0), (5_000, 1_000, 0), (5_000, 2_000, 1_000), (5_000, 1_001, 1), (0, 0, 0)],
)
def test_what_is_lost_below_the_floor(net_order: int, net_subsidy: int, lost: int) -> None:
    found = pulled(
        10_000,
        2_000,
        net_order_fen=net_order,
        net_subsidy_fen=net_subsidy,
        kept_threshold_fen=10_000 if net_order else 0,
        kept_face_fen=2_000 if net_order else 0,
    )
    assert found.lost_fen == lost


async def of(till: Till) -> Leverage:
    return await reported.of(centre_id=till.world.bureau.centre_id)


async def test_refunds_leave_the_headline_and_the_gross_stays(db: Settings) -> None:
    async with a_till(
        db, a_kind(quantity=9), a_kind(name="满200减30", face_fen=3_000, threshold_fen=20_000)
    ) as till:
        _, whole = await used(till, 15_000)
        _, part = await used(till, 10_000, receipt_no="R2", key="t2")
        (other,) = await claimed(till, 1, template=1)
        await till.redeem(other, 20_000, receipt_no="R3", key="t3")
        before = await of(till)
        await asked(till, whole)
        await asked(till, part, 5_000)
        after = await of(till)

    assert (before.order_fen, before.subsidy_fen, before.threshold_fen, before.face_fen) == (
        45_000,
        7_000,
        40_000,
        7_000,
    )
    assert (before.net_order_fen, before.net_subsidy_fen) == (45_000, 7_000)
    assert (after.order_fen, after.subsidy_fen, after.redemptions) == (45_000, 7_000, 3)
    assert (after.net_order_fen, after.net_subsidy_fen) == (25_000, 4_000)
    assert (after.kept_threshold_fen, after.kept_face_fen, after.lost_fen) == (30_000, 5_000, 0)


async def test_the_funnel_knows_each_voucher_once(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=10)) as till:
        _, first = await used(till)  # stays used
        _, second = await used(till, receipt_no="R2", key="t2")  # comes back
        _, third = await used(till, receipt_no="R3", key="t3")  # in parts, gone
        await claimed(till, 2)
        await asked(till, first, 1_000)
        await asked(till, second)
        await asked(till, third, 4_000, refund_no="T1")
        await asked(till, third, refund_no="T2")
        now = await funnel.of(till.world.campaign.id, now=till.world.round.claim_from)
        await expiry.sweep(now=MONTH)
        later = await funnel.of(till.world.campaign.id, now=MONTH)

    assert (now.cap, now.unclaimed, now.claimed) == (10, 5, 5)
    assert (now.issued, now.redeemed, now.refunded, now.expired) == (3, 1, 1, 0)
    assert (now.used, now.matured, now.refunds, now.returned) == (2, 0, 4, 1)
    assert (now.subsidy_fen, now.recovered_fen, now.net_fen) == (6_000, 4_200, 1_800)
    assert (later.issued, later.expired, later.expired_fen) == (0, 3, 6_000)
    assert (later.matured, later.matured_fen, later.matured_used, later.matured_net_fen) == (
        5,
        10_000,
        2,
        1_800,
    )
    for each in (now, later):
        states = each.issued + each.locked + each.redeemed + each.refunded + each.expired + each.revoked
        assert each.cap == each.unclaimed + states
