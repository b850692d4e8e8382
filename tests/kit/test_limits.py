"""Rate windows: all who count at the same moment are counted, and no more is given back than was counted."""

from __future__ import annotations

import asyncio

from livehub.kit import clock, limits
from livehub.kit.limits import RateWindow
from livehub.settings import Settings

NOW = clock.from_ms(1_780_000_000_000)


async def test_everybody_who_counts_at_once_is_counted(db: Settings) -> None:
    counts = await asyncio.gather(*(limits.hit("door", seconds=60, now=NOW) for _ in range(20)))

    assert sorted(counts) == list(range(1, 21))
    assert [each.count for each in await RateWindow.all()] == [20]


async def test_no_more_is_given_back_than_was_counted(db: Settings) -> None:
    await limits.hit("door", seconds=60, now=NOW)
    for _ in range(3):
        await limits.give_back("door", seconds=60, now=NOW)

    assert await limits.hit("door", seconds=60, now=NOW) == 1
