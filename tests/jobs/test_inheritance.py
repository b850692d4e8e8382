"""What a killed process held is free as soon as its successor is there, and what the living hold is not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jobs import loops
from livehub.inbox import queue, receiving
from livehub.kit import leases, outbox
from livehub.orders import fetching
from livehub.orders.fetching import Fetcher
from livehub.orders.pulling import Puller
from livehub.settings import Settings
from tests.conftest import ROOT
from tests.factories.orders import World, a_world
from tests.kit.test_outbox import a_tower, ring
from tests.orders.test_fetching import a_job
from tests.orders.test_histories import PAID, arrival, told

WAITS = """
import sys, time
from pathlib import Path
from livehub.kit import leases
with leases.seated(Path(sys.argv[1])):
    print(leases.inherited()[0], flush=True)
    time.sleep(60)
"""


async def a_process(seats: Path) -> tuple[asyncio.subprocess.Process, int]:
    """One that has a seat and does nothing else; the first of its tokens."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WAITS, str(seats)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    return process, int(await process.stdout.readline())


async def test_the_successor_of_a_killed_process_has_its_seat(tmp_path: Path) -> None:
    (one, first), (other, second) = [await a_process(tmp_path / "seats") for _ in range(2)]
    one.send_signal(signal.SIGKILL)
    await one.wait()
    heir, inherited = await a_process(tmp_path / "seats")

    for each in (other, heir):
        each.kill()
        await each.wait()
    assert inherited == first != second


async def test_a_seat_of_the_living_is_nobody_elses(db: Settings) -> None:
    seats = db.data_dir / "seats"
    with leases.seated(seats):
        living = leases.inherited()
        file = leases._locked(seats)
        assert file is not None
        assert leases._number(file) << leases._BITS != living[0]
        os.close(file)


async def test_where_no_seat_can_be_kept_there_is_nothing_to_inherit(tmp_path: Path) -> None:
    (tmp_path / "seats").write_text("in the way")

    with leases.seated(tmp_path / "seats"):
        assert not leases.has_seat()
        assert leases.token() > 0


async def a_message(_: Settings) -> Callable[[], Awaitable[list[Any]]]:
    world = await a_world()
    await receiving.store([arrival(world, f"o{n}", 1, told("paid", PAID)) for n in range(2)])
    return lambda: queue.lease(limit=1, seconds=30)


async def a_fact(_: Settings) -> Callable[[], Awaitable[list[Any]]]:
    a_tower()
    await ring("one", "two")

    async def take() -> list[Any]:
        return list(await outbox._lease(limit=1))

    return take


async def a_fetch(db: Settings) -> Callable[[], Awaitable[list[Any]]]:
    origin = await a_job(db, "6900000000000000010", "6900000000000000011")
    return lambda: fetching._lease(origin.endpoint_id, limit=1)


HELD = {
    "message": (a_message, queue.inherit),
    "fact": (a_fact, outbox.inherit),
    "fetch": (a_fetch, fetching.inherit),
}


@pytest.mark.parametrize("what", HELD)
async def test_the_heir_frees_what_the_dead_held_and_nothing_else(db: Settings, what: str) -> None:
    a_thing, inherit = HELD[what]
    take = await a_thing(db)
    with leases.seated(db.data_dir / "living"):
        (living,) = await take()
    with leases.seated(db.data_dir / "seats"):
        (dead,) = await take()
        assert await take() == []

    with leases.seated(db.data_dir / "seats"):
        assert await inherit() == 1
        again = await take()
        assert await take() == []

    assert [_id(each) for each in again] == [_id(dead)] != [_id(living)]


def _id(row: Any) -> int:
    return int(row["id"] if isinstance(row, dict) else row.id)


async def test_a_loop_inherits_before_its_first_lease_and_not_again(db: Settings, world: World) -> None:
    await receiving.store([arrival(world, "o1", 1, told("paid", PAID))])
    with leases.seated(db.data_dir / "seats"):
        await queue.lease(limit=1, seconds=30)
    with leases.seated(db.data_dir / "seats"):
        fetcher = Fetcher()
        every = {
            each.name: each.step
            for each in loops.every_loop(fetcher=fetcher, puller=Puller(), lease_seconds=30)
        }
        assert await every["intake"]() == 1

        await receiving.store([arrival(world, "o2", 1, told("paid", PAID))])
        await queue.lease(limit=1, seconds=30)
        assert await every["intake"]() == 0
        await fetcher.close()
