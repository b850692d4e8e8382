"""A batch that goes wrong never takes the queue with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from livehub import database
from livehub.kit.group_commit import GroupCommit
from livehub.settings import Settings


async def test_a_settling_that_forgets_an_answer_harms_that_item_alone(db: Settings) -> None:
    async def settle(items: Sequence[str]) -> list[str]:
        for item in items:
            await database.execute("INSERT INTO rate_window (key, starts_at, count) VALUES ($1, 0, 1)", item)
        return [item for item in items if item != "forgotten"]

    commits: GroupCommit[str, str] = GroupCommit("tests", settle, queue_limit=10, batch_limit=10)
    commits.start()
    try:
        async with asyncio.timeout(5):
            answers = await asyncio.gather(
                *(commits.submit(item) for item in ("a", "forgotten", "c")), return_exceptions=True
            )
            with pytest.raises(RuntimeError):
                await commits.submit("forgotten")
            after = await commits.submit("d")
    finally:
        await asyncio.wait_for(commits.stop(), 5)

    assert (answers[0], answers[2], after) == ("a", "c", "d")
    assert isinstance(answers[1], RuntimeError)
    rows = await database.fetch("SELECT key FROM rate_window ORDER BY key")
    assert [row["key"] for row in rows] == ["a", "c", "d"]


async def test_an_outage_that_takes_its_time_is_told_to_all_who_wait(db: Settings) -> None:
    async def settle(items: Sequence[str]) -> list[str]:
        await asyncio.sleep(1.1)  # as long as a lock or a lost connection takes to be noticed
        raise database.DatabaseUnavailable

    commits: GroupCommit[str, str] = GroupCommit("tests", settle, queue_limit=10, batch_limit=1)
    commits.start()
    try:
        async with asyncio.timeout(3):
            answers = await asyncio.gather(
                *(commits.submit(item) for item in "abcdefgh"), return_exceptions=True
            )
    finally:
        await asyncio.wait_for(commits.stop(), 5)

    assert [type(answer) for answer in answers] == [database.DatabaseUnavailable] * 8


async def test_a_crowd_is_served_in_turns_where_a_server_commits(db: Settings) -> None:
    """Whoever is answered comes again: in one batch for all of them we and the server would idle by turns."""
    sizes: list[int] = []

    async def settle(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        await database.fetch("SELECT 1")
        return list(items)

    async def come_again_and_again(commits: GroupCommit[int, int]) -> None:
        for number in range(20):
            await commits.submit(number)

    commits: GroupCommit[int, int] = GroupCommit("tests", settle, queue_limit=100, batch_limit=100)
    commits.start()
    try:
        async with asyncio.timeout(10):
            await asyncio.gather(*(come_again_and_again(commits) for _ in range(64)))
    finally:
        await asyncio.wait_for(commits.stop(), 5)

    crowd = sizes[1:-3]  # without the first, and those who are left in the end
    if database.dialect() == "postgres":
        assert max(crowd) <= 33
        assert sum(crowd) / len(crowd) > 16
    else:
        assert min(crowd) == 64


async def test_one_that_takes_turns_leaves_half_of_a_larger_crowd(db: Settings) -> None:
    """Where many came while few were served, all of them at once would stand in one batch from then on."""
    sizes: list[int] = []
    is_open = asyncio.Event()

    async def settle(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        await is_open.wait()
        return list(items)

    commits: GroupCommit[int, int] = GroupCommit(
        "tests", settle, queue_limit=100, batch_limit=100, own_transaction=True, takes_turns=True
    )
    commits.start()
    try:
        first = asyncio.create_task(commits.submit(0))
        await asyncio.sleep(0.01)
        others = asyncio.gather(*(commits.submit(number) for number in range(79)))
        await asyncio.sleep(0.01)
        is_open.set()
        async with asyncio.timeout(10):
            assert await first == 0
            assert await others == list(range(79))
    finally:
        await asyncio.wait_for(commits.stop(), 5)

    assert sizes[:2] == ([1, 40] if database.dialect() == "postgres" else [1, 79])
