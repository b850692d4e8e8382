"""A show at three knowledge dates: frozen once, as it was known when due, and each change has its reason."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from livehub import database
from livehub.accounts.actors import system
from livehub.kit import clock
from livehub.reports import broadcasts, figures, review_changes, reviews
from livehub.reports.figures import Scope
from livehub.reports.invariants import reviews as invariant
from livehub.reports.models import BroadcastReview
from livehub.reports.review_changes import Change
from livehub.reports.review_figures import Part
from livehub.reports.reviews import SETTLED, Stage
from livehub.settings import Settings
from livehub.vouchers.models import Voucher
from rooms import onair, rundown
from rooms.models import Broadcast
from tests.factories.reviews import END, ROOM, START, a_show, after, end
from tests.factories.vouchers import a_claimant
from tests.vouchers.test_redemptions import a_till

TOLD = START + timedelta(minutes=30)


async def stages() -> list[tuple[str, datetime]]:
    return [(each.stage, each.as_of) for each in await BroadcastReview.all().order_by("id")]


async def test_a_stage_is_frozen_once_it_is_due_and_says_what_was_known_then(db: Settings) -> None:
    show = await a_show()
    await show.tell("during", paid_at=TOLD, told_at=TOLD, fen=5000)
    await show.tell("last minute", paid_at=END, told_at=END, fen=300)
    await show.tell("tail", paid_at=after(minutes=5), told_at=after(minutes=5), fen=70)
    await show.tell("too late for it", paid_at=after(minutes=11), told_at=after(minutes=11), fen=9)

    early = await reviews.freeze_due(now=after(minutes=10) + SETTLED - timedelta(milliseconds=1))
    made = await reviews.freeze_due(now=after(minutes=45))  # the jobs were away for a while
    again = await reviews.freeze_due(now=after(minutes=46))

    assert (early, made, again) == (0, 1, 0)
    assert await stages() == [("T+0", after(minutes=10))]
    frozen = (await show.reviewed(after(minutes=50))).frozen[Stage.T0]
    found = frozen.figures
    assert (found.g2_fen, found.refund_fen, found.g3_fen, found.orders, found.units) == (5370, 0, 5370, 3, 6)
    assert found.in_live == Part(g2_fen=5300, orders=2, units=4)
    assert found.tail_7 == Part(g2_fen=70, orders=1, units=2)
    assert frozen.made_at == after(minutes=45)
    assert [(each.key, each.g3_fen) for each in found.platforms] == [("doudian", 5370)]
    assert [(each.key, each.g3_fen) for each in found.products] == [("-", 5370)]
    assert await invariant.check() == []


async def test_every_minute_of_the_show_is_in_the_curve_with_what_happened_in_it(db: Settings) -> None:
    show = await a_show(ended=False)
    cues = [
        await rundown.add(
            show.broadcast.public_id,
            cue=rundown.Planned(kind=rundown.Kind.INTERACTION, title=title),
            actor=show.house.manager,
            now=START,
        )
        for title in ("讲沙虫", "没有讲到")
    ]
    fired = START + timedelta(minutes=7)
    await database.unit(lambda: rundown.fire(cues[0].public_id, actor=show.house.manager, now=fired))
    await end(show, END)
    await show.tell("a", paid_at=START, told_at=START, fen=100)
    await show.tell("b", paid_at=START, told_at=START, fen=20)
    await show.tell("c", paid_at=END, told_at=END, fen=3)
    await reviews.freeze_due(now=after(minutes=12))

    found = (await show.reviewed(after(minutes=13))).frozen[Stage.T0].figures

    assert len(found.curve) == 61
    assert (found.curve[0], found.curve[1], found.curve[60]) == ((120, 2), (0, 0), (3, 1))
    assert sum(fen for fen, _ in found.curve) == found.in_live.g2_fen == 123
    assert [(each.title, each.kind, each.cue, clock.from_ms(each.at_ms)) for each in found.marks] == [
        ("讲沙虫", "cue", "interaction", START + timedelta(minutes=7))
    ]


async def test_what_changed_has_its_reason_to_the_fen(db: Settings) -> None:
    show = await a_show()
    await show.tell("known", paid_at=TOLD, told_at=TOLD, fen=5000)
    await show.tell("corrected", paid_at=TOLD, told_at=TOLD, fen=800)
    await show.tell("elsewhere", paid_at=TOLD, told_at=TOLD, fen=60, room="another")
    await show.tell("thin", paid_at=TOLD, told_at=TOLD, thin=True)
    later = after(days=3)
    await show.tell("known", paid_at=TOLD, told_at=later, fen=5000, refunded=2000)
    await show.tell("corrected", paid_at=TOLD, told_at=later, fen=750)
    await show.tell("thin", paid_at=TOLD, told_at=later, fen=11)
    await show.tell("late", paid_at=TOLD, told_at=later, fen=7)
    await show.tell("tail", paid_at=after(days=2), told_at=later, fen=1_000_000)
    await show.bind("another", now=later)
    await show.bind(ROOM, now=later)
    await reviews.freeze_due(now=after(days=7, minutes=3))

    seen = await show.reviewed(after(days=8))

    first, second = (seen.frozen[each].figures for each in (Stage.T0, Stage.T7))
    (stage, following, change), (last, now, nothing) = seen.changes
    assert (stage, following, last, now) == (Stage.T0, Stage.T7, Stage.T7, None)
    assert (first.pending, first.g3_fen) == (1, 5800)
    assert change.tail == Change(fen=1_000_000, orders=1)
    assert change.late == Change(fen=18, orders=2)  # one of them was known without its amount
    assert change.corrected == Change(fen=-50, orders=1)
    assert change.refunds == Change(fen=-2000, orders=1)
    assert change.moved == Change()
    assert change.fen == second.g3_fen - first.g3_fen
    assert nothing.fen == 0
    assert second.refund_fen == 2000
    assert await invariant.check() == []


async def test_an_order_that_was_known_and_found_its_show_later_was_moved(db: Settings) -> None:
    show = await a_show(bound=False)
    await show.tell("o", paid_at=TOLD, told_at=TOLD, fen=5000)
    await show.tell("o", paid_at=TOLD, told_at=after(minutes=3), fen=5000, refunded=1000)
    await show.bind(ROOM, now=after(days=1))

    change = await review_changes.between(
        (await show.reviewed(after(days=2))).frame, since=after(minutes=10), until=after(days=2)
    )

    assert change.moved == Change(fen=4000, orders=1)
    assert change.fen == 4000


async def test_an_order_that_is_not_read_yet_has_no_amount_and_no_place(db: Settings) -> None:
    show = await a_show()
    await show.tell("thin", paid_at=TOLD, told_at=TOLD, thin=True)
    await reviews.freeze_due(now=after(minutes=12))

    found = (await show.reviewed(after(minutes=13))).frozen[Stage.T0].figures

    assert (found.pending, found.g2_fen, found.orders) == (1, 0, 0)
    listed = (await broadcasts.results([show.broadcast.id]))[show.broadcast.id]
    assert (listed.pending, listed.g2_fen, listed.orders) == (1, 0, 0)


async def test_a_show_that_nobody_ended_is_reviewed_from_the_end_that_was_noted(db: Settings) -> None:
    show = await a_show(ended=False)
    await show.tell("o", paid_at=START, told_at=START, fen=50)
    await onair.end_abandoned(actor=system("end_abandoned"), now=after(minutes=30))

    await reviews.freeze_due(now=after(minutes=31))

    kept = await Broadcast.get(id=show.broadcast.id)
    assert kept.ended_at == START + timedelta(minutes=5)
    assert await stages() == [("T+0", START + timedelta(minutes=15))]


async def test_a_show_that_goes_on_again_is_reviewed_anew(db: Settings) -> None:
    show = await a_show()
    await show.tell("o", paid_at=TOLD, told_at=TOLD, fen=50)
    await reviews.freeze_due(now=after(minutes=12))
    await database.unit(
        lambda: onair.start(show.broadcast.public_id, actor=show.house.manager, now=after(minutes=13))
    )
    assert await reviews.freeze_due(now=after(minutes=14)) == 0
    await end(show, after(minutes=20))
    await show.tell("p", paid_at=after(minutes=15), told_at=after(minutes=15), fen=7)

    before = (await show.reviewed(after(minutes=21))).frozen
    await reviews.freeze_due(now=after(minutes=33))
    seen = (await show.reviewed(after(minutes=34))).frozen

    assert before == {}
    assert [(each.run, each.as_of) for each in await BroadcastReview.all().order_by("id")] == [
        (1, after(minutes=10)),
        (2, after(minutes=30)),
    ]
    assert seen[Stage.T0].figures.in_live == Part(g2_fen=57, orders=2, units=4)
    assert await invariant.check() == []


async def test_two_processes_freeze_a_stage_once(db: Settings) -> None:
    show = await a_show()
    await show.tell("o", paid_at=TOLD, told_at=TOLD, fen=50)
    (due,) = await reviews._due(Stage.T0, now=after(minutes=12), limit=9)

    made = await asyncio.gather(*(reviews.freeze(due, now=after(minutes=n)) for n in range(12, 16)))

    assert sorted(made) == [False, False, False, True]
    assert await BroadcastReview.all().count() == 1


async def test_what_was_stamped_before_the_instant_and_committed_after_it_is_waited_for(db: Settings) -> None:
    show = await a_show()
    due = after(minutes=10)
    seen_at_once = await reviews.freeze_due(now=due)
    await show.tell("slow", paid_at=TOLD, told_at=due, fen=50)  # its transaction was under way at the instant
    await reviews.freeze_due(now=due + SETTLED)

    found = (await show.reviewed(after(minutes=20))).frozen[Stage.T0].figures

    assert (seen_at_once, found.g3_fen) == (0, 50)
    assert await invariant.check() == []


async def test_a_review_that_is_not_what_the_entries_say_is_told(db: Settings) -> None:
    show = await a_show()
    await show.tell("o", paid_at=TOLD, told_at=TOLD, fen=50)
    (due,) = await reviews._due(Stage.T0, now=after(minutes=12), limit=9)
    await reviews.freeze(due, now=after(minutes=12))
    assert await invariant.check() == []

    await show.tell("forged into the past", paid_at=TOLD, told_at=TOLD, fen=1)

    assert await invariant.check() == [
        f"review {show.broadcast.public_id} T+0 is not what the entries say of its instant"
    ]


async def test_one_review_that_cannot_be_made_keeps_no_other_waiting(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_show()
    await a_show(bound=False)
    broken = await Broadcast.all().order_by("-id").first()
    assert broken is not None
    right = reviews.freeze

    async def freeze(due: reviews.Due, *, now: datetime) -> bool:
        if due.broadcast_id == broken.id:
            raise ValueError("out of order")
        return await right(due, now=now)

    monkeypatch.setattr(reviews, "freeze", freeze)
    with pytest.raises(ExceptionGroup):
        await reviews.freeze_due(now=after(minutes=12))

    assert [each.broadcast_id for each in await BroadcastReview.all()] == [broken.id - 1]


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happened_the_reasons_add_up_to_the_difference(db: Settings, seed: int) -> None:
    """Random histories by the domain's own intake: sales, refunds, corrections, thin messages, rooms bound."""
    chance = random.Random(seed)
    show = await a_show(bound=chance.random() < 0.7)
    told: dict[str, tuple[datetime, int]] = {}
    clocks = sorted(chance.uniform(0, 31 * 24 * 60) for _ in range(40))
    moments = [*(START + timedelta(minutes=chance.uniform(0, 60)) for _ in range(15))]
    moments += [after(minutes=round(each)) for each in clocks]
    for n, at in enumerate(sorted(moments)):
        match chance.choice(["new", "new", "late", "thin", "refund", "correct", "bind"]):
            case "bind" if n % 3 == 0:
                await show.bind(chance.choice([ROOM, "another"]), now=at)
            case "refund" | "correct" as what if told:
                ref = chance.choice(sorted(told))
                paid_at, fen = told[ref]
                fen = chance.randrange(1, 9000) if what == "correct" else fen
                told[ref] = (paid_at, fen)
                refunded = chance.randrange(1, fen + 1) if what == "refund" else 0
                await show.tell(ref, paid_at=paid_at, told_at=at, fen=fen, refunded=refunded, version=n)
            case what:
                paid_at = at if what == "new" else START + timedelta(minutes=chance.uniform(-5, 60))
                told[f"o{n}"] = (paid_at, chance.randrange(1, 9000))
                await show.tell(
                    f"o{n}", paid_at=paid_at, told_at=at, fen=told[f"o{n}"][1], thin=what == "thin",
                    room=chance.choice([ROOM, ROOM, "another", ""]),
                )  # fmt: skip
    await reviews.freeze_due(now=after(days=30, minutes=3))

    seen = await show.reviewed(after(days=40))
    stations = [(each.as_of, each.figures) for each in seen.frozen.values()] + [(seen.as_of, seen.now)]
    for as_of, found in stations:
        scope = Scope(centre_id=show.house.centre.id, broadcast=show.broadcast.public_id, as_of=as_of)
        whole = await figures.total(scope)
        assert (found.g2_fen, found.refund_fen, found.g3_fen, found.orders, found.units, found.refunds) == (
            whole.g2_fen, whole.refund_fen, whole.g3_fen, whole.orders, whole.units, whole.refunds,
        )  # fmt: skip
        parts = (found.before, found.in_live, found.tail_7, found.tail_30, found.later)
        assert sum(part.g2_fen for part in parts) == found.g2_fen
        assert sum(part.orders for part in parts) == found.orders
        assert sum(fen for fen, _ in found.curve) == found.in_live.g2_fen
        for ranking in (found.platforms, found.products):
            assert sum(each.g3_fen for each in ranking) == found.g3_fen
    differences = [change.fen for _, _, change in seen.changes]
    known = [found.g3_fen for _, found in stations]
    assert differences == [b - a for a, b in pairwise(known)]
    assert len(differences) == 3
    assert await invariant.check() == []


async def test_a_review_says_what_was_claimed_and_used_by_then(db: Settings) -> None:
    show = await a_show()
    async with a_till(db) as till:
        for n in range(3):
            voucher = await till.voucher(await a_claimant(till.world))
            if n == 0:
                await till.redeem(voucher, receipt_no="r1")
        first, second, _ = await Voucher.all().order_by("id")
        await Voucher.filter(id__in=[first.id, second.id]).update(
            broadcast_id=show.broadcast.id, claimed_at=TOLD
        )
        await database.execute("UPDATE redemption SET at = $1", clock.to_ms(after(days=1)))
        await reviews.freeze_due(now=after(days=7, minutes=3))

        seen = (await show.reviewed(after(days=8))).frozen

    assert [(seen[each].figures.claimed, seen[each].figures.redeemed) for each in (Stage.T0, Stage.T7)] == [
        (2, 0),
        (2, 1),
    ]


def test_the_stages_are_where_the_centre_expects_them() -> None:
    assert {str(each): each.after for each in Stage} == {
        "T+0": timedelta(minutes=10),
        "T+7": timedelta(days=7),
        "T+30": timedelta(days=30),
    }
