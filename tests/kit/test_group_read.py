"""One question at a time, and never an answer that is older than who asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from livehub.kit.group_read import GroupRead


class Shelf:
    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.open = asyncio.Event()
        self.values = {"a": 1, "b": 2}

    async def fetch(self, keys: Sequence[str]) -> dict[str, int]:
        self.asked.append(sorted(keys))
        found = {key: self.values[key] for key in keys if key in self.values}
        await self.open.wait()
        if "broken" in keys:
            raise ValueError("broken")
        return found


async def test_what_is_asked_meanwhile_is_asked_together() -> None:
    shelf = Shelf()
    reads = GroupRead(shelf.fetch)

    first = asyncio.create_task(reads.get("a"))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(reads.get(key)) for key in ("a", "b", "b", "c")]
    await asyncio.sleep(0.01)
    shelf.values["a"] = 9  # after the first question, before the second
    shelf.open.set()

    assert (await first, [await each for each in others]) == (1, [9, 2, 2, None])
    assert shelf.asked == [["a"], ["a", "b", "c"]]


async def test_a_failure_is_told_to_all_who_asked_and_to_nobody_after() -> None:
    shelf = Shelf()
    shelf.open.set()
    reads = GroupRead(shelf.fetch)

    answers = await asyncio.gather(*(reads.get(key) for key in ("a", "broken")), return_exceptions=True)

    assert [type(each) for each in answers] == [ValueError, ValueError]
    assert await reads.get("b") == 2


async def test_one_who_goes_away_takes_the_answer_from_nobody() -> None:
    shelf = Shelf()
    reads = GroupRead(shelf.fetch)
    gone, stays = (asyncio.create_task(reads.get("a")) for _ in range(2))
    await asyncio.sleep(0.01)

    gone.cancel()
    shelf.open.set()

    assert await stays == 1
    with pytest.raises(asyncio.CancelledError):
        await gone
