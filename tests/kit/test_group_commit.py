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
