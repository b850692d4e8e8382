"""人工认定: lines given to a broadcast by a named clerk (class M) or taken back, and what was said."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.orders import assigning
from livehub.orders.assigning import Named
from livehub.reports import orders
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Instant, Nothing, PublicId

calls = Section("订单")

Ref = Annotated[str, Meta(min_length=1, max_length=64)]
Reason = Annotated[str, Meta(min_length=2, max_length=200, description="依据")]


class AssignedLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一行订单明细。"""

    shop: PublicId
    order_ref: Ref
    line_ref: Ref


Lines = Annotated[list[AssignedLine], Meta(min_length=1, max_length=assigning.MOST)]


class NewAssignment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """哪些明细归哪一场，依据是什么。"""

    lines: Lines
    broadcast: PublicId
    reason: Reason


class TakingBack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """哪些明细不再按人工认定归属，为什么。"""

    lines: Lines
    reason: Reason


class Assigned(Struct, frozen=True, kw_only=True):
    """动了几行；原来就是这样的不算。"""

    lines: int


class ClerksWord(Struct, frozen=True, kw_only=True):
    """有人对一行明细说过的话。"""

    line_ref: str
    broadcast: Annotated[str, Meta(description="场次公开编号；收回的为空")]
    title: str
    reason: str
    by: str
    at: Instant
    counts: Annotated[bool, Meta(description="是不是现在算数的一句")]


@calls.post(
    "/line-assignments",
    summary="把明细认定给一场直播（M），优先于其他归属",
    needs=(Permission.SALES_ASSIGN,),
    body=NewAssignment,
    answer=Assigned,
)
async def give(asked: Asked[None, NewAssignment]) -> Assigned:
    """Give lines to a broadcast."""
    body = asked.body
    moved = await database.unit(
        lambda: assigning.give(
            _named(body.lines),
            broadcast=body.broadcast,
            reason=body.reason,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return Assigned(lines=moved)


@calls.post(
    "/line-assignments/take-back",
    summary="收回人工认定，按其他线索重新归属",
    needs=(Permission.SALES_ASSIGN,),
    body=TakingBack,
    answer=Assigned,
)
async def take_back(asked: Asked[None, TakingBack]) -> Assigned:
    """Let lines be attributed as if no clerk had said anything."""
    body = asked.body
    moved = await database.unit(
        lambda: assigning.take_back(_named(body.lines), reason=body.reason, actor=asked.actor, now=asked.now)
    )
    return Assigned(lines=moved)


@calls.get(
    "/orders/{shop_id}/{order_ref}/assignments",
    summary="对一个订单的明细说过的话，新的在前",
    needs=(Permission.SALES_READ,),
    query=Nothing,
    answer=All[ClerksWord],
)
async def words(asked: Asked[Nothing, None], shop_id: str, order_ref: str) -> All[ClerksWord]:
    """Everything clerks said of an order's lines."""
    seen = await orders.order(shop_id, order_ref, actor=asked.actor)
    same = ClerksWord.__struct_fields__
    return All(
        items=[
            ClerksWord(**{name: getattr(each, name) for name in same})
            for each in await assigning.words_on(seen.id)
        ]
    )


def _named(lines: list[AssignedLine]) -> list[Named]:
    return [Named(each.shop, each.order_ref, each.line_ref) for each in lines]
