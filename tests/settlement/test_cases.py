"""A case holds settlement back and moves no money; two people release it; what is innocent has none."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub import database, process
from livehub.accounts.actors import Actor
from livehub.accounts.errors import OutOfScope, PermissionMissing, SecondPersonNeeded
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.kit.errors import Invalid, LivehubError, NotFound
from livehub.kit.states import WrongState
from livehub.notices.models import Notice
from livehub.settings import Settings
from livehub.settlement import (
    batches,
    case_queries,
    cases,
    closing,
    evaluating,
    holds,
    merchant_phones,
    opening,
    queries,
)
from livehub.settlement.case_models import CaseState, IntegrityCase, Subject
from livehub.settlement.errors import CaseKnown, HeldByCase, SettlementHeld
from livehub.settlement.models import SettlementBatch, SettlementHold, SettlementLine
from livehub.vouchers import campaign_ends, expiry, latch, ledger
from livehub.vouchers.after_models import LateRedemption
from livehub.vouchers.models import Redemption, Voucher
from tests.contention import kinds, meet
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW, a_claimant, a_kind
from tests.settlement.merchants import DAY, Counter, D, Town, a_town, broken, of
from tests.settlement.suspects import FACES, NIGHT, cash_out, fake_heat, honest_day, honest_show, use
from tests.vouchers.test_ends import MONTH, claimed, tidied
from tests.vouchers.test_matching import an_order, settle
from tests.vouchers.test_redemptions import a_till

NEXT = D + DAY  # the day of the schemes
MORNING = clock.at_local(D + 2 * DAY, hour=6)
CASH_OUT = ["exact_threshold", "night_share", "quick_use", "repeat_people"]
CASE_ROWS = "LOCK TABLE integrity_case IN EXCLUSIVE MODE"


def finance(town: Town) -> Actor:
    return an_actor(Role.FINANCE, centre_id=town.clerk.centre_id)


async def found() -> list[str]:
    return sorted(await IntegrityCase.all().values_list("rule", flat=True))


async def accounts() -> list[dict]:
    return await database.fetch("SELECT id, balance_fen FROM ledger_account ORDER BY id")


async def test_a_merchant_that_cashes_out_is_caught_and_the_honest_one_is_not(db: Settings) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        suspects = await cash_out(town, town.first)
        await honest_day(town, town.second)
        before = await accounts()

        opened = await evaluating.run_all(now=MORNING)

        assert (opened, await found()) == (4, CASH_OUT)
        assert {each.subject_id for each in await IntegrityCase.all()} == {town.first.merchant.id}
        exact = await IntegrityCase.get(rule="exact_threshold")
        seen = await case_queries.case(exact.public_id, actor=town.clerk)
        (signal,) = seen.signals
        assert (signal.value, signal.of, seen.params) == (36, 36, {"min_uses": 20, "percent": 60})
        assert (seen.held, seen.held_fen) == (36, sum(FACES) * 12)
        rows = (await case_queries.behind(seen, actor=town.clerk, size=50)).items
        assert sorted(row.id for row in rows) == sorted(suspects)
        assert all(row.is_held for row in rows)
        assert len(await case_queries.beside(seen, actor=town.clerk)) == 3
        assert await accounts() == before
        assert [each.kind for each in await Notice.filter(kind__startswith="settlement")] == [
            "settlement.held"
        ]
        assert await evaluating.run_all(now=MORNING) == 0
        assert await broken() == []


async def test_a_run_asks_the_rules_first_and_leaves_out_what_is_held(db: Settings) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        await cash_out(town, town.first)
        await honest_day(town, town.second)

        ran = await town.run(NEXT)

        assert (ran.batches, ran.lines) == (1, 24)
        assert await found() == CASH_OUT
        coming = await queries.coming(town.first.merchant.id)
        assert (coming.unsettled_fen, coming.held_fen, coming.is_held) == (36_036, 36_036, False)
        assert (await queries.coming(town.second.merchant.id)).held_fen == 0
        await town.submit(await of(town.second, NEXT))
        await _released(town)
        assert (await town.run(NEXT + DAY)).lines == 36
        assert await broken() == []


async def test_what_a_case_holds_after_a_batch_was_made_is_left_out_when_it_is_submitted(
    db: Settings,
) -> None:
    async with a_town(db, 2_000) as town:
        first, second = [await town.used(town.first, 2_000) for _ in range(2)]
        await town.run()
        case = await opening.by_hand(
            subject=Subject.REDEMPTION,
            subject_ref=first,
            reason="顾客说没有用过",
            actor=town.clerk,
            now=NOW + DAY,
        )

        batch = await town.submit(await of(town.first))

        assert batch.pay_fen == 2_000
        assert await SettlementLine.filter(batch_id=batch.id).count() == 1
        (hold,) = await SettlementHold.filter(case_id=case.id)
        with pytest.raises(HeldByCase):
            await holds.lift(hold.public_id, actor=town.payer, now=NOW + DAY)
        assert await queries.holds(town.clerk.centre_id) == []
        assert second != first
        assert await broken() == []


async def test_a_show_that_buys_from_itself_is_caught_and_its_vouchers_stay_unsettled(db: Settings) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        show = await fake_heat(town)
        await honest_show(town)
        used, later = [await town.till.voucher(await a_claimant(town.till.world)) for _ in range(2)]
        await Voucher.filter(id__in=[used.id, later.id]).update(broadcast_id=show.id)
        await town.till.redeem(used, 9_000, key="s", receipt_no="S0", now=NOW + timedelta(minutes=20))
        await settle()  # the till's order is the show's by its voucher, and none of its platforms' orders

        assert await evaluating.run_all(now=MORNING) == 2

        assert await found() == ["buyer_concentration", "undone_orders"]
        concentration = await IntegrityCase.get(rule="buyer_concentration")
        seen = await case_queries.case(concentration.public_id, actor=town.clerk)
        assert [(each.value, each.of) for each in seen.signals] == [(586, 599)]
        undone = await IntegrityCase.get(rule="undone_orders")
        (signal,) = (await case_queries.case(undone.public_id, actor=town.clerk)).signals
        assert (signal.value, signal.of) == (594, 599)
        assert (await case_queries.behind(seen, actor=town.clerk)).total == 586
        # Used only now, after the case was opened: frozen all the same.
        await town.till.redeem(later, 9_000, receipt_no="S1", now=NOW + timedelta(hours=2))
        assert (await case_queries.case(seen.id, actor=town.clerk)).held == 2
        assert (await town.run(D, now=MORNING)).lines == 0
        assert await evaluating.run_all(now=MORNING + DAY) == 0
        assert await broken() == []


async def _released(town: Town) -> None:
    for case in await IntegrityCase.filter(state=CaseState.OPEN):
        await cases.look(case.public_id, text="调了监控", actor=town.clerk, now=MORNING)
        await cases.release(case.public_id, text="核对无误", actor=town.payer, now=MORNING)


@pytest.mark.parametrize("collected", [False, True])
async def test_a_show_that_nobody_asked_about_for_a_month_is_judged_before_its_vouchers_are_settled(
    db: Settings, collected: bool
) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        show = await fake_heat(town)
        used = await town.till.voucher(await a_claimant(town.till.world))
        await Voucher.filter(id=used.id).update(broadcast_id=show.id)
        await town.till.redeem(used, 9_000, key="s", receipt_no="S0", now=NOW + timedelta(minutes=20))
        await settle()
        if collected:
            await Redemption.all().update(settled_at=NOW)

        opened = await evaluating.run_all(now=MORNING + 30 * DAY)
        ran = await town.run(D + 30 * DAY)

        assert (opened, ran.lines) == ((0, 0) if collected else (2, 0))


async def test_two_people_release_and_whoever_looked_or_opened_it_does_not(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        redemption = await town.used(town.first, 2_000)
        case = await opening.by_hand(
            subject=Subject.REDEMPTION, subject_ref=redemption, reason="重复投诉", actor=town.clerk, now=NOW
        )
        asked = {"text": "核对无误", "now": NOW}
        with pytest.raises(CaseKnown):
            await opening.by_hand(
                subject=Subject.REDEMPTION, subject_ref=redemption, reason="再来", actor=town.clerk, now=NOW
            )
        with pytest.raises(WrongState):
            await cases.release(case.public_id, actor=town.payer, **asked)
        await cases.note(case.public_id, actor=town.clerk, text="已联系商户", now=NOW)
        await cases.look(case.public_id, actor=town.payer, **asked)
        for same in (town.payer, town.clerk):
            with pytest.raises(SecondPersonNeeded):
                await cases.release(case.public_id, actor=same, **asked)
        with pytest.raises(SecondPersonNeeded):
            machine = Actor(kind="token", id=9, centre_id=town.clerk.centre_id, grants=town.clerk.grants)
            await cases.release(case.public_id, actor=machine, **asked)
        with pytest.raises(Invalid):
            await cases.release(case.public_id, actor=finance(town), text="", now=NOW)

        released = await cases.release(case.public_id, actor=finance(town), **asked)

        assert released.state is CaseState.RELEASED
        assert (await SettlementHold.get(case_id=case.id)).lifted_at == NOW
        assert [each.step for each in await case_queries.notes(case.id)] == [
            "open",
            "note",
            "look",
            "release",
        ]
        assert sorted([each.kind for each in await Notice.filter(kind__startswith="settlement")]) == [
            "settlement.held",
            "settlement.released",
        ]
        for again in (cases.release, cases.confirm, cases.look):
            with pytest.raises(WrongState):
                await again(case.public_id, actor=finance(town), **asked)
        assert (await town.run()).lines == 1


async def test_a_confirmed_case_holds_for_good_and_what_is_given_back_lets_the_campaign_end(
    db: Settings,
) -> None:
    async with a_town(db, 2_000) as town:
        redemption = await town.used(town.first, 2_000)
        case = await opening.by_hand(
            subject=Subject.VOUCHER,
            subject_ref=(
                await Redemption.get(public_id=redemption).prefetch_related("voucher")
            ).voucher.public_id,
            reason="倒卖",
            actor=town.clerk,
            now=NOW,
        )
        await cases.look(case.public_id, text="聊天记录", actor=town.clerk, now=NOW)
        before = await accounts()
        await cases.confirm(case.public_id, text="店员承认", actor=town.payer, now=NOW)
        assert await accounts() == before
        assert (await town.run()).lines == 0

        await town.refunded(redemption)

        assert (await town.run(D + DAY)).lines == 0
        await campaign_ends.end(town.till.world.campaign.id, actor=town.till.world.officer, now=NOW)
        await tidied(NOW + 40 * DAY)
        await tidied(NOW + 41 * DAY)
        assert await closing.settle_due(now=NOW + 41 * DAY) == 1
        assert await broken() == []


async def test_a_merchant_held_by_a_case_is_not_submitted(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        await town.used(town.first, 2_000)
        await town.run()
        case = await opening.by_hand(
            subject=Subject.MERCHANT,
            subject_ref=town.first.merchant.public_id,
            reason="涉嫌套券",
            actor=town.clerk,
            now=NOW,
        )
        with pytest.raises(SettlementHeld):
            await town.submit(await of(town.first))
        seen = await case_queries.case(case.public_id, actor=town.clerk)
        assert (seen.held, seen.held_fen, seen.subject_name) == (1, 2_000, "侨港海味馆")
        assert (await case_queries.behind(seen, actor=town.clerk)).total == 1


async def test_people_of_the_merchant_are_recognised_by_their_phones(db: Settings) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        phone = "13900990101"
        shown = await merchant_phones.note(
            town.first.merchant.public_id, phone=phone, actor=town.clerk, now=NOW
        )
        assert shown == "139****0101"
        await merchant_phones.note(town.first.merchant.public_id, phone=phone, actor=town.clerk, now=NOW)
        with pytest.raises(Invalid):
            await merchant_phones.note(town.first.merchant.public_id, phone="12", actor=town.clerk, now=NOW)
        with pytest.raises(NotFound):
            await merchant_phones.note("nobody", phone=phone, actor=town.clerk, now=NOW)
        cashier = await a_claimant(town.till.world, phone)
        for counter, person in ((town.first, cashier), (town.second, await a_claimant(town.till.world))):
            for n in range(3):
                at = NIGHT + timedelta(hours=8 + n)
                await use(town, counter, person, n, 5_000, claimed_at=NOW, at=at)

        assert await evaluating.run_all(now=MORNING) == 1

        (case,) = await IntegrityCase.all()
        assert (case.rule, case.subject_id) == ("staff_overlap", town.first.merchant.id)


async def test_a_late_order_has_its_case_at_once_and_holds_nothing(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)) as till:
        (voucher,) = await claimed(till, 1)
        await expiry.sweep(now=MONTH)

        await an_order(till, voucher.code_index)

        (case,) = await IntegrityCase.all()
        assert (case.rule, case.subject, case.subject_id) == ("late_redemption", Subject.VOUCHER, voucher.id)
        actor = an_actor(Role.FINANCE, centre_id=till.world.bureau.centre_id)
        seen = await case_queries.case(case.public_id, actor=actor)
        assert [(each.value, each.of) for each in seen.signals] == [(2_000, 15_000)]
        (row,) = (await case_queries.behind(seen, actor=actor)).items
        assert (row.order_ref, row.voucher) == ("E100", voucher.public_id)
        assert await SettlementHold.all().count() == 0
        # One of before there were cases is found in the morning.
        await LateRedemption.create(
            voucher_id=voucher.id + 1, campaign_id=till.world.campaign.id, platform="x", shop_id=0, order_no="E9",
            order_fen=100, subsidy_fen=50, paid_at=NOW, seen_at=NOW,
        )  # fmt: skip
        assert [await evaluating.run_all(now=MONTH) for _ in range(2)] == [1, 0]


async def test_a_bureau_sees_its_own_cases_and_nobody_handles_without_the_right(db: Settings) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        await cash_out(town, town.first)
        await evaluating.run_all(now=MORNING)
        case = await IntegrityCase.get(rule="quick_use")
        centre = {"centre_id": town.clerk.centre_id}
        other = an_actor(Role.BUREAU, bureau_id=town.till.world.bureau.id + 99, **centre)
        assert (await case_queries.cases(actor=town.till.world.officer)).total == 4
        assert (await case_queries.cases(actor=other)).total == 0
        with pytest.raises(NotFound):
            await case_queries.case(case.public_id, actor=other)
        elsewhere = an_actor(Role.FINANCE, centre_id=town.clerk.centre_id + 1)
        with pytest.raises(NotFound):
            await case_queries.case(case.public_id, actor=elsewhere)
        with pytest.raises(NotFound):
            await cases.look(case.public_id, text="看看", actor=elsewhere, now=MORNING)
        with pytest.raises(PermissionMissing):
            await cases.look(case.public_id, text="看看", actor=town.till.world.officer, now=MORNING)
        with pytest.raises((PermissionMissing, OutOfScope)):
            await cases.look(case.public_id, text="看看", actor=town.first.cashier, now=MORNING)


async def test_mornings_that_meet_open_one_case(db: Settings) -> None:
    async with a_town(db, *FACES, quantity=99) as town:
        await cash_out(town, town.first)

        answers = await meet(
            db, CASE_ROWS, *[lambda: evaluating.merchants(town.clerk.centre_id, NEXT, now=MORNING)] * 2
        )

        assert sum(answers) == 4
        assert await found() == CASH_OUT
        assert await SettlementHold.all().count() == len(
            await database.fetch("SELECT DISTINCT case_id, redemption_id FROM settlement_hold")
        )


async def test_two_who_release_at_once_release_once(db: Settings) -> None:
    async with a_town(db, 2_000) as town:
        redemption = await town.used(town.first, 2_000)
        case = await opening.by_hand(
            subject=Subject.REDEMPTION, subject_ref=redemption, reason="重复投诉", actor=town.clerk, now=NOW
        )
        await cases.look(case.public_id, text="看过了", actor=town.payer, now=NOW)

        def release():
            return database.unit(
                lambda: cases.release(case.public_id, text="无误", actor=finance(town), now=NOW)
            )

        answers = await meet(db, "SELECT 1 FROM settlement_hold FOR UPDATE", release, release)

        assert kinds(answers) == ["IntegrityCase", "WrongState"]
        assert [each.step for each in await case_queries.notes(case.id)] == ["open", "look", "release"]


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.integers(0, 1)),
        st.tuples(st.just("refund"), st.integers(0, 4)),
        st.tuples(st.just("day"), st.just(0)),
        st.tuples(st.sampled_from(("merchant", "redemption", "voucher")), st.integers(0, 4)),
        st.tuples(st.sampled_from(("look", "release", "confirm")), st.integers(0, 3)),
        st.tuples(st.just("submit"), st.integers(0, 3)),
    ),
    min_size=6,
    max_size=20,
)
STEPS = frozenset({"merchant", "redemption", "voucher", "look", "release", "confirm"})


async def _play(settings: Settings, actions: list[tuple[str, int]]) -> None:
    latch.clear()
    EXECUTOR_CACHE.clear()
    await process.start(settings)
    try:
        async with a_town(settings, 2_000, quantity=40) as town:
            days = 0
            for n, (kind, which) in enumerate(actions):
                days += kind == "day"
                before = await accounts()
                now = NOW + days * DAY + timedelta(minutes=11 * n)
                try:
                    await _step(town, kind, which, n=n, days=days, now=now)
                except LivehubError:
                    continue
                if kind in STEPS:
                    assert await accounts() == before
            assert await broken() == []
            assert ledger.is_conserved(await ledger.balances(town.till.world.campaign.id))
    finally:
        await process.stop()


async def _step(town: Town, kind: str, which: int, *, n: int, days: int, now) -> None:
    match kind:
        case "use":
            await town.used((town.first, town.second)[which], 2_000, now=now)
        case "refund":
            rows = await Redemption.all().order_by("id")
            if which < len(rows):
                await town.refunded(rows[which].public_id, now=now, no=f"T{n}")
        case "day":
            await town.run(D + (days - 1) * DAY)
        case "submit":
            found_ = await SettlementBatch.filter(state="draft").order_by("id")
            if which < len(found_):
                held = await _held_rows()
                batch = await batches.submit(found_[which].public_id, actor=town.clerk, now=now)
                rows = await SettlementLine.filter(batch_id=batch.id, refund_id=0).values_list(
                    "redemption_id", flat=True
                )
                assert not held & set(rows)
        case "look" | "release" | "confirm":
            found_cases = await IntegrityCase.all().order_by("-id")
            if which < len(found_cases):
                actor = town.clerk if kind == "look" else town.payer
                await getattr(cases, kind)(found_cases[which].public_id, text="核对", actor=actor, now=now)
        case _:
            await _open(town, kind, which, now=now)


async def _held_rows() -> set[int]:
    rows = await database.fetch(
        "SELECT r.id FROM redemption r JOIN settlement_hold h ON h.lifted_at IS NULL"
        " AND (h.redemption_id = r.id OR h.merchant_id = r.merchant_id)"
    )
    return {row["id"] for row in rows}


async def _open(town: Town, kind: str, which: int, *, now) -> None:
    counter: Counter = (town.first, town.second)[which % 2]
    ref = counter.merchant.public_id
    if kind != "merchant":
        rows = await Redemption.all().order_by("id").prefetch_related("voucher")
        if which >= len(rows):
            return
        ref = rows[which].public_id if kind == "redemption" else rows[which].voucher.public_id
    await opening.by_hand(subject=Subject(kind), subject_ref=ref, reason="核对", actor=finance(town), now=now)


def test_whatever_becomes_of_cases_no_account_changes_and_nothing_held_is_submitted(
    settings: Settings,
) -> None:
    @hypothesis_settings(max_examples=12, deadline=None, derandomize=True, database=None)
    @given(ACTIONS)
    def run(actions: list[tuple[str, int]]) -> None:
        asyncio.run(_play(settings, actions))

    run()
