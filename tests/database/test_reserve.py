"""One connection is kept apart: who must see what is wrong is answered while all others are taken."""

from __future__ import annotations

import asyncio

import pytest

from livehub import database
from livehub.database import postgres
from livehub.settings import Settings


@pytest.mark.postgres
@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_a_reserved_question_is_answered_when_all_connections_are_taken(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ACQUIRE_SECONDS", 1.0)
    everybody, let_go = asyncio.Barrier(db.pool_size + 1), asyncio.Event()

    async def take() -> None:
        async with database.transaction():
            await everybody.wait()
            await let_go.wait()

    taking = [asyncio.create_task(take()) for _ in range(db.pool_size)]
    await everybody.wait()
    try:
        assert not await is_answered()
        with database.reserved():
            assert await is_answered()
            async with database.transaction():
                assert await is_answered()
            assert await asyncio.gather(is_answered(), is_answered()) == [True, True]
    finally:
        let_go.set()
        await asyncio.gather(*taking)
    assert await is_answered()


async def is_answered() -> bool:
    try:
        return await database.fetch("SELECT 1 AS one") == [{"one": 1}]
    except database.DatabaseUnavailable:
        return False
