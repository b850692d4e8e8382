"""共用规则: quotas, and the waiting list."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct, field

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.web.api import named
from livehub.web.api.bookings import NewBooking, as_wish
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Instant, Nothing, PublicId
from rooms import quotas, waitlist
from rooms import sharing_queries as queries
from rooms.errors import (
    AlreadyWaiting,
    NotWaitlistable,
    OfferOver,
    OutsideRules,
    QuotaBelowUse,
    QuotaRefused,
    RoomNotActive,
    SlotFree,
)
from rooms.models import Theme
from rooms.sharing_models import QuotaUnit, QuotaWindow, WaitState

calls = Section("额度与候补")


class QuotaDay(Struct, frozen=True, kw_only=True):
    """按哪一天所在的周期来看。"""

    day: Annotated[date, Meta(description="营业日，默认今天")] | None = None


class QuotaRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一条额度；不写直播间和主题就是整个中心。"""

    window: QuotaWindow
    limit: Annotated[int, Meta(ge=0, le=100_000)]
    unit: QuotaUnit = QuotaUnit.BOOKINGS
    rooms: Annotated[tuple[PublicId, ...], Meta(max_length=50)] = ()
    theme: Theme | None = None
    prime_only: Annotated[bool, Meta(description="只算与黄金时段有重叠的")] = False


