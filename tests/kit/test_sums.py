"""Sums are added whole: those of an outage wait, and those that come during a writing are in the next."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from livehub.kit.errors import Unavailable
from livehub.kit.sums import Sums


class Shelf:
    """Where sums are added; a writing takes until it is let go, and fails while the shelf is away."""

    def __init__(self) -> None:
        self.added: Counter[str] = Counter()
        self.writing = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.away = False

    async def add(self, counts: Mapping[str, int]) -> None:
        self.writing.set()
        await self.may_go_on.wait()
        if self.away:
            raise Unavailable
        self.added.update(counts)


async def test_what_is_counted_during_the_last_writing_is_not_lost() -> None:
    shelf = Shelf()
    sums = Sums("shelf", shelf.add, seconds=0.01)
    sums.start()
    sums.count({"a": 1})
    await shelf.writing.wait()
    sums.count({"a": 2, "b": 5})

    stopping = asyncio.create_task(sums.stop())
    await asyncio.sleep(0)
    shelf.may_go_on.set()
    await stopping
    await sums.stop()

    assert shelf.added == {"a": 3, "b": 5}


async def test_sums_of_an_outage_wait_and_are_added_once() -> None:
    shelf = Shelf()
    shelf.may_go_on.set()
    shelf.away = True
    sums = Sums("shelf", shelf.add, seconds=60)
    sums.count({"a": 1})
    await sums.flush()
    sums.count({"a": 1})
    shelf.away = False

    await sums.flush()
    await sums.flush()

    assert shelf.added == {"a": 2}
