"""开播前: the rundown of a broadcast, and the check that lets it on air."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission
from livehub.kit.states import WrongState
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Instant, Nothing
from rooms import prechecks, queries, rundown
from rooms.errors import ChecklistIncomplete, CueRefused, NotFitForAir, SignerNeeded
from rooms.rundown import Kind, Planned

calls = Section("开播前")


class NewCue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """计划的一个环节。"""

    kind: Kind
    title: Annotated[str, Meta(min_length=1, max_length=rundown.TITLE_LENGTH)]
    offset_s: Annotated[int, Meta(ge=0, le=10**6, description="开播后第几秒开始")] = 0
    length_s: Annotated[int, Meta(ge=0, le=10**6, description="计划秒数")] = 0
    product: Annotated[str, Meta(max_length=16, description="商品公开编号")] = ""
    template: Annotated[str, Meta(max_length=16, description="券种公开编号，投券环节必填")] = ""
    quantity: Annotated[int, Meta(ge=0, le=10**6, description="投放张数")] = 0
    window_s: Annotated[int, Meta(ge=0, le=10**6, description="领取时间，不超过平台上限")] = 0


class NewRundown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """整场脚本，取代原来的。"""

    cues: Annotated[tuple[NewCue, ...], Meta(max_length=200)]


class PlannedCue(Struct, frozen=True, kw_only=True):
    """脚本里的一个环节。"""

    id: str
    position: int
    kind: str
    title: str
    planned_offset_s: int
    planned_s: int


class Fault(Struct, frozen=True, kw_only=True):
    """不符合规定的一处。"""

    field: str
    reason: str
    expected: str


class Signature(Struct, frozen=True, kw_only=True):
    """检查表上的一个签字。"""

    role: Annotated[str, Meta(description="anchor 主播、console 中控、centre 中心")]
    signed_by: str
    at: Instant
    items: Annotated[list[str], Meta(description="确认了哪些项")]


class Check(Struct, frozen=True, kw_only=True):
    """开播前检查。"""

    items: Annotated[list[str], Meta(description="要逐项确认的")]
    faults: list[Fault]
    rules: Annotated[list[str], Meta(description="不符合的规则，如 qualification_expired")]
    signatures: Annotated[list[Signature], Meta(description="对现在的脚本和主播有效的签字")]
    needs_centre: Annotated[bool, Meta(description="食品和党建场次还要中心另一人签字")]
    passed: bool


class NewSignature(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """签字。"""

    role: Literal["console", "centre"]
    ticked: Annotated[tuple[str, ...], Meta(max_length=20, description="确认了哪些项")]


@calls.post(
    "/broadcasts/{broadcast_id}/rundown",
    summary="排脚本，整场取代",
    needs=(Permission.BOOKING_REQUEST,),
    body=NewRundown,
    answer=All[PlannedCue],
    refusals=(CueRefused, WrongState),
)
async def plan(asked: Asked[None, NewRundown], broadcast_id: str) -> All[PlannedCue]:
    """Replace the rundown; every cue that is wrong is named."""
    cues = [
        Planned(
            kind=each.kind,
            title=each.title,
            offset_s=each.offset_s,
            length_s=each.length_s,
            product=each.product,
            template_ref=each.template,
            quantity=each.quantity,
            window_s=each.window_s,
        )
        for each in asked.body.cues
    ]
    made = await database.unit(
        lambda: rundown.plan(broadcast_id, cues=cues, actor=asked.actor, now=asked.now)
    )
    return All(
        items=[
            PlannedCue(
                id=each.public_id,
                position=each.position,
                kind=each.kind,
                title=each.title,
                planned_offset_s=each.planned_offset_s,
                planned_s=each.planned_s,
            )
            for each in made
        ]
    )


@calls.get(
    "/broadcasts/{broadcast_id}/precheck",
    summary="开播前检查到哪一步",
    needs=(Permission.BROADCAST_READ,),
    query=Nothing,
    answer=Check,
)
async def standing(asked: Asked[Nothing, None], broadcast_id: str) -> Check:
    """What is to be ticked, what is against it, and who signed."""
    return await _check((await queries.broadcast(broadcast_id, actor=asked.actor)).id)


@calls.post(
    "/broadcasts/{broadcast_id}/precheck",
    summary="在开播前检查上签字；只认登录的人",
    needs=(Permission.BROADCAST_RUN,),
    body=NewSignature,
    answer=Check,
    refusals=(SignerNeeded, ChecklistIncomplete, NotFitForAir, SecondPersonNeeded, WrongState),
)
async def sign(asked: Asked[None, NewSignature], broadcast_id: str) -> Check:
    """Sign for the console or for the centre."""
    body = asked.body
    signed = await database.unit(
        lambda: prechecks.sign(
            broadcast_id, ticked=body.ticked, role=body.role, actor=asked.actor, now=asked.now
        )
    )
    return await _check(signed.broadcast_id)


async def _check(broadcast_id: int) -> Check:
    found = await prechecks.standing(broadcast_id)
    return Check(
        items=list(found.items),
        faults=[Fault(field=each.field, reason=each.reason, expected=each.expected) for each in found.faults],
        rules=found.rules,
        signatures=[
            Signature(role=each.role, signed_by=each.signed_by, at=each.at, items=each.items.split())
            for each in found.signed
        ],
        needs_centre=found.needs_centre,
        passed=found.is_whole and not found.faults,
    )
