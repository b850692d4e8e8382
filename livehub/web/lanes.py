"""Where a booking stands on a day's timeline, in per cent of its width."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Slot(Struct, kw_only=True):
    """One booking as drawn. ``tone`` is "", live, wait, done or other."""

    title: str
    note: str
    starts_at: datetime
    ends_at: datetime
    tone: str = ""
    href: str = ""
    left: float = 0.0
    width: float = 0.0


class Lane(Struct, kw_only=True):
    """One room, or one day of a week."""

    name: str
    slots: list[Slot]
    note: str = ""


def lane(name: str, slots: list[Slot], *, from_at: datetime, until_at: datetime, note: str = "") -> Lane:
    """The slots that touch the window, placed in it; what sticks out is cut at the edge."""
    placed = []
    for slot in slots:
        start, end = max(slot.starts_at, from_at), min(slot.ends_at, until_at)
        if start < end:
            slot.left = position(start, from_at=from_at, until_at=until_at)
            slot.width = round(position(end, from_at=from_at, until_at=until_at) - slot.left, 2)
            placed.append(slot)
    return Lane(name=name, slots=placed, note=note)


def position(at: datetime, *, from_at: datetime, until_at: datetime) -> float:
    """Per cent of the window that has passed at an instant."""
    return round((at - from_at) / (until_at - from_at) * 100, 2)


def present(now: datetime, *, from_at: datetime, until_at: datetime) -> float | None:
    """Where the line of the present stands, None outside the window."""
    return position(now, from_at=from_at, until_at=until_at) if from_at <= now < until_at else None
