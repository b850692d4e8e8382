"""/desk/integrity 核查案件: what looks wrong, one case with its numbers and rows, what two people decide."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.merchants import queries as merchants
from livehub.settlement import case_queries, cases, holding, merchant_phones, opening, signals
from livehub.settlement.case_models import BY_HAND, CaseState, Subject
from livehub.settlement.case_queries import CaseView, RedemptionBehind
from livehub.web import doors, reading
from livehub.web.desk.frame import asked, back, frame, order_path
from livehub.web.rendering import page

bp = Blueprint("desk_integrity", url_prefix="/desk/integrity")

PATH = "/desk/integrity"


class Query(Struct):
    """The list's address."""

    state: Annotated[str, Meta(max_length=10)] = ""
    rule: Annotated[str, Meta(max_length=24)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class RowQuery(Struct):
    """Which rows behind a case."""

    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Opened(Struct):
    """What a case is opened about, and why."""

    subject: Subject
    subject_ref: Annotated[str, Meta(min_length=1, max_length=16)]
    reason: Annotated[str, Meta(min_length=2, max_length=200)]


class Said(Struct):
    """A sentence for the case."""

    text: Annotated[str, Meta(min_length=2, max_length=200)]


class Phone(Struct):
    """Somebody who works for a merchant."""

    merchant: Annotated[str, Meta(min_length=1, max_length=16)]
    phone: Annotated[str, Meta(min_length=1, max_length=20)]


@bp.get("/")
@doors.signed_in(Permission.CASE_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The cases, open ones first."""
    return await _list(request, actor)


@bp.post("/")
@doors.signed_in(Permission.CASE_HANDLE)
async def open_case(request: Request, actor: Actor) -> HTTPResponse:
    """Open one by hand."""
    try:
        wanted = reading.form(request, Opened)
        made = await database.unit(
            lambda: opening.by_hand(
                subject=wanted.subject,
                subject_ref=wanted.subject_ref.strip(),
                reason=wanted.reason,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        return await _list(request, actor, refusal=doors.shown(request, error))
    return back(f"{PATH}/{made.public_id}", done="case-opened")


@bp.post("/phones")
@doors.signed_in(Permission.CASE_HANDLE)
async def note_phone(request: Request, actor: Actor) -> HTTPResponse:
    """Know one of a merchant's people by the phone."""
    try:
        wanted = reading.form(request, Phone)
        await database.unit(
            lambda: merchant_phones.note(wanted.merchant, phone=wanted.phone, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        return await _list(request, actor, refusal=doors.shown(request, error))
    return back(PATH, done="phone-noted")


@bp.get("/<public_id:str>")
@doors.signed_in(Permission.CASE_READ)
async def show_one(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """One case."""
    return await _case(request, actor, public_id)


@bp.post("/<public_id:str>/note")
@doors.signed_in(Permission.CASE_HANDLE)
async def note(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Say something more."""
    try:
        text = reading.form(request, Said).text
        await database.unit(lambda: cases.note(public_id, text=text, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _case(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{public_id}", done="case-noted")


@bp.post("/<public_id:str>/look")
@doors.signed_in(Permission.CASE_HANDLE)
async def look(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Say what was found: the first person."""
    try:
        text = reading.form(request, Said).text
        await database.unit(lambda: cases.look(public_id, text=text, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _case(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{public_id}", done="case-looked-at")


@bp.post("/<public_id:str>/release")
@doors.signed_in(Permission.CASE_HANDLE)
async def release(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Let it be settled; refused to whoever looked at it."""
    try:
        text = reading.form(request, Said).text
        case = await database.unit(lambda: cases.release(public_id, text=text, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _case(request, actor, public_id, refusal=doors.shown(request, error))
    freed = await holding.freed(case_id=case.id)
    return back(f"{PATH}/{public_id}", done=f"case-released-{freed.said}")


@bp.post("/<public_id:str>/confirm")
@doors.signed_in(Permission.CASE_HANDLE)
async def confirm(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """It is as it looked."""
    try:
        text = reading.form(request, Said).text
        await database.unit(lambda: cases.confirm(public_id, text=text, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _case(request, actor, public_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{public_id}", done="case-confirmed")


async def _list(request: Request, actor: Actor, *, refusal: LivehubError | None = None) -> HTTPResponse:
    query = reading.query(request, Query)
    may_handle = may(actor, Permission.CASE_HANDLE)
    return page(
        "desk/integrity.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "integrity", refusal=refusal),
        query=asked(request, Query),
        page=await case_queries.cases(actor=actor, state=query.state, rule=query.rule, number=query.page),
        states=[str(each) for each in CaseState],
        rules=[(name, case_queries.rule_label(name)) for name in (*signals.registry(), BY_HAND)],
        subjects=[str(each) for each in Subject],
        merchants=[(each.public_id, each.name) for each in await merchants.merchants(actor=actor)]
        if may_handle
        else [],
        form=reading.refused(request, refusal)
        if refusal
        else reading.blank(
            subject=str(request.args.get("subject", "")), subject_ref=str(request.args.get("ref", ""))
        ),
        may_handle=may_handle,
    )


async def _case(
    request: Request, actor: Actor, public_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    seen = await case_queries.case(public_id, actor=actor)
    query = reading.query(request, RowQuery)
    rows = await case_queries.behind(seen, actor=actor, number=query.page, size=20)
    return page(
        "desk/integrity_case.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "integrity", refusal=refusal),
        case=seen,
        subject_href=_href(seen, actor),
        beside=await case_queries.beside(seen, actor=actor),
        notes=await case_queries.notes(seen.row_id),
        page=rows,
        kind=_kind(seen),
        paths={
            f"{row.shop}/{row.order_ref}": order_path(row.shop, row.order_ref)
            for row in rows.items
            if not isinstance(row, RedemptionBehind) and row.shop and may(actor, Permission.SALES_READ)
        },
        query={},
        may_open=may(actor, Permission.REDEMPTION_READ),
        may_handle=may(actor, Permission.CASE_HANDLE),
        may_release=actor.id not in (seen.looked_by_id, seen.opened_by_id),
        form=reading.refused(request, refusal) if refusal else reading.blank(),
    )


def _kind(seen: CaseView) -> str:
    """What its rows are."""
    if seen.rule == BY_HAND:
        return "redemption"
    return {Subject.BROADCAST: "order", Subject.VOUCHER: "late"}.get(seen.subject, "redemption")


def _href(seen: CaseView, actor: Actor) -> str:
    """Where the thing itself is shown, '' where it has no page or the reader no right to it."""
    pages = {
        Subject.BROADCAST: (Permission.BROADCAST_READ, "/desk/broadcasts/"),
        Subject.REDEMPTION: (Permission.REDEMPTION_READ, "/desk/redemptions/"),
    }
    needed = pages.get(seen.subject)
    return f"{needed[1]}{seen.subject_ref}" if needed and may(actor, needed[0]) else ""
