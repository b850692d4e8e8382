"""What becomes of money around a case: clawbacks are collected, drafts do not stick, nothing goes unjudged."""

from __future__ import annotations

import pytest

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.kit.states import WrongState
from livehub.notices.models import Notice
from livehub.settings import Settings
from livehub.settlement import (
    amounts,
    batches,
    case_queries,
    cases,
    closing,
    collecting,
    evaluating,
    opening,
    repayments,
    responses,
)
from livehub.settlement.case_models import CaseRow, CaseState, IntegrityCase, Subject
from livehub.settlement.errors import NothingToSettle, SettlementHeld
from livehub.settlement.models import SettlementBatch, SettlementHold, SettlementLine
from livehub.vouchers import campaign_ends
from livehub.vouchers.after_models import LateRedemption
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW
from tests.settlement.merchants import DAY, D, Town, a_town, broken, of
from tests.settlement.suspects import FACES, cash_out
from tests.vouchers.test_ends import tidied

NEXT = NOW + DAY


def finance(town: Town) -> Actor:
    return an_actor(Role.FINANCE, centre_id=town.clerk.centre_id)


async def confirmed(town: Town, subject: Subject, ref: str) -> IntegrityCase:
    """A case by hand that two more people looked at and confirmed."""
    case = await opening.by_hand(subject=subject, subject_ref=ref, reason="倒卖", actor=town.clerk, now=NEXT)
    await cases.look(case.public_id, text="看过", actor=town.clerk, now=NEXT)
    return await cases.confirm(case.public_id, text="店员承认", actor=town.payer, now=NEXT)


async def over(town: Town) -> int:
    """The campaign ends, and whether it is settled."""
    await campaign_ends.end(town.till.world.campaign.id, actor=town.till.world.officer, now=NOW)
    await tidied(NOW + 40 * DAY)
    await tidied(NOW + 41 * DAY)
    return await closing.settle_due(now=NOW + 41 * DAY)


