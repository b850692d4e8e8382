"""The demo's rooms in the days to come: every page of what bureaus share has something on it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub.demo import shared_rooms
from livehub.demo.seeding import seed
from livehub.kit import clock
from livehub.settings import Settings
from rooms.sharing_models import Closure, Equipment, Quota, WaitlistEntry
from tests.rooms.told import sound


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_the_demo_shares_its_rooms(db: Settings) -> None:
    now = clock.now()
    world = await seed(tag="", sandbox_url="http://127.0.0.1:9", now=now - timedelta(days=1))

    await shared_rooms.share(world, now=now)

    assert [each.state for each in await WaitlistEntry.all().order_by("id")] == [
        "waiting",
        "waiting",
        "offered",
    ]
    assert (await Closure.all().count(), await Equipment.all().count()) == (1, 2)
    assert await Quota.filter(active=True).count() == 2 * len(world.bureau_ids)
    assert await sound()
