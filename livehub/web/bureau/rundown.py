"""/bureau/broadcasts/{id} 脚本: the cues of a show, and a shelf that says what may be shown that day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.merchants import papers
from livehub.merchants.papers import Picked
from livehub.vouchers import kinds as templates
from livehub.web import doors, reading
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import prechecks, queries, rundown
from rooms.models import BroadcastState
from rooms.queries import BroadcastView, CueView
from rooms.rundown import Kind, Planned

bp = Blueprint("bureau_rundown", url_prefix="/bureau/broadcasts")

MINUTES = 10
_DONE = {
    "added": "已加入脚本",
    "removed": "已从脚本去掉",
    "ai": "已改，开播前检查要重新签字",
}


class NewCue(Struct):
    """One more block at the end."""

    title: Annotated[str, Meta(max_length=rundown.TITLE_LENGTH)] = ""
    kind: Kind = Kind.PRODUCT
    minutes: Annotated[int, Meta(ge=1, le=720)] = MINUTES
    product: Annotated[str, Meta(max_length=16)] = ""
    template: Annotated[str, Meta(max_length=16)] = ""
    quantity: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    window_min: Annotated[int, Meta(ge=0, le=720)] = 0


class Removed(Struct):
    """Which block goes."""

    position: Annotated[int, Meta(ge=1, le=1000)]


class AiHost(Struct):
    """Whether a made-up person streams."""

    ai_host: bool = False


@bp.get("/<broadcast_id:str>")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def show(request: Request, actor: Actor, broadcast_id: str) -> HTTPResponse:
    """The rundown, and what could be added."""
    form = reading.blank(kind=str(Kind.PRODUCT), minutes=str(MINUTES))
    return await _page(request, actor, broadcast_id, form=form)


@bp.post("/<broadcast_id:str>/cues")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def add(request: Request, actor: Actor, broadcast_id: str) -> HTTPResponse:
    """Put a block at the end."""
    seen = await queries.broadcast(broadcast_id, actor=actor)
    try:
        given = reading.form(request, NewCue)
        shelf = {
            each.product.public_id: each
            for each in await papers.shelf(actor.centre_id, day=seen.business_day)
        }
        named = shelf[given.product].product.name if given.product in shelf else ""
        cue = Planned(
            kind=given.kind,
            title=given.title.strip() or named,
            length_s=given.minutes * 60,
            product=given.product,
            template_ref=given.template,
            quantity=given.quantity,
            window_s=given.window_min * 60,
        )
        await _replan(
            broadcast_id, [*_planned(await queries.cues(seen.id), shelf.values()), cue], actor=actor
        )
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        form.errors = {**form.errors, **_by_field(error)}
        return await _page(request, actor, broadcast_id, form=form, refusal=error)
    return redirect(f"/bureau/broadcasts/{broadcast_id}?done=added", status=303)


@bp.post("/<broadcast_id:str>/cues/remove")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def remove(request: Request, actor: Actor, broadcast_id: str) -> HTTPResponse:
    """Take a block out; those after it move up."""
    seen = await queries.broadcast(broadcast_id, actor=actor)
    try:
        position = reading.form(request, Removed).position
        cues = await queries.cues(seen.id)
        shelf = await papers.shelf(actor.centre_id, day=seen.business_day)
        left = [each for each in cues if each.position != position]
        await _replan(broadcast_id, _planned(left, shelf), actor=actor)
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _page(request, actor, broadcast_id, form=form, refusal=error)
    return redirect(f"/bureau/broadcasts/{broadcast_id}?done=removed", status=303)


@bp.post("/<broadcast_id:str>/ai")
@doors.signed_in(Permission.BOOKING_REQUEST)
async def ai(request: Request, actor: Actor, broadcast_id: str) -> HTTPResponse:
    """Say whether a made-up person streams."""
    try:
        is_one = reading.form(request, AiHost).ai_host
        await database.unit(
            lambda: prechecks.set_ai_host(broadcast_id, ai_host=is_one, actor=actor, now=clock.now())
        )
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _page(request, actor, broadcast_id, form=form, refusal=error)
    return redirect(f"/bureau/broadcasts/{broadcast_id}?done=ai", status=303)


async def _replan(broadcast_id: str, cues: Sequence[Planned], *, actor: Actor) -> None:
    await database.unit(
        lambda: rundown.plan(broadcast_id, cues=rundown.in_a_row(cues), actor=actor, now=clock.now())
    )


def _planned(cues: Sequence[CueView], shelf: Iterable[Picked]) -> list[Planned]:
    """What is planned already, as it is planned anew."""
    refs = {each.product.id: each.product.public_id for each in shelf}
    return [
        Planned(
            kind=Kind(each.kind),
            title=each.title,
            length_s=each.planned_s,
            product=refs.get(each.product_id or 0, ""),
            template_ref=each.template_ref,
            quantity=each.quantity,
            window_s=each.window_s,
        )
        for each in cues
    ]


def _by_field(error: LivehubError) -> dict[str, str]:
    """The reasons beside the fields of the last cue, which is the one that was typed."""
    return {
        each.field.rpartition(".")[2]: f"{each.reason}（{each.expected}）" if each.expected else each.reason
        for each in error.details
    }


async def _page(
    request: Request, actor: Actor, broadcast_id: str, *, form: Form, refusal: LivehubError | None = None
) -> HTTPResponse:
    seen = await queries.broadcast(broadcast_id, actor=actor)
    cues = await queries.cues(seen.id)
    shelf = await papers.shelf(actor.centre_id, day=seen.business_day)
    is_officer = bool(actor.bureaus())
    shell = doors.shell(
        request, actor, door="bureau" if is_officer else "desk", current="bookings", place=seen.bureau
    )
    shell.flash = _DONE.get(str(request.args.get("done", "")), "")
    offers = [each for _, each in await templates.to_drop(actor.centre_id)]
    return page(
        "bureau/rundown.html",
        status=refusal.status if refusal else 200,
        shell=shell,
        broadcast=seen,
        cues=cues,
        names={each.product.id: each for each in shelf},
        shelf=shelf,
        sells=await queries.room_sells(seen.room_id),
        length_s=int((seen.planned_end_at - seen.planned_start_at).total_seconds()),
        used_s=max((each.planned_offset_s + each.planned_s for each in cues), default=0),
        check=await prechecks.standing(seen.id),
        templates=[(each.id, _label(each)) for each in offers],
        sizes={each.id: sum(kind.n for kind in templates.of_offer(each)) for each in offers},
        form=form,
        may_plan=_may_plan(seen, cues, actor),
    )


def _label(offer: templates.Kind | templates.Bundle) -> str:
    return (
        f"{offer.name}（券包，每份 {offer.vouchers} 张）"
        if isinstance(offer, templates.Bundle)
        else offer.name
    )


def _may_plan(seen: BroadcastView, cues: Sequence[CueView], actor: Actor) -> bool:
    is_before = seen.state in (BroadcastState.PLANNED, BroadcastState.CHECKED)
    return (
        is_before
        and all(each.state == "planned" for each in cues)
        and may(actor, Permission.BOOKING_REQUEST, bureau_id=seen.bureau_id)
    )
