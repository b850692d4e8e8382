"""/desk/trail 审计记录: who did what to what, when, from where, with what result; does the chain hold."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub.accounts import chain, trail, verification
from livehub.accounts.actors import Actor
from livehub.accounts.models import AuditEntry
from livehub.accounts.permissions import Permission
from livehub.accounts.trail import Search
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError, NotFound
from livehub.web import chains, doors, exports, reading
from livehub.web.desk.frame import asked, frame
from livehub.web.reading import Form
from livehub.web.rendering import page

bp = Blueprint("desk_trail", url_prefix="/desk/trail")

PATH = "/desk/trail"
DAYS = 30  # of a list that nobody narrowed
HEAD = (
    *("记录号", "时间", "类别", "操作人", "动作", "对象类别", "对象", "结果"),
    *("来自", "请求号", "部门", "内容"),
)


class Query(Struct, rename={"since": "from", "until": "to"}):
    """The list's address."""

    who: Annotated[str, Meta(max_length=40)] = ""
    action: Annotated[str, Meta(max_length=64)] = ""
    kind: Annotated[str, Meta(max_length=32)] = ""
    object: Annotated[str, Meta(max_length=64)] = ""
    result: Literal["", "ok", "refused", "broken"] = ""
    since: Annotated[date | None, Meta(extra={"expected": "日期"})] = None
    until: Annotated[date | None, Meta(extra={"expected": "日期"})] = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1

    def begins(self, today: date) -> date | None:
        """The first day: a month ago, unless the list is of an object or of days."""
        is_open = not (self.since or self.until or self.object)
        return today - timedelta(days=DAYS) if is_open else self.since

    def search(self, today: date) -> Search:
        """The same question to the trail."""
        since, until = self.begins(today), self.until
        if since and until and until < since:
            raise Invalid(details=[Detail("to", "不能早于开始日期")])
        return Search(
            who=self.who,
            action=self.action,
            object_kind=self.kind,
            object_id=self.object,
            result=self.result,
            since=clock.at_local(since) if since else None,
            until=clock.at_local(until + timedelta(days=1)) if until else None,
        )


class Stretch(Struct):
    """Which part of which chain."""

    chain: Annotated[str, Meta(max_length=16)]  # a bureau's public id, or "centre"
    since: Annotated[date, Meta(extra={"expected": "日期"})]
    until: Annotated[date, Meta(extra={"expected": "日期"})]


@bp.get("/")
@doors.signed_in(Permission.AUDIT_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list."""
    return await _list(request, actor, form=reading.blank())


@bp.get("/export.csv")
@doors.signed_in(Permission.AUDIT_READ, freshly=True)
async def export(request: Request, actor: Actor) -> HTTPResponse:
    """The list as a file."""
    query = reading.within_reach(reading.query(request, Query))
    search = query.search(clock.local_day(clock.now()))
    rows = await trail.first(actor, search, limit=exports.LIMIT + 1)
    names = {each.bureau_id: each.name for each in await chains.chains_of(actor)}
    return exports.csv_file(
        "审计记录",
        HEAD,
        (_cells(row, names.get(row.bureau_id, "")) for row in rows[: exports.LIMIT]),
        cut=exports.cut(len(rows)),
    )


@bp.get("/<audit_id:int>")
@doors.signed_in(Permission.AUDIT_READ)
async def show_entry(request: Request, actor: Actor, audit_id: int) -> HTTPResponse:
    """One entry as it is stored, and its link."""
    entry = await trail.entry(audit_id, actor=actor)
    place = await trail.place_of(entry)
    holds = None
    if place is not None:
        found = chain.follow(bytes.fromhex(place.before), chain.payload(chain.stored(entry)))
        holds = found.hex() == place.hash
    names = {each.bureau_id: each.name for each in await chains.chains_of(actor)}
    return page(
        "desk/trail_entry.html",
        shell=await frame(request, actor, "trail"),
        row=entry,
        detail=msgspec.json.format(entry.detail.encode(), indent=2).decode(),
        sha256=hashlib.sha256(chain.payload(chain.stored(entry))).hexdigest(),
        place=place,
        holds=holds,
        chain=names.get(entry.bureau_id, "中心"),
    )


@bp.post("/verify")
@doors.signed_in(Permission.AUDIT_READ)
async def verify(request: Request, actor: Actor) -> HTTPResponse:
    """Verify a stretch of a chain; what came out is an entry of the trail, and stands on the page."""
    try:
        wanted = reading.within_reach(reading.form(request, Stretch))
        bureau = await chains.chain_of(wanted.chain, actor=actor)
        await verification.verify(
            bureau, since=wanted.since, until=wanted.until, actor=actor, now=clock.now()
        )
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _list(request, actor, form=form, status=error.status)
    return redirect(f"{PATH}#chains", status=303)


async def _list(request: Request, actor: Actor, *, form: Form, status: int = 200) -> HTTPResponse:
    today = clock.local_day(clock.now())
    query = reading.within_reach(reading.query(request, Query)) if request.method == "GET" else Query()
    found = await chains.chains_of(actor)
    begins = query.begins(today)
    filled = asked(request, Query) if request.method == "GET" else {}
    return page(
        "desk/trail.html",
        status=status,
        shell=await frame(request, actor, "trail"),
        query=filled,
        shown={**filled, **({"from": begins.isoformat()} if begins else {})},
        page=await trail.entries(actor, query.search(today), number=query.page),
        counted=trail.COUNTED,
        chains=[
            (each, await verification.newest(each.bureau_id, centre_id=actor.centre_id)) for each in found
        ],
        names={each.bureau_id: each.name for each in found},
        options=[(each.key, each.name) for each in found],
        waiting=await chain.tail_size(),
        most=verification.MOST,
        form=form if form.values else reading.blank(since=today.isoformat(), until=today.isoformat()),
    )


def _cells(row: AuditEntry, bureau: str) -> list[str | int | datetime]:
    return [
        row.id,
        row.at,
        row.actor_kind,
        row.actor_name,
        row.action,
        row.object_kind,
        row.object_id,
        row.result,
        row.ip,
        row.request_id,
        bureau,
        row.detail,
    ]
