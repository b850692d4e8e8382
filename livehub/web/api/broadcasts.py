"""场次: what is planned and on air, going on and off the air, the platform rooms of a broadcast."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit.states import WrongState
from livehub.platforms.errors import UnknownPlatform
from livehub.web.api import named
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Instant, Listed, Nothing, Paging, listed
from rooms import onair, queries
from rooms.errors import (
    AccountElsewhere,
    CheckOutdated,
    NotApproved,
    NotItsTime,
    NotOnAir,
    PreAirCheckMissing,
)
from rooms.models import BroadcastState
from rooms.queries import BroadcastView

calls = Section("场次")


class BroadcastFilter(Paging, frozen=True, kw_only=True):
    """要哪些场次。"""

    state: BroadcastState | None = None
    room: Annotated[str, Meta(max_length=16, description="直播间公开编号")] = ""


class PlatformRoom(Struct, frozen=True, kw_only=True):
    """场次所在的平台账号与直播间。"""

    platform: str
    account_ref: Annotated[str, Meta(description="平台上的账号编号")]
    room_ref: Annotated[str, Meta(description="平台上的直播间编号，开播后才有")]


class Broadcast(Struct, frozen=True, kw_only=True):
    """一个场次。"""

    id: str
    booking: str
    title: str
    room_name: str
    theme: str
    bureau: str
    bureau_name: str
    streamer_name: str
    state: BroadcastState
    business_day: Annotated[date, Meta(description="场次日，按直播间的日界")]
    planned_start_at: Instant
    planned_end_at: Instant
    started_at: Instant | None
    ended_at: Instant | None
    flags: str


class Cue(Struct, frozen=True, kw_only=True):
    """一个环节。"""

    id: str
    position: int
    kind: str
    title: str
    planned_offset_s: int
    planned_s: int
    template: Annotated[str, Meta(description="券种公开编号，不是投放环节时为空")]
    quantity: int
    window_s: int
    state: str
    fired_at: Instant | None


class BroadcastPage(Struct, frozen=True, kw_only=True):
    """一个场次，连同平台账号和环节。"""

    broadcast: Broadcast
    platform_rooms: list[PlatformRoom]
    cues: list[Cue]


class Binding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """平台上的直播间；之前的订单也会归到这一场。"""

    platform: Annotated[str, Meta(min_length=1, max_length=32)]
    account_ref: Annotated[str, Meta(min_length=1, max_length=64)]
    room_ref: Annotated[str, Meta(min_length=1, max_length=64)]


@calls.get(
    "/broadcasts",
    summary="场次清单，最近的在前",
    needs=(Permission.BROADCAST_READ,),
    query=BroadcastFilter,
    answer=Listed[Broadcast],
)
async def latest(asked: Asked[BroadcastFilter, None]) -> Listed[Broadcast]:
    """The broadcasts the caller may see."""
    query = asked.query
    page = await queries.latest_broadcasts(
        actor=asked.actor, state=query.state or "", room=query.room, number=query.page, size=query.size
    )
    bureaus = await named.bureaus(asked.actor.centre_id)
    answer = listed(page)
    return Listed(
        items=[_broadcast(each, bureaus) for each in answer.items],
        page=answer.page,
        size=answer.size,
        total=answer.total,
    )


@calls.get(
    "/broadcasts/{broadcast_id}",
    summary="一个场次",
    needs=(Permission.BROADCAST_READ,),
    query=Nothing,
    answer=BroadcastPage,
)
async def one(asked: Asked[Nothing, None], broadcast_id: str) -> BroadcastPage:
    """A broadcast with its accounts and its rundown."""
    view = await queries.broadcast(broadcast_id, actor=asked.actor)
    cues = await queries.cues(view.id)
    return BroadcastPage(
        broadcast=_broadcast(view, await named.bureaus(asked.actor.centre_id)),
        platform_rooms=[
            PlatformRoom(platform=platform, account_ref=account, room_ref=room)
            for platform, account, room in await queries.accounts_of(view.id)
        ],
        cues=[
            Cue(
                id=each.public_id,
                position=each.position,
                kind=each.kind,
                title=each.title,
                planned_offset_s=each.planned_offset_s,
                planned_s=each.planned_s,
                template=each.template_ref,
                quantity=each.quantity,
                window_s=each.window_s,
                state=each.state,
                fired_at=each.fired_at,
            )
            for each in cues
        ],
    )


@calls.post(
    "/broadcasts/{broadcast_id}/start",
    summary="开播",
    needs=(Permission.BROADCAST_RUN,),
    body=Nothing,
    answer=Broadcast,
    refusals=(WrongState, NotApproved, NotItsTime, PreAirCheckMissing, CheckOutdated),
)
async def start(asked: Asked[None, Nothing], broadcast_id: str) -> Broadcast:
    """Go on air."""
    await database.unit(lambda: onair.start(broadcast_id, actor=asked.actor, now=asked.now))
    return await _answered(broadcast_id, actor=asked.actor)


@calls.post(
    "/broadcasts/{broadcast_id}/end",
    summary="下播",
    needs=(Permission.BROADCAST_RUN,),
    body=Nothing,
    answer=Broadcast,
    refusals=(NotOnAir,),
)
async def end(asked: Asked[None, Nothing], broadcast_id: str) -> Broadcast:
    """Go off the air."""
    await database.unit(lambda: onair.end(broadcast_id, actor=asked.actor, now=asked.now))
    return await _answered(broadcast_id, actor=asked.actor)


@calls.post(
    "/broadcasts/{broadcast_id}/rooms",
    summary="登记平台直播间，订单由此归到本场",
    needs=(Permission.BROADCAST_RUN,),
    body=Binding,
    answer=PlatformRoom,
    refusals=(UnknownPlatform, AccountElsewhere),
)
async def bind(asked: Asked[None, Binding], broadcast_id: str) -> PlatformRoom:
    """Say which room of a platform the broadcast is in; saying it twice changes nothing."""
    body = asked.body
    account = await database.unit(
        lambda: onair.bind_room(
            broadcast_id,
            platform=body.platform,
            account_ref=body.account_ref,
            room_ref=body.room_ref,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return PlatformRoom(platform=account.platform, account_ref=account.account_ref, room_ref=account.room_ref)


async def _answered(public_id: str, *, actor: Actor) -> Broadcast:
    view = await queries.broadcast(public_id, actor=actor)
    return _broadcast(view, await named.bureaus(actor.centre_id))


def _broadcast(view: BroadcastView, bureaus: dict[int, str]) -> Broadcast:
    return Broadcast(
        id=view.public_id,
        booking=view.booking,
        title=view.title,
        room_name=view.room,
        theme=view.theme,
        bureau=bureaus[view.bureau_id],
        bureau_name=view.bureau,
        streamer_name=view.streamer,
        state=BroadcastState(view.state),
        business_day=view.business_day,
        planned_start_at=view.planned_start_at,
        planned_end_at=view.planned_end_at,
        started_at=view.started_at,
        ended_at=view.ended_at,
        flags=view.flags,
    )
