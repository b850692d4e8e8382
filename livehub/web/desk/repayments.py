"""/desk/settlement/repayments 商户应退: who owes money back, and the receipts by which it came."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock, money
from livehub.kit.errors import LivehubError
from livehub.settlement import batches, repayment_queries, repayments
from livehub.web import doors, reading
from livehub.web.desk.frame import Reason, back, frame
from livehub.web.rendering import page

bp = Blueprint("desk_repayments", url_prefix="/desk/settlement/repayments")

PATH = "/desk/settlement/repayments"


class Query(Struct):
    """Which page of the receipts."""

    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Receipt(Struct):
    """Who paid back how much, when, and by which receipt."""

    batch: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择商户"})]
    amount: reading.SomeFen
    reference: Annotated[str, Meta(min_length=1, max_length=batches.REF_LENGTH)]
    received_on: date


@bp.get("/")
@doors.signed_in(Permission.SETTLEMENT_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """Who owes, and what came."""
    return await _page(request, actor)


@bp.post("/")
@doors.signed_in(Permission.SETTLEMENT_RUN, freshly=True)
async def note(request: Request, actor: Actor) -> HTTPResponse:
    """Note a receipt; another person confirms it."""
    try:
        given = reading.form(request, Receipt)
        await database.unit(
            lambda: repayments.note(
                given.batch,
                amount_fen=given.amount,
                reference=given.reference,
                received_on=given.received_on,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        return await _page(request, actor, refusal=doors.shown(request, error))
    return back(PATH, done="repayment-noted")


@bp.post("/<repayment_id:str>/confirm")
@doors.signed_in(Permission.SETTLEMENT_PAY, freshly=True)
async def confirm(request: Request, actor: Actor, repayment_id: str) -> HTTPResponse:
    """The money is there."""
    try:
        await database.unit(lambda: repayments.confirm(repayment_id, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _page(request, actor, refusal=doors.shown(request, error))
    return back(PATH, done="repayment-confirmed")


@bp.post("/<repayment_id:str>/withdraw")
@doors.signed_in(Permission.SETTLEMENT_RUN)
async def withdraw(request: Request, actor: Actor, repayment_id: str) -> HTTPResponse:
    """It was a mistake."""
    try:
        reason = reading.form(request, Reason).reason
        await database.unit(
            lambda: repayments.withdraw(repayment_id, reason=reason, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        return await _page(request, actor, refusal=doors.shown(request, error))
    return back(PATH, done="repayment-withdrawn")


async def _page(request: Request, actor: Actor, *, refusal: LivehubError | None = None) -> HTTPResponse:
    debts = await repayment_queries.debts(actor=actor)
    today = clock.local_day(clock.now())
    return page(
        "desk/settlement_repayments.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "settlement", refusal=refusal),
        debts=debts,
        payees=[
            (each.batch, f"{each.payee} · {each.campaign} · 欠 {money.yuan(each.owed_fen)}") for each in debts
        ],
        query={},
        page=await repayment_queries.repayments(
            actor=actor, number=reading.query(request, Query).page, size=50
        ),
        form=reading.refused(request, refusal) if refusal else reading.blank(received_on=str(today)),
        today=today,
        who_id=actor.id,
        may_note=may(actor, Permission.SETTLEMENT_RUN),
        may_confirm=may(actor, Permission.SETTLEMENT_PAY),
    )
