"""When the demo's shops are compared with their imitated platforms: once everything was told."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.orders import cursors
from livehub.orders.pull_models import WindowStatus

LATER_MS = 3_600_000


async def hold(*, now: datetime) -> None:
    """Open the windows that are due and let nobody read them yet: what is being told is not missing."""
    await cursors.plan(now=now)
    await database.execute(
        f"UPDATE sync_cursor SET due_at = due_at + {LATER_MS} WHERE status = '{WindowStatus.WAITING}'"
    )


async def read() -> None:
    """Let the jobs process read what was held."""
    await database.execute(f"UPDATE sync_cursor SET due_at = 0 WHERE status = '{WindowStatus.WAITING}'")


async def waiting() -> bool:
    """Whether a window is not read yet."""
    row = await database.fetch_one(
        f"SELECT count(*) AS n FROM sync_cursor WHERE status = '{WindowStatus.WAITING}'"
    )
    return row is not None and int(row["n"]) > 0


async def forget(*, now: datetime) -> None:
    """A sandbox that was started anew lists nothing of what it sold before: that is not compared with it."""
    await cursors.plan(now=now)
    await database.execute(
        f"UPDATE sync_cursor SET status = '{WindowStatus.DROPPED}' WHERE status = '{WindowStatus.WAITING}'"
    )
    await database.execute("UPDATE sales_order SET told_at = 0")
    for shop in await cursors.listable():
        for kind in ("order", "refund"):
            await cursors.join(shop.id, kind)
