"""A lottery from its announcement to the money that comes back: one lot a person, one draw, winners alone claim."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.models import AuditEntry, Role
from livehub.kit.states import WrongState
from livehub.settings import Settings
from livehub.vouchers import (
    campaign_ends,
    campaigns,
    drawing,
    draws,
    entries,
    ledger,
    lotteries,
    lottery_queries,
    round_ends,
    rounds,
)
from livehub.vouchers.claims import ClaimDesk
from livehub.vouchers.entries import Entered, EntryDesk
from livehub.vouchers.errors import (
    Ended,
    LimitPerson,
    LinkUnknown,
    ListChanged,
    LotteryUnfit,
    NotStarted,
    Paused,
    RandomnessDiffers,
    RandomnessUnfit,
    TemplateUnfit,
    VoucherRefused,
)
from livehub.vouchers.invariants import lotteries as audited
from livehub.vouchers.lottery_models import LotteryDraw, LotteryEntry, LotteryWinner
from livehub.vouchers.lottery_queries import LotteryStage
from livehub.vouchers.models import Account, Voucher
from tests.contention import kinds, meet
from tests.factories.accounts import an_actor
from tests.factories.lotteries import (
    CLOSES,
    DRAW,
    JOBS,
    OPENS,
    RANDOMNESS,
    UNTIL,
    Drawing,
    a_lottery,
    announced,
    many_entries,
    settled,
)
from tests.factories.vouchers import NOW, a_claimant, a_crowd, a_kind, a_world, warm
from tests.vouchers.test_refunds import broken

MOMENT = timedelta(milliseconds=1)
ONE_ROUND = "SELECT 1 FROM campaign_round WHERE mode = 'lottery' FOR UPDATE"


async def claim(db: Settings, lottery: Drawing, person, *, now=OPENS, key: str = "k"):
    desk = ClaimDesk(db)
    desk.start()
    try:
        return await desk.claim(lottery.link.slug, claimant=person, key=key, now=now)
    finally:
        await desk.stop()


async def test_a_lottery_goes_from_its_announcement_to_its_vouchers(db: Settings) -> None:
    lottery = await a_lottery(a_kind(quantity=3))
    people = await a_crowd(lottery.world, 8)
    lots = await lottery.enter(*people)

    await lottery.drawn()
    await lottery.opened()

    lot = await LotteryDraw.get(round_id=lottery.round.id)
    listed = [each.entry for each in lots]
    assert lot.list_hash == drawing.list_hash(listed)
    assert drawing.commitment(bytes(lot.seed)) == lot.commitment
    assert await lottery.winners() == drawing.winners(
        listed, seed=bytes(lot.seed), randomness=RANDOMNESS, number=3
    )
    outcomes = Counter()
    for person in people:
        try:
            await claim(db, lottery, person)
            outcomes["claimed"] += 1
        except VoucherRefused as refusal:
            outcomes[refusal.code] += 1
    assert outcomes == {"claimed": 3, "NOT_DRAWN": 5}
    assert await broken() == []
    assert await AuditEntry.filter(action="lottery.entered").count() == 8


async def test_a_winner_claims_once_and_the_same_key_is_the_same_claim(db: Settings) -> None:
    lottery = await a_lottery(a_kind(quantity=2))
    person = await a_claimant(lottery.world)
    await lottery.enter(person)
    await lottery.drawn()
    with pytest.raises(NotStarted):
        await claim(db, lottery, person, now=DRAW)
    await lottery.opened()

    first = await claim(db, lottery, person)
    again = await claim(db, lottery, person)
    with pytest.raises(LimitPerson):
        await claim(db, lottery, person, key="another")

    assert (again.voucher, again.hit) == (first.voucher, True)


async def test_who_signs_up_twice_has_one_lot(db: Settings) -> None:
    lottery = await a_lottery()
    person = await a_claimant(lottery.world)

    (first, twin), (later,) = await lottery.enter(person, person), await lottery.enter(person)

    assert (first.hit, twin.hit, later.hit) == (False, True, True)
    assert first.entry == twin.entry == later.entry
    assert await LotteryEntry.all().count() == 1


async def test_a_crowd_of_twins_by_two_desks_gets_one_lot_each(db: Settings) -> None:
    lottery = await a_lottery()
    people = await a_crowd(lottery.world, 300)
    await warm()
    desks = EntryDesk(db), EntryDesk(db)
    for desk in desks:
        desk.start()
    answers = await asyncio.gather(*(desk.enter(lottery.lot(each)) for each in people for desk in desks))
    for desk in desks:
        await desk.stop()

    assert await LotteryEntry.all().count() == 300
    assert len({each.entry for each in answers}) == 300
    assert Counter(each.hit for each in answers) == {False: 300, True: 300}


async def test_two_transactions_that_meet_make_one_lot(db: Settings) -> None:
    lottery = await a_lottery()
    person = await a_claimant(lottery.world)

    answers = await meet(db, ONE_ROUND, *[lambda: settled([lottery.lot(person)])] * 3)

    assert sorted(each[0].hit for each in answers) == [False, True, True]
    assert await LotteryEntry.all().count() == 1


async def test_one_may_sign_up_on_each_platform_where_the_rule_says_so(db: Settings) -> None:
    lottery = await a_lottery(a_kind(quantity=3, rules={"per_person": {"by_platform": True}}))
    person = await a_claimant(lottery.world)

    lots = [*(await lottery.enter(person, platform="jd")), *(await lottery.enter(person, platform="doudian"))]

    assert len({each.entry for each in lots}) == 2
    found = await lottery_queries.lot_of(lottery.round.id, platform="jd", person_key=person.person_key)
    assert found.entry == lots[0].entry


async def test_the_last_moment_counts_and_the_next_one_does_not(db: Settings) -> None:
    lottery = await a_lottery()
    early, late = await a_crowd(lottery.world, 2)

    answers = [*await lottery.enter(early, now=UNTIL - MOMENT), *await lottery.enter(late, now=UNTIL)]

    assert [type(each) for each in answers] == [Entered, Ended]


async def test_who_comes_while_the_list_is_frozen_is_in_it_or_is_refused(db: Settings) -> None:
    lottery = await a_lottery()
    person = await a_claimant(lottery.world)

    answers = await meet(
        db,
        ONE_ROUND,
        lambda: lotteries.freeze(lottery.round.id, actor=JOBS, now=UNTIL),
        lambda: settled([lottery.lot(person, now=UNTIL - MOMENT)]),
    )

    assert kinds(answers) == ["LotteryDraw", "list"]
    assert [type(each) for each in answers[1]] == [Ended]
    assert await broken() == []


async def test_a_list_waits_for_the_batch_that_is_being_written(db: Settings) -> None:
    lottery = await a_lottery()
    people = await a_crowd(lottery.world, 3)
    await warm()
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def a_slow_batch() -> None:
        async with database.transaction():
            await entries.settle([lottery.lot(each, now=UNTIL - MOMENT) for each in people])
            reached.set()
            await go_on.wait()

    batch = asyncio.create_task(a_slow_batch())
    await reached.wait()
    freezing = asyncio.create_task(
        database.unit(lambda: lotteries.freeze(lottery.round.id, actor=JOBS, now=UNTIL))
    )
    await asyncio.sleep(0.1)
    go_on.set()
    await batch
    lot = await freezing

    assert lot.entries == 3
    assert await broken() == []


REFUSED = {
    "before its time": (NOW - MOMENT, None, NotStarted),
    "in a paused campaign": (NOW, campaigns.pause, Paused),
    "in an ended campaign": (NOW, campaign_ends.end, Ended),
}


@pytest.mark.parametrize("when", REFUSED)
async def test_nobody_signs_up(when: str, db: Settings) -> None:
    now, before, refusal = REFUSED[when]
    lottery = await a_lottery()
    if before is not None:
        await before(lottery.world.campaign.id, actor=lottery.world.officer, now=NOW)

    answers = await lottery.enter(await a_claimant(lottery.world), now=now)

    assert [type(each) for each in answers] == [refusal]
    assert await LotteryEntry.all().count() == 0


async def test_nobody_signs_up_before_the_commitment_is_published_or_elsewhere(db: Settings) -> None:
    lottery = await a_lottery(signup=False)
    other = await a_world()

    answers = await lottery.enter(await a_claimant(lottery.world), await a_claimant(other))

    assert [type(each) for each in answers] == [NotStarted, LinkUnknown]


HOUR = timedelta(hours=1)
UNFIT = {
    "sign-up ends before it begins": ({"signup_from": UNTIL}, LotteryUnfit),
    "the number is known before the list is": ({"source_at": UNTIL - MOMENT}, LotteryUnfit),
    "the draw comes before the number": ({"draw_at": UNTIL}, LotteryUnfit),
    "claims begin before the draw": ({"draw_at": OPENS + MOMENT}, LotteryUnfit),
    "sign-up is over already": ({"signup_from": NOW - 2 * HOUR, "signup_until": NOW}, LotteryUnfit),
    "no source": ({"source": " "}, LotteryUnfit),
}


@pytest.mark.parametrize("what", UNFIT)
async def test_what_is_announced_must_be_in_order(what: str, db: Settings) -> None:
    changes, refusal = UNFIT[what]
    world = await a_world(budget_fen=10**7)

    with pytest.raises(refusal):
        await lotteries.schedule(
            world.campaign.id,
            announced(**changes),
            template=a_kind(quantity=1),
            claim_from=OPENS,
            claim_until=CLOSES,
            actor=world.officer,
            now=NOW,
        )

    assert await LotteryDraw.all().count() == 0


@pytest.mark.parametrize("rules", [{"per_person": {"limit": 2}}, {"nonsense": {}}])
async def test_a_winner_gets_one_voucher(rules, db: Settings) -> None:
    with pytest.raises((LotteryUnfit, TemplateUnfit)):
        await a_lottery(a_kind(quantity=3, rules=rules))


async def test_the_number_takes_two_persons_who_read_the_same(db: Settings) -> None:
    lottery = await a_lottery()
    await lottery.enter(*await a_crowd(lottery.world, 5))
    round_id, officer, second = lottery.round.id, lottery.world.officer, lottery.countersigner
    with pytest.raises(WrongState):  # the list is open
        await draws.enter(round_id, RANDOMNESS, actor=officer, now=DRAW)
    await lotteries.freeze(round_id, actor=JOBS, now=UNTIL)
    with pytest.raises(WrongState):  # the number is not known yet
        await draws.enter(round_id, RANDOMNESS, actor=officer, now=UNTIL)
    with pytest.raises(WrongState):
        await draws.confirm(round_id, RANDOMNESS, actor=second, now=DRAW)
    with pytest.raises(RandomnessUnfit):
        await draws.enter(round_id, "第 58 期", actor=officer, now=DRAW)
    await draws.enter(round_id, "99 99", actor=officer, now=DRAW)
    await draws.enter(round_id, RANDOMNESS, actor=officer, now=DRAW)  # corrected

    with pytest.raises(RandomnessDiffers):
        await draws.confirm(round_id, "02 07 11 18 23 31 + 08", actor=second, now=DRAW)
    with pytest.raises(WrongState):
        await draws.draw(round_id, actor=officer, now=DRAW)
    first = an_actor(Role.FINANCE, centre_id=lottery.world.bureau.centre_id, user_id=officer.id)
    with pytest.raises(SecondPersonNeeded):
        await draws.confirm(round_id, RANDOMNESS, actor=first, now=DRAW)
    lot = await draws.confirm(round_id, f" {RANDOMNESS} ", actor=second, now=DRAW)

    assert (lot.winners, lot.confirmed_by_id, lot.drawn_at) == (3, second.id, DRAW)
    with pytest.raises(WrongState):
        await draws.enter(round_id, "99 99", actor=officer, now=DRAW)


async def test_what_is_confirmed_early_is_drawn_at_its_time_and_once(db: Settings) -> None:
    lottery = await a_lottery()
    await lottery.enter(*await a_crowd(lottery.world, 5))
    round_id, known = lottery.round.id, DRAW - timedelta(minutes=10)
    await lotteries.freeze(round_id, actor=JOBS, now=UNTIL)
    await draws.enter(round_id, RANDOMNESS, actor=lottery.world.officer, now=known)
    await draws.confirm(round_id, RANDOMNESS, actor=lottery.countersigner, now=known)
    with pytest.raises(WrongState):
        await draws.draw(round_id, actor=lottery.world.officer, now=DRAW - MOMENT)

    done = [await draws.draw_due(now=each) for each in (DRAW - MOMENT, DRAW, DRAW)]
    winners = await lottery.winners()
    again = await draws.draw(round_id, actor=lottery.world.officer, now=OPENS)

    assert done == [0, 1, 0]
    assert (again.drawn_at, await lottery.winners()) == (DRAW, winners)


async def test_two_who_draw_at_once_draw_once(db: Settings) -> None:
    lottery = await a_lottery()
    await lottery.enter(*await a_crowd(lottery.world, 5))
    round_id, known = lottery.round.id, DRAW - timedelta(minutes=10)
    await lotteries.freeze(round_id, actor=JOBS, now=UNTIL)
    await draws.enter(round_id, RANDOMNESS, actor=lottery.world.officer, now=known)
    await draws.confirm(round_id, RANDOMNESS, actor=lottery.countersigner, now=known)

    answers = await meet(
        db, ONE_ROUND, *[lambda: draws.draw(round_id, actor=lottery.world.officer, now=DRAW)] * 2
    )

    assert kinds(answers) == ["LotteryDraw", "LotteryDraw"]
    assert await LotteryWinner.all().count() == 3
    assert await AuditEntry.filter(action="round.drawn").count() == 1


async def test_a_list_that_was_changed_is_not_drawn(db: Settings) -> None:
    lottery = await a_lottery()
    await lottery.enter(*await a_crowd(lottery.world, 5))
    await lotteries.freeze(lottery.round.id, actor=JOBS, now=UNTIL)
    await many_entries(lottery, 1)  # by the back door
    await draws.enter(lottery.round.id, RANDOMNESS, actor=lottery.world.officer, now=DRAW)

    with pytest.raises(ListChanged):
        await draws.confirm(lottery.round.id, RANDOMNESS, actor=lottery.countersigner, now=DRAW)

    assert await LotteryWinner.all().count() == 0
    assert any("list" in each for each in await audited.check())


async def test_the_job_goes_with_the_times_that_were_announced(db: Settings) -> None:
    lottery = await a_lottery(signup=False)
    person = await a_claimant(lottery.world)
    states = []
    for now in (NOW - MOMENT, NOW, NOW, UNTIL - MOMENT, UNTIL, DRAW, OPENS - MOMENT, OPENS, OPENS):
        if now == UNTIL - MOMENT:
            await lottery.enter(person, now=now)
        if now == DRAW:
            await draws.enter(lottery.round.id, RANDOMNESS, actor=lottery.world.officer, now=now)
            await draws.confirm(lottery.round.id, RANDOMNESS, actor=lottery.countersigner, now=now)
        done = await draws.advance(now=now)
        shown = await lottery_queries.of_round(lottery.round.id, now=now)
        states.append((done, shown.stage))

    assert states == [
        (0, LotteryStage.ANNOUNCED),
        (1, LotteryStage.SIGNUP),
        (0, LotteryStage.SIGNUP),
        (0, LotteryStage.SIGNUP),
        (1, LotteryStage.WAITING),
        (0, LotteryStage.DRAWN),
        (0, LotteryStage.DRAWN),
        (1, LotteryStage.CLAIMING),
        (0, LotteryStage.CLAIMING),
    ]


async def test_a_lottery_is_not_opened_before_it_is_drawn(db: Settings) -> None:
    lottery = await a_lottery()

    with pytest.raises(WrongState):
        await rounds.open_round(lottery.round.id, actor=lottery.world.officer, now=NOW)


async def test_a_lottery_that_is_never_drawn_gives_its_money_back(db: Settings) -> None:
    lottery = await a_lottery(a_kind(quantity=3))
    await lottery.enter(await a_claimant(lottery.world))
    await lotteries.freeze(lottery.round.id, actor=JOBS, now=UNTIL)

    await campaign_ends.end(lottery.world.campaign.id, actor=lottery.world.officer, now=DRAW)

    released = ledger.Key(lottery.world.campaign.id, Account.RELEASED, lottery.round.id)
    assert await ledger.balance(released) == 6_000
    assert (await lottery_queries.of_round(lottery.round.id, now=DRAW)).stage is LotteryStage.CANCELLED
    assert await broken() == []


async def test_a_draw_without_lots_draws_nobody(db: Settings) -> None:
    lottery = await a_lottery()

    await lottery.drawn()

    proof = await lottery_queries.proof(await lottery_queries.public(lottery.round.public_id, now=DRAW))
    assert (proof.entries, proof.winners, drawing.faults(proof)) == ([], [], [])


async def test_the_proof_that_is_published_holds_and_names_nobody(db: Settings) -> None:
    lottery = await a_lottery()
    people = await a_crowd(lottery.world, 7)
    await lottery.enter(*people)
    await lottery.drawn()

    proof = await lottery_queries.proof(await lottery_queries.public(lottery.round.public_id, now=DRAW))

    assert drawing.faults(proof) == []
    assert (len(proof.entries), len(proof.winners), proof.quantity) == (7, 3, 3)
    keys = {each.person_key.hex() for each in people} | {each.public_id for each in people}
    assert not keys & {*proof.entries, *proof.winners}


CHANGES = {
    "another commitment": "UPDATE lottery_draw SET commitment = list_hash",
    "another source": "UPDATE lottery_draw SET source = 'mine'",
    "another list": "UPDATE lottery_draw SET entries = 9",
    "another number": "UPDATE lottery_draw SET randomness = '1234'",
    "another seed": "UPDATE lottery_draw SET seed = commitment",
    "no draw at all": "DELETE FROM lottery_draw",
    "another lot": "UPDATE lottery_entry SET person_key = '0'",
    "no lot": "DELETE FROM lottery_entry",
    "another winner": "UPDATE lottery_winner SET place = place + 1",
    "no winner": "DELETE FROM lottery_winner",
}


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_that_was_told_is_changed(change: str, db: Settings) -> None:
    lottery = await a_lottery()
    await lottery.enter(*await a_crowd(lottery.world, 5))
    await lottery.drawn()

    with pytest.raises(Exception, match=r"append-only|lottery_draw_final"):
        await database.execute(CHANGES[change])


async def test_winners_of_another_draw_are_found_by_the_audit(db: Settings) -> None:
    lottery = await a_lottery(a_kind(quantity=1))
    await lottery.enter(*await a_crowd(lottery.world, 5))
    await lottery.drawn()
    loser = await LotteryEntry.exclude(
        id__in=await LotteryWinner.all().values_list("entry_id", flat=True)
    ).first()

    await LotteryWinner.create(
        entry_id=loser.id, round_id=lottery.round.id, person_key=loser.person_key, place=2
    )

    assert any("winners" in each for each in await audited.check())


async def test_vouchers_of_strangers_are_found_by_the_audit(db: Settings, monkeypatch) -> None:
    lottery = await a_lottery()
    await lottery.drawn()
    await lottery.opened()
    monkeypatch.setattr("livehub.vouchers.winners.of", _everybody)

    await claim(db, lottery, await a_claimant(lottery.world))

    assert any("not drawn" in each for each in await audited.check())


async def _everybody(asked):
    return {i for i, *_ in asked}


WINNERS, ACCEPTED, FACE = 50_000, 47_573, 20_000


async def luohu(db: Settings, *, scale: int = 1) -> None:
    """A7: 50,000 winners x 200.00, 47,573 accept; spent 8,800,000.00, the rest returns to the treasury."""
    winners, accepted = WINNERS // scale, ACCEPTED // scale
    kind = a_kind(name="罗湖红包", face_fen=FACE, threshold_fen=FACE, quantity=winners, merchants_only=True)
    lottery = await a_lottery(kind)
    await many_entries(lottery, winners + winners // 5)
    await lottery.drawn()
    await lottery.opened()
    rows = await database.fetch(
        "SELECT c.id, c.public_id, c.centre_id, c.person_key FROM lottery_winner w JOIN claimant c"
        " ON c.person_key = w.person_key ORDER BY w.place"
    )
    people = [entries.ClaimantRef(**{**row, "person_key": bytes(row["person_key"])}) for row in rows]
    desk = ClaimDesk(db)
    desk.start()
    for start in range(0, accepted, 1_000):
        await asyncio.gather(
            *(
                desk.claim(lottery.link.slug, claimant=each, key="k", now=OPENS)
                for each in people[start : min(start + 1_000, accepted)]
            )
        )
    await desk.stop()

    await round_ends.close_due(now=CLOSES)

    released = ledger.Key(lottery.world.campaign.id, Account.RELEASED, lottery.round.id)
    held = ledger.Key(lottery.world.campaign.id, Account.HELD, lottery.round.id)
    assert len(people) == winners
    assert await ledger.balance(released) == (winners - accepted) * FACE
    assert await ledger.balance(held) == accepted * FACE
    assert await Voucher.filter(round_id=lottery.round.id).count() == accepted
    if scale == 1:
        assert (winners - accepted, (winners - accepted) * FACE) == (2_427, 48_540_000)
        assert round(accepted / winners * 100, 2) == 95.15
    proof = await lottery_queries.proof(await lottery_queries.public(lottery.round.public_id, now=CLOSES))
    assert drawing.faults(proof) == []
    assert drawing.faults(type(proof)(**_as_dict(proof) | {"entries": proof.entries[1:]})) != []


def _as_dict(proof: drawing.Proof) -> dict[str, object]:
    return {name: getattr(proof, name) for name in proof.__struct_fields__}


async def test_luohu_in_small(db: Settings) -> None:
    await luohu(db, scale=100)


@pytest.mark.slow
async def test_luohu(db: Settings) -> None:
    await luohu(db)
