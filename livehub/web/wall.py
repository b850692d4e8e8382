"""The big screen and its live stream: one reader of the database however many screens there are."""

from __future__ import annotations

from typing import Any

from sanic import Blueprint, Request, Sanic
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.reports import wall
from livehub.reports.figures import Figures
from livehub.web.doors import signed_in, still_in
from livehub.web.rendering import fragment, link, page
from livehub.web.shielding import live_stream
from livehub.web.sse import Shared, stream

bp = Blueprint("wall", url_prefix="/wall")

EVERY_SECONDS = 0.05  # a manager sees a sale within 150 ms; read only while somebody looks


@bp.before_server_start
async def _open(app: Sanic[Any, Any]) -> None:
    app.ctx.walls = {}


@bp.get("/")
@signed_in(Permission.WALL_READ)
async def show(_request: Request, actor: Actor) -> HTTPResponse:
    """The whole page, with its figures of this moment."""
    board = await wall.board(centre_id=actor.centre_id, now=clock.now())
    return page("wall.html", stream="/wall/events", **present(board))


@bp.get("/events")
@live_stream
@signed_in(Permission.WALL_READ)
async def events(request: Request, actor: Actor) -> None:
    """The three columns anew whenever a figure changed."""
    walls: dict[int, Shared] = request.app.ctx.walls
    if actor.centre_id not in walls:

        async def load(centre_id: int = actor.centre_id) -> str:
            board = await wall.board(centre_id=centre_id, now=clock.now())
            return fragment("wall_board.html", **present(board))

        walls[actor.centre_id] = Shared(load, every_seconds=EVERY_SECONDS)
    may_stay = still_in(request, Permission.WALL_READ)
    await stream(request, walls[actor.centre_id].watch(), may_stay=may_stay)


def present(board: wall.Board) -> dict[str, Any]:
    """The board as wall_board.html reads it."""
    day = board.day.isoformat()
    lags = [feed.lag_seconds for feed in board.feeds if feed.lag_seconds is not None]
    return {
        "drill": True,
        "centre": board.centre,
        "as_of": board.as_of,
        "day": day,
        "on_air": board.live_count,
        "late": board.late,
        "conflicts": board.double_bookings,
        "cases": board.cases,
        "on_time": board.on_time,
        "on_time_of": board.on_time_of,
        "chain_links": board.chain_links,
        "chain_waiting": board.chain_waiting,
        "unreconciled": board.unreconciled,
        "unreconciled_since": board.unreconciled_since,
        "redeemed_fen": board.funds.redeemed_fen,
        "committed_fen": board.funds.committed_fen,
        "budget_fen": board.funds.budget_fen,
        "pulled": board.pulled,
        "g3_fen": board.today.g3_fen,
        "g2_fen": board.today.g2_fen,
        "pending": board.today.pending,
        "lag_seconds": max(lags) if lags else None,
        "orders": board.today.orders,
        "refunded_orders": board.today.refunds,
        "claimed": board.vouchers.claimed,
        "redeemed": board.vouchers.redeemed,
        "left": board.vouchers.left,
        "curve": [
            {"at": clock.local(p.at).strftime("%H:%M"), "fen": p.g2_fen, "orders": p.orders, "drop": p.drop}
            for p in board.curve
        ],
        "curve_max_fen": max((point.g2_fen for point in board.curve), default=0),
        "towns": [_row(each, "town", day, "未映射") for each in board.towns],
        "products": [_row(each, "product", day, "未映射商品") for each in board.products[:3]],
        "streamers": [
            _row(each, "streamer", day, "未归属", on_air=each.key in board.on_air)
            for each in board.streamers[:3]
        ],
        "platforms": [
            {
                "name": feed.platform,
                "lag_seconds": feed.lag_seconds,
                "waiting": feed.waiting,
                "parked": feed.parked,
            }
            for feed in board.feeds
        ],
    }


def _row(each: Figures, grain: str, day: str, none: str, *, on_air: bool = False) -> dict[str, Any]:
    query = {"from": day, "basis": "G3", "by": grain, grain: each.key}
    return {
        "name": each.label or none,
        "fen": each.g3_fen,
        "href": link("/desk/sales", query),
        "on_air": on_air,
    }
