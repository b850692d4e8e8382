"""What a merchant owes and cannot net any more, she pays back: once, by two people's word, to the fen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.errors import OutOfScope, PermissionMissing, SecondPersonNeeded
from livehub.accounts.models import AuditEntry, Role
from livehub.kit.errors import Invalid, NotFound
from livehub.kit.states import WrongState
from livehub.notices.models import Notice
from livehub.settings import Settings
from livehub.settlement import amounts, closing, repayment_queries, repayments
from livehub.settlement.errors import NotOwedBack, ReceiptKnown
from livehub.settlement.models import SettlementBatch
from livehub.settlement.repayment_models import RepaymentState, SettlementRepayment
from livehub.vouchers import campaign_ends, expiry, ledger, round_ends
from livehub.vouchers.errors import InsufficientFunds
from livehub.vouchers.models import Account, Campaign, CampaignStatus
from tests.contention import kinds, meet
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW
from tests.settlement.merchants import DAY, MORNING, D, Town, a_town, broken, of

LATER = MORNING + DAY


async def owing(town: Town, fen: int = 3_500) -> SettlementBatch:
    """A batch that says what the first merchant owes: a use that was paid for came back."""
    late = await town.used(town.first, fen)
    await town.run()
    await town.paid(await of(town.first))
    await town.refunded(late, now=NOW + DAY)
    await town.run(D + DAY)
    return await town.paid(await of(town.first, D + DAY), now=LATER)


async def noted(
    town: Town, batch: SettlementBatch, fen: int = 3_500, *, reference: str = "S-1", actor=None
) -> SettlementRepayment:
    return await database.unit(
        lambda: repayments.note(
            batch.public_id,
            amount_fen=fen,
            reference=reference,
            received_on=D + DAY,
            actor=actor or town.clerk,
            now=LATER,
        )
    )


async def confirmed(town: Town, made: SettlementRepayment, *, actor=None) -> SettlementRepayment:
    return await database.unit(
        lambda: repayments.confirm(made.public_id, actor=actor or town.payer, now=LATER)
    )


async def lies(town: Town) -> tuple[int, ...]:
    sums = await ledger.balances(town.till.world.campaign.id)
    assert ledger.is_conserved(sums)
    return tuple(sums[kind] for kind in (Account.PAYABLE, Account.RECEIVABLE, Account.PAID))


async def test_a_receipt_noted_and_confirmed_brings_the_receivable_to_zero(db: Settings) -> None:
    async with a_town(db, 3_500) as town:
        batch = await owing(town)
        (debt,) = await repayment_queries.debts(actor=town.clerk)
        assert (debt.batch, debt.owed_fen) == (batch.public_id, 3_500)

        made = await noted(town, batch)

        assert await lies(town) == (0, -3_500, 3_500)  # a note moves nothing
        assert await repayment_queries.debts(actor=town.clerk) == []
        with pytest.raises(SecondPersonNeeded):
            await confirmed(town, made, actor=town.clerk)
        assert await broken() == []
        done = await confirmed(town, made)

        assert (done.state, done.decided_by) == (RepaymentState.CONFIRMED, town.payer.name)
        assert await lies(town) == (0, 0, 0)
        assert await broken() == []
        with pytest.raises(WrongState):
            await confirmed(town, made)
        with pytest.raises(WrongState):
            await repayments.withdraw(made.public_id, reason="记错了", actor=town.clerk, now=LATER)
        verbs = ["settlement.repayment_noted", "settlement.repaid"]
        assert (
            await AuditEntry.filter(action__in=verbs).order_by("id").values_list("action", flat=True) == verbs
        )
        assert await Notice.filter(kind="settlement.repaid").count() == 1
        (seen,) = (await repayment_queries.repayments(actor=town.first.cashier)).items
        assert (seen.payee, seen.reference) == (town.first.merchant.name, "S-1")
        assert (await repayment_queries.repayments(actor=town.second.cashier)).items == []
        with pytest.raises(NotFound):
            await repayment_queries.repayment(made.public_id, actor=town.second.cashier)


async def test_what_is_noted_is_netted_no_more_and_what_is_withdrawn_is(db: Settings) -> None:
    async with a_town(db, 2_000, 3_500) as town:
        batch = await owing(town)
        part = await noted(town, batch, 1_500)
        wrong = await noted(town, batch, 1_000, reference="S-2")
        with pytest.raises(NotOwedBack) as refused:
            await noted(town, batch, 1_001, reference="S-3")
        assert refused.value.data == {"owed_fen": 1_000}
        with pytest.raises(ReceiptKnown):
            await noted(town, batch, 1, reference=" S-2 ")
        with pytest.raises(Invalid):
            await repayments.withdraw(wrong.public_id, reason="", actor=town.clerk, now=LATER)
        await repayments.withdraw(wrong.public_id, reason="记到别家了", actor=town.clerk, now=LATER)
        with pytest.raises(WrongState):
            await confirmed(town, wrong)
        await town.used(town.first, 2_000, now=NOW + 2 * DAY)
        await town.run(D + 2 * DAY)

        sent = await town.submit(await of(town.first, D + 2 * DAY), now=MORNING + 2 * DAY)

        assert (sent.carried_in_fen, sent.net_fen, sent.pay_fen) == (2_000, 2_000, 0)
        assert await amounts.owed_back(batch.campaign_id, batch.merchant_id, batch.shop_id) == 0
        await town.paid(sent, now=MORNING + 2 * DAY)
        assert await lies(town) == (0, -1_500, 3_500)
        await confirmed(town, part)
        assert await lies(town) == (0, 0, 2_000)
        again = await SettlementRepayment.filter(reference="S-2").count()
        assert again == 1
        assert await broken() == []


async def test_who_may_and_what_a_receipt_must_say(db: Settings) -> None:
    async with a_town(db, 3_500) as town:
        batch = await owing(town)
        staff = an_actor(Role.STAFF, centre_id=town.clerk.centre_id)
        with pytest.raises(PermissionMissing):
            await noted(town, batch, actor=staff)
        with pytest.raises((OutOfScope, PermissionMissing)):
            await noted(town, batch, actor=town.first.cashier)
        for wrong in (
            {"amount_fen": 0},
            {"reference": "  "},
            {"reference": "S\x00"},
            {"received_on": D + 3 * DAY},
            {"received_on": D.replace(year=1999)},
        ):
            good = {"amount_fen": 1, "reference": "S-1", "received_on": D}
            with pytest.raises(Invalid):
                await repayments.note(batch.public_id, **{**good, **wrong}, actor=town.clerk, now=LATER)
        with pytest.raises(NotFound):
            await repayments.confirm("nosuch", actor=town.payer, now=LATER)
        with pytest.raises(NotFound):
            await repayments.note(
                "nosuch", amount_fen=1, reference="S", received_on=D, actor=town.clerk, now=LATER
            )


async def test_what_was_never_paid_cannot_be_paid_back(db: Settings) -> None:
    async with a_town(db, 3_500) as town:
        late = await town.used(town.first, 3_500)
        await town.run()
        first = await town.submit(await of(town.first))  # and not paid yet
        await town.refunded(late, now=NOW + DAY)
        await town.run(D + DAY)
        batch = await town.submit(await of(town.first, D + DAY), now=LATER)
        made = await noted(town, batch)

        with pytest.raises(InsufficientFunds):
            await confirmed(town, made)

        await town.paid(first, now=LATER)
        await confirmed(town, made)
        assert await lies(town) == (0, 0, 0)
        assert await broken() == []


async def test_a_closed_campaign_is_settled_once_its_merchants_paid_back(db: Settings) -> None:
    async with a_town(db, 3_500) as town:
        campaign = town.till.world.campaign
        late = await town.used(town.first, 3_500)
        await campaign_ends.end(campaign.id, actor=town.till.world.officer, now=NOW)
        await town.run()
        await town.paid(await of(town.first))
        await town.refunded(late, now=NOW + DAY)
        await town.run(D + DAY)
        batch = await town.paid(await of(town.first, D + DAY), now=LATER)
        month = NOW + timedelta(days=40)
        await round_ends.close_due(now=month)
        await expiry.sweep(now=month)
        await round_ends.finish_due(now=month)
        await campaign_ends.return_due(now=month)
        assert await closing.settle_due(now=month) == 0  # she still owes it

        await confirmed(town, await noted(town, batch))

        assert await closing.settle_due(now=month) == 1
        assert (await Campaign.get()).status is CampaignStatus.SETTLED
        sums = await ledger.balances(campaign.id)
        assert sums[Account.TREASURY] == -sums[Account.TREASURY_RETURN]
        assert await broken() == []


async def test_two_who_note_at_once_note_no_more_than_is_owed(db: Settings) -> None:
    async with a_town(db, 3_500) as town:
        batch = await owing(town)

        answers = await meet(
            db,
            "LOCK TABLE settlement_repayment IN EXCLUSIVE MODE",
            lambda: noted(town, batch, 2_000),
            lambda: noted(town, batch, 2_000, reference="S-2", actor=town.payer),
        )

        assert kinds(answers) == ["NotOwedBack", "SettlementRepayment"]
        assert await broken() == []


async def test_one_receipt_is_noted_once(db: Settings) -> None:
    async with a_town(db, 3_500) as town:
        batch = await owing(town)

        answers = await meet(
            db,
            "LOCK TABLE settlement_repayment IN EXCLUSIVE MODE",
            lambda: noted(town, batch, 1_000),
            lambda: noted(town, batch, 1_000, actor=town.payer),
        )

        assert kinds(answers) == ["ReceiptKnown", "SettlementRepayment"]


async def test_one_repayment_is_confirmed_once(db: Settings) -> None:
    async with a_town(db, 3_500) as town:
        made = await noted(town, await owing(town))
        with pytest.raises(SecondPersonNeeded):
            await confirmed(town, made, actor=town.clerk)

        answers = await meet(
            db,
            "SELECT 1 FROM ledger_account FOR UPDATE",
            lambda: confirmed(town, made),
            lambda: confirmed(town, made),
        )

        assert kinds(answers) == ["SettlementRepayment", "WrongState"]
        assert await lies(town) == (0, 0, 0)
        assert await broken() == []
