"""系列排期: a rule becomes bookings, and what cannot be had is kept with its reason instead of being lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit import ids
from livehub.kit.errors import Conflict, Invalid, LivehubError, NotFound
from rooms import booking, recurrence, slots
from rooms.errors import SlotTaken
from rooms.models import Booking, Room
from rooms.recurrence import Occurrence, Rule
from rooms.series_models import RejectedOccurrence, Series, SeriesBooking
from rooms.wishes import Wish

DETAIL_LENGTH = 200
NO_SUCH_TIME = ("nonexistent_time", "这一天夏令时开始，钟上没有这个时间")


class Prospect(Struct, frozen=True, kw_only=True):
    """One time of a rule, and why it cannot be had; an empty code: it can."""

    name: str  # its local start
    starts_at: datetime | None
    code: str = ""
    detail: str = ""


class Seen(Struct, frozen=True, kw_only=True):
    """A series with everything that came of its rule."""

    series: Series
    bookings: list[tuple[str, Booking]]  # recurrence id, booking
    rejected: list[RejectedOccurrence]


async def preview(wish: Wish, *, rule: Rule, actor: Actor, now: datetime) -> list[Prospect]:
    """What each time of a rule would meet at this moment; holds nothing."""
    found = []
    for each in recurrence.occurrences(rule):
        if each.starts_at is None:
            found.append(_lost(each))
            continue
        there = structs.replace(wish, starts_at=each.starts_at)
        try:
            clash = await booking.check(there, actor=actor, now=now)
        except (Invalid, Conflict) as error:
            found.append(_refused(each, error))
            continue
        if clash.conflicts:
            found.append(_refused(each, slots.refusal(clash, core=there.core)))
        else:
            found.append(Prospect(name=each.name, starts_at=each.starts_at))
    return found


@database.atomic
async def create(wish: Wish, *, rule: Rule, actor: Actor, now: datetime) -> Series:
    """Ask for every time of a rule; those that cannot be had are noted with their reasons."""
    room = await Room.get_or_none(public_id=wish.room)
    if room is None:
        raise NotFound
    require(actor, Permission.BOOKING_REQUEST, bureau_id=wish.bureau_id, centre_id=room.centre_id)
    times = recurrence.occurrences(rule)
    series = await Series.create(
        public_id=ids.public_id(),
        centre_id=room.centre_id,
        room_id=room.id,
        bureau_id=wish.bureau_id,
        title=wish.title.strip()[:60],
        dtstart=f"{rule.start:{recurrence.NAME}}",
        zone=rule.zone.key,
        rrule=rule.rrule.strip().upper().removeprefix("RRULE:"),
        rdates=_texts(rule.rdates),
        exdates=_texts(rule.exdates),
        minutes=wish.minutes,
        created_by_id=actor.id if actor.kind == "user" else 0,
        created_at=now,
    )
    made = [await _ask(series, each, wish=wish, actor=actor, now=now) for each in times]
    await audit.write(
        "series.created",
        actor=actor,
        now=now,
        about=("series", series.public_id),
        bureau_id=series.bureau_id,
        detail={"rrule": series.rrule, "created": sum(made), "rejected": len(made) - sum(made)},
    )
    return series


async def seen(public_id: str, *, actor: Actor) -> Seen:
    """A series the actor may see, with its bookings and what was refused, in order; NotFound else."""
    series = await Series.get_or_none(public_id=public_id, centre_id=actor.centre_id)
    scope = bureau_scope(actor, Permission.BOOKING_READ)
    if series is None or (scope is not None and series.bureau_id not in scope):
        raise NotFound
    named = {each.booking_id: each.recurrence_id for each in await SeriesBooking.filter(series_id=series.id)}
    found = await Booking.filter(id__in=sorted(named)).order_by("start_at", "id")
    return Seen(
        series=series,
        bookings=[(named[each.id], each) for each in found],
        rejected=await RejectedOccurrence.filter(series_id=series.id).order_by("recurrence_id"),
    )


def rule_of(series: Series) -> Rule:
    """The rule that a series keeps."""
    return Rule(
        start=recurrence.named(series.dtstart),
        rrule=series.rrule,
        rdates=tuple(map(recurrence.named, series.rdates.split())),
        exdates=tuple(map(recurrence.named, series.exdates.split())),
        zone=ZoneInfo(series.zone),
    )


async def _ask(series: Series, each: Occurrence, *, wish: Wish, actor: Actor, now: datetime) -> bool:
    """Whether the time could be had."""
    if each.starts_at is None:
        await _note(series, _lost(each))
        return False
    try:
        async with database.transaction():
            there = structs.replace(wish, starts_at=each.starts_at)
            made = await booking.request(there, actor=actor, now=now)
            await SeriesBooking.create(series_id=series.id, booking_id=made.id, recurrence_id=each.name)
    except (Invalid, Conflict) as error:
        await _note(series, _refused(each, error))
        return False
    return True


async def _note(series: Series, prospect: Prospect) -> None:
    await RejectedOccurrence.create(
        series_id=series.id, recurrence_id=prospect.name, code=prospect.code, detail=prospect.detail
    )


def _lost(each: Occurrence) -> Prospect:
    code, detail = NO_SUCH_TIME
    return Prospect(name=each.name, starts_at=None, code=code, detail=detail)


def _refused(each: Occurrence, error: LivehubError) -> Prospect:
    rules = error.data.get("rules")
    code = str(rules[0]) if isinstance(rules, list) and rules else error.code.lower()
    return Prospect(
        name=each.name, starts_at=each.starts_at, code=code[:32], detail=_words(error)[:DETAIL_LENGTH]
    )


def _words(error: LivehubError) -> str:
    """Why, in a sentence: whose time it is, or which rules are broken."""
    if isinstance(error, SlotTaken):
        taken = error.data["conflicts"]
        bureaus = (
            [str(each["bureau"]) for each in taken if isinstance(each, dict)]
            if isinstance(taken, list)
            else []
        )
        return f"{'、'.join(dict.fromkeys(bureaus))}已占用" if bureaus else error.message
    said = [f"{each.reason}（{each.expected}）" if each.expected else each.reason for each in error.details]
    return "；".join(said) or error.message


def _texts(times: Sequence[datetime]) -> str:
    return " ".join(f"{each:{recurrence.NAME}}" for each in sorted(times))