class QuotaList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个部门的全部额度；不在其中的取消。"""

    bureau: PublicId
    quotas: Annotated[tuple[QuotaRule, ...], Meta(max_length=20)]


class QuotaView(Struct, frozen=True, kw_only=True):
    """一条额度和这一期的用量。"""

    bureau: str
    bureau_name: str
    rooms: list[str]
    theme: str
    window: QuotaWindow
    unit: QuotaUnit
    limit: int
    prime_only: bool
    used: int
    since: Annotated[date, Meta(description="这一期的第一个营业日")] = field(name="from")
    until: Annotated[date, Meta(description="这一期之后的第一天")]


class WaitingView(Struct, frozen=True, kw_only=True):
    """一条候补。"""

    id: str
    bureau_name: str
    room: str
    room_name: str
    title: str
    starts_at: Instant
    ends_at: Instant
    state: WaitState
    position: Annotated[int, Meta(description="第几位；不再等候时为 0")]
    offer_until: Instant | None
    booking: Annotated[str, Meta(description="轮到后为它占住时段的排期")]
    asked_at: Instant


# ----- quotas


@calls.get(
    "/quotas", summary="额度和用量", needs=(Permission.BOOKING_READ,), query=QuotaDay, answer=All[QuotaView]
)
async def quota_uses(asked: Asked[QuotaDay, None]) -> All[QuotaView]:
    """The quotas the caller may see."""
    day = asked.query.day or clock.local_day(asked.now)
    found = await queries.quota_uses(actor=asked.actor, day=day)
    bureaus = await named.bureaus(asked.actor.centre_id)
    return All(items=[_quota(each, bureau=bureaus[each.bureau_id]) for each in found])


@calls.put(
    "/quotas",
    summary="设定一个部门的全部额度",
    needs=(Permission.ROOM_MANAGE,),
    body=QuotaList,
    answer=All[QuotaView],
    refusals=(QuotaRefused, QuotaBelowUse),
)
async def set_quotas(asked: Asked[None, QuotaList]) -> All[QuotaView]:
    """These, and no others."""
    actor = asked.actor
    bureau_id = await named.bureau_id(asked.body.bureau, actor=actor, permission=Permission.ROOM_MANAGE)
    rules = [
        quotas.Rule(
            rooms=each.rooms,
            theme=str(each.theme) if each.theme else "",
            window=each.window,
            unit=each.unit,
            limit=each.limit,
            prime_only=each.prime_only,
        )
        for each in asked.body.quotas
    ]
    await database.unit(lambda: quotas.put(bureau_id, rules, actor=actor, now=asked.now))
    day = clock.local_day(asked.now)
    found = await queries.quota_uses(actor=actor, day=day, bureau_id=bureau_id)
    return All(items=[_quota(each, bureau=asked.body.bureau) for each in found])


# ----- the waiting list


@calls.get(
    "/waitlist", summary="候补", needs=(Permission.BOOKING_READ,), query=Nothing, answer=All[WaitingView]
)
async def waiting(asked: Asked[Nothing, None]) -> All[WaitingView]:
    """Who waits for times to come, as far as the caller may know."""
    return All(items=[_waiting(each) for each in await queries.waiting(actor=asked.actor, now=asked.now)])


@calls.post(
    "/waitlist",
    summary="候补一个被占用的时段",
    needs=(Permission.BOOKING_REQUEST,),
    body=NewBooking,
    answer=WaitingView,
    status=201,
    refusals=(OutsideRules, RoomNotActive, SlotFree, NotWaitlistable, AlreadyWaiting),
)
async def join(asked: Asked[None, NewBooking]) -> WaitingView:
    """Stand in line."""
    wish = await as_wish(asked.body, actor=asked.actor)
    made = await database.unit(lambda: waitlist.join(wish, actor=asked.actor, now=asked.now))
    return _waiting(await queries.entry(made.public_id, actor=asked.actor))


@calls.post(
    "/waitlist/{entry_id}/accept",
    summary="接受轮到的时段，进入审批",
    needs=(Permission.BOOKING_REQUEST,),
    body=Nothing,
    answer=WaitingView,
    refusals=(OfferOver,),
)
async def accept(asked: Asked[None, Nothing], entry_id: str) -> WaitingView:
    """Take what was offered."""
    await database.unit(lambda: waitlist.accept(entry_id, actor=asked.actor, now=asked.now))
    return _waiting(await queries.entry(entry_id, actor=asked.actor))


@calls.post(
    "/waitlist/{entry_id}/decline",
    summary="谢绝轮到的时段，让给下一位",
    needs=(Permission.BOOKING_REQUEST,),
    body=Nothing,
    answer=WaitingView,
    refusals=(OfferOver,),
)
async def decline(asked: Asked[None, Nothing], entry_id: str) -> WaitingView:
    """Leave it to the next."""
    await database.unit(lambda: waitlist.decline(entry_id, actor=asked.actor, now=asked.now))
    return _waiting(await queries.entry(entry_id, actor=asked.actor))


@calls.post(
    "/waitlist/{entry_id}/withdraw",
    summary="不再候补",
    needs=(Permission.BOOKING_REQUEST,),
    body=Nothing,
    answer=WaitingView,
    refusals=(OfferOver,),
)
async def withdraw(asked: Asked[None, Nothing], entry_id: str) -> WaitingView:
    """Wait no longer."""
    await database.unit(lambda: waitlist.withdraw(entry_id, actor=asked.actor, now=asked.now))
    return _waiting(await queries.entry(entry_id, actor=asked.actor))


def _quota(each: queries.QuotaUse, *, bureau: str) -> QuotaView:
    return QuotaView(
        bureau=bureau,
        bureau_name=each.bureau,
        rooms=each.room_ids,
        theme=each.theme,
        window=QuotaWindow(each.window),
        unit=QuotaUnit(each.unit),
        limit=each.limit,
        prime_only=each.prime_only,
        used=each.used,
        since=each.first,
        until=each.after,
    )


def _waiting(each: queries.Waiting) -> WaitingView:
    return WaitingView(
        id=each.id,
        bureau_name=each.bureau,
        room=each.room_id,
        room_name=each.room,
        title=each.title,
        starts_at=each.starts_at,
        ends_at=each.ends_at,
        state=WaitState(each.state),
        position=each.position,
        offer_until=each.offer_until,
        booking=each.booking,
        asked_at=each.asked_at,
    )
