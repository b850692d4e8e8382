"""Claims under a crowd: not one more and not one fewer, and the same answer to the same key."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from livehub import database
from livehub.settings import Settings
from livehub.vouchers import latch, ledger, links
from livehub.vouchers.claims import ClaimDesk, Claimed
from livehub.vouchers.errors import (
    Ended,
    IdempotencyMismatch,
    LimitPerson,
    LinkUnknown,
    NotStarted,
    SoldOut,
    WrongPlatform,
)
from livehub.vouchers.models import Account, ClaimSlot, Template, Voucher
from tests.factories.vouchers import NOW, a_claimant, a_crowd, a_kind, a_world, warm


@pytest.fixture(autouse=True)
def _open_latch() -> None:
    latch.clear()


@asynccontextmanager
async def desks(settings: Settings, number: int = 1) -> AsyncIterator[list[ClaimDesk]]:
    """Desks as of so many workers, with room for a crowd."""
    settings = msgspec.structs.replace(settings, queue_limit=20_000)
    opened = [ClaimDesk(settings) for _ in range(number)]
    await warm()
    for desk in opened:
        desk.start()
    try:
        yield opened
    finally:
        for desk in opened:
            await desk.stop()


def outcome(answer: object) -> str:
    if isinstance(answer, Claimed):
        return "hit" if answer.hit else "claimed"
    assert isinstance(answer, Exception)
    return getattr(answer, "code", repr(answer))


async def test_a_claim_leaves_a_voucher_a_slot_an_entry_and_an_audit_entry(db: Settings) -> None:
    world = await a_world()
    claimant = await a_claimant(world)

    async with desks(db) as (desk,):
        claimed = await desk.claim(world.link.slug, claimant=claimant, key="k1", now=NOW)

    voucher = await Voucher.get(public_id=claimed.voucher)
    assert (voucher.claimant_id, voucher.link_id, voucher.valid_until) == (
        claimant.id,
        world.link.id,
        claimed.valid_until,
    )
    assert await ClaimSlot.all().count() == 1
    assert (await Template.get(id=world.template.id)).issued == 1
    sums = await ledger.balances(world.campaign.id)
    assert (sums[Account.HELD], sums[Account.UNISSUED]) == (2000, 999 * 2000)
    audited = await database.fetch(
        "SELECT actor_kind, object_id FROM audit_entry WHERE action = 'voucher.claimed'"
    )
    assert audited == [{"actor_kind": "claimant", "object_id": claimed.voucher}]
    assert (await database.fetch("SELECT claims FROM claim_link"))[0]["claims"] == 1


@pytest.mark.parametrize("workers", [1, 2])
async def test_one_person_with_64_requests_gets_one_voucher(db: Settings, workers: int) -> None:
    world = await a_world(a_kind(quantity=1))
    claimant = await a_claimant(world)

    async with desks(db, workers) as opened:
        answers = await asyncio.gather(
            *(
                opened[n % workers].claim(world.link.slug, claimant=claimant, key=f"k{n}", now=NOW)
                for n in range(64)
            ),
            return_exceptions=True,
        )
        fallbacks = sum(desk.fallbacks for desk in opened)

    outcomes = Counter(map(outcome, answers))
    assert outcomes.pop("claimed") == 1
    assert sum(outcomes.values()) == 63
    assert set(outcomes) <= {"LIMIT_PERSON", "SOLD_OUT"}
    assert (await Template.get(id=world.template.id)).issued == await Voucher.all().count() == 1
    assert fallbacks == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_5000_people_with_twins_for_1000_vouchers(db: Settings, workers: int) -> None:
    world = await a_world(a_kind(quantity=1000))
    crowd = await a_crowd(world, 5000)

    async with desks(db, workers) as opened:
        answers = await asyncio.gather(
            *(
                opened[(n + twin) % workers].claim(world.link.slug, claimant=person, key="same", now=NOW)
                for n, person in enumerate(crowd)
                for twin in (0, 1)
            ),
            return_exceptions=True,
        )
        fallbacks = sum(desk.fallbacks for desk in opened)

    pairs = list(zip(answers[::2], answers[1::2], strict=True))
    kinds = Counter(tuple(sorted(map(outcome, pair))) for pair in pairs)
    assert kinds == {("claimed", "hit"): 1000, ("SOLD_OUT", "SOLD_OUT"): 4000}
    assert all(first.voucher == second.voucher for first, second in pairs if isinstance(first, Claimed))
    template = await Template.get(id=world.template.id)
    assert template.issued == await Voucher.all().count() == 1000
    assert len(set(await Voucher.all().values_list("claimant_id", flat=True))) == 1000
    assert (await ledger.balances(world.campaign.id))[Account.HELD] == 1000 * 2000
    counted = await database.fetch("SELECT reason, sum(count) AS n FROM refusal_count GROUP BY reason")
    assert counted == [{"reason": "SOLD_OUT", "n": 8000}]
    assert fallbacks == 0


async def test_one_person_over_three_links_gets_one_voucher(db: Settings) -> None:
    world = await a_world()
    slugs = [world.link.slug] + [
        (await links.create(world.round.id, actor=world.officer, now=NOW, platform=platform)).slug
        for platform in ("doudian", "kuaishou")
    ]
    same_phone = [await a_claimant(world, phone="13900001111") for _ in slugs]

    async with desks(db) as (desk,):
        answers = await asyncio.gather(
            *(
                desk.claim(slug, claimant=who, key=f"k{n}", now=NOW)
                for n, (slug, who) in enumerate(zip(slugs, same_phone, strict=True))
            ),
            return_exceptions=True,
        )

    assert Counter(map(outcome, answers)) == {"claimed": 1, "LIMIT_PERSON": 2}


async def test_same_key_same_body_is_answered_alike_and_another_body_is_refused(db: Settings) -> None:
    world = await a_world()
    other = await links.create(world.round.id, actor=world.officer, now=NOW)
    claimant = await a_claimant(world)

    async with desks(db) as (desk,):
        first = await desk.claim(world.link.slug, claimant=claimant, key="k", now=NOW)
        again = await desk.claim(world.link.slug, claimant=claimant, key="k", now=NOW)
        with pytest.raises(IdempotencyMismatch):
            await desk.claim(other.slug, claimant=claimant, key="k", now=NOW)

    assert again == msgspec.structs.replace(first, hit=True)
    assert await Voucher.all().count() == 1


async def test_a_refusal_does_not_use_the_key_up(db: Settings) -> None:
    world = await a_world(a_kind(quantity=1))
    first, second = await a_crowd(world, 2)

    async with desks(db) as (desk,):
        await desk.claim(world.link.slug, claimant=first, key="k", now=NOW)
        with pytest.raises(SoldOut):
            await desk.claim(world.link.slug, claimant=second, key="k", now=NOW)
        await database.execute("UPDATE voucher_template SET quantity = 2")
        await database.execute("UPDATE ledger_account SET balance_fen = 2000 WHERE kind = 'round:unissued'")
        latch.clear()
        claimed = await desk.claim(world.link.slug, claimant=second, key="k", now=NOW)

    assert not claimed.hit


async def test_the_success_of_a_key_is_repeated_after_the_stock_is_gone(db: Settings) -> None:
    world = await a_world(a_kind(quantity=1))
    first, second = await a_crowd(world, 2)

    async with desks(db) as (desk,):
        claimed = await desk.claim(world.link.slug, claimant=first, key="k", now=NOW)
        with pytest.raises(SoldOut):
            await desk.claim(world.link.slug, claimant=second, key="k", now=NOW)
        assert latch.round_of((world.link.slug, "")) == world.round.id
        again = await desk.claim(world.link.slug, claimant=first, key="k", now=NOW)

    assert again == msgspec.structs.replace(claimed, hit=True)


async def test_a_link_gives_no_more_than_its_quota(db: Settings) -> None:
    world = await a_world()
    link = await links.create(world.round.id, actor=world.officer, now=NOW, quota=3)
    crowd = await a_crowd(world, 10)

    async with desks(db, 2) as opened:
        answers = await asyncio.gather(
            *(
                opened[n % 2].claim(link.slug, claimant=person, key="k", now=NOW)
                for n, person in enumerate(crowd)
            ),
            return_exceptions=True,
        )

    assert Counter(map(outcome, answers)) == {"claimed": 3, "SOLD_OUT": 7}


async def test_a_person_limit_of_two_and_a_platform_scope(db: Settings) -> None:
    world = await a_world(a_kind(rules={"per_person": {"limit": 2}, "platform_scope": {"only": ["doudian"]}}))
    link = await links.create(world.round.id, actor=world.officer, now=NOW, platform="doudian")
    claimant = await a_claimant(world)

    async with desks(db) as (desk,):
        for key in ("a", "b"):
            await desk.claim(link.slug, claimant=claimant, key=key, now=NOW)
        with pytest.raises(LimitPerson):
            await desk.claim(link.slug, claimant=claimant, key="c", now=NOW)
        with pytest.raises(WrongPlatform):
            await desk.claim(world.link.slug, claimant=claimant, key="d", now=NOW)


async def test_unknown_links_early_and_late_claims_are_refused(db: Settings) -> None:
    world = await a_world()
    claimant = await a_claimant(world)

    async with desks(db) as (desk,):
        for slug, at, refusal in (
            ("nosuchlink", NOW, LinkUnknown),
            (world.link.slug, world.round.claim_from.replace(year=2025), NotStarted),
            (world.link.slug, world.round.claim_until, Ended),
        ):
            with pytest.raises(refusal):
                await desk.claim(slug, claimant=claimant, key="k", now=at)


async def test_claims_of_one_kind_do_not_use_up_another(db: Settings) -> None:
    world = await a_world(a_kind(quantity=100), a_kind(quantity=1))
    first, second = (each.public_id for each in world.templates)
    people = await a_crowd(world, 9)

    async with desks(db) as (desk,):
        answers = await asyncio.gather(
            *(
                desk.claim(
                    world.link.slug,
                    claimant=person,
                    key="k",
                    now=NOW,
                    template=second if n == 8 else first,
                )
                for n, person in enumerate(people)
            ),
            return_exceptions=True,
        )

    assert Counter(map(outcome, answers)) == {"claimed": 9}
