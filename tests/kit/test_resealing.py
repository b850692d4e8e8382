"""What an older key sealed comes under the newest: in steps, beside those who write, never undoing them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from livehub import database
from livehub.accounts.actors import system
from livehub.kit import clock, resealing, sealing
from livehub.kit.resealing import Column
from livehub.kit.sealing import Keyring
from livehub.platforms import shops
from livehub.platforms.models import Endpoint
from livehub.settings import Settings
from tests.factories.accounts import a_bureau
from tests.factories.platforms import an_endpoint

TOKENS = Column("endpoint", "access_token_sealed", shops.TOKEN_PLACE)
OLD = Keyring({"old": b"o" * 32})
BOTH = Keyring({"new": b"n" * 32, "old": b"o" * 32})


async def endpoints_under_the_old_key(number: int) -> list[Endpoint]:
    sealing.install(OLD)
    bureau = await a_bureau()
    made = [await an_endpoint(bureau) for _ in range(number)]
    sealing.install(BOTH)
    return made


async def token_of(endpoint: Endpoint) -> str:
    sealed = (await Endpoint.get(id=endpoint.id)).access_token_sealed
    return BOTH.open_text(bytes(sealed or b""), place=shops.TOKEN_PLACE)


async def test_it_goes_on_where_it_was_ended(db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "BATCH", 2)
    monkeypatch.setattr(resealing, "LOOK", 3)
    made = await endpoints_under_the_old_key(7)

    async with aclosing(resealing.reseal(TOKENS)) as batches:
        assert await anext(batches) == 2
    assert await resealing.counts(TOKENS) == {"new": 2, "old": 5}

    assert sum([number async for number in resealing.reseal(TOKENS)]) == 5
    assert await resealing.counts(TOKENS) == {"new": 7}
    assert [number async for number in resealing.reseal(TOKENS)] == []
    assert {await token_of(each) for each in made} == {"access-token-of-tests"}


async def test_what_is_changed_meanwhile_is_not_undone(db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (endpoint,) = await endpoints_under_the_old_key(1)
    reading, honest = asyncio.Event(), database.write_rows

    async def slowly(*args: Any) -> int:
        reading.set()
        await asyncio.sleep(0.2)  # it has read, and has not written yet
        return await honest(*args)

    monkeypatch.setattr(database, "write_rows", slowly)

    async def change() -> None:
        await reading.wait()
        by = system("tests", centre_id=endpoint.centre_id)
        await shops.set_access_token(endpoint.id, access_token="changed", actor=by, now=clock.now())

    async def reseal() -> list[int]:
        return [number async for number in resealing.reseal(TOKENS)]

    await asyncio.gather(reseal(), change())

    assert await token_of(endpoint) == "changed"


@pytest.mark.parametrize("settings", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_it_waits_for_nobody_and_takes_what_was_held_the_next_time(db: Settings) -> None:
    first, second = await endpoints_under_the_old_key(2)
    held, released = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with database.transaction():
            await database.fetch("SELECT id FROM endpoint WHERE id = $1 FOR UPDATE", first.id)
            held.set()
            await asyncio.wait_for(released.wait(), timeout=10)

    holding = asyncio.create_task(hold())
    await held.wait()
    assert [number async for number in resealing.reseal(TOKENS)] == [1]
    released.set()
    await holding
    assert await resealing.counts(TOKENS) == {"new": 1, "old": 1}

    assert [number async for number in resealing.reseal(TOKENS)] == [1]
    assert await token_of(first) == await token_of(second) == "access-token-of-tests"


async def test_what_no_key_opens_stays_and_stops_nothing(db: Settings) -> None:
    broken, _ = await endpoints_under_the_old_key(2)
    strange = Keyring({"old": b"x" * 32}).seal_text("strange", place=shops.TOKEN_PLACE)
    await Endpoint.filter(id=broken.id).update(access_token_sealed=strange)

    assert [number async for number in resealing.reseal(TOKENS)] == [1]
    assert await resealing.counts(TOKENS) == {"new": 1, "old": 1}

    sealing.install(Keyring({"newest": b"z" * 32}))  # both older ones were thrown away
    assert [number async for number in resealing.reseal(TOKENS)] == []
    assert await resealing.counts(TOKENS) == {"new": 1, "old": 1}
