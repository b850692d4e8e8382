"""系列排期: a rule that becomes bookings, with what could not be had and why."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.web.api import named
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Instant, Nothing, PublicId
from rooms import recurrence, series
from rooms.errors import OutsideRules, RoomNotActive, SeriesRefused
from rooms.models import BookingKind, BookingState
from rooms.recurrence import Rule
from rooms.wishes import Wish

calls = Section("系列排期")

Exceptions = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$", max_length=16)], ...],
    Meta(max_length=recurrence.AT_MOST, description="当地时间，如 2026-10-01T20:00"),
]


class NewSeries(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个系列：第一场和重复规则。"""

    room: PublicId
    title: Annotated[str, Meta(min_length=1, max_length=60)]
    starts_at: Annotated[Instant, Meta(description="第一场")]
    minutes: Annotated[int, Meta(ge=1, le=1440)]
    rrule: Annotated[str, Meta(min_length=1, max_length=200, description="如 FREQ=WEEKLY;COUNT=8")]
    rdates: Exceptions = ()
    exdates: Exceptions = ()
    kind: BookingKind = BookingKind.LIVE
    streamer: Annotated[str, Meta(max_length=16)] = ""
    bureau: Annotated[str, Meta(max_length=16)] = ""
    dry_run: Annotated[bool, Meta(description="只看每一场能不能排上")] = False


class Made(Struct, frozen=True, kw_only=True):
    """排上的一场。"""

    recurrence_id: Annotated[str, Meta(description="原定的当地时间，改期后不变")]
    booking: Annotated[str, Meta(description="空是只预览")]
    starts_at: Instant
    ends_at: Instant | None
    state: BookingState | None


class NotHad(Struct, frozen=True, kw_only=True):
    """没排上的一场。"""

    recurrence_id: str
    code: str
    detail: str


class SeriesShown(Struct, frozen=True, kw_only=True):
    """一个系列和它的每一场。"""

    id: str
    title: str
    rrule: str
    bookings: list[Made]
    rejected: list[NotHad]


@calls.post(
    "/series",
    summary="按规则申请一个系列；排不上的连同原因记下",
    needs=(Permission.BOOKING_REQUEST,),
    body=NewSeries,
    answer=SeriesShown,
    status=201,
    refusals=(SeriesRefused, OutsideRules, RoomNotActive),
)
async def create(asked: Asked[None, NewSeries]) -> SeriesShown:
    """Ask for every time of a rule, or look what each would meet."""
    body = asked.body
    wish = Wish(
        room=body.room,
        bureau_id=await named.bureau_id(
            body.bureau, actor=asked.actor, permission=Permission.BOOKING_REQUEST
        ),
        title=body.title,
        starts_at=as_utc(body.starts_at),
        minutes=body.minutes,
        kind=body.kind,
        streamer=body.streamer,
    )
    rule = Rule(
        start=clock.local(wish.starts_at).replace(tzinfo=None, second=0, microsecond=0),
        rrule=body.rrule,
        rdates=recurrence.read("rdates", body.rdates),
        exdates=recurrence.read("exdates", body.exdates),
    )
    if body.dry_run:
        told = await series.preview(wish, rule=rule, actor=asked.actor, now=asked.now)
        return SeriesShown(
            id="",
            title=body.title,
            rrule=body.rrule,
            bookings=[
                Made(recurrence_id=each.name, booking="", starts_at=each.starts_at, ends_at=None, state=None)
                for each in told
                if each.starts_at is not None and not each.code
            ],
            rejected=[
                NotHad(recurrence_id=each.name, code=each.code, detail=each.detail)
                for each in told
                if each.code
            ],
        )
    made = await database.unit(lambda: series.create(wish, rule=rule, actor=asked.actor, now=asked.now))
    return await _shown(made.public_id, asked.actor)


@calls.get(
    "/series/{series_id}",
    summary="一个系列，连同没排上的",
    needs=(Permission.BOOKING_READ,),
    query=Nothing,
    answer=SeriesShown,
)
async def one(asked: Asked[Nothing, None], series_id: str) -> SeriesShown:
    """What became of its times."""
    return await _shown(series_id, asked.actor)


async def _shown(series_id: str, actor: Actor) -> SeriesShown:
    seen = await series.seen(series_id, actor=actor)
    return SeriesShown(
        id=seen.series.public_id,
        title=seen.series.title,
        rrule=seen.series.rrule,
        bookings=[
            Made(
                recurrence_id=name,
                booking=each.public_id,
                starts_at=each.start_at,
                ends_at=each.end_at,
                state=each.state,
            )
            for name, each in seen.bookings
        ],
        rejected=[
            NotHad(recurrence_id=each.recurrence_id, code=each.code, detail=each.detail)
            for each in seen.rejected
        ],
    )
