"""/desk/deliveries/{id}: the evidence of a webhook or a fetched reply, and its bytes for a written reason."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts import trail
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.accounts.trail import Search
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.reports import evidence, messages
from livehub.web import doors, reading
from livehub.web.desk.frame import Reason, frame
from livehub.web.reading import Form
from livehub.web.rendering import page

bp = Blueprint("desk_deliveries", url_prefix="/desk/deliveries")


@bp.get("/<delivery_id:int>")
@doors.signed_in(Permission.INBOX_READ)
async def show(request: Request, actor: Actor, delivery_id: int) -> HTTPResponse:
    """Everything about the bytes but the bytes."""
    return await _delivery(request, actor, delivery_id, form=reading.blank())


@bp.post("/<delivery_id:int>/open")
@doors.signed_in(Permission.EVIDENCE_OPEN)
async def open_bytes(request: Request, actor: Actor, delivery_id: int) -> HTTPResponse:
    """The bytes, in this one answer only; who and why is in the audit trail before they are seen."""
    try:
        why = reading.form(request, Reason).reason
        found = await database.unit(
            lambda: evidence.open_evidence(delivery_id, actor=actor, why=why, now=clock.now())
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _delivery(request, actor, delivery_id, form=form, status=error.status)
    parts = [found.raw] if found.plain is None else [found.raw, found.plain]
    opened = [part.decode("utf-8", "backslashreplace") for part in parts]
    return await _delivery(request, actor, delivery_id, form=reading.blank(), opened=opened)


async def _delivery(
    request: Request,
    actor: Actor,
    delivery_id: int,
    *,
    form: Form,
    opened: Sequence[str] = (),
    status: int = 200,
) -> HTTPResponse:
    view = await messages.delivery(delivery_id, actor=actor)
    openings = []
    if may(actor, Permission.AUDIT_READ):
        found = await trail.entries(
            actor, Search(action="evidence.opened", object_kind="delivery", object_id=str(delivery_id))
        )
        openings = [
            {"at": each.at, "by": each.actor_name, "reason": _why(each.detail)} for each in found.items
        ]
    return page(
        "desk/delivery.html",
        status=status,
        shell=await frame(request, actor, "inbox"),
        delivery=view,
        may_open=may(actor, Permission.EVIDENCE_OPEN),
        form=form,
        opened=opened,
        openings=openings,
    )


def _why(detail: str) -> str:
    return str(msgspec.json.decode(detail, type=dict[str, object]).get("why", ""))
