"""日历订阅: calendars cannot log in, so the address is the secret: kept as a hash, changed and ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from icalendar import Calendar, Event
from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit import clock, ids
from livehub.kit.errors import NotFound
from livehub.kit.sealing import token_hash
from rooms.errors import TooManyFeeds
from rooms.plan_models import CalendarFeed, PlanEvent

TOKEN_BYTES = 24  # 192 random bits
AT_MOST = 20  # feeds of one user
BACK = timedelta(days=60)  # how far back a feed reaches
CANCELLED_FOR = timedelta(days=30)  # so long a cancelled event is told
SEEN_EVERY = timedelta(hours=1)
REFRESH = timedelta(hours=1)
_PERSONAL = re.compile(r"(?<!\d)(1[3-9]\d{9}|\d{17}[\dXx])(?!\d)")  # phone and identity numbers


class Issued(Struct, frozen=True):
    """A feed's address in the making; the token is shown this once."""

    public_id: str
    token: str

    def __repr__(self) -> str:
        """Without the token, for logs and tracebacks."""
        return f"Issued(public_id={self.public_id!r})"


@database.atomic
async def subscribe(*, bureau_id: int, actor: Actor, now: datetime) -> Issued:
    """A new address for what the actor may see: a bureau's slots, or with 0 all of the centre's."""
    require(actor, Permission.CALENDAR_SUBSCRIBE)
    scope = bureau_scope(actor, Permission.CALENDAR_SUBSCRIBE)
    if actor.kind != "user" or (scope is not None and bureau_id not in scope):
        raise NotFound
    if bureau_id and not await _is_ours(bureau_id, centre_id=actor.centre_id):
        raise NotFound
    if await CalendarFeed.filter(user_id=actor.id, revoked_at__isnull=True).count() >= AT_MOST:
        raise TooManyFeeds
    token = ids.token(nbytes=TOKEN_BYTES)
    feed = await CalendarFeed.create(
        public_id=ids.public_id(),
        centre_id=actor.centre_id,
        user_id=actor.id,
        bureau_id=bureau_id,
        token_hash=token_hash(token),
        created_at=now,
    )
    await _audit("feed.subscribed", feed, actor=actor, now=now)
    return Issued(feed.public_id, token)


@database.atomic
async def rotate(public_id: str, *, actor: Actor, now: datetime) -> Issued:
    """A new address in the place of the old one, which opens nothing from now on."""
    feed = await _own(public_id, actor=actor)
    token = ids.token(nbytes=TOKEN_BYTES)
    living = CalendarFeed.filter(id=feed.id, revoked_at__isnull=True)
    if not await living.update(token_hash=token_hash(token), rotated_at=now):
        raise NotFound
    await _audit("feed.rotated", feed, actor=actor, now=now)
    return Issued(feed.public_id, token)


@database.atomic
async def revoke(public_id: str, *, actor: Actor, now: datetime) -> None:
    """End a subscription; ending it again changes nothing."""
    feed = await _own(public_id, actor=actor)
    if await CalendarFeed.filter(id=feed.id, revoked_at__isnull=True).update(revoked_at=now):
        await _audit("feed.revoked", feed, actor=actor, now=now)


async def own(actor: Actor) -> list[CalendarFeed]:
    """The actor's living subscriptions, in order."""
    if actor.kind != "user":
        return []
    return await CalendarFeed.filter(
        user_id=actor.id, centre_id=actor.centre_id, revoked_at__isnull=True
    ).order_by("id")


async def read(token: str, *, now: datetime) -> bytes:
    """The calendar behind an address; NotFound for unknown, changed and revoked ones alike."""
    row = await database.fetch_one(
        "SELECT f.id, f.centre_id, f.bureau_id, f.last_seen_at, c.name FROM calendar_feed f"
        " JOIN user_account u ON u.id = f.user_id AND u.active JOIN centre c ON c.id = f.centre_id"
        " WHERE f.token_hash = $1 AND f.revoked_at IS NULL",
        token_hash(token),
    )
    if row is None:
        raise NotFound
    events = PlanEvent.filter(centre_id=row["centre_id"], ends_at__gte=now - BACK)
    if row["bureau_id"]:
        events = events.filter(bureau_id=row["bureau_id"])
    told = [
        each
        for each in await events.order_by("starts_at", "id")
        if not each.cancelled or each.changed_at > now - CANCELLED_FOR
    ]
    if row["last_seen_at"] is None or clock.from_ms(row["last_seen_at"]) <= now - SEEN_EVERY:
        await CalendarFeed.filter(id=row["id"]).update(last_seen_at=now)
    return serialized(told, name=row["name"])


def serialized(events: Sequence[PlanEvent], *, name: str) -> bytes:
    """Events as iCalendar; the same events are the same bytes."""
    calendar = Calendar()
    calendar.add("prodid", "-//livehub//plan//ZH")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"{name} 排期")
    calendar.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for each in events:
        calendar.add_component(_event(each))
    return bytes(calendar.to_ical())


def without_numbers(text: str) -> str:
    """The text with every phone or identity number taken out: titles are typed by people."""
    return _PERSONAL.sub("***", text)


def _event(told: PlanEvent) -> Event:
    event = Event()
    event.add("uid", f"{told.booking}@livehub")
    event.add("dtstamp", told.changed_at)
    event.add("last-modified", told.changed_at)
    event.add("dtstart", told.starts_at)
    event.add("dtend", told.ends_at)
    event.add("sequence", told.sequence)
    event.add("status", "CANCELLED" if told.cancelled else "CONFIRMED")
    event.add("summary", without_numbers(told.title))
    event.add("location", without_numbers(told.room))
    event.add("description", without_numbers(f"{told.bureau} {told.crew}".strip()))
    return event


async def _is_ours(bureau_id: int, *, centre_id: int) -> bool:
    row = await database.fetch_one(
        "SELECT 1 AS one FROM bureau WHERE id = $1 AND centre_id = $2", bureau_id, centre_id
    )
    return row is not None


async def _own(public_id: str, *, actor: Actor) -> CalendarFeed:
    require(actor, Permission.CALENDAR_SUBSCRIBE)
    feed = await CalendarFeed.get_or_none(public_id=public_id)
    if feed is None or (actor.kind, actor.id, actor.centre_id) != ("user", feed.user_id, feed.centre_id):
        raise NotFound
    return feed


async def _audit(action: str, feed: CalendarFeed, *, actor: Actor, now: datetime) -> None:
    about = ("calendar_feed", feed.public_id)
    await audit.write(action, actor=actor, now=now, about=about, bureau_id=feed.bureau_id)
