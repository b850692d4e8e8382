"""A desk decides by what it last saw: whatever has changed since is found by the statement that writes."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from livehub import database
from livehub.kit.limits import Limit
from livehub.settings import Settings
from livehub.vouchers import campaigns, claim_networks, drops, latch, links, rounds
from livehub.vouchers.claims import ClaimDesk
from livehub.vouchers.identity import ClaimantRef
from livehub.vouchers.models import ClaimLink, Drop, Template, Voucher
from tests.contention import kinds, meet
from tests.factories.vouchers import NOW, World, a_broadcast, a_claimant, a_crowd, a_kind, a_world
from tests.vouchers.test_claims import desks, outcome
from tests.vouchers.test_drops import a_drop, the_link

ACCOUNTS = "SELECT 1 FROM ledger_account FOR UPDATE"


@pytest.fixture(autouse=True)
def _open_latch() -> None:
    latch.clear()


async def ask(desk: ClaimDesk, slug: str, person: ClaimantRef, key: str = "k", **given: str) -> str:
    """How a claim ended."""
    (answer,) = await asyncio.gather(
        desk.claim(slug, claimant=person, key=key, now=NOW, **given), return_exceptions=True
    )
    return outcome(answer)


async def more_stock(quantity: int) -> None:
    await database.execute("UPDATE voucher_template SET quantity = $1", quantity)
    await database.execute("UPDATE ledger_account SET balance_fen = 20000 WHERE kind = 'round:unissued'")


async def an_open_drop(world: World, quantity: int) -> tuple[Drop, ClaimLink]:
    broadcast = await a_broadcast(world)
    link = await the_link(world, broadcast)
    drop = await a_drop(world, broadcast, quantity=quantity)
    return await drops.open_drop(drop.id, actor=world.staff, now=NOW), link


async def issued() -> int:
    template = await Template.get()
    assert template.issued == await Voucher.all().count()
    return template.issued


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_rush_is_settled_as_last_seen_but_for_the_batches_that_meet_at_its_end(
    db: Settings, workers: int
) -> None:
    world = await a_world(a_kind(quantity=400))
    crowd = await a_crowd(world, 900)

    async with desks(db, workers) as opened:
        answers = await asyncio.gather(
            *(
                opened[n % workers].claim(world.link.slug, claimant=person, key="k", now=NOW)
                for n, person in enumerate(crowd)
            ),
            return_exceptions=True,
        )
        misses, fallbacks = (sum(getattr(desk, of) for desk in opened) for of in ("misses", "fallbacks"))

    assert Counter(map(outcome, answers)) == {"claimed": 400, "SOLD_OUT": 500}
    assert await issued() == 400
    assert misses <= 2 * (workers - 1)
    assert fallbacks == 0


async def test_each_of_a_mixed_batch_gets_what_her_own_link_and_kind_say(db: Settings) -> None:
    world = await a_world(a_kind(face_fen=2000), a_kind(face_fen=3000))
    other = await links.create(world.round.id, actor=world.officer, now=NOW, platform="kuaishou")
    ways = [(slug, kind) for slug in (world.link, other) for kind in world.templates]
    crowd = await a_crowd(world, 45)
    wanted = [(person, *ways[n % 4], f"10.0.0.{n % 3}") for n, person in enumerate(crowd)]

    async with desks(db) as (desk,):
        await asyncio.gather(
            *(
                desk.claim(link.slug, claimant=person, key="k", now=NOW, template=kind.public_id, ip=ip)
                for person, link, kind, ip in wanted
            )
        )
        assert (desk.misses, desk.fallbacks) == (0, 0)

    rows = await database.fetch(
        "SELECT v.claimant_id, v.link_id, v.template_id, e.amount_fen, a.ip, a.detail FROM voucher v"
        " JOIN ledger_entry e ON e.voucher_id = v.id JOIN audit_entry a ON a.object_id = v.public_id"
        " AND a.action = 'voucher.claimed'"
    )
    assert {tuple(row.values()) for row in rows} == {
        (
            *(person.id, link.id, kind.id, kind.face_fen, ip),
            f'{{"link":"{link.slug}","face_fen":{kind.face_fen}}}',
        )
        for person, link, kind, ip in wanted
    }


async def test_whoever_comes_again_is_missed_once_and_then_asked_for(db: Settings) -> None:
    world = await a_world()
    crowd = await a_crowd(world, 40)

    async with desks(db) as (desk,):
        for key in ("first", "again", "again"):
            answers = await asyncio.gather(*(ask(desk, world.link.slug, each, key) for each in crowd))
        same = [await ask(desk, world.link.slug, crowd[0], "first") for _ in range(2)]
        misses = desk.misses

    assert (set(answers), same) == ({"LIMIT_PERSON"}, ["hit", "hit"])
    assert await issued() == 40
    assert misses == 1


async def test_what_another_desk_gave_is_not_given_again(db: Settings) -> None:
    world = await a_world(a_kind(quantity=3))
    people = await a_crowd(world, 4)

    async with desks(db, 2) as (one, other):
        turns = zip((one, other, other, one), people, strict=True)
        answers = [await ask(desk, world.link.slug, person) for desk, person in turns]

    assert answers == ["claimed", "claimed", "claimed", "SOLD_OUT"]
    assert await issued() == 3


async def test_what_another_desk_gave_of_a_drop_is_not_given_again(db: Settings) -> None:
    world = await a_world()
    _, link = await an_open_drop(world, 3)
    people = await a_crowd(world, 4)

    async with desks(db, 2) as (one, other):
        turns = zip((one, other, other, one), people, strict=True)
        answers = [await ask(desk, link.slug, person) for desk, person in turns]

    assert answers == ["claimed", "claimed", "claimed", "SOLD_OUT"]
    assert await issued() == 3


async def test_what_another_desk_gave_by_a_link_is_not_given_again(db: Settings) -> None:
    world = await a_world()
    link = await links.create(world.round.id, actor=world.officer, now=NOW, quota=3)
    people = await a_crowd(world, 4)

    async with desks(db, 2) as (one, other):
        turns = zip((one, other, other, one), people, strict=True)
        answers = [await ask(desk, link.slug, person) for desk, person in turns]

    assert answers == ["claimed", "claimed", "claimed", "SOLD_OUT"]
    assert await issued() == 3


async def test_a_campaign_paused_since_gives_nothing(db: Settings) -> None:
    world = await a_world()
    people = await a_crowd(world, 2)

    async with desks(db) as (desk,):
        first = await ask(desk, world.link.slug, people[0])
        await campaigns.pause(world.campaign.id, actor=world.officer, now=NOW)
        second = await ask(desk, world.link.slug, people[1])

    assert (first, second) == ("claimed", "PAUSED")
    assert await issued() == 1


async def test_a_drop_closed_since_gives_nothing(db: Settings) -> None:
    world = await a_world()
    drop, link = await an_open_drop(world, 10)
    people = await a_crowd(world, 2)

    async with desks(db) as (desk,):
        first = await ask(desk, link.slug, people[0])
        await drops.close_drop(drop.id, actor=world.staff, now=NOW)
        second = await ask(desk, link.slug, people[1])

    assert (first, second) == ("claimed", "ENDED")
    assert await issued() == 1


async def test_stock_that_came_back_since_is_given(db: Settings) -> None:
    world = await a_world(a_kind(quantity=1))
    people = await a_crowd(world, 3)

    async with desks(db) as (desk,):
        before = [await ask(desk, world.link.slug, each) for each in people[:2]]
        await more_stock(2)
        latch.clear()
        after = await ask(desk, world.link.slug, people[2])

    assert (before, after) == (["claimed", "SOLD_OUT"], "claimed")


async def test_a_drop_made_larger_since_is_given(db: Settings) -> None:
    world = await a_world()
    _, link = await an_open_drop(world, 1)
    people = await a_crowd(world, 3)

    async with desks(db) as (desk,):
        before = [await ask(desk, link.slug, each) for each in people[:2]]
        await database.execute("UPDATE voucher_drop SET quantity = 2")
        latch.clear()
        after = await ask(desk, link.slug, people[2])

    assert (before, after) == (["claimed", "SOLD_OUT"], "claimed")


@pytest.mark.parametrize("is_latched", [False, True])
async def test_who_was_answered_is_answered_alike_after_the_stock_is_gone(
    db: Settings, is_latched: bool
) -> None:
    world = await a_world(a_kind(quantity=1))
    people = await a_crowd(world, 2)

    async with desks(db) as (desk,):
        before = [await ask(desk, world.link.slug, each) for each in people]
        if not is_latched:
            latch.clear()
        again = [await ask(desk, world.link.slug, each) for each in people]

    assert (before, again) == (["claimed", "SOLD_OUT"], ["hit", "SOLD_OUT"])
    counted = await database.fetch("SELECT reason, sum(count) AS n FROM refusal_count GROUP BY reason")
    assert counted == [{"reason": "SOLD_OUT", "n": 2}]


async def test_a_latch_answers_nobody_of_another_centre(db: Settings) -> None:
    world, other = await a_world(a_kind(quantity=1)), await a_world()
    people = [await a_claimant(world), await a_claimant(world), await a_claimant(other)]

    async with desks(db) as (desk,):
        answers = [await ask(desk, world.link.slug, each) for each in people]

    assert answers == ["claimed", "SOLD_OUT", "LINK_UNKNOWN"]


async def both(db: Settings, world: World, slug: str, desk_of: list[ClaimDesk], **given: str) -> list[str]:
    """Two people at two desks, the second of whom comes while the first has not committed."""
    people = await a_crowd(world, 2)
    answers = await meet(
        db,
        ACCOUNTS,
        *(
            lambda desk=desk, who=who: desk.claim(slug, claimant=who, key="k", now=NOW, **given)
            for desk, who in zip(desk_of, people, strict=True)
        ),
    )
    return kinds(answers)


async def test_the_last_voucher_goes_to_one_of_two_desks(db: Settings) -> None:
    world = await a_world(a_kind(quantity=1))

    async with desks(db, 2) as opened:
        answers = await both(db, world, world.link.slug, opened)

    assert answers == ["Claimed", "SoldOut"]
    assert await issued() == 1


async def test_the_last_voucher_of_a_drop_goes_to_one_of_two_desks(db: Settings) -> None:
    world = await a_world()
    _, link = await an_open_drop(world, 1)

    async with desks(db, 2) as opened:
        answers = await both(db, world, link.slug, opened)

    assert answers == ["Claimed", "SoldOut"]
    assert await issued() == 1


async def test_the_last_voucher_of_a_network_goes_to_one_of_two_desks(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_networks, "LIMIT", Limit(2, 3600))
    world = await a_world()
    ip = "203.0.113.9"

    async with desks(db, 2) as opened:
        first = await ask(opened[0], world.link.slug, await a_claimant(world), ip=ip)
        answers = await both(db, world, world.link.slug, opened, ip=ip)

    assert (first, answers) == ("claimed", ["Claimed", "RiskBlock"])
    assert await issued() == 2


async def test_a_network_seen_for_the_first_time_at_two_desks_keeps_its_limit(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_networks, "LIMIT", Limit(1, 3600))
    world = await a_world()

    async with desks(db, 2) as opened:
        answers = await both(db, world, world.link.slug, opened, ip="203.0.113.9")

    assert answers == ["Claimed", "RiskBlock"]
    assert await issued() == 1


async def test_a_claim_that_waited_while_its_drop_was_closed_is_refused(db: Settings) -> None:
    world = await a_world()
    drop, link = await an_open_drop(world, 10)
    person = await a_claimant(world)

    async with desks(db) as (desk,):
        answers = await meet(
            db,
            "SELECT 1 FROM voucher_template FOR UPDATE",
            lambda: drops.close_drop(drop.id, actor=world.staff, now=NOW),
            lambda: desk.claim(link.slug, claimant=person, key="k", now=NOW),
        )

    assert kinds(answers) == ["Drop", "Ended"]
    assert await Voucher.all().count() == 0


async def test_a_twin_refused_for_want_of_stock_hears_what_the_other_was_given(db: Settings) -> None:
    """One desk saw that nothing is left and waits; the other one knows better, and answers the same key."""
    world = await a_world(a_kind(quantity=1))
    first, second = await a_crowd(world, 2)

    async with desks(db, 2) as (late, knowing):
        await ask(late, world.link.slug, first)
        await more_stock(2)
        latch.clear()
        answers = await meet(
            db,
            ACCOUNTS,
            *(
                lambda desk=desk: desk.claim(world.link.slug, claimant=second, key="same", now=NOW)
                for desk in (knowing, late)
            ),
        )

    assert kinds(answers) == ["Claimed", "Claimed"]
    assert await issued() == 2


async def test_a_round_closed_since_gives_nothing(db: Settings) -> None:
    world = await a_world(a_kind(), a_kind(face_fen=1000))
    people = await a_crowd(world, 2)
    kind = world.template.public_id

    async with desks(db) as (desk,):
        first = await ask(desk, world.link.slug, people[0], template=kind)
        await rounds.close_round(world.round.id, actor=world.officer, now=NOW + timedelta(minutes=1))
        second = await ask(desk, world.link.slug, people[1], template=kind)

    assert (first, second) == ("claimed", "ENDED")
