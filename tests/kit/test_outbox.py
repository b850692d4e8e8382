"""Facts handed out: each listener once, however many processes hand out, sleep or fail."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec import Struct

from livehub import database
from livehub.kit import clock, limits, outbox
from livehub.kit.limits import RateWindow
from livehub.kit.outbox import OutboxMessage
from livehub.settings import Settings
from tests.contention import meet

NOW = clock.from_ms(1_780_000_000_000)


class Rang(Struct, frozen=True):
    """A bell was rung."""

    bell: str


class Tower:
    """Hears bells: counted in the listener's own transaction, and as it was called."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.broken = False

    async def hear(self, fact: Rang, now: datetime) -> None:
        self.called.append(fact.bell)
        await limits.hit(fact.bell, seconds=3600, now=NOW)
        if self.broken:
            raise RuntimeError("the rope tore")


def a_tower() -> Tower:
    tower = Tower()
    outbox.connect({Rang: {"tower": tower.hear}})
    return tower


async def ring(*bells: str) -> None:
    async with database.transaction():
        for bell in bells:
            await outbox.record(Rang(bell), now=NOW)


async def time_passes() -> None:
    """Two hours of the database's clock: every lease and every wait is over."""
    await database.execute(
        "UPDATE outbox_message SET lease_until = lease_until - 7200000, next_attempt_at = next_attempt_at - 7200000"
    )


async def heard() -> dict[str, int]:
    return {each.key: each.count for each in await RateWindow.all()}


async def test_two_processes_hand_each_fact_out_once(db: Settings) -> None:
    tower = a_tower()
    bells = [f"bell{n}" for n in range(9)]
    await ring(*bells)

    async def hand_out() -> int:
        return await outbox.hand_out(now=NOW, limit=4)

    await meet(db, "SELECT 1 FROM outbox_message ORDER BY id LIMIT 1 FOR UPDATE", hand_out, hand_out)
    await hand_out()

    assert sorted(tower.called) == bells
    assert await heard() == dict.fromkeys(bells, 1)


async def test_a_fact_of_a_transaction_that_failed_is_not_told(db: Settings) -> None:
    tower = a_tower()
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            await outbox.record(Rang("bell"), now=NOW)
            raise ZeroDivisionError

    assert await outbox.hand_out(now=NOW) == 0
    assert tower.called == []


async def test_a_process_that_slept_over_its_lease_leaves_nothing_behind(db: Settings) -> None:
    a_tower()
    await ring("bell")
    (slept,) = await outbox._lease(limit=1)
    await time_passes()
    (heir,) = await outbox._lease(limit=1)

    await outbox._deliver(slept, now=NOW)
    assert await heard() == {}
    await outbox._deliver(heir, now=NOW)

    assert await heard() == {"bell": 1}
    assert (await OutboxMessage.get()).status == "done"


async def test_a_failure_of_who_lost_its_lease_is_nobodys_failure(db: Settings) -> None:
    tower = a_tower()
    await ring("bell")
    (slept,) = await outbox._lease(limit=1)
    await time_passes()
    await outbox._lease(limit=1)
    before = await database.fetch("SELECT * FROM outbox_message")

    tower.broken = True
    await outbox._deliver(slept, now=NOW)

    assert await database.fetch("SELECT * FROM outbox_message") == before


async def test_a_listener_that_always_fails_is_given_up_and_wrote_nothing(db: Settings) -> None:
    tower = a_tower()
    tower.broken = True
    await ring("bell")

    for _ in range(outbox.MAX_ATTEMPTS + 3):
        await outbox.hand_out(now=NOW)
        await time_passes()

    row = await OutboxMessage.get()
    assert (row.status, row.attempts, len(tower.called)) == ("dead", outbox.MAX_ATTEMPTS, outbox.MAX_ATTEMPTS)
    assert await heard() == {}
