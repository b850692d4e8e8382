"""…/campaigns/…/direct/… 定向发放: a roster's households are given a round's vouchers."""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import quote

from msgspec import Meta, Struct
from sanic import Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError, NotFound
from livehub.kit.sheets import writing
from livehub.vouchers import direct, direct_queries, households
from livehub.vouchers.direct import Outcome
from livehub.vouchers.direct_queries import DirectPage
from livehub.web import doors, reading, two_doors
from livehub.web.reading import Form
from livehub.web.rendering import page
from streamers.training.errors import RosterRefused
from streamers.training.importing import Mode


class Upload(Struct):
    """What stands beside the file."""

    mode: Annotated[Mode, Meta(extra={"expected": "选择导入方式"})]


@doors.signed_in(Permission.CAMPAIGN_READ)
async def show(request: Request, actor: Actor, public_id: str, direct_id: str) -> HTTPResponse:
    """What a direct round gives, and to how many it gave."""
    return await _page(request, actor, await _read(actor, public_id, direct_id))


@doors.uploading(Permission.CAMPAIGN_DRAFT)
async def take(request: Request, actor: Actor, public_id: str, direct_id: str) -> HTTPResponse:
    """Look at a roster, or give its households their vouchers."""
    seen = await _read(actor, public_id, direct_id)
    form = reading.blank(mode=str(Mode.DRY_RUN))
    try:
        given = reading.form(request, Upload)
        form = reading.blank(mode=str(given.mode))
        name, raw = _file(request)
        outcome = await direct.take(
            raw, round_id=seen.round.row_id, mode=given.mode, name=name, actor=actor, now=clock.now()
        )
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        seen = await _read(actor, public_id, direct_id)  # a partial import may have given something before
        return await _page(request, actor, seen, form=form, refusal=error)
    return await _page(request, actor, await _read(actor, public_id, direct_id), form=form, outcome=outcome)


@doors.signed_in(Permission.CAMPAIGN_DRAFT, freshly=True)
async def mistakes(_request: Request, actor: Actor, given_id: str) -> HTTPResponse:
    """The rows that were given nothing, each with its reason."""
    return _workbook("未发放名单", await direct.workbook(given_id, actor=actor, now=clock.now()))


@doors.signed_in(Permission.CAMPAIGN_READ, freshly=True)
async def template(_request: Request, _actor: Actor) -> HTTPResponse:
    """An empty roster to fill in, its cells text."""
    book = await asyncio.to_thread(writing.workbook, [households.TEMPLATE], sheet="名册", widths=(16, 16))
    return _workbook("定向发放名册模板", book)


bureau, desk = two_doors.mounted(
    "campaigns",
    (
        ("GET", "/<public_id:str>/direct/<direct_id:str>", show),
        ("POST", "/<public_id:str>/direct/<direct_id:str>/import", take),
        ("GET", "/direct/imports/<given_id:str>/errors.xlsx", mistakes),
        ("GET", "/direct/template.xlsx", template),
    ),
    name="households",
)


async def _read(actor: Actor, public_id: str, direct_id: str) -> DirectPage:
    return await direct_queries.of(
        public_id,
        direct_id,
        centre_id=actor.centre_id,
        bureaus=bureau_scope(actor, Permission.CAMPAIGN_READ),
        now=clock.now(),
    )


async def _page(
    request: Request,
    actor: Actor,
    seen: DirectPage,
    *,
    form: Form | None = None,
    outcome: Outcome | None = None,
    refusal: LivehubError | None = None,
) -> HTTPResponse:
    wrong = outcome.wrong[: direct.TOLD] if outcome is not None else []
    settings = request.app.ctx.settings
    return page(
        "campaigns/households.html",
        status=refusal.status if refusal else 200,
        path=two_doors.path_of(request),
        shell=await two_doors.shell(request, actor, "campaigns"),
        seen=seen,
        form=form or reading.blank(mode=str(Mode.DRY_RUN)),
        outcome=outcome,
        wrong=[(each, households.said(each)) for each in wrong],
        mistaken=refusal.details if isinstance(refusal, RosterRefused) else [],
        address=f"{settings.url}/c/at/{seen.centre}",
        most_at_once=direct.MOST_AT_ONCE,
        megabytes=settings.statement_limit // 2**20,
        may_give=may(actor, Permission.CAMPAIGN_DRAFT, bureau_id=seen.campaign.bureau_id),
    )


def _file(request: Request) -> tuple[str, bytes]:
    sent = request.files.get("file") if request.files else None
    if sent is None or not sent.name:
        raise Invalid(details=[Detail("file", "请选择文件", ".xlsx 或 CSV")])
    if len(sent.body) > request.app.ctx.settings.statement_limit:
        raise Invalid(details=[Detail("file", "文件太大", "拆成几个文件")])
    name = sent.name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in name if letter.isprintable())[-120:] or "名册", sent.body


def _workbook(name: str, raw: bytes) -> HTTPResponse:
    return HTTPResponse(
        raw,
        content_type=writing.CONTENT_TYPE,
        headers={
            "Content-Disposition": f"attachment; filename=export.xlsx; filename*=UTF-8''{quote(name)}.xlsx",
            "Cache-Control": "no-store",
        },
    )
