"""定向发放: a roster's households are given a round's vouchers."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated

from msgspec import Meta, Struct

from livehub.accounts.permissions import Permission
from livehub.kit.errors import Detail, Invalid
from livehub.kit.sheets.errors import Unreadable
from livehub.vouchers import direct, direct_queries, households
from livehub.vouchers.errors import Ended, NotDirect, NotStarted, Paused
from livehub.web.api import named
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Instant, Nothing
from streamers.training.errors import RosterRefused
from streamers.training.importing import Mode

calls = Section("消费券")


class Households(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个名册文件：列名手机号（必填）、户号，一户一行。"""

    name: Annotated[str, Meta(min_length=1, max_length=120, description="文件名")]
    content_base64: Annotated[str, Meta(min_length=4, description="xlsx 或 CSV 的字节，base64")]
    mode: Annotated[
        Mode,
        Meta(
            description="dry_run 只检查；strict 有一行不对就都不发，一次最多"
            f" {direct.MOST_AT_ONCE} 张券；partial 分批发给合格的户，中断后同一名册再来一次接着发"
        ),
    ]


class NotGiven(Struct, frozen=True, kw_only=True):
    """一行为什么没有发放。"""

    line: int
    column: str
    code: str
    reason: str


class Given(Struct, frozen=True, kw_only=True):
    """名册的结果，按户计。"""

    mode: Mode
    rows: int
    given: int
    vouchers: Annotated[int, Meta(description="发出的张数")]
    unchanged: Annotated[int, Meta(description="以前已发放的户")]
    wrong: list[NotGiven]
    errors_xlsx_base64: Annotated[str, Meta(description="未发放的行，最后一列是原因；没有时为空")]


class Imported(Struct, frozen=True, kw_only=True):
    """一次导入。"""

    id: str
    name: str
    at: Instant
    by_name: str
    mode: Mode
    rows: int
    given: int
    unchanged: int
    wrong: int


@calls.post(
    "/rounds/{round_id}/households",
    summary="把名册里每一户的券当场发放；同一名册再来一次不会重复发放",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Households,
    answer=Given,
    refusals=(Unreadable, RosterRefused, NotDirect, NotStarted, Ended, Paused),
)
async def give(asked: Asked[None, Households], round_id: str) -> Given:
    """Give households their vouchers."""
    number, _ = await named.round_of(round_id, actor=asked.actor)
    body = asked.body
    outcome = await direct.take(
        _bytes(body), round_id=number, mode=body.mode, name=body.name, actor=asked.actor, now=asked.now
    )
    workbook = b""
    if outcome.wrong:
        workbook = await asyncio.to_thread(direct.workbook_of, outcome.wrong, outcome.head)
    return Given(
        mode=outcome.mode,
        rows=outcome.rows,
        given=outcome.given,
        vouchers=outcome.vouchers,
        unchanged=outcome.unchanged,
        wrong=[
            NotGiven(line=each.line, column=each.column, code=each.code, reason=households.said(each))
            for each in outcome.wrong
        ],
        errors_xlsx_base64=base64.b64encode(workbook).decode(),
    )


@calls.get(
    "/rounds/{round_id}/households",
    summary="定向轮次的导入记录",
    needs=(Permission.CAMPAIGN_DRAFT,),
    query=Nothing,
    answer=All[Imported],
)
async def imports(asked: Asked[Nothing, None], round_id: str) -> All[Imported]:
    """Which files came, and what came of them."""
    number, _ = await named.round_of(round_id, actor=asked.actor)
    return All(
        items=[
            Imported(
                **{name: getattr(each, name) for name in Imported.__struct_fields__ if name != "mode"},
                mode=Mode(each.mode),
            )
            for each in await direct_queries.imports(number)
        ]
    )


def _bytes(body: Households) -> bytes:
    try:
        return base64.b64decode(body.content_base64, validate=True)
    except ValueError:  # also where it has other letters than ASCII
        raise Invalid(details=[Detail("content_base64", "不是 base64", "文件字节的 base64")]) from None
