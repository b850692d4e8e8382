"""/desk/settlement 结算: batches by day, one batch with its lines and steps, and what is held back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may, require
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.merchants import queries as merchants
from livehub.settlement import (
    batches,
    collecting,
    files,
    holding,
    holds,
    queries,
    repayment_queries,
    responses,
)
from livehub.settlement.models import BatchState
from livehub.settlement.queries import BatchRow
from livehub.web import doors, exports, reading
from livehub.web.desk.frame import Reason, asked, back, frame
from livehub.web.rendering import page

bp = Blueprint("desk_settlement", url_prefix="/desk/settlement")

PATH = "/desk/settlement"


class Query(Struct):
    """The list's address."""

    state: Annotated[str, Meta(max_length=12)] = ""
    day: date | None = None
    campaign: Annotated[str, Meta(max_length=16)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class LineQuery(Struct):
    """Which lines of a batch."""

    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Day(Struct):
    """A day that is over."""

    day: date


class Press(Struct):
    """Nothing but the button."""


class Paid(Struct):
    """By which paper."""

    reference: Annotated[str, Meta(max_length=batches.REF_LENGTH)] = ""


class Held(Reason):
    """A merchant, or a redemption, and why."""

    merchant: Annotated[str, Meta(max_length=16)] = ""
    redemption: Annotated[str, Meta(max_length=16)] = ""


class DayRow(Struct, frozen=True, kw_only=True):
    """The batches of a day on this page of the list."""

    day: date
    rows: list[BatchRow]
    pay_fen: int


@bp.get("/")
@doors.signed_in(Permission.SETTLEMENT_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The batches, day by day."""
    return await _list(request, actor)


@bp.post("/run")
@doors.signed_in(Permission.SETTLEMENT_RUN)
async def run(request: Request, actor: Actor) -> HTTPResponse:
    """What the morning's task does, by hand."""
    try:
        ran = await collecting.run(reading.form(request, Day).day, actor=actor, now=clock.now())
    except LivehubError as error:
        return await _list(request, actor, refusal=doors.shown(request, error))
    return back(PATH, done="settlement-run" if ran.batches else "settlement-nothing")


@bp.get("/holds")
@doors.signed_in(Permission.SETTLEMENT_RUN, Permission.SETTLEMENT_PAY)
async def show_holds(request: Request, actor: Actor) -> HTTPResponse:
    """What is left out of batches."""
    return await _holds(request, actor)


@bp.post("/holds")
@doors.signed_in(Permission.SETTLEMENT_RUN)
async def hold(request: Request, actor: Actor) -> HTTPResponse:
    """Leave a merchant or a redemption out."""
    try:
        wanted = reading.form(request, Held)
        await database.unit(
            lambda: holds.place(
                merchant=wanted.merchant,
                redemption=wanted.redemption.strip(),
                reason=wanted.reason,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        return await _holds(request, actor, refusal=doors.shown(request, error))
    return back(f"{PATH}/holds", done="settlement-held")


@bp.post("/holds/<hold_id:str>/lift")
@doors.signed_in(Permission.SETTLEMENT_PAY)
async def lift(request: Request, actor: Actor, hold_id: str) -> HTTPResponse:
    """Take it in again."""
    try:
        hold = await database.unit(lambda: holds.lift(hold_id, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _holds(request, actor, refusal=doors.shown(request, error))
    freed = await holding.freed(hold_id=hold.id)
    return back(f"{PATH}/holds", done=f"settlement-lifted-{freed.said}")


@bp.get("/<public_id:str>")
@doors.signed_in(Permission.SETTLEMENT_READ)
async def show_one(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """One batch: its lines, and what may be done."""
    return await _batch(request, actor, public_id)


@bp.get("/<public_id:str>/file.csv")
@doors.signed_in(Permission.SETTLEMENT_READ, freshly=True)
async def download(_request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """The bytes that were submitted."""
    kept = await files.newest((await queries.batch(public_id, actor=actor)).row_id)
    return exports.download(kept.name, kept.body)


class Step(Struct, frozen=True, kw_only=True):
    """One step with a batch: who may take it, what is said with it, and what is flashed then."""

    name: str
    needs: Permission
    freshly: bool = False
    form: type[Struct] = Press
    take: Callable[..., Awaitable[object]]  # of the batch's public id and the form
    done: str


STEPS = (
    Step(
        name="submit",
        needs=Permission.SETTLEMENT_RUN,
        freshly=True,
        take=lambda batch, _, **who: batches.submit(batch, **who),
        done="settlement-submitted",
    ),
    Step(  # for the merchant, as the next
        name="confirm",
        needs=Permission.SETTLEMENT_CONFIRM,
        form=Reason,
        take=lambda batch, form, **who: responses.confirm(batch, reason=form.reason, **who),
        done="settlement-confirmed",
    ),
    Step(
        name="dispute",
        needs=Permission.SETTLEMENT_CONFIRM,
        form=Reason,
        take=lambda batch, form, **who: responses.dispute(batch, reason=form.reason, **who),
        done="settlement-disputed",
    ),
    Step(
        name="reopen",
        needs=Permission.SETTLEMENT_RUN,
        form=Reason,
        take=lambda batch, form, **who: batches.reopen(batch, answer=form.reason, **who),
        done="settlement-reopened",
    ),
    Step(
        name="pay",
        needs=Permission.SETTLEMENT_PAY,
        freshly=True,
        form=Paid,
        take=lambda batch, form, **who: batches.pay(batch, reference=form.reference, **who),
        done="settlement-paid",
    ),
)


def _declare(step: Step) -> None:
    @bp.post(f"/<public_id:str>/{step.name}", name=step.name)
    @doors.signed_in(step.needs, freshly=step.freshly)
    async def take(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
        try:
            form = reading.form(request, step.form)
            await database.unit(lambda: step.take(public_id, form, actor=actor, now=clock.now()))
        except LivehubError as error:
            return await _batch(request, actor, public_id, refusal=doors.shown(request, error))
        return back(f"{PATH}/{public_id}", done=step.done)


for _step in STEPS:
    _declare(_step)


async def _list(request: Request, actor: Actor, *, refusal: LivehubError | None = None) -> HTTPResponse:
    require(actor, Permission.SETTLEMENT_READ)
    query = reading.query(request, Query)
    found = await queries.batches(
        actor=actor, state=query.state, day=query.day, campaign=query.campaign, number=query.page
    )
    days: dict[date, list[BatchRow]] = {}
    for row in found.items:
        days.setdefault(row.day, []).append(row)
    return page(
        "desk/settlement.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "settlement", refusal=refusal),
        query=asked(request, Query),
        page=found,
        days=[
            DayRow(day=day, rows=rows, pay_fen=sum(row.pay_fen for row in rows)) for day, rows in days.items()
        ],
        states=[str(each) for each in BatchState],
        yesterday=clock.local_day(clock.now()) - timedelta(days=1),
        debts=len(await repayment_queries.debts(actor=actor)),
        held=len(await queries.holds(actor.centre_id)) if _may_hold(actor) else 0,
        may_run=may(actor, Permission.SETTLEMENT_RUN),
        may_hold=_may_hold(actor),
    )


async def _batch(
    request: Request, actor: Actor, public_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    seen = await queries.batch(public_id, actor=actor)
    query = reading.query(request, LineQuery)
    may_run = may(actor, Permission.SETTLEMENT_RUN)
    return page(
        "desk/settlement_batch.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "settlement", refusal=refusal),
        batch=seen,
        steps=_steps(seen),
        query={},
        page=await queries.lines(seen.row_id, number=query.page),
        may_run=may_run,
        may_confirm=may_run and may(actor, Permission.SETTLEMENT_CONFIRM),
        may_pay=may(actor, Permission.SETTLEMENT_PAY) and actor.id != seen.submitted_by_id,
        is_withheld=await holding.is_withheld(seen.merchant_id),
    )


def _steps(seen: BatchRow) -> list[tuple[str, str, datetime | None, str]]:
    """(what, who, when, words) of what happened to a batch, in order."""
    steps: list[tuple[str, str, datetime | None, str]] = [("made", "", seen.made_at, "")]
    if seen.disputed_at:
        steps.append(("disputed", seen.disputed_by, seen.disputed_at, seen.reason))
        if seen.answer:
            steps.append(("answered", "", None, seen.answer))
    if seen.submitted_at:
        steps.append(("submitted", seen.submitted_by, seen.submitted_at, ""))
    if seen.confirmed_at:
        words = seen.reason if seen.state in (BatchState.CONFIRMED, BatchState.PAID) else ""
        steps.append(("confirmed", seen.confirmed_by, seen.confirmed_at, words))
    if seen.paid_at:
        steps.append(("paid", seen.paid_by, seen.paid_at, seen.payment_ref))
    return sorted(steps, key=lambda step: step[2] or seen.disputed_at or seen.made_at)


async def _holds(request: Request, actor: Actor, *, refusal: LivehubError | None = None) -> HTTPResponse:
    return page(
        "desk/settlement_holds.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "settlement", refusal=refusal),
        holds=await queries.holds(actor.centre_id),
        merchants=[(each.public_id, each.name) for each in await merchants.merchants(actor=actor)],
        form=reading.refused(request, refusal)
        if refusal
        else reading.blank(redemption=str(request.args.get("redemption", ""))),
        who_id=actor.id,
        may_place=may(actor, Permission.SETTLEMENT_RUN),
        may_lift=may(actor, Permission.SETTLEMENT_PAY),
    )


def _may_hold(actor: Actor) -> bool:
    return may(actor, Permission.SETTLEMENT_RUN) or may(actor, Permission.SETTLEMENT_PAY)
