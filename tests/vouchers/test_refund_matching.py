"""A platform tells what buyers got back: whatever the order of its messages, the same comes of it, once."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.models import Role
from livehub.inbox import recording
from livehub.kit import clock, outbox
from livehub.orders import intake
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
from livehub.vouchers import refunds
from livehub.vouchers.after_models import RedemptionRefund
from livehub.vouchers.errors import RefundByPlatform
from livehub.vouchers.models import Account, Redemption, Voucher, VoucherState
from livehub.vouchers.refund_reads import Fate
from tests.contention import held
from tests.factories.accounts import an_actor
from tests.factories.facts import record_own
from tests.factories.vouchers import NOW, a_broadcast, a_claimant
from tests.vouchers.test_matching import PAID, an_order, push_order, settle, the_shop
from tests.vouchers.test_redemptions import Till, a_till
from tests.vouchers.test_refunds import broken, lies

SOON = PAID + timedelta(hours=1)


def given_back(ref: str, cash_fen: int, *, at=SOON, status: RefundStatus = RefundStatus.SUCCEEDED) -> Event:
    """An after-sale as the platform tells it: cash, and nothing else."""
    ms = clock.to_ms(at)
    return Event(
        type=EventType.REFUND_SUCCEEDED,
        shop_ref="erp1",
        order_ref="E100",
        refund_ref=ref,
        status_at=ms,
        refunds=(
            RefundSnapshot(
                refund_ref=ref,
                kind=RefundKind.REFUND_ONLY,
                status=status,
                applied_fen=cash_fen,
                refunded_fen=cash_fen,
                applied_at=ms,
                succeeded_at=ms,
                updated_at=ms,
            ),
        ),
    )


async def told(till: Till, event: Event, *, now=SOON) -> None:
    await the_shop(till)
    async with database.transaction():
        await record_own(
            [
                recording.OwnFact(
                    centre_id=till.world.bureau.centre_id,
                    platform="standard_webhooks",
                    shop_ref="erp1",
                    order_ref="E100",
                    native_type="refund",
                    native_id=f"{event.refund_ref}:{event.status_at}",
                    event=event,
                )
            ],
            now=now,
        )
    await applied(now)


async def applied(now) -> None:
    while await intake.run_once(now=now, lease_seconds=30):
        pass
    while await outbox.hand_out(now=now):
        pass


async def test_cash_back_takes_its_share_of_the_subsidy(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        await an_order(till, voucher.code_index, list_fen=10_000)

        await told(till, given_back("A1", 4_000))
        await told(till, given_back("A1", 4_000))

        (made,) = await RedemptionRefund.all()
        assert (made.refund_no, made.source) == ("A1", "platform")
        assert (made.refund_fen, made.cash_fen, made.clawback_fen) == (4_999, 4_000, 999)
        assert await lies(till, Account.RELEASED, Account.PAYABLE) == (999, 1_001)
        assert await broken() == []


async def test_all_cash_back_in_one_gives_the_voucher_back_and_the_order_never_takes_it_again(
    db: Settings,
) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        await an_order(till, voucher.code_index, list_fen=10_000)

        await told(till, given_back("A1", 8_000))
        async with database.transaction():
            await database.execute("UPDATE outbox_message SET status = 'waiting', lease_until = 0")
        await applied(SOON)

        assert (await Voucher.get(id=voucher.id)).state is VoucherState.ISSUED
        assert (await RedemptionRefund.get()).fate == Fate.RETURNED
        assert await Redemption.all().count() == 1
        assert await lies(till, Account.HELD, Account.PAYABLE) == (2_000, 0)
        assert await broken() == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_order_of_messages_changes_nothing(db: Settings, order: tuple[int, ...]) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        messages = (
            lambda: an_order(till, voucher.code_index, list_fen=10_000),
            lambda: told(till, given_back("A1", 2_666)),
            lambda: told(till, given_back("A2", 5_334, at=SOON + timedelta(minutes=1))),
        )
        for each in (*order, order[0]):
            await messages[each]()
        await settle()

        row = await Redemption.get()
        assert (str(row.state), row.refunded_fen, row.recovered_fen) == ("refunded", 10_000, 2_000)
        assert (await Voucher.get(id=voucher.id)).state is VoucherState.REFUNDED
        assert sorted([each.refund_no for each in await RedemptionRefund.all()]) == ["A1", "A2"]
        assert await lies(till, Account.HELD, Account.RELEASED, Account.PAYABLE) == (0, 2_000, 0)
        assert await broken() == []


async def test_an_after_sale_that_grew_or_exceeds_the_order_is_followed_to_the_end_only(
    db: Settings,
) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        await an_order(till, voucher.code_index, list_fen=10_000)

        for minute, cash in enumerate((2_000, 4_000, 9_999)):
            await told(till, given_back("A1", cash, at=SOON + timedelta(minutes=minute)))

        made = await RedemptionRefund.all().order_by("id")
        assert [(each.refund_no, each.cash_fen) for each in made] == [
            ("A1", 2_000),
            ("A1~4000", 2_000),
            ("A1~9999", 4_000),
        ]
        assert made[-1].fate == Fate.PARTS
        assert await broken() == []


async def test_a_refund_that_failed_afterwards_is_not_taken_back(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        await an_order(till, voucher.code_index, list_fen=10_000)
        await told(till, given_back("A1", 4_000))

        await told(till, given_back("A1", 4_000, at=SOON + timedelta(minutes=1), status=RefundStatus.FAILED))

        assert (await Redemption.get()).refunded_fen == 4_999
        assert await broken() == []


async def test_a_discount_that_the_platform_bore_goes_back_with_the_cash(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        await an_order(till, voucher.code_index, list_fen=10_000)
        at = clock.to_ms(PAID) + 1
        line = Line(
            line_ref="1",
            quantity=1,
            list_fen=10_500,
            merchant_disc_fen=500,
            platform_disc_fen=4_000,
            voucher_subsidy_fen=2_000,
            buyer_paid_fen=4_000,
        )
        await told(
            till,
            Event(
                type=EventType.ORDER_UPDATED,
                shop_ref="erp1",
                order_ref="E100",
                status_at=at,
                order=OrderSnapshot(status=OrderStatus.PAID, lines=(line,), updated_at=at),
            ),
        )

        await told(till, given_back("A1", 2_000))

        assert (await RedemptionRefund.get()).refund_fen == 4_999


async def test_nobody_refunds_a_platforms_order_by_hand(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        await an_order(till, voucher.code_index)
        manager = an_actor(Role.MANAGER, centre_id=till.world.bureau.centre_id)
        with pytest.raises(RefundByPlatform):
            await refunds.refund(
                (await Redemption.get()).public_id,
                refund_no="D1",
                key="k",
                source="desk",
                actor=manager,
                now=NOW,
            )


async def test_a_refund_that_comes_while_its_order_is_matched_is_not_lost(db: Settings) -> None:
    async with a_till(db) as till:
        broadcast = await a_broadcast(till.world)
        voucher = await till.voucher(await a_claimant(till.world))
        await Voucher.filter(id=voucher.id).update(broadcast_id=broadcast.id)
        await told(till, given_back("A0", 0))  # the order is there, and its id is known
        (order,) = await database.fetch("SELECT id FROM sales_order")
        taken = (
            "INSERT INTO order_assignment (order_id, broadcast_id, streamer_id, attribution, source, at)"
            f" VALUES ({order['id']}, 1, 1, 'B', '', 0)"
        )
        async with held(db, taken) as other:
            await push_order(till, voucher.code_index, list_fen=10_000)
            matched = asyncio.ensure_future(applied(SOON))
            await other.until_waiting(1, tasks=[matched])
            refunded = asyncio.ensure_future(told(till, given_back("A1", 4_000)))
            if not db.is_sqlite:
                await other.until_waiting(2, tasks=[matched, refunded])
            await other.let_go()
            await asyncio.gather(matched, refunded)
        await settle()

        assert (await Redemption.get()).refunded_fen == 4_999
        assert await broken() == []
