"""What somebody asks for, and what its names stand for."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau
from livehub.accounts.permissions import Permission, require
from livehub.kit.errors import Detail, NotFound
from rooms import conflicts, rules
from rooms.conflicts import Fault, Frame, Span
from rooms.errors import RoomNotActive
from rooms.models import BookingKind, Room
from rooms.sharing_models import Equipment
from streamers.models import Person, Streamer, StreamerStatus

TITLE_LENGTH = 60
OVERRIDE_LENGTH = 200
ROLES = ("anchor", "co_anchor", "floor", "console", "ops", "ads", "selection", "support", "instructor")


class Crew(Struct, frozen=True):
    """Somebody who works the show besides its streamer."""

    person: str  # public id
    role: str


class Wish(Struct, frozen=True, kw_only=True):
    """A room and people for a time; rooms, streamers and people by their public ids."""

    room: str
    bureau_id: int
    title: str
    starts_at: datetime
    minutes: int
    kind: BookingKind = BookingKind.LIVE
    streamer: str = ""  # the anchor; a live booking needs one
    crew: tuple[Crew, ...] = ()
    equipment: tuple[str, ...] = ()  # public ids of units
    override: str = ""  # the centre's reason to leave opening hours, lead and advance aside

    @property
    def core(self) -> Span:
        """The time itself, without buffers."""
        return Span(self.starts_at, self.starts_at + timedelta(minutes=self.minutes))


class Meant(Struct, frozen=True, kw_only=True):
    """The rows behind a wish."""

    room: Room
    frame: Frame
    streamer: Streamer | None
    crew: list[tuple[int, str]]  # (person id, role), the streamer among them as anchor
    equipment: list[int]

    @property
    def people(self) -> set[int]:
        """Everybody who is taken for the time, once."""
        return {person_id for person_id, _ in self.crew}


async def understand(wish: Wish, *, actor: Actor, now: datetime) -> Meant:
    """Find what the wish names and check the room's rules; OutsideRules says every field that is wrong."""
    room = await Room.get_or_none(public_id=wish.room)
    if room is None:
        raise NotFound
    require(actor, Permission.BOOKING_REQUEST, bureau_id=wish.bureau_id, centre_id=room.centre_id)
    require_active(room)
    if wish.override:
        require(actor, Permission.BOOKING_APPROVE, bureau_id=wish.bureau_id, centre_id=room.centre_id)
    frame = await rules.frame_for(room)
    details: list[Detail] = []
    streamer = await _streamer(wish, room=room, details=details)
    crew = await _crew(wish, room=room, streamer=streamer, details=details)
    units = await _equipment(wish, room=room, details=details)
    if len(wish.override) > OVERRIDE_LENGTH:
        details.append(Detail("override", "理由太长", f"最多 {OVERRIDE_LENGTH} 个字"))
    if not 0 < len(wish.title.strip()) <= TITLE_LENGTH:
        details.append(Detail("title", "请填写主题", f"1 到 {TITLE_LENGTH} 个字"))
    if not await Bureau.exists(id=wish.bureau_id, centre_id=room.centre_id):
        details.append(Detail("bureau", "没有这个主管部门"))
    faults = binding(wish.core, frame=frame, override=wish.override, now=now)
    if details or faults:
        raise rules.refusal(faults, details=details)
    return Meant(room=room, frame=frame, streamer=streamer, crew=crew, equipment=units)


def binding(core: Span, *, frame: Frame, override: str, now: datetime) -> list[Fault]:
    """The rules a time breaks, but for those that an override leaves aside."""
    found = conflicts.faults(core, frame=frame, now=now)
    return [each for each in found if not (override and each.rule in rules.OVERRIDABLE)]


def require_active(room: Room) -> None:
    """RoomNotActive unless the room takes bookings."""
    if room.status != "active":
        raise RoomNotActive


async def _streamer(wish: Wish, *, room: Room, details: list[Detail]) -> Streamer | None:
    if not wish.streamer:
        if wish.kind is BookingKind.LIVE:
            details.append(Detail("streamer", "直播需要指定主播"))
        return None
    streamer = await Streamer.get_or_none(public_id=wish.streamer, centre_id=room.centre_id)
    if streamer is None or streamer.status is StreamerStatus.LEFT:
        details.append(Detail("streamer", "没有这位主播，或已经离开"))
        return None
    return streamer


async def _crew(
    wish: Wish, *, room: Room, streamer: Streamer | None, details: list[Detail]
) -> list[tuple[int, str]]:
    crew = {(streamer.person_id, "anchor")} if streamer is not None else set()
    if wish.crew:
        named = {each.person for each in wish.crew}
        found = await Person.filter(public_id__in=named, centre_id=room.centre_id)
        known = {person.public_id: person.id for person in found}
        if any(each.person not in known or each.role not in ROLES for each in wish.crew):
            details.append(Detail("crew", "没有这个人员或岗位", "、".join(ROLES)))
        crew |= {(known[each.person], each.role) for each in wish.crew if each.person in known}
    return sorted(crew)


async def _equipment(wish: Wish, *, room: Room, details: list[Detail]) -> list[int]:
    if not wish.equipment:
        return []
    wanted = set(wish.equipment)
    found = await Equipment.filter(public_id__in=wanted, centre_id=room.centre_id, active=True).order_by("id")
    if len(found) < len(wanted):
        details.append(Detail("equipment", "没有这件设备，或已停用"))
    return [each.id for each in found]
