"""/desk/broadcasts/{id}/review: a show at three knowledge dates and now, and why they differ."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.reports import reviews
from livehub.reports.review_changes import REASONS
from livehub.reports.review_figures import Figures, Frame
from livehub.reports.reviews import Reviewed, Stage
from livehub.web import doors
from livehub.web.desk.frame import frame
from livehub.web.rendering import link, page
from rooms import queries as rooms
from rooms.queries import BroadcastView

DAY_MINUTES = 24 * 60

bp = Blueprint("desk_reviews", url_prefix="/desk/broadcasts")


class Column(Struct, frozen=True, kw_only=True):
    """A stage, or now: its figures, or when there will be some."""

    stage: Stage | None  # None: now
    state: str  # frozen | due | not_due | now
    at: datetime  # what the figures know, or when they are due
    figures: Figures | None
    href: Callable[..., str]  # (basis, further conditions) -> the lines of a figure
    parts: dict[str, str]  # part -> its lines


class Minute(Struct, frozen=True, kw_only=True):
    """One minute of the show, with what happened in it."""

    at: datetime
    fen: int
    orders: int
    drop: str
    cue: str


@bp.get("/<public_id:str>/review")
@doors.signed_in(Permission.SALES_READ)
async def show(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """The review; of a show that has not ended, when there will be one."""
    now = clock.now()
    seen = await rooms.broadcast(public_id, actor=actor)
    scope = bureau_scope(actor, Permission.SALES_READ)
    if scope is not None and seen.bureau_id not in scope:
        raise NotFound
    found = await read(seen, centre_id=actor.centre_id, now=now)
    columns = [] if found is None else _columns(found, public_id, now=now)
    told = next((each for each in reversed(columns[:-1]) if each.figures), columns[-1] if columns else None)
    return page(
        "desk/review.html",
        shell=await frame(request, actor, "broadcasts"),
        broadcast=seen,
        columns=columns,
        told=told,
        steps=[] if found is None else _steps(found, public_id),
        curve=minutes(found.frame, told.figures) if found and told and told.figures else [],
    )


async def read(seen: BroadcastView, *, centre_id: int, now: datetime) -> Reviewed | None:
    """The reviews of a show that has ended, else nothing."""
    if seen.started_at is None or seen.ended_at is None:
        return None
    return await reviews.of(
        seen.id,
        centre_id=centre_id,
        bureau_id=seen.bureau_id,
        starts_at=seen.started_at,
        ends_at=seen.ended_at,
        now=now,
    )


def minutes(show: Frame, figures: Figures) -> list[Minute]:
    """The curve with its marks where they were."""
    names: dict[tuple[str, int], list[str]] = {}
    for mark in figures.marks:
        names.setdefault((mark.kind, mark.at_ms // 60_000), []).append(mark.title)
    return [
        Minute(
            at=clock.from_ms(minute * 60_000),
            fen=fen,
            orders=orders,
            drop="、".join(names.get(("drop", minute), [])),
            cue="、".join(names.get(("cue", minute), [])),
        )
        for minute, (fen, orders) in enumerate(figures.curve, start=show.first_minute)
    ]


def _columns(found: Reviewed, public_id: str, *, now: datetime) -> list[Column]:
    made = []
    for stage in Stage:
        kept, due_at = found.frozen.get(stage), found.due_at(stage)
        state = "frozen" if kept else "due" if due_at <= now else "not_due"
        figures = kept.figures if kept else None
        made.append(_column(found.frame, public_id, stage=stage, state=state, at=due_at, figures=figures))
    live = _column(found.frame, public_id, stage=None, state="now", at=found.as_of, figures=found.now)
    return [*made, live]


def _column(show: Frame, public_id: str, *, at: datetime, **rest: Any) -> Column:
    href = _lines(public_id, until=at)
    parts = {name: href("G2", **paid) for name, paid in _paid(show).items()}
    return Column(at=at, href=href, parts=parts, **rest)


def _paid(show: Frame) -> dict[str, dict[str, str]]:
    """Part of the review -> the minutes in which its sales were paid, as the list of lines wants them."""
    first, last = show.first_minute, show.last_minute
    week, month = last + 7 * DAY_MINUTES, last + 30 * DAY_MINUTES
    spans = {
        "before": (None, first - 1),
        "in_live": (first, last),
        "tail_7": (last + 1, week),
        "tail_30": (week + 1, month),
        "later": (month + 1, None),
    }
    return {
        part: {
            name: _local(clock.from_ms(minute * 60_000))
            for name, minute in zip(("paid_from", "paid_until"), span, strict=True)
            if minute is not None
        }
        for part, span in spans.items()
    }


def _steps(found: Reviewed, public_id: str) -> list[dict[str, Any]]:
    """From each review to the next, and from the last one to now."""
    at: dict[Stage | None, Figures] = {None: found.now}
    at.update({stage: kept.figures for stage, kept in found.frozen.items()})
    return [
        {
            "from": stage,
            "to": following,
            "start_fen": at[stage].g3_fen,
            "end_fen": at[following].g3_fen,
            "changes": {name: getattr(change, name) for name in REASONS},
            "fen": change.fen,
            "href": _lines(public_id, until=change.until, since=change.since)(),
            "start_href": _lines(public_id, until=change.since)(),
            "end_href": _lines(public_id, until=change.until)(),
        }
        for stage, following, change in found.changes
    ]


def _lines(public_id: str, *, until: datetime, since: datetime | None = None) -> Callable[..., str]:
    """The address of the lines of a figure as it was known at an instant, or changed since another."""

    def address(basis: str = "G3", **more: str) -> str:
        asked = {"broadcast": public_id, "basis": basis, "as_of": _local(until)}
        return link("/desk/sales/lines", asked, booked_after=_local(since) if since else "", **more)

    return address


def _local(at: datetime) -> str:
    """To the millisecond: a second more or less is another number."""
    return clock.local(at).replace(tzinfo=None).isoformat(timespec="milliseconds")
