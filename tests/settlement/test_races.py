"""Two at one time: nothing is settled or paid twice, and no refund slips between the lines."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.errors import SecondPersonNeeded
from livehub.settings import Settings
from livehub.settlement import batches, closing, responses
from livehub.settlement.models import SettlementBatch, SettlementLine
from livehub.vouchers import campaign_ends, expiry, ledger, round_ends
from livehub.vouchers.models import Account, Campaign, CampaignStatus
from tests.contention import kinds, meet
from tests.factories.vouchers import NOW
from tests.settlement.merchants import DAY, MORNING, D, a_town, broken, of

LINES = "LOCK TABLE settlement_line IN EXCLUSIVE MODE"  # what a run writes
ACCOUNTS = "SELECT 1 FROM ledger_account FOR UPDATE"  # what a refund and a payment write last


async def test_two_runs_at_once_add_nothing_twice(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        await town.used(town.first, 2_000)
        await town.used(town.second, 2_000)

        answers = await meet(db, LINES, town.run, town.run, lambda: town.run(D - DAY))

        assert kinds(answers) == ["Ran"] * 3
        assert sum(each.lines for each in answers) == 2
        assert await SettlementLine.all().count() == 2
        assert sorted(await SettlementBatch.all().values_list("number", flat=True)) == [1, 2]
        assert await broken() == []


async def test_runs_of_two_days_at_once_take_each_use_once(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        await town.used(town.first, 2_000)
        later = {"now": MORNING + DAY}

        answers = await meet(db, LINES, lambda: town.run(D, **later), lambda: town.run(D + DAY, **later))

        assert sorted(each.lines for each in answers) == [0, 1]
        assert await SettlementLine.all().count() == 1
        assert await broken() == []


async def test_one_batch_is_paid_once(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        await town.used(town.first, 2_000)
        await town.run()
        batch = await town.submit(await of(town.first))
        await responses.confirm(batch.public_id, actor=town.first.cashier, now=MORNING)

        def pay(who):
            return lambda: database.unit(
                lambda: batches.pay(batch.public_id, reference="P-7", actor=who, now=MORNING)
            )

        with pytest.raises(SecondPersonNeeded):
            await pay(town.clerk)()
        answers = await meet(db, ACCOUNTS, pay(town.payer), pay(town.payer))

        assert kinds(answers) == ["SettlementBatch", "WrongState"]
        sums = await ledger.balances(town.till.world.campaign.id)
        assert (sums[Account.PAYABLE], sums[Account.PAID]) == (0, 2_000)
        assert await broken() == []


async def test_a_refund_is_done_before_its_batch_is_submitted_or_finds_it_settled(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        redemption = await town.used(town.first, 2_000)
        other = await town.used(town.second, 2_000)
        await town.run()
        batch = await of(town.first)

        answers = await meet(
            db, ACCOUNTS, lambda: town.refunded(redemption, now=NOW + DAY), lambda: town.submit(batch)
        )

        assert kinds(answers) == ["Refunded", "SettlementBatch"]
        assert (await of(town.first)).pay_fen == 0
        await town.submit(await of(town.second))
        await town.refunded(other, now=NOW + DAY)
        sums = await ledger.balances(town.till.world.campaign.id)
        assert (sums[Account.PAYABLE], sums[Account.RECEIVABLE]) == (2_000, -2_000)
        assert await broken() == []


async def test_a_campaign_is_not_settled_while_a_refund_comes(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        redemption = await town.used(town.first, 2_000)
        await campaign_ends.end(town.till.world.campaign.id, actor=town.till.world.officer, now=NOW)
        await town.run()
        await town.paid(await of(town.first))
        month = NOW + timedelta(days=40)
        await round_ends.close_due(now=month)
        await expiry.sweep(now=month)
        await round_ends.finish_due(now=month)
        await campaign_ends.return_due(now=month)

        answers = await meet(
            db, ACCOUNTS, lambda: town.refunded(redemption, now=month), lambda: closing.settle_due(now=month)
        )

        assert kinds(answers) == ["Refunded", "int"]
        assert (await Campaign.get()).status is CampaignStatus.ENDED
        assert await broken() == []
