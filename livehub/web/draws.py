"""How a lottery is drawn, for anybody: the page in plain words, the proof, the list. It names nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, raw

from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.vouchers import drawing, link_pages, lottery_queries
from livehub.vouchers.errors import LinkUnknown
from livehub.vouchers.lottery_queries import Lottery
from livehub.web import doors
from livehub.web.rendering import page

bp = Blueprint("draws")

# What was published does not change: a city that looks at its draw reads it once from the database.
_KEPT: dict[str, bytes] = {}
_MOST = 4  # files; the list of a million is 17 MB


@bp.get("/rounds/<round_id:str>/draw")
@doors.public
async def show(_request: Request, round_id: str) -> HTTPResponse:
    """The page in plain words."""
    lottery = await lottery_queries.public(round_id, now=clock.now())
    return page("draw.html", lottery=lottery, stage=str(lottery.stage), slug="")


@bp.get("/c/<slug:str>/draw")
@doors.public
async def show_of_link(_request: Request, slug: str) -> HTTPResponse:
    """The same for whoever came by a link."""
    now = clock.now()
    link = await link_pages.behind(slug, now=now)
    found = await lottery_queries.of_round(link.lottery_id, now=now) if link and link.lottery_id else None
    if found is None:
        raise LinkUnknown
    lottery = await lottery_queries.public(found.id, now=now)
    return page("draw.html", lottery=lottery, stage=str(lottery.stage), slug=slug)


@bp.get("/rounds/<round_id:str>/draw/proof")
@doors.public
async def proof(_request: Request, round_id: str) -> HTTPResponse:
    """Everything to do the draw again, as one file; NotFound before it was done."""
    lottery = await lottery_queries.public(round_id, now=clock.now())
    if lottery.drawn_at is None:
        raise NotFound("这一轮还没有开奖。")
    return raw(await _file(f"proof:{round_id}", lottery, proof_of), content_type="application/json")


@bp.get("/rounds/<round_id:str>/draw/entries.txt")
@doors.public
async def entries(_request: Request, round_id: str) -> HTTPResponse:
    """The list, exactly the bytes that are hashed; NotFound before it is frozen."""
    lottery = await lottery_queries.public(round_id, now=clock.now())
    if lottery.frozen_at is None:
        raise NotFound("报名截止后公布名单。")
    return raw(
        await _file(f"entries:{round_id}", lottery, _list_of), content_type="text/plain; charset=us-ascii"
    )


async def proof_of(lottery: Lottery) -> bytes:
    """The proof's file."""
    return msgspec.json.format(msgspec.json.encode(await lottery_queries.proof(lottery)), indent=1)


async def _list_of(lottery: Lottery) -> bytes:
    return drawing.list_text(await lottery_queries.entries(lottery.row_id))


async def _file(name: str, lottery: Lottery, made: Callable[[Lottery], Awaitable[bytes]]) -> bytes:
    body = _KEPT.get(name)
    if body is None:
        body = await made(lottery)
        if len(_KEPT) >= _MOST:
            _KEPT.clear()
        _KEPT[name] = body
    return body
