"""Who comes back to a link that has nothing left: one question says what two would."""

from __future__ import annotations

import pytest

from livehub import database
from livehub.kit import clock, sealing
from livehub.settings import Settings
from livehub.vouchers import answers, identity, latch, returning
from livehub.vouchers.errors import SoldOut
from livehub.vouchers.identity import ClaimantRef
from tests.factories.vouchers import NOW, a_claimant, a_crowd, a_kind, a_world
from tests.vouchers.test_claims import desks


async def a_cookie(claimant: ClaimantRef, token: str, *, days: int = 30) -> str:
    """A cookie of hers, open for so many days."""
    await database.execute(
        "INSERT INTO claimant_session (token_hash, claimant_id, created_at, expires_at)"
        " VALUES ($1, $2, $3, $4)",
        sealing.token_hash(token),
        claimant.id,
        clock.to_ms(NOW),
        clock.to_ms(NOW) + days * 86_400_000,
    )
    return token


async def by_two_questions(token: str, key: str) -> tuple[ClaimantRef, answers.Answer | None] | None:
    claimant = (await identity.claimants_of([token], now=NOW)).get(token)
    if claimant is None:
        return None
    kept = returning.claim_key(claimant.id, key)
    return claimant, (await answers.of_keys([kept], kind="claim")).get(kept)


async def test_one_question_says_what_two_would(db: Settings) -> None:
    world, other = await a_world(a_kind(quantity=2)), await a_world()
    first, second, elsewhere = await a_claimant(world), await a_claimant(world), await a_claimant(other)
    async with desks(db) as (desk,):
        for person in (first, second):
            await desk.claim(world.link.slug, claimant=person, key=f"k{person.id}", now=NOW)
    tokens = [
        await a_cookie(first, "first"),
        await a_cookie(first, "first, of another phone"),
        await a_cookie(second, "second"),
        await a_cookie(second, "second, too old", days=0),
        await a_cookie(elsewhere, "elsewhere"),
        "nobody's",
    ]
    keys = [f"k{first.id}", f"k{second.id}", "", "%", "'"]
    asked = [(token, key) for token in tokens for key in keys]

    at_once = await returning.of(asked, now=NOW)

    for each in asked:
        found = at_once.get(each)
        one = (found.claimant, found.answer) if found is not None else None
        assert one == await by_two_questions(*each)
        assert found is None or found.key == returning.claim_key(found.claimant.id, each[1])
    assert len(at_once) == 4 * len(keys)
    assert sum(each.answer is not None for each in at_once.values()) == 3


async def test_what_was_found_of_one_key_is_not_taken_for_another(db: Settings) -> None:
    world = await a_world(a_kind(quantity=1))
    people = await a_crowd(world, 2)
    async with desks(db) as (desk,):
        slug = world.link.slug
        given = await desk.claim(slug, claimant=people[0], key="k", now=NOW)
        await a_cookie(people[0], "t")
        before = (await returning.of([("t", "k")], now=NOW))["t", "k"]
        with pytest.raises(SoldOut):
            await desk.claim(slug, claimant=people[1], key="k", now=NOW)
        assert latch.round_of((slug, "")) is not None

        again = await desk.claim(slug, claimant=people[0], key="k", now=NOW, before=before)
        with pytest.raises(SoldOut):
            await desk.claim(slug, claimant=people[1], key="k", now=NOW, before=before)
        with pytest.raises(SoldOut):
            await desk.claim(slug, claimant=people[0], key="another", now=NOW, before=before)

    assert (again.voucher, again.hit) == (given.voucher, True)
