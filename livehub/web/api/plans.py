"""周排期: what a week's plan would say, what was published of it, and what differs; moving a booking."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit.errors import NotFound
from livehub.web.api import named
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Instant, Nothing
from rooms import plans
from rooms.errors import NothingToPublish, WeekUnknown
from rooms.plan_diff import Diff, Pair, Slot

calls = Section("周排期")


class PlanSlotShown(Struct, frozen=True, kw_only=True):
    """排期里的一条。别的部门的只有部门、直播间和时间。"""

    booking: str
    kind: str
    starts_at: Instant
    ends_at: Instant
    room_name: str
    bureau_name: str
    title: str
    crew: str
    broadcast: str


class Moved(Struct, frozen=True, kw_only=True):
    """改动前后。"""

    before: PlanSlotShown
    after: PlanSlotShown


class Changes(Struct, frozen=True, kw_only=True):
    """两个版本的差别。"""

    new: list[PlanSlotShown]
    moved: list[Moved]
    changed: Annotated[list[Moved], Meta(description="时间和直播间没变，内容或人员变了")]
    cancelled: list[PlanSlotShown]
    unchanged: int


class Draft(Struct, frozen=True, kw_only=True):
    """一周的草稿：现在的排期，和发布会带来的变化。"""

    week: str
    published: Annotated[int, Meta(description="已发布到第几版，0 是还没有发布")]
    slots: list[PlanSlotShown]
    changes: Changes


class PublishedPlan(Struct, frozen=True, kw_only=True):
    """发布过的一版，不再变。"""

    week: str
    number: int
    state: str
    published_at: Instant
    published_by: str
    note: str
    slots: list[PlanSlotShown]


class Publication(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """发布说明。"""

    note: Annotated[str, Meta(max_length=plans.NOTE_LENGTH)] = ""


class Versions(Struct, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}):
    """从哪一版到哪一版。"""

    since: Annotated[int, Meta(ge=0, le=10**6, description="0 是空排期")] = 0
    until: Annotated[int, Meta(ge=0, le=10**6, description="0 是草稿")] = 0


@calls.get(
    "/plans/{week}/draft",
    summary="一周的草稿和待发布的变化",
    needs=(Permission.BOOKING_READ,),
    query=Nothing,
    answer=Draft,
    refusals=(WeekUnknown,),
)
async def draft(asked: Asked[Nothing, None], week: str) -> Draft:
    """What publishing would say and change."""
    meant, centre_id = plans.named(week), asked.actor.centre_id
    newest = await plans.published(centre_id, meant)
    return Draft(
        week=str(meant),
        published=newest.number if newest else 0,
        slots=[_slot(each, asked.actor) for each in await plans.draft(centre_id, meant)],
        changes=_changes(await plans.pending(centre_id, meant), asked.actor),
    )


@calls.post(
    "/plans/{week}/publish",
    summary="发布一周的排期",
    needs=(Permission.PLAN_PUBLISH,),
    body=Publication,
    answer=PublishedPlan,
    status=201,
    refusals=(NothingToPublish, WeekUnknown),
)
async def publish(asked: Asked[None, Publication], week: str) -> PublishedPlan:
    """Copy the draft into a version that stays."""
    meant = plans.named(week)
    made = await database.unit(
        lambda: plans.publish(
            meant, centre_id=asked.actor.centre_id, note=asked.body.note, actor=asked.actor, now=asked.now
        )
    )
    return await _published(meant, made.number, asked.actor)


@calls.get(
    "/plans/{week}/versions/{number}",
    summary="发布过的一版",
    needs=(Permission.BOOKING_READ,),
    query=Nothing,
    answer=PublishedPlan,
    refusals=(WeekUnknown,),
)
async def version(asked: Asked[Nothing, None], week: str, number: str) -> PublishedPlan:
    """A version as it was published."""
    return await _published(plans.named(week), named.row_number(number), asked.actor)


@calls.get(
    "/plans/{week}/diff",
    summary="两个版本的差别",
    needs=(Permission.BOOKING_READ,),
    query=Versions,
    answer=Changes,
    refusals=(WeekUnknown,),
)
async def diff(asked: Asked[Versions, None], week: str) -> Changes:
    """What changed from one version to another."""
    query = asked.query
    found = await plans.difference(
        asked.actor.centre_id, plans.named(week), since=query.since, until=query.until
    )
    return _changes(found, asked.actor)


async def _published(week: plans.Week, number: int, actor: Actor) -> PublishedPlan:
    found = await plans.published(actor.centre_id, week, number=number) if 0 < number < 10**9 else None
    if found is None:
        raise NotFound
    return PublishedPlan(
        week=str(week),
        number=found.number,
        state=found.state,
        published_at=found.published_at,
        published_by=found.published_by,
        note=found.note,
        slots=[_slot(each, actor) for each in found.slots],
    )


def _changes(diff: Diff, actor: Actor) -> Changes:
    return Changes(
        new=[_slot(each, actor) for each in diff.new],
        moved=[_pair(each, actor) for each in diff.moved],
        changed=[_pair(each, actor) for each in diff.changed],
        cancelled=[_slot(each, actor) for each in diff.cancelled],
        unchanged=diff.unchanged,
    )


def _pair(pair: Pair, actor: Actor) -> Moved:
    return Moved(before=_slot(pair.before, actor), after=_slot(pair.after, actor))


def _slot(slot: Slot, actor: Actor) -> PlanSlotShown:
    """Everybody sees what is taken; owners and the centre see what for."""
    scope = bureau_scope(actor, Permission.BOOKING_READ)
    mine = scope is None or slot.bureau_id in scope
    return PlanSlotShown(
        booking=slot.booking if mine else "",
        kind=slot.kind,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        room_name=slot.room,
        bureau_name=slot.bureau,
        title=slot.title if mine else "",
        crew=slot.crew if mine else "",
        broadcast=slot.broadcast if mine else "",
    )
