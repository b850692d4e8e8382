"""大屏: the wall's figures at this moment, sums only."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub.accounts.permissions import Permission
from livehub.reports import wall
from livehub.reports.basis import Axis, Basis
from livehub.reports.wall import Board
from livehub.web.api.declared import ROOT, Asked, Section
from livehub.web.api.shapes import AsOf, Nothing, Unit

calls = Section("大屏")


class Wall(Struct, frozen=True, kw_only=True):
    """大屏上的全部数字；杠杆给分子和分母，不给比值。"""

    basis: Annotated[Basis, Meta(description="排行的口径；每个数字的字段名写明自己的口径")]
    axis: Axis
    unit: Unit
    as_of: AsOf
    evidence_url: Annotated[str, Meta(description="今日净成交额的明细")]
    board: Board


@calls.get("/wall", summary="大屏的数字", needs=(Permission.WALL_READ,), query=Nothing, answer=Wall)
async def figures(asked: Asked[Nothing, None]) -> Wall:
    """What the wall would show now."""
    board = await wall.board(centre_id=asked.actor.centre_id, now=asked.now)
    day = board.day.isoformat()
    return Wall(
        basis=Basis.G3,
        axis=Axis.EVENT,
        unit="fen",
        as_of=board.as_of,
        evidence_url=f"{ROOT}/sales/lines?basis=G3&axis=event&from={day}&to={day}",
        board=board,
    )
