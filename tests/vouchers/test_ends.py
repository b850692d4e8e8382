"""After their time: vouchers give their money back, rounds close, finish and roll over, campaigns return the rest."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.models import Role
from livehub.kit import states
from livehub.settings import Settings
from livehub.vouchers import campaign_ends, expiry, ledger, rollovers, round_ends, rounds
from livehub.vouchers.after_models import LateRedemption, RoundRollover
from livehub.vouchers.errors import Ended, Expired, RolloverDone, RolloverUnfit, SoldOut, TemplateUnfit
from livehub.vouchers.models import (
    Account,
    Campaign,
    CampaignStatus,
    Redemption,
    Round,
    RoundStatus,
    Template,
    Voucher,
    VoucherState,
)
from livehub.vouchers.new_kinds import NewPack, NewTemplate
from tests.contention import kinds, meet
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW, a_claimant, a_kind, a_pack, an_item
from tests.vouchers.test_matching import an_order, settle
from tests.vouchers.test_redemptions import Till, a_till
from tests.vouchers.test_refunds import asked, broken, lies, used

DAY = timedelta(days=1)
MONTH = NOW + 30 * DAY
ALL = (Account.AVAILABLE, Account.UNISSUED, Account.HELD, Account.RELEASED, Account.TREASURY_RETURN)


class Killed(BaseException):
    """The process ends here."""


async def claimed(till: Till, number: int, *, template: int = 0) -> list[Voucher]:
    return [await till.voucher(await a_claimant(till.world), template=template) for _ in range(number)]


async def a_later_round(till: Till, *given, sources: tuple[int, ...] = (), now=NOW) -> Round:
    return await rounds.schedule(
        till.world.campaign.id,
        templates=[each for each in given or (a_kind(quantity=0),) if isinstance(each, NewTemplate)],
        packs=[each for each in given if isinstance(each, NewPack)],
        claim_from=now,
        claim_until=now + 60 * DAY,
        actor=till.world.officer,
        now=now,
        rollover_from=sources,
    )


async def tidied(now) -> tuple[int, ...]:
    """One turn of all sweeps."""
    return (
        await round_ends.close_due(now=now),
        await expiry.sweep(now=now),
        await round_ends.finish_due(now=now),
        await rollovers.roll_due(now=now),
        await campaign_ends.return_due(now=now),
    )


async def test_unused_vouchers_give_their_money_back_two_days_after_their_time(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)) as till:
        voucher, *_ = await claimed(till, 3)
        until = voucher.valid_until

        with pytest.raises(Expired):
            await till.redeem(voucher, now=until)
        early = await expiry.sweep(now=until + expiry.GRACE - timedelta(milliseconds=1))
        swept = [await expiry.sweep(now=until + expiry.GRACE) for _ in range(2)]

        assert (early, swept) == (0, [3, 0])
        assert await lies(till, Account.HELD, Account.RELEASED) == (0, 6_000)
        assert {each.state for each in await Voucher.all()} == {VoucherState.EXPIRED}
        assert await broken() == []


async def test_what_only_merchants_take_is_free_at_once(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5, merchants_only=True)) as till:
        (voucher,) = await claimed(till, 1)
        assert await expiry.sweep(now=voucher.valid_until - timedelta(milliseconds=1)) == 0
        assert await expiry.sweep(now=voucher.valid_until) == 1


async def test_what_was_used_is_left_alone_and_a_lock_ends(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)) as till:
        await used(till)
        locked, *_ = await claimed(till, 2)
        await Voucher.filter(id=locked.id).update(state=VoucherState.LOCKED, locked_until=MONTH)

        assert await expiry.sweep(now=MONTH) == 2
        assert await lies(till, Account.HELD, Account.RELEASED, Account.PAYABLE) == (0, 4_000, 2_000)
        assert await broken() == []


async def test_many_vouchers_expire_in_batches_and_a_killed_sweep_goes_on(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    monkeypatch.setattr(expiry, "LOOK", 5)
    async with a_till(db, a_kind(quantity=20)) as till:
        await claimed(till, 7)
        real, written = expiry._expire, 0

        async def dying(*args, **given):
            nonlocal written
            if written == 2:
                raise Killed
            written += 1
            return await real(*args, **given)

        monkeypatch.setattr(expiry, "_expire", dying)
        with pytest.raises(Killed):
            await expiry.sweep(now=MONTH)
        monkeypatch.setattr(expiry, "_expire", real)

        assert await lies(till, Account.HELD, Account.RELEASED) == (6_000, 8_000)
        assert await expiry.sweep(now=MONTH) == 3
        assert await lies(till, Account.HELD, Account.RELEASED) == (0, 14_000)
        assert await broken() == []


async def test_two_sweeps_at_once_free_each_voucher_once(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=9)) as till:
        await claimed(till, 4)

        answers = await meet(db, "SELECT 1 FROM voucher FOR UPDATE", *[lambda: expiry.sweep(now=MONTH)] * 2)

        assert kinds(answers) == ["int", "int"]
        assert sorted(answers) == [0, 4]
        assert await lies(till, Account.HELD, Account.RELEASED) == (0, 8_000)
        assert await broken() == []


async def test_a_sweep_leaves_what_is_used_at_that_moment(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=9)) as till:
        first, _ = await claimed(till, 2)
        at = first.valid_until - timedelta(seconds=1)

        answers = await meet(
            db,
            "SELECT 1 FROM voucher FOR UPDATE",
            lambda: till.redeem(first, now=at),
            lambda: expiry.sweep(now=MONTH),
        )

        assert kinds(answers) in (["Redeemed", "int"], ["AlreadyUsed", "int"])
        assert await broken() == []


async def test_rounds_close_after_their_window_and_finish_when_all_is_over(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)) as till:
        (voucher,) = await claimed(till, 1)
        until = till.world.round.claim_until

        assert await round_ends.close_due(now=until - timedelta(milliseconds=1)) == 0
        assert await round_ends.close_due(now=until) == 1
        assert await round_ends.close_due(now=until) == 0
        assert await lies(till, Account.UNISSUED, Account.RELEASED) == (0, 8_000)
        assert await round_ends.finish_due(now=voucher.valid_until) == 0
        over = voucher.valid_until + expiry.GRACE
        assert await round_ends.finish_due(now=over) == 1  # and sweeps what a sweep missed
        assert await round_ends.finish_due(now=over) == 0
        assert (await Round.get()).status is RoundStatus.FINISHED
        assert await lies(till, Account.HELD, Account.RELEASED) == (0, 10_000)
        assert await broken() == []


async def test_two_that_finish_a_round_at_once_finish_it_once(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)):
        await round_ends.close_due(now=MONTH)

        answers = await meet(
            db, "SELECT 1 FROM campaign_round FOR UPDATE", *[lambda: round_ends.finish_due(now=MONTH)] * 2
        )

        assert sorted(answers) == [0, 1]


async def test_a_round_takes_what_the_earlier_one_left_and_gives_it(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=10)) as till:
        await used(till)
        await claimed(till, 2)
        later = await a_later_round(till, sources=(till.world.round.id,))
        await rounds.open_round(later.id, actor=till.world.officer, now=NOW)
        assert await Template.get(round_id=later.id).values_list("quantity", flat=True) == 0

        turns = [await tidied(MONTH), await tidied(MONTH)]

        assert turns == [(1, 2, 1, 1, 0), (0, 0, 0, 0, 0)]
        assert await lies(till, Account.UNISSUED, Account.RELEASED, Account.PAYABLE) == (18_000, 0, 2_000)
        assert (await Template.get(round_id=later.id)).quantity == 9
        assert (await Round.get(id=till.world.round.id)).status is RoundStatus.ROLLED
        assert await broken() == []


async def test_what_makes_no_whole_voucher_stays_and_a_late_refund_goes_to_the_campaign(
    db: Settings,
) -> None:
    async with a_till(db, a_kind(quantity=3)) as till:
        _, redemption = await used(till)
        await a_later_round(till, a_kind(face_fen=3_000, quantity=0), sources=(till.world.round.id,))

        await tidied(MONTH)

        assert await lies(till, Account.UNISSUED, Account.RELEASED) == (3_000, 1_000)
        assert (await RoundRollover.get()).amount_fen == 3_000
        await asked(till, redemption, now=NOW + 29 * DAY)
        assert await lies(till, Account.AVAILABLE, Account.RELEASED, Account.PAYABLE) == (2_000, 1_000, 0)
        assert await broken() == []


MOST = 2**31 - 1  # of one template, in its column


@pytest.mark.parametrize(
    ("left_fen", "given", "quantity"),
    [
        (10**14, a_kind(face_fen=10**6, threshold_fen=10**6, quantity=0), 10**8),
        (MOST, a_kind(face_fen=1, quantity=0), MOST),
        (MOST + 1, a_kind(face_fen=1, quantity=0), None),
        (10**14, a_kind(face_fen=2_000, quantity=0), None),
        (
            MOST // 50 * 50,
            a_pack(an_item(1, 1, n=50, face_fen=1, threshold_fen=1), quantity=0),
            MOST // 50 * 50,
        ),
        (MOST // 50 * 50 + 50, a_pack(an_item(1, 1, n=50, face_fen=1, threshold_fen=1), quantity=0), None),
    ],
)
async def test_a_rollover_that_makes_more_vouchers_than_can_be_counted_is_refused(
    db: Settings, left_fen: int, given: NewTemplate | NewPack, quantity: int | None
) -> None:
    async with a_till(db, a_kind(face_fen=left_fen, threshold_fen=left_fen, quantity=1)) as till:
        source = till.world.round.id
        later = await a_later_round(till, given, sources=(source,))
        await round_ends.close_due(now=MONTH)
        await round_ends.finish_due(now=MONTH)

        if quantity is None:
            with pytest.raises(RolloverUnfit, match="2,147,483,647"):
                await database.unit(lambda: rollovers.roll(source, actor=till.world.officer, now=MONTH))
            assert await rollovers.roll_due(now=MONTH) == 0
            assert await lies(till, Account.UNISSUED, Account.RELEASED) == (0, left_fen)
            assert (await Round.get(id=source)).status is RoundStatus.FINISHED
        else:
            assert await rollovers.roll_due(now=MONTH) == 1
            assert (await Template.get(round_id=later.id)).quantity == quantity
            assert await lies(till, Account.UNISSUED, Account.RELEASED) == (left_fen, 0)
        assert await broken() == []


async def test_a_rollover_asked_twice_or_at_once_happens_once(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=10)) as till:
        later = await a_later_round(till, sources=(till.world.round.id,))
        await round_ends.close_due(now=MONTH)
        await round_ends.finish_due(now=MONTH)

        def roll():
            return database.unit(
                lambda: rollovers.roll(till.world.round.id, actor=till.world.officer, now=MONTH)
            )

        answers = await meet(db, "SELECT 1 FROM voucher_template FOR UPDATE", roll, roll)
        answers.append(await roll())

        assert [each.amount_fen for each in answers] == [20_000] * 3
        assert (await Template.get(round_id=later.id)).quantity == 10
        assert await lies(till, Account.UNISSUED, Account.RELEASED) == (20_000, 0)
        assert await broken() == []


async def test_a_round_that_is_closed_while_another_rolls_into_it_keeps_no_unissued_money(
    db: Settings,
) -> None:
    async with a_till(db, a_kind(quantity=10)) as till:
        later = await a_later_round(till, sources=(till.world.round.id,))
        await round_ends.close_due(now=MONTH)
        await round_ends.finish_due(now=MONTH)

        answers = await meet(
            db,
            "SELECT 1 FROM voucher_template FOR UPDATE",
            lambda: rounds.close_round(later.id, actor=till.world.officer, now=MONTH),
            lambda: rollovers.roll(till.world.round.id, actor=till.world.officer, now=MONTH),
        )

        assert kinds(answers) == ["Round", "WrongState"]
        assert await lies(till, Account.UNISSUED, Account.RELEASED) == (0, 20_000)
        assert await broken() == []


async def test_a_plan_whose_round_closed_first_goes_to_another_one_until_the_money_has_gone(
    db: Settings,
) -> None:
    async with a_till(db, a_kind(quantity=10), budget_fen=24_000) as till:
        world, first = till.world, till.world.round.id
        plain = a_kind(quantity=1)
        early = await a_later_round(till, sources=(first,))
        late, last = [await a_later_round(till, plain) for _ in range(2)]
        await rounds.close_round(early.id, actor=world.officer, now=NOW)
        taken_over = await a_later_round(till, sources=(first,))
        assert (await RoundRollover.get()).target_id == taken_over.id
        await round_ends.close_due(now=MONTH)
        await round_ends.finish_due(now=MONTH)
        with pytest.raises(states.WrongState):
            await rollovers.plan(first, into=early.id, actor=world.officer, now=MONTH)
        with pytest.raises(RolloverUnfit):  # earlier
            await rollovers.plan(last.id, into=late.id, actor=world.officer, now=MONTH)

        answers = await meet(
            db,
            "SELECT 1 FROM campaign_round FOR UPDATE",
            lambda: rollovers.plan(first, into=late.id, actor=world.officer, now=MONTH),
            lambda: database.unit(
                lambda: rollovers.roll(first, into=last.id, actor=world.officer, now=MONTH)
            ),
        )

        assert [each.target_id for each in answers] == [late.id, last.id]
        with pytest.raises(RolloverDone, match=r"第 4 轮.*第 3 轮"):
            await rollovers.roll(first, into=late.id, actor=world.officer, now=MONTH)
        with pytest.raises(RolloverDone):
            await rollovers.plan(first, into=late.id, actor=world.officer, now=MONTH)
        assert (await rollovers.roll(first, into=last.id, actor=world.officer, now=MONTH)).is_done
        assert (await Template.get(round_id=last.id)).quantity == 11
        assert await broken() == []


async def test_only_a_finished_round_rolls_into_a_later_one_of_its_campaign(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=10)) as till:
        world = till.world
        later = await a_later_round(till, sources=(world.round.id,))
        with pytest.raises(RolloverUnfit):
            await a_later_round(till, sources=(world.round.id,))
        with pytest.raises(RolloverUnfit):
            await a_later_round(till, sources=(later.id + 1,))
        with pytest.raises(TemplateUnfit):
            await a_later_round(till)
        with pytest.raises(states.WrongState):
            await rollovers.roll(world.round.id, actor=world.officer, now=NOW)
        with pytest.raises(RolloverUnfit):
            await rollovers.roll(later.id, actor=world.officer, now=NOW)


async def test_the_end_of_a_campaign_returns_what_is_left_once(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=10), budget_fen=50_000) as till:
        voucher, redemption = await used(till)
        (other,) = await claimed(till, 1)

        ended = await campaign_ends.end(till.world.campaign.id, actor=till.world.officer, now=NOW)

        assert ended.status is CampaignStatus.ENDED
        assert await lies(till, *ALL) == (30_000, 0, 2_000, 16_000, 0)
        with pytest.raises(Ended):
            await till.claims.claim(
                till.world.link.slug, claimant=await a_claimant(till.world), key="z", now=NOW
            )
        await till.redeem(other, key="still", receipt_no="S1")
        assert await campaign_ends.return_due(now=NOW) == 0
        turns = [await tidied(MONTH), await tidied(MONTH)]
        assert turns == [(0, 0, 1, 0, 1), (0, 0, 0, 0, 0)]
        assert await lies(till, *ALL) == (0, 0, 0, 0, 46_000)
        assert (await Round.get()).status is RoundStatus.RETURNED
        await asked(till, redemption, now=NOW + 29 * DAY)
        assert await lies(till, Account.RELEASED, Account.TREASURY_RETURN) == (2_000, 46_000)
        assert await campaign_ends.return_due(now=MONTH) == 1
        assert await lies(till, Account.RELEASED, Account.TREASURY_RETURN) == (0, 48_000)
        assert (await Campaign.get()).status is CampaignStatus.ENDED
        assert (await Voucher.get(id=voucher.id)).state is VoucherState.REFUNDED
        assert await broken() == []


async def test_two_returns_at_once_return_once(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=10)) as till:
        await campaign_ends.end(till.world.campaign.id, actor=till.world.officer, now=NOW)
        await round_ends.finish_due(now=NOW)

        answers = await meet(
            db, "SELECT 1 FROM campaign_round FOR UPDATE", *[lambda: campaign_ends.return_due(now=NOW)] * 2
        )

        assert sorted(answers) == [0, 1]
        assert await lies(till, Account.RELEASED, Account.TREASURY_RETURN) == (0, 20_000)
        assert await broken() == []


async def test_only_the_bureau_and_the_manager_end_a_campaign_and_only_once(db: Settings) -> None:
    async with a_till(db) as till:
        world = till.world
        await campaign_ends.end(world.campaign.id, actor=world.officer, now=NOW)
        with pytest.raises(states.WrongState):
            await campaign_ends.end(
                world.campaign.id,
                actor=an_actor(Role.MANAGER, centre_id=world.bureau.centre_id),
                now=NOW,
            )


async def test_an_order_in_time_that_is_told_after_the_sweep_moves_nothing(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)) as till:
        (voucher,) = await claimed(till, 1)
        await expiry.sweep(now=MONTH)
        before = await lies(till)

        await an_order(till, voucher.code_index)
        async with database.transaction():
            await database.execute("UPDATE outbox_message SET status = 'waiting', lease_until = 0")
        await settle()

        late = await LateRedemption.get()
        assert (late.voucher_id, late.order_no, late.subsidy_fen) == (voucher.id, "E100", 2_000)
        assert await Redemption.all().count() == 0
        assert (await Voucher.get(id=voucher.id)).state is VoucherState.EXPIRED
        assert await lies(till) == before
        counted = await database.fetch("SELECT reason, count FROM refusal_count")
        assert counted == [{"reason": "LATE_REDEMPTION", "count": 1}]


async def test_an_order_in_time_that_is_told_before_the_sweep_is_redeemed(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)) as till:
        (voucher,) = await claimed(till, 1)
        await an_order(till, voucher.code_index)  # told thirty days later
        assert await expiry.sweep(now=MONTH) == 0
        assert (await Redemption.get()).subsidy_fen == 2_000
        assert await broken() == []


async def test_money_that_late_refunds_brought_back_is_given_again_exactly_once(db: Settings) -> None:
    kind = a_kind(face_fen=10_000, threshold_fen=10_000, quantity=1)
    async with a_till(db, kind) as till:
        voucher, redemption = await used(till, 30_000)
        await asked(till, redemption, now=voucher.valid_until)
        assert await lies(till, Account.HELD, Account.RELEASED) == (0, 10_000)
        later = await a_later_round(till, a_kind(face_fen=10_000, quantity=0), sources=(till.world.round.id,))
        await rounds.open_round(later.id, actor=till.world.officer, now=NOW)
        await tidied(MONTH)
        from livehub.vouchers import links  # noqa: PLC0415 -- one link

        link = await links.create(later.id, actor=till.world.officer, now=NOW)
        people = [await a_claimant(till.world) for _ in range(3)]

        answers = await asyncio.gather(
            *(till.claims.claim(link.slug, claimant=each, key="n", now=MONTH) for each in people),
            return_exceptions=True,
        )

        assert kinds(answers) == ["Claimed", "SoldOut", "SoldOut"]
        assert any(isinstance(each, SoldOut) for each in answers)
        assert await lies(till, Account.AVAILABLE, Account.UNISSUED, Account.HELD) == (0, 0, 10_000)
        assert ledger.is_conserved(await ledger.balances(till.world.campaign.id))
        assert await broken() == []
