"""Refunds where sales and redemptions, or two clocks, could come apart."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.actors import system
from livehub.kit import clock
from livehub.platforms.contract import (
    Event,
    EventType,
    Line,
    OrderSnapshot,
    OrderStatus,
    RefundKind,
    RefundSnapshot,
    RefundStatus,
)
from livehub.settings import Settings
from livehub.vouchers import campaign_ends, expiry, round_ends, rounds
from livehub.vouchers.models import Account, Campaign, Redemption, Voucher, VoucherState
from livehub.vouchers.refund_reads import Fate
from tests.factories.vouchers import NOW, a_claimant, a_kind
from tests.vouchers.test_matching import PAID, the_shop
from tests.vouchers.test_redemptions import a_till
from tests.vouchers.test_refund_matching import SOON, applied, told
from tests.vouchers.test_refunds import asked, broken, lies, used


async def test_a_receipt_that_is_rung_up_again_after_its_refund_is_another_order(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        mistyped = await till.redeem(voucher, 326_000, receipt_no="8801", key="a")
        await applied(NOW)
        await asked(till, mistyped.redemption, now=NOW + timedelta(minutes=1))
        voucher = await Voucher.get(id=voucher.id)
        meant = await till.redeem(voucher, 32_600, receipt_no="8801", key="b", now=NOW + timedelta(minutes=2))
        await applied(NOW + timedelta(minutes=3))

        sold = await database.fetch("SELECT order_ref, g2_fen, refund_fen, over_refund FROM sales_order")
    assert {row["order_ref"]: row["g2_fen"] - row["refund_fen"] for row in sold} == {
        mistyped.redemption: 0,
        meant.redemption: 32_600,
    }
    assert not any(row["over_refund"] for row in sold)


async def test_what_comes_back_to_a_finished_round_is_not_held_for_ever(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5, merchants_only=True)) as till:
        voucher, redemption = await used(till)
        await rounds.close_round(till.world.round.id, actor=till.world.officer, now=NOW)
        until = (await Voucher.get(id=voucher.id)).valid_until
        assert await round_ends.finish_due(now=until) == 1

        made = await asked(till, redemption, now=until - timedelta(milliseconds=50), actor=system("tests"))
        later = until + timedelta(days=90)
        await campaign_ends.end(till.world.campaign.id, actor=till.world.officer, now=later)
        await expiry.sweep(now=later)
        await campaign_ends.return_due(now=later)

        assert made.fate is Fate.LATE
        assert await lies(till, Account.HELD, Account.RELEASED) == (0, 0)
        assert await broken() == []


async def test_sales_follow_a_till_whose_city_takes_the_subsidy_back_first(db: Settings) -> None:
    async with a_till(db) as till:
        await Campaign.all().update(refund_preset="luohu")
        _, redemption = await used(till)
        seen = []
        for number, fen in enumerate((1_500, 3_000, None)):
            made = await asked(
                till, redemption, fen, refund_no=f"T{number}", now=NOW + timedelta(minutes=number)
            )
            await applied(NOW + timedelta(minutes=number))
            (sold,) = await database.fetch("SELECT g2_fen, refund_fen FROM sales_order")
            seen.append((made.cash_fen, sold["refund_fen"]))
            assert sold["refund_fen"] == (await Redemption.get()).refunded_fen

    assert seen == [(0, 1_500), (2_500, 4_500), (5_500, 10_000)]


@pytest.mark.parametrize(("units", "left_fen"), [(1, 2_000), (2, 0)])
async def test_an_order_that_cost_no_cash_gives_the_subsidy_back_with_its_last_unit(
    db: Settings, units: int, left_fen: int
) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        await the_shop(till)
        paid, back = clock.to_ms(PAID), clock.to_ms(SOON)
        line = Line(
            line_ref="1",
            quantity=2,
            list_fen=10_000,
            platform_disc_fen=8_000,
            voucher_subsidy_fen=2_000,
            buyer_paid_fen=0,
        )
        order = OrderSnapshot(
            status=OrderStatus.PAID,
            lines=(line,),
            paid_at=paid,
            updated_at=paid,
            voucher_code=voucher.code_index.hex(),
        )
        after_sale = RefundSnapshot(
            refund_ref="A1",
            line_ref="1",
            quantity=units,
            kind=RefundKind.RETURN_REFUND,
            status=RefundStatus.SUCCEEDED,
            applied_fen=0,
            refunded_fen=0,
            applied_at=back,
            succeeded_at=back,
            updated_at=back,
        )
        about = {"shop_ref": "erp1", "order_ref": "E100"}
        await told(till, Event(type=EventType.ORDER_PAID, status_at=paid, paid_at=paid, order=order, **about))
        assert (await Redemption.get()).subsidy_fen == 2_000
        await told(
            till,
            Event(
                type=EventType.REFUND_SUCCEEDED,
                refund_ref="A1",
                status_at=back,
                refunds=(after_sale,),
                **about,
            ),
        )

        redemption = await Redemption.get()
        assert redemption.subsidy_fen - redemption.recovered_fen == left_fen
        state = (await Voucher.get(id=voucher.id)).state
        assert state == (VoucherState.REDEEMED if left_fen else VoucherState.ISSUED)
