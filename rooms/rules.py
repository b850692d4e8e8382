"""A room's rules as a frame, and the words for breaking them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from livehub.accounts.models import Centre
from livehub.kit import clock
from livehub.kit.errors import Detail
from rooms.conflicts import Fault, Frame, Hours
from rooms.errors import OutsideRules
from rooms.models import Room
from rooms.sharing_models import OpenRule

OVERRIDABLE = frozenset({"opening_hours", "lead", "too_far"})  # by the centre, with a reason


async def frame_for(room: Room) -> Frame:
    """What this room asks of a time."""
    weekly = await OpenRule.filter(room_id=room.id).order_by("weekday", "opens_minute")
    return frame_of(
        room,
        await Centre.get(id=room.centre_id),
        weekly=tuple(Hours(each.weekday, each.opens_minute, each.closes_minute) for each in weekly),
    )


def frame_of(room: Room, centre: Centre, *, weekly: tuple[Hours, ...] = ()) -> Frame:
    """The same from what was read already."""
    return Frame(
        slot_minutes=centre.slot_minutes,
        opens_minute=room.opens_minute,
        closes_minute=room.closes_minute,
        setup_min=room.setup_min,
        turnover_min=room.turnover_min,
        min_minutes=room.min_duration_min,
        max_minutes=room.max_duration_min,
        min_lead_h=room.min_lead_h,
        max_advance_d=room.max_advance_d,
        weekly=weekly,
    )


def refusal(faults: Iterable[Fault], *, details: Iterable[Detail] = ()) -> OutsideRules:
    """The refusal that names every field that is wrong; ``data["rules"]`` names the rules for machines."""
    faults = list(faults)
    told = [Detail(fault.field, _REASONS[fault.rule], _expected(fault)) for fault in faults]
    return OutsideRules(details=[*details, *told], data={"rules": [fault.rule for fault in faults]})


def _expected(fault: Fault) -> str:
    return _EXPECTED[fault.rule](fault.expected)


def _hours(hours: tuple[tuple[int, int], ...]) -> str:
    return "、".join(f"{_hm(opens)} 到 {_hm(closes)}" for opens, closes in hours) or "这一天不开放"


def _hm(minute: int) -> str:
    later, minute = divmod(minute, 1440)
    return f"{'次日' if later else ''}{minute // 60:02}:{minute % 60:02}"


def _from_now(now: datetime) -> str:
    return f"{clock.local(now):%Y-%m-%d %H:%M} 以后"


_REASONS = {
    "slot_alignment": "没有对齐时段",
    "duration": "时长不合规定",
    "opening_hours": "不在开放时间内",
    "past": "开始时间已经过去",
    "lead": "提前量不够",
    "too_far": "太早了，还不能预约",
}
_EXPECTED: dict[str, Callable[..., str]] = {
    "slot_alignment": lambda step: f"{step} 分钟的整数倍",
    "duration": lambda limits: f"{limits[0]} 到 {limits[1]} 分钟",
    "opening_hours": _hours,
    "past": _from_now,
    "lead": lambda hours: f"至少提前 {hours} 小时",
    "too_far": lambda days: f"最多提前 {days} 天",
}
