"""A room's week as people read and type it."""

from __future__ import annotations

from rooms.conflicts import Hours
from rooms.sharing_queries import RoomRules


def typed_week(each: RoomRules) -> list[str]:
    """The hours of the seven days from Monday, as one types them; empty when it is closed."""
    daily = [Hours(day, each.room.opens_minute, each.room.closes_minute) for day in range(7)]
    week = each.weekly or daily
    return [
        " ".join(
            f"{_hm(one.opens_minute)}-{_hm(one.closes_minute)}" for one in week if one.weekday == weekday
        )
        for weekday in range(7)
    ]


def _hm(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
