"""The week's plan: the draft is what the bookings say now; publishing copies it into a version that stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct, structs
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock
from livehub.kit.errors import Detail, NotFound
from rooms import plan_diff, plan_events
from rooms.errors import NothingToPublish, WeekUnknown
from rooms.models import BookingState
from rooms.plan_diff import Diff, Slot
from rooms.plan_models import PlanSlot, PlanState, PlanVersion

NOTE_LENGTH = 200
IN_PLAN = (BookingState.APPROVED, BookingState.CHECKED_IN, BookingState.COMPLETED)
_STATES = ", ".join(f"'{each}'" for each in IN_PLAN)
_DAY_MS = 86_400_000


class Week(Struct, frozen=True, order=True):
    """An ISO week."""

    year: int
    week: int

    @property
    def number(self) -> int:
        """202610."""
        return self.year * 100 + self.week

    @property
    def monday(self) -> date:
        """Its first day."""
        return date.fromisocalendar(self.year, self.week, 1)

    @property
    def next(self) -> Week:
        """The week after."""
        return of_day(self.monday + timedelta(days=7))

    @property
    def previous(self) -> Week:
        """The week before."""
        return of_day(self.monday - timedelta(days=7))

    def __str__(self) -> str:
        """2026-W10, as paths name it."""
        return f"{self.year}-W{self.week:02}"


def of_day(day: date) -> Week:
    """The week a day is in."""
    return Week(*day.isocalendar()[:2])


def named(text: str) -> Week:
    """The week of a name such as 2026-W10; WeekUnknown when there is none."""
    year, apart, week = text.partition("-W")
    if apart and len(year) == 4 and len(week) == 2 and (year + week).isascii() and (year + week).isdigit():
        try:
            found = Week(int(year), int(week))
            if 2000 <= found.year < 2200 and found.monday:
                return found
        except ValueError:
            pass
    raise WeekUnknown(details=[Detail("week", "没有这一周", "如 2026-W10")])


class Version(Struct, frozen=True, kw_only=True):
    """A published version and what it says."""

    number: int
    state: str
    published_at: datetime
    published_by: str
    note: str
    slots: list[Slot]


async def draft(centre_id: int, week: Week) -> list[Slot]:
    """What the bookings of a week say now; a show belongs to the week of its business day."""
    since = clock.to_ms(clock.at_local(week.monday))
    rows = await database.fetch(
        "SELECT b.public_id AS booking, b.kind, b.start_at, b.end_at, b.room_id, r.name AS room, b.bureau_id,"
        " u.name AS bureau, b.title, b.id, r.boundary_hour, COALESCE(x.public_id, '') AS broadcast"
        " FROM booking b JOIN room r ON r.id = b.room_id JOIN bureau u ON u.id = b.bureau_id"
        " LEFT JOIN broadcast x ON x.booking_id = b.id WHERE b.centre_id = $1 AND b.start_at >= $2"
        f" AND b.start_at < $3 AND b.state IN ({_STATES}) ORDER BY b.start_at, b.room_id, b.id",
        centre_id,
        since,
        since + 8 * _DAY_MS,
    )
    crew = await _crew([row["id"] for row in rows])
    found = []
    for row in rows:
        starts_at = clock.from_ms(row["start_at"])
        if of_day(clock.business_day(starts_at, boundary_hour=row["boundary_hour"])) == week:
            found.append(_drafted(row, crew=crew.get(row["id"], ""), starts_at=starts_at))
    return found


def _drafted(row: dict[str, Any], *, crew: str, starts_at: datetime) -> Slot:
    return Slot(
        booking=row["booking"],
        kind=row["kind"],
        starts_at=starts_at,
        ends_at=clock.from_ms(row["end_at"]),
        room_id=row["room_id"],
        room=row["room"],
        bureau_id=row["bureau_id"],
        bureau=row["bureau"],
        title=row["title"],
        crew=crew,
        broadcast=row["broadcast"],
    )


async def published(centre_id: int, week: Week, *, number: int = 0) -> Version | None:
    """A version by its number, the newest without one; None when there is none."""
    found = PlanVersion.filter(centre_id=centre_id, week=week.number)
    version = await (found.filter(number=number) if number else found.order_by("-number")).first()
    if version is None:
        return None
    slots = await PlanSlot.filter(version_id=version.id).order_by("starts_at", "room_id", "booking")
    return Version(
        number=version.number,
        state=str(version.state),
        published_at=version.published_at,
        published_by=version.published_by,
        note=version.note,
        slots=[Slot(**{name: getattr(each, name) for name in Slot.__struct_fields__}) for each in slots],
    )


async def versions(centre_id: int, week: Week) -> list[PlanVersion]:
    """What was published of a week, the newest first."""
    return await PlanVersion.filter(centre_id=centre_id, week=week.number).order_by("-number")


async def pending(centre_id: int, week: Week) -> Diff:
    """What publishing would change."""
    newest = await published(centre_id, week)
    return plan_diff.between(newest.slots if newest else (), await draft(centre_id, week))


async def difference(centre_id: int, week: Week, *, since: int, until: int) -> Diff:
    """What changed from one version to another; 0 until is the draft, 0 since is nothing at all."""
    before = await published(centre_id, week, number=since) if since else None
    after = await published(centre_id, week, number=until) if until else None
    if (since and before is None) or (until and after is None):
        raise NotFound
    fresh = after.slots if after is not None else await draft(centre_id, week)
    return plan_diff.between(before.slots if before is not None else (), fresh)


@database.atomic
async def publish(week: Week, *, centre_id: int, actor: Actor, now: datetime, note: str = "") -> PlanVersion:
    """Copy the draft into a new version and tell the calendars; NothingToPublish when it says the same."""
    require(actor, Permission.PLAN_PUBLISH, centre_id=centre_id)
    if len(note) > NOTE_LENGTH:
        raise WeekUnknown(details=[Detail("note", "太长", f"{NOTE_LENGTH} 个字以内")])
    newest = await published(centre_id, week)
    slots = await draft(centre_id, week)
    diff = plan_diff.between(newest.slots if newest else (), slots)
    if diff.is_empty:
        raise NothingToPublish
    await PlanVersion.filter(centre_id=centre_id, week=week.number, state=PlanState.PUBLISHED).update(
        state=PlanState.SUPERSEDED
    )
    version = PlanVersion(
        centre_id=centre_id,
        week=week.number,
        number=newest.number + 1 if newest else 1,
        state=PlanState.PUBLISHED,
        published_at=now,
        published_by=actor.name,
        note=note.strip(),
    )
    try:
        async with database.transaction():
            await version.save()
    except IntegrityError as error:  # somebody published at this moment
        raise NothingToPublish from error
    await PlanSlot.bulk_create(PlanSlot(version_id=version.id, **_fields(each)) for each in slots)
    await plan_events.tell(diff, week=week.number, centre_id=centre_id, now=now)
    await audit.write(
        "plan.published",
        actor=actor,
        now=now,
        about=("plan", f"{week}.{version.number}"),
        detail={
            "new": len(diff.new),
            "moved": len(diff.moved),
            "changed": len(diff.changed),
            "cancelled": len(diff.cancelled),
        },
    )
    return version


def _fields(slot: Slot) -> dict[str, Any]:
    return structs.asdict(slot)


async def _crew(booking_ids: Sequence[int]) -> dict[int, str]:
    """Who works each booking, the streamer by her stage name first."""
    rows = await database.with_rows(
        {"id": "bigint"},
        [(number,) for number in booking_ids],
        "SELECT a.booking_id, COALESCE(s.stage_name, p.name) AS name,"
        " CASE WHEN a.role = 'anchor' THEN 0 ELSE 1 END AS place FROM v"
        " JOIN crew_assignment a ON a.booking_id = v.id AND a.state <> 'declined'"
        " JOIN person p ON p.id = a.person_id LEFT JOIN streamer s ON s.person_id = p.id"
        " ORDER BY a.booking_id, 3, p.id",
    )
    found: dict[int, list[str]] = {}
    for row in rows:
        found.setdefault(row["booking_id"], []).append(row["name"])
    return {number: _joined(names) for number, names in found.items()}


def _joined(names: Iterable[str]) -> str:
    return "、".join(dict.fromkeys(names))[:400]
