"""…/campaigns and …/campaigns/{id}: whose voucher money went where, and each step, the signature too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from msgspec import Meta, Struct
from sanic import Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.vouchers import campaign_ends, campaign_queries, campaigns, rollovers, rounds
from livehub.vouchers.errors import RolloverUnfit
from livehub.web import doors, reading, two_doors
from livehub.web.campaigns import showing
from livehub.web.desk.frame import asked, back
from livehub.web.doors import Handler
from livehub.web.rendering import page


class Query(Struct):
    """The list's address."""

    state: Annotated[str, Meta(max_length=12)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Signature(Struct):
    """A campaign as it was read before it was signed."""

    version: Annotated[int, Meta(ge=1)]


class Into(Struct):
    """Which round takes what another one leaves, both by their place in the campaign."""

    source: Annotated[int, Meta(ge=1)]
    into: Annotated[int, Meta(ge=1)]


@doors.signed_in(Permission.CAMPAIGN_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list."""
    query = reading.query(request, Query)
    found = await campaign_queries.campaigns(
        centre_id=actor.centre_id,
        bureaus=bureau_scope(actor, Permission.CAMPAIGN_READ),
        state=query.state,
        number=query.page,
    )
    return page(
        "campaigns/list.html",
        shell=await two_doors.shell(request, actor, "campaigns"),
        path=two_doors.path_of(request),
        query=asked(request, Query),
        page=found,
        may_draft=may(actor, Permission.CAMPAIGN_DRAFT),
    )


@doors.signed_in(Permission.CAMPAIGN_READ)
async def show_one(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """One campaign with its money, rounds and latest uses."""
    return await showing.show(request, actor, public_id)


@doors.signed_in(Permission.CAMPAIGN_COUNTERSIGN, freshly=True)
async def countersign(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Approve and fund; refused to whoever drafted or submitted it."""
    seen = await showing.read(public_id, actor)
    try:
        version = reading.form(request, Signature).version
        await database.unit(
            lambda: campaigns.countersign(seen.row_id, actor=actor, now=clock.now(), version=version)
        )
    except LivehubError as error:
        return await showing.show(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"{two_doors.path_of(request)}/{public_id}", done="countersigned")


@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def plan_rollover(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Let another round take what one leaves."""
    seen = await showing.read(public_id, actor)
    numbers = {each.seq: each.row_id for each in seen.rounds}
    try:
        wanted = reading.form(request, Into)
        if not {wanted.source, wanted.into} <= numbers.keys():
            raise RolloverUnfit
        await database.unit(
            lambda: rollovers.plan(
                numbers[wanted.source], into=numbers[wanted.into], actor=actor, now=clock.now()
            )
        )
    except LivehubError as error:
        return await showing.show(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"{two_doors.path_of(request)}/{public_id}", done="rollover-planned")


def _step(verb: Callable[..., Awaitable[Any]], done: str) -> Handler:
    """A button of the campaign."""

    @doors.signed_in(Permission.CAMPAIGN_DRAFT)
    async def step(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
        seen = await showing.read(public_id, actor)
        try:
            await database.unit(lambda: verb(seen.row_id, actor=actor, now=clock.now()))
        except LivehubError as error:
            return await showing.show(request, actor, public_id, refusal=doors.shown(request, error))
        return back(f"{two_doors.path_of(request)}/{public_id}", done=done)

    return step


def _round_step(verb: Callable[..., Awaitable[Any]], done: str) -> Handler:
    """A button of one of its rounds."""

    @doors.signed_in(Permission.CAMPAIGN_DRAFT)
    async def round_step(request: Request, actor: Actor, public_id: str, round_id: str) -> HTTPResponse:
        seen = await showing.read(public_id, actor)
        planned = showing.round_of(seen, round_id)
        try:
            await database.unit(lambda: verb(planned.row_id, actor=actor, now=clock.now()))
        except LivehubError as error:
            return await showing.show(request, actor, public_id, refusal=doors.shown(request, error))
        return back(f"{two_doors.path_of(request)}/{public_id}", done=done)

    return round_step


bureau, desk = two_doors.mounted(
    "campaigns",
    (
        ("GET", "/", show),
        ("GET", "/<public_id:str>", show_one),
        ("POST", "/<public_id:str>/submit", _step(campaigns.submit, "campaign-submitted")),
        ("POST", "/<public_id:str>/countersign", countersign),
        ("POST", "/<public_id:str>/start", _step(campaigns.start, "campaign-started")),
        ("POST", "/<public_id:str>/pause", _step(campaigns.pause, "campaign-paused")),
        ("POST", "/<public_id:str>/resume", _step(campaigns.resume, "campaign-resumed")),
        ("POST", "/<public_id:str>/end", _step(campaign_ends.end, "campaign-ended")),
        ("POST", "/<public_id:str>/rollover-plan", plan_rollover),
        (
            "POST",
            "/<public_id:str>/rounds/<round_id:str>/open",
            _round_step(rounds.open_round, "round-opened"),
        ),
        (
            "POST",
            "/<public_id:str>/rounds/<round_id:str>/close",
            _round_step(rounds.close_round, "round-closed"),
        ),
    ),
)
