"""What calendars are told: each booking one event for ever, whose sequence only rises."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rooms.plan_diff import Diff, Slot
from rooms.plan_models import PlanEvent


async def tell(diff: Diff, *, week: int, centre_id: int, now: datetime) -> None:
    """Bring the events to what a new version says.

    A booking that went to another week is in one plan at a time: the week that has it last says where it is,
    and the week it left does not cancel it.
    """
    named = {each.booking for each in diff.new} | {each.booking for each in diff.cancelled}
    named |= {pair.after.booking for pair in (*diff.moved, *diff.changed)}
    known = {each.booking: each for each in await PlanEvent.filter(booking__in=sorted(named))}
    for slot in [*diff.new, *[pair.after for pair in (*diff.moved, *diff.changed)]]:
        event = known.get(slot.booking)
        if event is None:
            await PlanEvent.create(centre_id=centre_id, week=week, changed_at=now, **_said(slot))
            continue
        is_elsewhere = event.cancelled or (event.starts_at, event.ends_at, event.room_id) != slot.place
        event.sequence += is_elsewhere
        event.cancelled, event.week, event.changed_at = False, week, now
        event.update_from_dict(_said(slot))
        await event.save()
    for slot in diff.cancelled:
        event = known.get(slot.booking)
        if event is not None and event.week == week and not event.cancelled:
            event.cancelled, event.changed_at = True, now
            event.sequence += 1
            await event.save()


def _said(slot: Slot) -> dict[str, Any]:
    names = ("booking", "bureau_id", "starts_at", "ends_at", "room_id", "room", "bureau", "title", "crew")
    return {name: getattr(slot, name) for name in names}
