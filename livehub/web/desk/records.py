"""/desk/broadcasts/{id}/records 差错与回放: what was wrong on the air, where the video is, until when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.web import doors, reading
from livehub.web.desk.frame import Reason, back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import incidents, records, retention
from rooms import queries as rooms

bp = Blueprint("desk_records", url_prefix="/desk/broadcasts")


class NewIncident(Struct):
    """What was wrong."""

    category: Annotated[str, Meta(min_length=1, max_length=16)]
    text: Annotated[str, Meta(min_length=1, max_length=incidents.TEXT_LENGTH)]
    at: reading.LocalTime | None = None


class Correction(Struct):
    """How it was put right."""

    correction: Annotated[str, Meta(min_length=1, max_length=incidents.TEXT_LENGTH)]


class NewRecording(Struct):
    """Where the video is."""

    ref: Annotated[str, Meta(min_length=1, max_length=records.REF_LENGTH)]
    minutes: Annotated[int, Meta(ge=1, le=records.LONGEST_S // 60)]
    sha256: Annotated[str, Meta(max_length=64)] = ""


class Hold(Reason):
    """A reason, and whether it is held from now on."""

    held: bool = False


@bp.get("/<public_id:str>/records")
@doors.signed_in(Permission.BROADCAST_READ)
async def show(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """What is kept of the broadcast."""
    return await _page(request, actor, public_id)


@bp.post("/<public_id:str>/incidents")
@doors.signed_in(Permission.BROADCAST_RUN)
async def report(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Note what was wrong."""

    async def verb() -> object:
        given = reading.form(request, NewIncident)
        return await incidents.report(
            public_id, category=given.category, text=given.text, at=given.at, actor=actor, now=clock.now()
        )

    return await _done(request, actor, public_id, verb, "incident-reported")


@bp.post("/<public_id:str>/incidents/<incident_id:str>/correct")
@doors.signed_in(Permission.BROADCAST_RUN)
async def correct(request: Request, actor: Actor, public_id: str, incident_id: str) -> HTTPResponse:
    """Say how it was put right."""

    async def verb() -> object:
        given = reading.form(request, Correction)
        return await incidents.correct(incident_id, text=given.correction, actor=actor, now=clock.now())

    return await _done(request, actor, public_id, verb, "incident-corrected")


@bp.post("/<public_id:str>/recordings")
@doors.signed_in(Permission.BROADCAST_RUN)
async def record(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Note where the video is."""

    async def verb() -> object:
        given = reading.form(request, NewRecording)
        return await records.add(
            public_id,
            ref=given.ref,
            seconds=given.minutes * 60,
            sha256=given.sha256,
            actor=actor,
            now=clock.now(),
        )

    return await _done(request, actor, public_id, verb, "recording-noted")


@bp.post("/<public_id:str>/recordings/<recording_id:str>/delete")
@doors.signed_in(Permission.RECORD_RELEASE)
async def delete(request: Request, actor: Actor, public_id: str, recording_id: str) -> HTTPResponse:
    """Forget a recording whose time is over."""

    async def verb() -> object:
        given = reading.form(request, Reason)
        await records.delete(recording_id, reason=given.reason, actor=actor, now=clock.now())
        return None

    return await _done(request, actor, public_id, verb, "recording-deleted")


@bp.post("/<public_id:str>/hold")
@doors.signed_in(Permission.RECORD_RELEASE)
async def hold(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Keep everything whatever its age, or no longer."""

    async def verb() -> object:
        given = reading.form(request, Hold)
        return await records.hold(
            public_id, is_held=given.held, reason=given.reason, actor=actor, now=clock.now()
        )

    return await _done(request, actor, public_id, verb, "hold-changed")


async def _done(
    request: Request, actor: Actor, public_id: str, verb: Callable[[], Awaitable[Any]], done: str
) -> HTTPResponse:
    """The verb, then the page; a refusal keeps what was typed."""
    await rooms.broadcast(public_id, actor=actor)
    try:
        await database.unit(verb)
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _page(request, actor, public_id, form=form, refusal=error)
    return back(f"/desk/broadcasts/{public_id}/records", done=done)


async def _page(
    request: Request,
    actor: Actor,
    public_id: str,
    *,
    form: Form | None = None,
    refusal: LivehubError | None = None,
) -> HTTPResponse:
    seen = await rooms.broadcast(public_id, actor=actor)
    kept = await records.of(seen.id)
    return page(
        "desk/records.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "broadcasts", refusal=refusal),
        broadcast=seen,
        kept=kept,
        is_kept=retention.is_kept(kept.retain_until, legal_hold=kept.legal_hold, now=clock.now()),
        form=form or reading.blank(),
        categories=incidents.CATEGORIES,
        may_run=may(actor, Permission.BROADCAST_RUN, bureau_id=seen.bureau_id),
        may_release=may(actor, Permission.RECORD_RELEASE, bureau_id=seen.bureau_id),
    )
