"""投放: vouchers set aside for a broadcast, given on its links while it is on air."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.vouchers import drops
from livehub.vouchers.errors import (
    DirectOnly,
    DropAlreadyOpen,
    DropTooMany,
    DropWindowTooLong,
    Ended,
    NotLive,
)
from livehub.vouchers.models import Drop
from livehub.web.api import named
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Instant, Nothing, PublicId

calls = Section("消费券")


class NewDrop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """本场要投放的券。"""

    template: Annotated[PublicId, Meta(description="券种或券包的公开编号")]
    quantity: Annotated[int, Meta(ge=1, le=100_000_000, description="张数；券包为包数")]
    window_s: Annotated[int, Meta(ge=1, le=drops.MAX_WINDOW_S, description="开放多少秒")]


class DropOpening(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """现在投放多少；不写即全部。"""

    quantity: Annotated[int, Meta(ge=1, le=100_000_000)] | None = None


class DropState(Struct, frozen=True, kw_only=True):
    """一次投放。"""

    id: str
    state: Annotated[str, Meta(description="planned 待投放，open 投放中，closed 已结束")]
    quantity: int
    claimed: int
    opens_at: Instant
    closes_at: Instant


@calls.post(
    "/broadcasts/{broadcast_id}/drops",
    summary="为场次安排投放",
    needs=(Permission.DROP_RUN,),
    body=NewDrop,
    answer=DropState,
    status=201,
    refusals=(DirectOnly, DropTooMany, DropWindowTooLong),
)
async def plan_drop(asked: Asked[None, NewDrop], broadcast_id: str) -> DropState:
    """Set vouchers aside for a broadcast."""
    body = asked.body
    broadcast = await named.broadcast_id(broadcast_id, actor=asked.actor)
    template = await named.template_id(body.template, actor=asked.actor)
    made = await database.unit(
        lambda: drops.plan(
            broadcast,
            template_id=template,
            quantity=body.quantity,
            window_s=body.window_s,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return _drop(made)


@calls.post(
    "/drops/{drop_id}/open",
    summary="开始投放",
    needs=(Permission.DROP_RUN,),
    body=DropOpening,
    answer=DropState,
    refusals=(NotLive, Ended, DropAlreadyOpen, DropTooMany),
)
async def open_drop(asked: Asked[None, DropOpening], drop_id: str) -> DropState:
    """Let the broadcast's links give the vouchers; with a smaller quantity the rest stays planned."""
    number = await named.drop_id(drop_id, actor=asked.actor)
    opened = await database.unit(
        lambda: drops.open_drop(number, actor=asked.actor, now=asked.now, quantity=asked.body.quantity)
    )
    return _drop(opened)


@calls.post(
    "/drops/{drop_id}/close",
    summary="收回投放",
    needs=(Permission.DROP_RUN,),
    body=Nothing,
    answer=DropState,
)
async def close_drop(asked: Asked[None, Nothing], drop_id: str) -> DropState:
    """End it; what nobody claimed is the template's again."""
    number = await named.drop_id(drop_id, actor=asked.actor)
    closed = await database.unit(lambda: drops.close_drop(number, actor=asked.actor, now=asked.now))
    return _drop(closed)


def _drop(drop: Drop) -> DropState:
    return DropState(
        id=drop.public_id,
        state=drop.state,
        quantity=drop.quantity,
        claimed=drop.claimed,
        opens_at=drop.opens_at,
        closes_at=drop.closes_at,
    )
