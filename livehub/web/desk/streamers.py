"""/desk/streamers 主播: who streams, looked up by name and training, and a new one."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.reports import performance
from livehub.web import doors, reading
from livehub.web.desk.frame import asked, back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from streamers import joining, listing, people, queries, registry
from streamers.models import StreamerStatus
from streamers.people import NewPerson

bp = Blueprint("desk_streamers", url_prefix="/desk/streamers")

PATH = "/desk/streamers"
STATUSES = tuple(str(each) for each in StreamerStatus)


class Query(Struct):
    """The list's address."""

    name: Annotated[str, Meta(max_length=registry.NAME_LENGTH)] = ""
    status: Annotated[str, Meta(pattern=f"^({'|'.join(STATUSES)})?$")] = ""
    trained: Annotated[str, Meta(pattern=f"^({'|'.join(listing.TRAINED)})?$")] = ""
    bureau: Annotated[str, Meta(max_length=16)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class Days(Struct, rename={"since": "from", "until": "to"}):
    """Which period: half-open, the last thirty days where none is said."""

    since: date | None = None
    until: date | None = None


class Joining(Struct):
    """Somebody new; the texts are judged by the domain, so that every mistake stands beside its field."""

    stage_name: str = ""
    name: str = ""
    identity: str = ""
    phone: str = ""
    town: str = ""
    category: str = ""
    education: str = ""
    guardian: str = ""
    status: Annotated[StreamerStatus, Meta(extra={"expected": "选择状态"})] = StreamerStatus.NEWBIE

    def person(self) -> NewPerson:
        """The same, without what is the streamer's."""
        return NewPerson(**{name: getattr(self, name) for name in NewPerson.__struct_fields__})


@bp.get("/")
@doors.signed_in(Permission.STREAMER_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list."""
    query = reading.query(request, Query)
    return page(
        "desk/streamers.html",
        shell=await frame(request, actor, "streamers"),
        query=asked(request, Query),
        page=await listing.streamers(
            actor=actor,
            name=query.name,
            status=query.status,
            trained=query.trained,
            bureau=query.bureau,
            number=query.page,
        ),
        bureaus=[(each.public_id, each.name) for each in await accounts.bureaus(actor.centre_id)],
        statuses=STATUSES,
        may_manage=may(actor, Permission.STREAMER_MANAGE),
    )


@bp.get("/ranking")
@doors.signed_in(Permission.STREAMER_READ)
async def ranking(request: Request, actor: Actor) -> HTTPResponse:
    """Who sells best in each theme in a period."""
    given, now = reading.query(request, Days), clock.now()
    period = performance.period(given.since, given.until, today=clock.local_day(now))
    found = await performance.places_of(period, actor=actor)
    return page(
        "desk/streamer_ranking.html",
        shell=await frame(request, actor, "streamers"),
        period=period,
        as_of=now,
        places=found,
        named=await queries.by_ids([each.streamer_id for each in found]),
    )


@bp.get("/new")
@doors.signed_in(Permission.STREAMER_MANAGE)
async def ask_new(request: Request, actor: Actor) -> HTTPResponse:
    """The form."""
    return await _form(request, actor, form=reading.blank(status="newbie"))


@bp.post("/new")
@doors.signed_in(Permission.STREAMER_MANAGE)
async def join(request: Request, actor: Actor) -> HTTPResponse:
    """Register somebody."""
    try:
        given = reading.form(request, Joining)
        made = await database.unit(
            lambda: joining.join(
                given.person(),
                stage_name=given.stage_name,
                status=given.status,
                centre_id=actor.centre_id,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _form(request, actor, form=form, status=error.status)
    return back(f"{PATH}/{made.public_id}", done="streamer-joined")


async def _form(request: Request, actor: Actor, *, form: Form, status: int = 200) -> HTTPResponse:
    return page(
        "desk/streamer_new.html",
        status=status,
        shell=await frame(request, actor, "streamers"),
        form=form,
        statuses=[each for each in STATUSES if each != StreamerStatus.LEFT],
        categories=people.CATEGORIES,
    )
