"""Changing a series: this time only, this and those after it, or all that are still to come.

Each edit happens wholly or not at all. Whoever changes this time and those after it splits the series there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import structs

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import ids
from livehub.kit.errors import Detail, NotFound
from rooms import booking, moving, recurrence, series
from rooms.errors import SeriesRefused
from rooms.models import Booking
from rooms.moving import MOVABLE, Target
from rooms.series_models import RejectedOccurrence, Series, SeriesBooking


class Scope(StrEnum):
    """Which times of a series an edit means."""

    THIS = "this"
    FOLLOWING = "following"
    ALL = "all"


@database.atomic
async def move(public_id: str, *, scope: Scope, to: Target, actor: Actor, now: datetime) -> list[Booking]:
    """Move an occurrence, and with it those that the scope means by as much on the clock."""
    first, member, home = await _member(public_id, actor=actor)
    if scope is Scope.THIS:
        return [await _one(public_id, to, actor=actor, now=now)]
    zone = series.rule_of(home).zone
    local_from = first.start_at.astimezone(zone).replace(tzinfo=None)
    local_to = (to.starts_at or first.start_at).astimezone(zone).replace(tzinfo=None)
    if local_from.date() != local_to.date():
        raise SeriesRefused(
            details=[Detail("starts_at", "几场一起改只能改当天的时间", f"{local_from.date()} 的另一个时间")]
        )
    by = local_to - local_from
    since = member.recurrence_id if scope is Scope.FOLLOWING else ""
    coming = await _coming(home, since=since)
    if scope is Scope.FOLLOWING:
        home = await _split(home, at=member.recurrence_id, now=now, actor=actor)
    moved = []
    for each, _ in sorted(coming, key=lambda pair: pair[0].start_at, reverse=by > timedelta(0)):
        local = each.start_at.astimezone(zone).replace(tzinfo=None) + by
        starts_at = recurrence.placed(local, zone)
        if starts_at is None:
            raise SeriesRefused(details=[Detail("starts_at", f"{local:%Y-%m-%d} 钟上没有这个时间")])
        there = structs.replace(to, starts_at=starts_at)
        moved.append(await _one(each.public_id, there, actor=actor, now=now))
        await SeriesBooking.filter(booking_id=each.id).update(series_id=home.id)
    await _audit("series.moved", home, actor=actor, now=now, scope=scope, count=len(moved))
    return moved


async def _one(public_id: str, to: Target, *, actor: Actor, now: datetime) -> Booking:
    return await moving.move(public_id, to, right=Permission.BOOKING_REQUEST, actor=actor, now=now)


@database.atomic
async def cancel(
    public_id: str, *, scope: Scope, reason: str = "", actor: Actor, now: datetime
) -> list[Booking]:
    """Give the time of an occurrence back, and of those that the scope means."""
    _, member, home = await _member(public_id, actor=actor)
    if scope is Scope.THIS:
        return [await booking.cancel(public_id, reason=reason, actor=actor, now=now)]
    since = member.recurrence_id if scope is Scope.FOLLOWING else ""
    gone = [
        await booking.cancel(each.public_id, reason=reason, actor=actor, now=now)
        for each, _ in await _coming(home, since=since)
    ]
    await _audit("series.cancelled", home, actor=actor, now=now, scope=scope, count=len(gone))
    return gone


async def _member(public_id: str, *, actor: Actor) -> tuple[Booking, SeriesBooking, Series]:
    meant = await Booking.get_or_none(public_id=public_id)
    member = await SeriesBooking.get_or_none(booking_id=meant.id) if meant is not None else None
    if meant is None or member is None:
        raise NotFound
    require(actor, Permission.BOOKING_REQUEST, bureau_id=meant.bureau_id, centre_id=meant.centre_id)
    return meant, member, await Series.get(id=member.series_id)


async def _coming(home: Series, *, since: str) -> list[tuple[Booking, str]]:
    """What is still to be moved or cancelled, with its name, in order."""
    members = await SeriesBooking.filter(series_id=home.id, recurrence_id__gte=since)
    names = {each.booking_id: each.recurrence_id for each in members}
    found = await Booking.filter(id__in=sorted(names), state__in=list(MOVABLE)).order_by("start_at", "id")
    return [(each, names[each.id]) for each in found]


async def _split(home: Series, *, at: str, now: datetime, actor: Actor) -> Series:
    """The series that goes on from a time; the one before ends there. Names stay what they were."""
    rule = series.rule_of(home)
    cut = recurrence.named(at)
    own = [each for each in recurrence.locals_of(rule) if each not in rule.rdates or each == rule.start]
    before = [each for each in own if each < cut]
    if not before:
        return home
    later = await Series.create(
        public_id=ids.public_id(),
        centre_id=home.centre_id,
        room_id=home.room_id,
        bureau_id=home.bureau_id,
        parent_id=home.id,
        title=home.title,
        dtstart=at,
        zone=home.zone,
        rrule=recurrence.with_count(home.rrule, len(own) - len(before)),
        rdates=_kept(home.rdates, since=at),
        exdates=_kept(home.exdates, since=at),
        minutes=home.minutes,
        created_by_id=actor.id if actor.kind == "user" else 0,
        created_at=now,
    )
    await Series.filter(id=home.id).update(
        rrule=recurrence.with_count(home.rrule, len(before)),
        rdates=_kept(home.rdates, until=at),
        exdates=_kept(home.exdates, until=at),
    )
    for table in (SeriesBooking, RejectedOccurrence):
        await table.filter(series_id=home.id, recurrence_id__gte=at).update(series_id=later.id)
    return later


def _kept(times: str, *, since: str = "", until: str = "9") -> str:
    return " ".join(each for each in times.split() if since <= each < until)


async def _audit(action: str, home: Series, *, actor: Actor, now: datetime, scope: Scope, count: int) -> None:
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("series", home.public_id),
        bureau_id=home.bureau_id,
        detail={"scope": str(scope), "bookings": count},
    )
