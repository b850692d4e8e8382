"""A machine whose clock is wrong: what is due, and for how long it is held, is decided by the database's clock."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from msgspec import Struct

from jobs.models import JobRun
from jobs.runner import Runner
from jobs.schedule import every
from livehub import database
from livehub.inbox import queue, receiving
from livehub.inbox.models import InboxMessage
from livehub.kit import clock, outbox
from livehub.notices import sending
from livehub.notices.models import Notice
from livehub.orders import intake
from livehub.settings import Settings
from tests.factories.orders import World
from tests.orders.test_histories import PAID, arrival, told

JUMPS = [timedelta(hours=1), timedelta(days=1), -timedelta(hours=1), -timedelta(days=1)]
wrong = pytest.mark.parametrize("jump", JUMPS, ids=str)


def shifted(jump: timedelta) -> time_machine.travel:
    """This process's clock is wrong by so much; those of the databases are not."""
    return time_machine.travel(clock.now() + jump, tick=True)


@wrong
async def test_what_a_machine_with_a_wrong_clock_received_is_taken_in_at_once(
    world: World, jump: timedelta
) -> None:
    with shifted(jump):
        await receiving.store([arrival(world, "o", 1, told("paid", PAID), now=clock.now())])
    assert await intake.run_once(now=clock.now(), lease_seconds=30) == 1

    await receiving.store([arrival(world, "p", 1, told("paid", PAID), now=clock.now())])
    with shifted(jump):
        assert await intake.run_once(now=clock.now(), lease_seconds=30) == 1

    days = await database.fetch("SELECT DISTINCT day FROM rollup_bucket WHERE buyer_paid <> 0")
    assert days == [{"day": 20260306}]


@wrong
async def test_a_lease_ends_when_the_database_says_so(world: World, jump: timedelta) -> None:
    await receiving.store([arrival(world, "o", 1, told("paid", PAID))])
    with shifted(jump):
        (message,) = await queue.lease(limit=1, seconds=30)
        assert await queue.take_back_expired() == 0
    assert await queue.take_back_expired() == 0
    with shifted(jump):
        await queue.release([message], wait_ms=0)
    assert len(await queue.lease(limit=1, seconds=30)) == 1


class Rang(Struct, frozen=True):
    """A bell was rung."""


@wrong
async def test_a_fact_of_a_machine_with_a_wrong_clock_is_handed_out_at_once(
    db: Settings, jump: timedelta
) -> None:
    heard: list[Rang] = []

    async def hear(fact: Rang, _now: datetime) -> None:
        heard.append(fact)

    outbox.connect({Rang: {"tower": hear}})
    with shifted(jump):
        async with database.transaction():
            await outbox.record(Rang(), now=clock.now())
    assert await outbox.hand_out(now=clock.now()) == 1
    with shifted(jump):
        assert await outbox.hand_out(now=clock.now()) == 0

    assert heard == [Rang()]


@wrong
async def test_a_message_to_somebody_goes_out_at_once_and_by_one_process(
    db: Settings, jump: timedelta
) -> None:
    async def write(key: str) -> None:
        until = clock.now() + timedelta(minutes=5)
        await sending.send(
            "one_time_code", centre_id=1, recipient="13800000000", body="1", dedupe_key=key, now=clock.now(),
            expires_at=None if key == "there" else until,
        )  # fmt: skip

    with shifted(jump):
        await write("there")
    assert await sending.deliver_waiting(clock.now()) == 1

    await write("here")
    taken = await sending._lease(limit=1)
    with shifted(jump):
        assert (len(taken), await sending.deliver_waiting(clock.now())) == (1, 0)
    await database.execute("UPDATE notice SET next_attempt_at = 0")
    with shifted(jump):
        assert await sending.deliver_waiting(clock.now()) == 1
    assert await Notice.filter(state="sent").count() == 2


@wrong
async def test_a_slot_is_run_once_whatever_the_clocks_say(db: Settings, jump: timedelta) -> None:
    runs: list[datetime] = []

    @every(minutes=60)  # by a wrong clock it would be another slot
    async def ring(now: datetime) -> None:
        runs.append(now)

    runners = [Runner({ring.name: ring}) for _ in range(2)]
    for runner, there in ((runners[0], timedelta(0)), (runners[1], jump), (Runner({ring.name: ring}), -jump)):
        with shifted(there):
            await runner.tick()
            await runner.idle()

    assert len(runs) == 1
    assert await JobRun.all().count() == 1


async def test_midnight_passes_between_two_messages_of_an_order(world: World) -> None:
    midnight = datetime(2026, 3, 7, tzinfo=clock.SHANGHAI)
    for number, at in enumerate((midnight - timedelta(seconds=1), midnight)):
        with time_machine.travel(at, tick=True):
            order = told("paid", at) | {"paid_at": at.isoformat()}
            await receiving.store([arrival(world, f"o{number}", 1, order)])
            await intake.run_once(now=clock.now(), lease_seconds=30)

    rows = await database.fetch(
        "SELECT day, sum(buyer_paid) AS fen FROM rollup_bucket WHERE buyer_paid <> 0 GROUP BY day ORDER BY day"
    )
    assert rows == [{"day": 20260306, "fen": 5000}, {"day": 20260307, "fen": 5000}]
    assert await InboxMessage.filter(status="applied").count() == 2
