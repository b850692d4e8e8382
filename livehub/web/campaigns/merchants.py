"""…/campaigns/{id}/merchants: who takes part; taken in, approved, rejected or suspended with a reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from msgspec import Meta, Struct
from sanic import Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError, NotFound
from livehub.vouchers import enrolment_queries, enrolments
from livehub.web import doors, reading, two_doors
from livehub.web.campaigns import showing
from livehub.web.desk.frame import back
from livehub.web.doors import Handler


class Which(Struct):
    """The merchant that is taken in."""

    merchant: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "一家商户"})]


class Why(Struct):
    """Why not."""

    reason: Annotated[
        str,
        Meta(min_length=2, max_length=enrolments.REASON_LENGTH, extra={"expected": "原因（2 到 200 字）"}),
    ]


@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def take_in(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Let a merchant take part that did not ask."""
    seen = await showing.read(public_id, actor, Permission.CAMPAIGN_DRAFT)
    try:
        name = reading.form(request, Which).merchant
        found = [each for each in await enrolment_queries.candidates(seen.row_id) if each.merchant == name]
        if not found:
            raise Invalid(details=[Detail("merchant", "没有这家商户，或已经参加", "一家已通过审核的商户")])
        number = found[0].row_id
        await database.unit(
            lambda: enrolments.enrol(seen.row_id, merchant_id=number, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        return await _refused(request, actor, public_id, error)
    return back(f"{two_doors.path_of(request)}/{public_id}", done="joining-approved")


def _step(verb: Callable[..., Awaitable[Any]], done: str, *, why: bool = True) -> Handler:
    """A button of a merchant that asked or takes part."""

    @doors.signed_in(Permission.CAMPAIGN_DRAFT)
    async def merchant_step(request: Request, actor: Actor, public_id: str, merchant_id: str) -> HTTPResponse:
        seen = await showing.read(public_id, actor, Permission.CAMPAIGN_DRAFT)
        found = [
            each for each in await enrolment_queries.of_campaign(seen.row_id) if each.merchant == merchant_id
        ]
        if not found:
            raise NotFound
        number = found[0].row_id
        try:
            given = {"reason": reading.form(request, Why).reason} if why else {}
            await database.unit(
                lambda: verb(seen.row_id, merchant_id=number, actor=actor, now=clock.now(), **given)
            )
        except LivehubError as error:
            return await _refused(request, actor, public_id, error, at=merchant_id)
        return back(f"{two_doors.path_of(request)}/{public_id}", done=done)

    return merchant_step


bureau, desk = two_doors.mounted(
    "campaigns",
    (
        ("POST", "/", take_in),
        ("POST", "/<merchant_id:str>/approve", _step(enrolments.approve, "joining-approved", why=False)),
        ("POST", "/<merchant_id:str>/reject", _step(enrolments.reject, "joining-rejected")),
        ("POST", "/<merchant_id:str>/suspend", _step(enrolments.suspend, "joining-suspended")),
    ),
    name="campaign_merchants",
    below="/<public_id:str>/merchants",
)


async def _refused(
    request: Request, actor: Actor, public_id: str, error: LivehubError, *, at: str = ""
) -> HTTPResponse:
    shown = doors.shown(request, error)
    form = reading.refused(request, shown)
    return await showing.show(request, actor, public_id, refusal=shown, form=form, at=at)
