"""/s/review/{id}: how her own show went, in plain words and big digits."""

from __future__ import annotations

from msgspec import Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.kit import clock
from livehub.reports import reviews
from livehub.reports.review_figures import Figures
from livehub.reports.reviews import Stage
from livehub.web.rendering import page
from livehub.web.streamer import door
from rooms import queries as rooms

bp = Blueprint("streamer_review", url_prefix="/s/review")


class Look(Struct, frozen=True, kw_only=True):
    """One look back at the show."""

    stage: Stage
    state: str  # frozen | due | not_due
    at: object
    figures: Figures | None


@bp.get("/<broadcast:str>")
@door.streamer
async def show(_request: Request, actor: Actor, broadcast: str) -> HTTPResponse:
    """Her own show only; another's is as if it did not exist."""
    now = clock.now()
    seen = await rooms.broadcast(broadcast, actor=actor)
    if seen.started_at is None or seen.ended_at is None:
        return page("streamer/review.html", broadcast=seen, looks=[], told=None, best=None)
    found = await reviews.of(
        seen.id,
        centre_id=actor.centre_id,
        bureau_id=seen.bureau_id,
        starts_at=seen.started_at,
        ends_at=seen.ended_at,
        now=now,
    )
    looks = []
    for stage in Stage:
        kept, due_at = found.frozen.get(stage), found.due_at(stage)
        state = "frozen" if kept else "due" if due_at <= now else "not_due"
        looks.append(Look(stage=stage, state=state, at=due_at, figures=kept.figures if kept else None))
    curve = found.now.curve
    best = max(range(len(curve)), key=lambda n: curve[n][0], default=None)
    return page(
        "streamer/review.html",
        broadcast=seen,
        looks=looks,
        told=(found.as_of, found.now),
        best=None
        if best is None or not curve[best][0]
        else (clock.from_ms((found.frame.first_minute + best) * 60_000), *curve[best]),
    )
