"""What a merchant is owed: each use and each clawback in one line, nothing twice, never a negative payment."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest

from livehub import database
from livehub.accounts.errors import OutOfScope, PermissionMissing, SecondPersonNeeded
from livehub.accounts.models import Centre, Role
from livehub.kit import clock, sealing
from livehub.kit.errors import Invalid, NotFound
from livehub.kit.states import WrongState
from livehub.notices.models import Notice
from livehub.notices.sending import BODY_PLACE, RECIPIENT_PLACE
from livehub.settings import Settings
from livehub.settlement import batches, closing, files, holds, queries, responses
from livehub.settlement.errors import AlreadyHeld, NothingToSettle, SettlementHeld, TooEarly
from livehub.settlement.models import SettlementBatch, SettlementFile, SettlementLine
from livehub.vouchers import campaign_ends, expiry, ledger, round_ends
from livehub.vouchers.models import Account, Campaign, CampaignStatus, Redemption
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW
from tests.settlement.merchants import DAY, MORNING, D, a_town, broken, of

LEFT = (Account.PAYABLE, Account.RECEIVABLE, Account.PAID)


async def lies(town, *wanted: Account) -> tuple[int, ...]:
    sums = await ledger.balances(town.till.world.campaign.id)
    assert ledger.is_conserved(sums)
    return tuple(sums[kind] for kind in wanted or LEFT)


async def test_a9_two_days_and_a_late_refund(db: Settings) -> None:
    async with a_town(db, 2_000, 3_500, 4_500, 3_000, 1_500, 5_000) as town:
        await town.used(town.first, 2_000)
        late = await town.used(town.first, 3_500)
        await town.used(town.first, 4_500)
        await town.used(town.second, 3_000)
        await town.used(town.second, 1_500)
        with pytest.raises(TooEarly):
            await town.run(D, now=NOW)

        ran = [await town.run() for _ in range(2)]

        assert [(each.batches, each.lines) for each in ran] == [(2, 5), (0, 0)]
        first, second = await of(town.first), await of(town.second)
        assert (first.pay_fen, second.pay_fen, first.number, second.number) == (10_000, 4_500, 1, 2)
        first, second = await town.submit(first), await town.submit(second)
        kept = await files.newest(first.id)
        assert kept.sha256 == first.sha256 == sha256(kept.body).digest()
        assert "100.00" in kept.body.decode().splitlines()[-2]
        await town.refunded(late, now=NOW + DAY)
        await town.used(town.first, 5_000, now=NOW + DAY)
        assert await lies(town) == (19_500, -3_500, 0)
        await town.paid(first)
        await town.paid(second)
        assert await lies(town) == (5_000, -3_500, 14_500)

        await town.run(D + DAY)

        third = await of(town.first, D + DAY)
        assert (third.redeemed_fen, third.late_fen, third.net_fen, third.pay_fen) == (
            5_000,
            3_500,
            3_500,
            1_500,
        )
        amounts = await SettlementLine.filter(batch_id=third.id).values_list("amount_fen", flat=True)
        assert sorted(amounts) == [-3_500, 5_000]
        await town.paid(third, now=MORNING + DAY)
        assert await lies(town) == (0, 0, 16_000)
        net = await database.fetch("SELECT sum(subsidy_fen - recovered_fen) AS fen FROM redemption")
        assert int(net[0]["fen"]) == 16_000
        assert await broken() == []


async def test_what_is_owed_back_is_carried_until_it_can_be_netted(db: Settings) -> None:
    async with a_town(db, 2_000, 3_500) as town:
        late = await town.used(town.first, 3_500)
        await town.run()
        await town.paid(await of(town.first))
        await town.refunded(late, now=NOW + DAY)
        await town.run(D + DAY)

        nothing = await town.paid(await of(town.first, D + DAY), now=MORNING + DAY)

        assert (nothing.late_fen, nothing.net_fen, nothing.pay_fen) == (3_500, 0, 0)
        assert await lies(town) == (0, -3_500, 3_500)
        await town.used(town.first, 2_000, now=NOW + 2 * DAY)
        await town.run(D + 2 * DAY)
        part = await town.paid(await of(town.first, D + 2 * DAY), now=MORNING + 2 * DAY)
        assert (part.carried_in_fen, part.net_fen, part.pay_fen) == (3_500, 2_000, 0)
        await town.used(town.first, 2_000, now=NOW + 3 * DAY)
        await town.run(D + 3 * DAY)
        last = await town.paid(await of(town.first, D + 3 * DAY), now=MORNING + 3 * DAY)
        assert (last.carried_in_fen, last.net_fen, last.pay_fen) == (1_500, 1_500, 500)
        assert await lies(town) == (0, 0, 4_000)
        assert await broken() == []


async def test_a_refund_before_it_is_submitted_stands_beside_its_redemption(db: Settings) -> None:
    async with a_town(db, 2_000, 3_500) as town:
        early = await town.used(town.first, 2_000)
        await town.refunded(early, 5_000)
        whole = await town.used(town.first, 3_500)
        await town.run()
        await town.refunded(whole, now=NOW + DAY)  # a draft settles nothing yet

        sent = await town.submit(await of(town.first))

        assert (sent.redeemed_fen, sent.recovered_fen, sent.late_fen, sent.pay_fen) == (
            5_500,
            4_500,
            0,
            1_000,
        )
        assert await lies(town) == (1_000, 0, 0)
        await town.run(D + DAY)
        assert await SettlementBatch.all().count() == 1
        assert await broken() == []


async def test_one_batch_is_paid_once_by_another_than_who_submitted_it(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        await town.used(town.first, 2_000)
        await town.run()
        batch = await of(town.first)
        who = {"actor": town.clerk, "now": MORNING}
        for early in (
            lambda: responses.confirm(batch.public_id, actor=town.first.cashier, now=MORNING),
            lambda: batches.pay(batch.public_id, reference="P", actor=town.payer, now=MORNING),
            lambda: batches.reopen(batch.public_id, answer="没有", **who),
        ):
            with pytest.raises(WrongState):
                await early()
        with pytest.raises(OutOfScope):
            await batches.submit(batch.public_id, actor=town.first.cashier, now=MORNING)
        with pytest.raises(PermissionMissing):
            staff = an_actor(Role.STAFF, centre_id=town.clerk.centre_id)
            await batches.submit(batch.public_id, actor=staff, now=MORNING)
        await town.submit(batch)
        with pytest.raises(OutOfScope):
            await responses.confirm(batch.public_id, actor=town.second.cashier, now=MORNING)
        with pytest.raises(Invalid):  # finance says why she speaks for the merchant
            await responses.confirm(batch.public_id, **who)
        await responses.confirm(batch.public_id, reason="商户电话确认", **who)
        with pytest.raises(SecondPersonNeeded):
            await batches.pay(batch.public_id, reference="P-7", **who)
        with pytest.raises(Invalid):
            await batches.pay(batch.public_id, reference=" ", actor=town.payer, now=MORNING)

        await batches.pay(batch.public_id, reference="P-7", actor=town.payer, now=MORNING)

        assert await lies(town) == (0, 0, 2_000)
        with pytest.raises(NotFound):
            await queries.batch(batch.public_id, actor=town.second.cashier)
        assert (await queries.batch(batch.public_id, actor=town.first.cashier)).payment_ref == "P-7"
        assert await broken() == []


async def test_a_disputed_batch_goes_again_without_what_is_held_back(db: Settings) -> None:
    async with a_town(db, 2_000, 3_500, 4_500) as town:
        good = await town.used(town.first, 2_000)
        odd = await town.used(town.first, 3_500)
        back = await town.used(town.first, 4_500)
        await town.refunded(odd, 1_000)
        await town.run()
        batch = await town.submit(await of(town.first))
        digest = batch.sha256
        await town.refunded(back, now=NOW + DAY)  # owed back, tomorrow
        await responses.dispute(batch.public_id, reason="金额不对", actor=town.first.cashier, now=MORNING)
        for held in (odd, back):
            hold = await holds.place(
                redemption=held, reason="同一顾客多次核销", actor=town.clerk, now=MORNING
            )
        with pytest.raises(AlreadyHeld):
            await holds.place(redemption=odd, reason="再一次", actor=town.clerk, now=MORNING)
        await batches.reopen(batch.public_id, answer="已核对，先结其余", actor=town.clerk, now=MORNING)

        again = await town.submit(batch)

        assert (again.version, again.pay_fen) == (
            2,
            2_000 + 4_500,
        )  # of the last one a refund stands elsewhere
        assert again.sha256 != digest
        assert await SettlementFile.all().count() == 2
        assert (await Redemption.get(public_id=odd)).settled_at is None
        assert await broken() == []
        await town.paid(again)
        assert (await town.run(D + DAY)).lines == 1  # the late refund, though it is of one held back
        assert (await town.submit(await of(town.first, D + DAY))).late_fen == 4_500
        with pytest.raises(SecondPersonNeeded):
            await holds.lift(hold.public_id, actor=town.clerk, now=MORNING)
        for each in await queries.holds(town.clerk.centre_id):
            await holds.lift(each.id, actor=town.payer, now=MORNING)
        assert (await town.run(D + 2 * DAY)).lines == 2
        last = await town.paid(await of(town.first, D + 2 * DAY), now=MORNING + 2 * DAY)
        assert (last.redeemed_fen, last.recovered_fen, last.carried_in_fen) == (3_500, 350, 4_500)
        assert (await Redemption.get(public_id=good)).settled_at == MORNING
        assert await broken() == []


async def test_each_step_is_told_to_whom_it_concerns(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        await town.used(town.first, 2_000)
        await town.run()
        batch, before = await town.submit(await of(town.first)), {"actor": town.clerk, "now": MORNING}
        await responses.dispute(batch.public_id, reason="少了一笔", actor=town.first.cashier, now=MORNING)
        await batches.reopen(batch.public_id, answer="那一笔在明天", **before)
        await town.submit(batch)
        await responses.dispute(batch.public_id, reason="商户来电", **before)  # finance tells itself nothing
        await batches.reopen(batch.public_id, answer="已核对", **before)
        await town.paid(await town.submit(batch))

        ring, name = sealing.ring(), town.first.merchant.name
        told = [
            (
                each.kind.removeprefix("settlement."),
                ring.open_text(bytes(each.recipient_sealed), place=RECIPIENT_PLACE),
                ring.open_text(bytes(each.body_sealed), place=BODY_PLACE),
            )
            for each in await Notice.filter(kind__startswith="settlement.").order_by("id")
        ]
    centre = (await Centre.get(id=batch.centre_id)).name
    assert [(kind, whom) for kind, whom, _ in told] == [
        ("submitted", name),
        ("disputed", centre),
        ("answered", name),
        ("submitted", name),
        ("answered", name),
        ("submitted", name),
        ("paid", name),
    ]
    assert f"{name}对05月20日的结算批次 #1 有异议：少了一笔" in told[1][2]
    assert "应付 20.00 元" in told[0][2]
    assert "已付款 20.00 元，凭证号 P-1" in told[-1][2]


async def test_a_merchant_held_back_is_in_no_batch_and_is_not_paid(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        odd = await town.used(town.first, 2_000)
        await town.used(town.second, 2_000)
        await town.run()
        batch = await of(town.first)
        await holds.place(redemption=odd, reason="金额都一样", actor=town.clerk, now=MORNING)
        with pytest.raises(NothingToSettle):
            await town.submit(batch)
        held = await holds.place(
            merchant=town.first.merchant.public_id, reason="正在调查", actor=town.clerk, now=MORNING
        )
        with pytest.raises(SettlementHeld):
            await town.submit(batch)
        await town.used(town.first, 2_000, now=NOW + DAY)
        await town.used(town.second, 2_000, now=NOW + DAY)
        assert (await town.run(D + DAY)).lines == 1
        assert (await queries.coming(town.first.merchant.id)).is_held

        await holds.lift(held.public_id, actor=town.payer, now=MORNING)

        assert (await town.run(D + 2 * DAY)).lines == 1
        coming = await queries.coming(town.first.merchant.id)
        assert (coming.unsettled_fen, coming.waiting_fen, coming.owed_back_fen) == (4_000, 0, 0)


async def test_a_campaign_is_settled_once_nothing_of_it_is_open(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        redemption = await town.used(town.first, 2_000)
        campaign = town.till.world.campaign
        await campaign_ends.end(campaign.id, actor=town.till.world.officer, now=NOW)
        await town.run()
        month = NOW + timedelta(days=40)
        await round_ends.close_due(now=month)
        await expiry.sweep(now=month)
        await round_ends.finish_due(now=month)
        await campaign_ends.return_due(now=month)
        assert await closing.settle_due(now=month) == 0  # the batch is not paid
        await town.paid(await of(town.first))

        assert await closing.settle_due(now=month) == 1
        assert (await Campaign.get()).status is CampaignStatus.SETTLED
        await town.refunded(redemption, now=month)
        owed_back = (Account.RECEIVABLE, Account.RELEASED, Account.TREASURY_RETURN)
        assert await lies(town, *owed_back) == (-2_000, 0, 9 * 2_000)
        await town.run(clock.local_day(month), now=month + DAY)
        after = await town.paid(await SettlementBatch.get(late_fen=2_000), now=month + DAY)
        assert (after.pay_fen, after.net_fen) == (0, 0)  # owed back, and nothing to net it with
        assert await closing.settle_due(now=month) == 0
        assert await broken() == []
