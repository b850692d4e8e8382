"""What bureaus share in the days to come: quotas, cameras, a closure, a line for an hour, an offer."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from livehub.accounts.actors import system
from livehub.demo import cast
from livehub.demo.seeding import Seeded
from livehub.kit import clock
from rooms import booking, closures, equipment, quotas, sharing_queries, waitlist
from rooms.closures import Plan
from rooms.equipment import Unit
from rooms.quotas import Rule
from rooms.sharing_models import QuotaWindow
from rooms.wishes import Wish

USUAL, SPARE = 12, 3  # a bureau's bookings of a week, and how many it may still make
AHEAD = timedelta(days=4)


async def share(world: Seeded, *, now: datetime) -> None:
    """Fill the pages of rooms; everything is made by the verbs that the pages use."""
    clerk = msgspec.structs.replace(system("demo"), centre_id=world.centre_id)
    for serial in ("CAM-01", "CAM-02"):
        unit = Unit(kind="摄像机", name="索尼 FX3", serial=serial)
        await equipment.register(unit, centre_id=world.centre_id, actor=clerk, now=now)
    today = clock.local_day(now)
    for bureau_id in world.bureau_ids:
        open_ended = Rule(window=QuotaWindow.WEEKLY, limit=100_000)
        await quotas.put(bureau_id, [open_ended], actor=clerk, now=now)
        [use] = await sharing_queries.quota_uses(actor=clerk, day=today, bureau_id=bureau_id)
        rule = Rule(window=QuotaWindow.WEEKLY, limit=max(USUAL, use.used + SPARE))
        prime = Rule(window=QuotaWindow.DAILY, limit=max(4, use.used), prime_only=True)
        await quotas.put(bureau_id, [rule, prime], actor=clerk, now=now)
    await _lines(world, now=now)
    for days in range(1, 8):  # a morning that is free: the week's plan has shows of its own
        closed = clock.at_local(today + AHEAD + timedelta(days=days), hour=9)
        plan = Plan(
            rooms=(world.rooms["R3"],),
            starts_at=closed,
            ends_at=closed + timedelta(hours=3),
            reason="空调检修",
        )
        if not await closures.preview(plan, actor=clerk, now=now):
            await closures.close(plan, actor=clerk, now=now)
            break


async def _lines(world: Seeded, *, now: datetime) -> None:
    """One good hour that two bureaus wait for, and one that was given back to who waited."""
    clerk = msgspec.structs.replace(system("demo"), centre_id=world.centre_id)
    day = clock.local_day(now) + AHEAD
    names = [name for name, _, _ in cast.STREAMERS]

    def wish(room: str, by: int, streamer: int, hour: int, title: str) -> Wish:
        return Wish(
            room=world.rooms[room],
            bureau_id=world.bureau_ids[by],
            title=title,
            starts_at=clock.at_local(day, hour=hour),
            minutes=120,
            streamer=world.streamers[names[streamer]],
        )

    held = await booking.request(wish("R4", 1, -1, 20, "魅力北海·夜游侨港"), actor=clerk, now=now)
    await booking.approve(held.public_id, actor=clerk, now=now)
    for by, streamer, title in ((2, -2, "乡村振兴·香山鸡嘴荔枝"), (0, -3, "农特·合浦大蚝")):
        await waitlist.join(wish("R4", by, streamer, 20, title), actor=clerk, now=now)
    given = await booking.request(wish("R2", 1, -4, 15, "海丝名品周"), actor=clerk, now=now)
    await waitlist.join(wish("R2", 0, -5, 15, "农特·沙田沙虫"), actor=clerk, now=now)
    await booking.cancel(given.public_id, actor=clerk, now=now)
