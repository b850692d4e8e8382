"""/desk/periods 核对与关账: which days are still shifting, a month's snapshot, and what came after it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import date, timedelta
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.reports import adjustments, periods
from livehub.reports.adjustments import Adjustment
from livehub.reports.periods import Day
from livehub.web import doors, reading
from livehub.web.desk.frame import back, frame
from livehub.web.rendering import link, page

bp = Blueprint("desk_periods", url_prefix="/desk/periods")

PATH = "/desk/periods"
MONTHS = 13  # that are listed


class Which(Struct):
    """A month, YYYYMM."""

    month: Annotated[int, Meta(ge=201001, le=209912, extra={"expected": "月份，如 202603"})]


class Span(Which, rename={"since": "from", "until": "to"}):
    """Days of a month, both included."""

    since: date
    until: date
    seen: Annotated[int, Meta(ge=0, le=4_102_444_800_000)] = 0  # when the page was made, in milliseconds


class Listed(Struct, frozen=True, kw_only=True):
    """A month of the list."""

    month: int
    states: dict[str, int]  # state -> days with figures
    g3_fen: int
    is_closed: bool
    is_over: bool


@bp.get("/")
@doors.signed_in(Permission.STATEMENT_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The last months."""
    today = clock.local_day(clock.now())
    firsts = [today.replace(day=1)]
    while len(firsts) < MONTHS:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    last = periods.last_of(periods.month_of(today))
    days = await periods.days(centre_id=actor.centre_id, first=firsts[-1], last=last)
    closed = {each.month for each in await periods.closings(centre_id=actor.centre_id)}
    months = [_listed(periods.month_of(first), days, closed=closed, today=today) for first in firsts]
    return page("desk/periods.html", shell=await frame(request, actor, "periods"), months=months)


@bp.get("/month")
@doors.signed_in(Permission.STATEMENT_READ)
async def show_one(request: Request, actor: Actor) -> HTTPResponse:
    """One month, day by day."""
    return await _month(request, actor, reading.query(request, Which).month)


@bp.post("/reconcile")
@doors.signed_in(Permission.PERIOD_CLOSE)
async def reconcile(request: Request, actor: Actor) -> HTTPResponse:
    """Say that days are right."""
    month = reading.form(request, Which).month
    try:
        span = reading.form(request, Span)
        first, last = periods.first_of(month), periods.last_of(month)
        await periods.reconcile(
            max(span.since, first),
            min(span.until, last),
            actor=actor,
            now=clock.now(),
            seen_at=clock.from_ms(span.seen) if span.seen else None,
        )
    except LivehubError as error:
        return await _month(request, actor, month, refusal=doors.shown(request, error))
    return back(f"{PATH}/month?month={month}", done="reconciled")


@bp.post("/close")
@doors.signed_in(Permission.PERIOD_CLOSE, freshly=True)
async def close(request: Request, actor: Actor) -> HTTPResponse:
    """Freeze a month's figures."""
    month = reading.form(request, Which).month
    try:
        await periods.close(month, actor=actor, now=clock.now())
    except LivehubError as error:
        return await _month(request, actor, month, refusal=doors.shown(request, error))
    return back(f"{PATH}/month?month={month}", done="closed-month")


async def _month(
    request: Request, actor: Actor, number: int, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    now = clock.now()
    seen = await periods.month(number, centre_id=actor.centre_id)
    first, last = periods.first_of(number), periods.last_of(number)
    today = clock.local_day(clock.now())
    booked_days = [each for each in seen.days if each.figures and each.day <= today]
    later = await adjustments.of(number, centre_id=actor.centre_id)
    booked = await adjustments.booked(
        centre_id=actor.centre_id,
        since=clock.at_local(first),
        until=clock.at_local(last + timedelta(days=1)),
    )
    return page(
        "desk/period.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "periods", refusal=refusal),
        seen=seen,
        seen_ms=clock.to_ms(now),
        days=booked_days,
        day_hrefs=[
            link("/desk/bridge", {}, **{"from": each.day, "to": each.day + timedelta(days=1)})
            for each in booked_days
        ],
        first=first,
        yesterday=min(last, today - timedelta(days=1)),
        is_over=last < today,
        refused_days=(refusal.data.get("days") or []) if refusal else [],
        later=[(each, lines_of(each)) for each in later],
        booked=[(each, lines_of(each)) for each in booked],
        may_close=may(actor, Permission.PERIOD_CLOSE),
    )


def _listed(month: int, days: Sequence[Day], *, closed: Container[int], today: date) -> Listed:
    booked = [each for each in days if each.figures and periods.month_of(each.day) == month]
    states: dict[str, int] = {}
    for each in booked:
        states[str(each.state)] = states.get(str(each.state), 0) + 1
    return Listed(
        month=month,
        states=states,
        g3_fen=sum(each.figures.g3_fen for each in booked if each.figures),
        is_closed=month in closed,
        is_over=periods.last_of(month) < today,
    )


def lines_of(each: Adjustment) -> str:
    """The lines of an adjustment's month that were booked since it was closed."""
    after = clock.local(each.closed_as_of).replace(tzinfo=None).isoformat(timespec="milliseconds")
    first = periods.first_of(each.month)
    return link(
        "/desk/sales/lines",
        {},
        booked_after=after,
        **{"from": first, "to": periods.last_of(each.month) + timedelta(days=1)},
    )
