"""The migrations say what the models say."""

from __future__ import annotations

from tortoise.context import TortoiseContext
from tortoise.migrations.autodetector import MigrationAutodetector

from livehub.database.config import DRAFT


async def test_no_change_of_a_model_waits_for_its_migration() -> None:
    async with TortoiseContext() as context:
        await context.init(config=DRAFT, init_connections=False)
        waiting = await MigrationAutodetector(context.apps, DRAFT["apps"]).changes()

    assert [writer.operations for writer in waiting] == []