async def test_what_is_recovered_of_a_settled_use_is_collected_though_it_is_held_back(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_town(db, 2_000) as town:
        red = await town.used(town.first, 2_000)
        await town.run()
        batch = await town.paid(await of(town.first))
        await confirmed(town, Subject.REDEMPTION, red)
        await town.refunded(red, now=NEXT)
        await town.used(town.second, 2_000, now=NOW + 2 * DAY)
        with monkeypatch.context() as without:
            without.setattr(collecting, "_LATE", f"{collecting._LATE} AND r.id < 0")
            assert (await town.run(D + 2 * DAY)).lines == 1
        assert await broken() == [f"refund T1 of {red} came after it was settled and is in no batch"]

        assert (await town.run(D + DAY)).lines == 1

        assert await broken() == []
        late = await town.submit(await of(town.first, D + DAY))
        assert (late.late_fen, late.pay_fen) == (2_000, 0)
        await town.paid(late)
        owed = (batch.campaign_id, batch.merchant_id, batch.shop_id)
        assert await amounts.owed_back(*owed) == 2_000
        await repayments.note(
            late.public_id,
            amount_fen=2_000,
            reference="S1",
            received_on=D + DAY,
            actor=town.clerk,
            now=NOW + 3 * DAY,
        )
        assert await amounts.owed_back(*owed) == 0
        assert await broken() == []


async def test_a_draft_of_what_is_held_alone_is_dropped_and_its_campaign_ends(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        red = await town.used(town.first, 2_000)
        await town.run()
        case = await confirmed(town, Subject.REDEMPTION, red)
        await town.refunded(red, now=NEXT)
        with pytest.raises(NothingToSettle):
            await town.submit(await of(town.first))

        assert (await town.run(D + DAY)).lines == 0

        assert (await SettlementBatch.all().count(), await SettlementLine.all().count()) == (0, 0)
        assert case.state is CaseState.CONFIRMED
        assert await over(town) == 1
        assert await broken() == []


async def test_a_dropped_draft_is_collected_once_its_case_is_released(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        red = await town.used(town.first, 2_000)
        await town.run()
        case = await opening.by_hand(
            subject=Subject.REDEMPTION, subject_ref=red, reason="投诉", actor=town.clerk, now=NEXT
        )
        assert (await town.run(D + DAY)).lines == 0
        await cases.look(case.public_id, text="看过", actor=town.clerk, now=NEXT)
        await cases.release(case.public_id, text="无误", actor=town.payer, now=NEXT)

        assert (await town.run(D + 2 * DAY)).lines == 1
        assert await SettlementBatch.all().count() == 1
        assert (await town.paid(await of(town.first, D + 2 * DAY))).pay_fen == 2_000
        assert await broken() == []


async def test_a_merchant_held_by_a_confirmed_case_still_owes_back_and_its_batches_come_to_an_end(
    db: Settings,
) -> None:
    async with a_town(db, 2_000, 3_000) as town:
        settled = await town.used(town.first, 3_000)
        await town.run()
        await town.paid(await of(town.first))
        used = await town.used(town.first, 2_000, now=NEXT)
        await town.run(D + DAY)
        agreed = await town.submit(await of(town.first, D + DAY))
        await responses.confirm(agreed.public_id, actor=town.first.cashier, now=NEXT)
        again = {"actor": town.clerk, "now": NEXT}
        with pytest.raises(WrongState):
            await batches.reopen(agreed.public_id, answer="还没认定", **again)
        await confirmed(town, Subject.MERCHANT, town.first.merchant.public_id)
        with pytest.raises(SettlementHeld):
            await batches.pay(agreed.public_id, reference="P-2", actor=town.payer, now=NEXT)
        await batches.reopen(agreed.public_id, answer="商户已认定有问题", **again)
        await town.refunded(settled, now=NOW + 2 * DAY)

        nothing = await town.paid(await of(town.first, D + DAY))
        await town.refunded(used, now=NOW + 2 * DAY, no="T2")
        assert (await town.run(D + 2 * DAY)).lines == 1
        late = await town.paid(await of(town.first, D + 2 * DAY))

        assert (nothing.redeemed_fen, nothing.pay_fen, nothing.version) == (0, 0, 2)
        assert (late.late_fen, late.pay_fen) == (3_000, 0)
        assert await over(town) == 0  # she owes 30 yuan
        assert await broken() == []


async def test_a_day_that_was_missed_is_judged_before_it_is_settled(db: Settings) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        await cash_out(town, town.first)  # on the day after D

        ran = await town.run(D + 4 * DAY)

        assert (ran.batches, ran.lines, await IntegrityCase.all().count()) == (0, 0, 4)
        assert {each.day for each in await IntegrityCase.all()} == {D + DAY}
        assert await evaluating.run_all(now=clock.at_local(D + 5 * DAY, hour=6)) == 0


async def test_the_morning_asks_about_days_that_were_missed(db: Settings) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        await cash_out(town, town.first)

        assert await evaluating.run_all(now=clock.at_local(D + 5 * DAY, hour=6)) == 4


async def test_another_late_order_of_a_voucher_stands_in_its_case(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        for n in (1, 2):
            await LateRedemption.create(
                voucher_id=77, campaign_id=town.till.world.campaign.id, platform="x", shop_id=0,
                order_no=f"E{n}", order_fen=100 * n, subsidy_fen=50 * n, paid_at=NOW, seen_at=NOW,
            )  # fmt: skip

        assert [await evaluating.late_orders(now=NEXT) for _ in range(2)] == [1, 0]

        case = await IntegrityCase.get()
        late = await LateRedemption.all().order_by("id").values_list("id", flat=True)
        assert (
            await CaseRow.filter(case_id=case.id).order_by("row_id").values_list("row_id", flat=True) == late
        )
        seen = await case_queries.case(case.public_id, actor=town.clerk)
        assert [(each.value, each.of) for each in seen.signals] == [(50, 100), (100, 200)]


async def test_whoever_looked_does_not_confirm_and_what_was_confirmed_is_looked_at_again(
    db: Settings,
) -> None:
    async with a_town(db, 2_000) as town:
        red = await town.used(town.first, 2_000)
        case = await opening.by_hand(
            subject=Subject.REDEMPTION, subject_ref=red, reason="投诉", actor=town.clerk, now=NOW
        )
        asked = {"text": "核对过", "now": NOW}
        await cases.look(case.public_id, actor=town.payer, **asked)
        for same in (town.payer, town.clerk):
            with pytest.raises(SecondPersonNeeded):
                await cases.confirm(case.public_id, actor=same, **asked)
        third = finance(town)
        await cases.confirm(case.public_id, actor=third, **asked)

        again = await cases.look(case.public_id, actor=third, **asked)

        assert (again.state, again.ended_by, again.ended_at) == (CaseState.LOOKED_AT, "", None)
        assert (await SettlementHold.get(case_id=case.id)).lifted_at is None
        with pytest.raises(SecondPersonNeeded):
            await cases.release(case.public_id, actor=third, **asked)
        await cases.release(case.public_id, actor=town.payer, **asked)
        assert (await town.run()).lines == 1
        steps = [each.step for each in await case_queries.notes(case.id)]
        assert steps == ["open", "look", "confirm", "look", "release"]
        assert await broken() == []


async def test_a_release_is_told_only_where_something_is_free_by_it(db: Settings) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        await cash_out(town, town.first)
        morning = clock.at_local(D + 2 * DAY, hour=6)
        await evaluating.run_all(now=morning)

        told = []
        for case in await IntegrityCase.all().order_by("id"):
            await cases.look(case.public_id, text="看过", actor=town.clerk, now=morning)
            await cases.release(case.public_id, text="无误", actor=town.payer, now=morning)
            told.append(await Notice.filter(kind="settlement.released").count())

        assert told == [0, 0, 0, 1]


async def test_a_case_keeps_its_rows_beside_its_numbers(db: Settings) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        await cash_out(town, town.first)
        await evaluating.run_all(now=clock.at_local(D + 2 * DAY, hour=6))

        case = await IntegrityCase.get(rule="exact_threshold")
        assert "rows" not in case.signals
        assert await CaseRow.filter(case_id=case.id).count() == 36
        kept = case.signals.replace('"value"', '"rows":[1,2,3],"value"')  # as cases were kept before
        await database.execute("UPDATE integrity_case SET signals = $1 WHERE id = $2", kept, case.id)
        (figure,) = (await case_queries.case(case.public_id, actor=town.clerk)).signals
        assert (figure.value, hasattr(figure, "rows")) == (36, False)
