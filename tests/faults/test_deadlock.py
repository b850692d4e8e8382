"""Somebody locks orders the other way round: PostgreSQL ends one of the two, and ours is tried again."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from livehub.inbox import receiving
from livehub.kit import clock
from livehub.orders import intake
from livehub.orders.models import SalesOrder
from livehub.settings import Settings
from tests.factories.orders import World
from tests.orders.test_histories import LATER, PAID, arrival, sound, told


@pytest.mark.postgres
@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_intake_that_loses_a_deadlock_is_tried_again(world: World, db: Settings) -> None:
    async def receive(number: int, **order: object) -> None:
        await receiving.store([arrival(world, name, number, order) for name in ("a", "b")])

    await receive(1, **told("paid", PAID))
    assert await intake.run_once(now=clock.now(), lease_seconds=30) == 2
    await receive(2, **told("finished", LATER))

    other = await asyncpg.connect(db.database)
    lock = "SELECT 1 FROM sales_order WHERE order_ref = $1 FOR UPDATE"
    async with other.transaction():
        await other.execute("SET LOCAL deadlock_timeout = '1min'")  # so that it is intake who loses
        await other.execute(lock, "b")
        working = asyncio.create_task(intake.run_once(now=clock.now(), lease_seconds=30))
        await asyncio.sleep(0.3)
        await asyncio.wait_for(other.execute(lock, "a"), 10)
        assert not working.done()
    await other.close()

    assert await asyncio.wait_for(working, 10) == 2
    assert [order.status for order in await SalesOrder.all()] == ["finished"] * 2
    await sound()
