"""/desk/training/…/claim 补贴 and …/archive 档案: what is claimed for whom, checks, files, the ZIP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError, NotFound
from livehub.web import doors, reading
from livehub.web.desk.frame import Reason, back, frame
from livehub.web.rendering import page
from streamers.training import archive, claim_reads, claims, evidence, queries, spot_checks
from streamers.training.models import COUNTED
from streamers.training.queries import Whole
from streamers.training.subsidy_models import SubsidyClaim

bp = Blueprint("desk_training_claims", url_prefix="/desk/training")

PATH = "/desk/training"


class Step(Struct):
    """A step of a claim, and what was seen."""

    version: Annotated[int, Meta(ge=0, le=10**9)] = 0
    late_reason: Annotated[str, Meta(max_length=200)] = ""
    reason: Annotated[str, Meta(max_length=200)] = ""
    reference: Annotated[str, Meta(max_length=60)] = ""


class Check(Struct):
    """What somebody answered."""

    enrolment: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择学员"})]
    method: Annotated[str, Meta(min_length=1, max_length=8, extra={"expected": "选择方式"})]
    confirmed: Literal["true", "false"] = "true"
    text: Annotated[str, Meta(max_length=200)] = ""


class Upload(Struct):
    """What stands beside a file."""

    kind: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择类别"})]


@bp.get("/<cohort_id:str>/claim")
@doors.signed_in(Permission.TRAINING_READ)
async def show(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """The claim of a class."""
    return await _claim(request, actor, cohort_id)


@bp.post("/<cohort_id:str>/claim/<claim_step:str>")
@doors.signed_in(Permission.TRAINING_MANAGE, Permission.TRAINING_APPROVE, Permission.SETTLEMENT_PAY)
async def move(request: Request, actor: Actor, cohort_id: str, claim_step: str) -> HTTPResponse:
    """One of STEPS."""
    if claim_step not in STEPS:
        raise NotFound
    try:
        given = reading.form(request, Step)
        await database.unit(lambda: STEPS[claim_step](cohort_id, given, actor, clock.now()))
    except NotFound:
        raise
    except LivehubError as error:
        return await _claim(request, actor, cohort_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{cohort_id}/claim", done=f"claim-{claim_step}")


@bp.post("/<cohort_id:str>/spot-checks")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def check(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Note a spot check."""
    try:
        given = reading.form(request, Check)
        await database.unit(
            lambda: spot_checks.note(
                given.enrolment,
                method=given.method,
                confirmed=given.confirmed == "true",
                text=given.text,
                actor=actor,
                now=clock.now(),
            )
        )
    except NotFound:
        raise
    except LivehubError as error:
        return await _claim(request, actor, cohort_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{cohort_id}/claim", done="spot-checked")


@bp.get("/<cohort_id:str>/archive")
@doors.signed_in(Permission.TRAINING_READ)
async def show_archive(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """The files of a class, and its ZIP."""
    return await _archive(request, actor, cohort_id)


@bp.post("/<cohort_id:str>/evidence", stream=True)
@doors.uploading(Permission.TRAINING_MANAGE)
async def keep(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Keep a file."""
    try:
        given = reading.form(request, Upload)
        name, raw = _file(request)
        await evidence.add(cohort_id, kind=given.kind, name=name, body=raw, actor=actor, now=clock.now())
    except NotFound:
        raise
    except LivehubError as error:
        return await _archive(request, actor, cohort_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{cohort_id}/archive", done="evidence-added")


@bp.get("/<cohort_id:str>/archive.zip")
@doors.signed_in(Permission.TRAINING_READ, freshly=True)
async def pack(request: Request, actor: Actor, cohort_id: str) -> None:
    """Everything about a class, its people's numbers masked."""
    now = clock.now()
    whole = await archive.prepared(cohort_id, actor=actor, now=now)
    await _send(request, whole, in_clear=False, actor=actor, now=now)


@bp.post("/<cohort_id:str>/archive.zip")
@doors.signed_in(Permission.PERSONAL_DATA_OPEN, freshly=True)
async def pack_in_clear(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse | None:
    """The same with numbers in clear, for a reason that is audited."""
    now = clock.now()
    try:
        given = reading.form(request, Reason)
        whole = await archive.prepared(cohort_id, reason=given.reason, actor=actor, now=now)
    except NotFound:
        raise
    except LivehubError as error:
        return await _archive(request, actor, cohort_id, refusal=doors.shown(request, error))
    await _send(request, whole, in_clear=True, actor=actor, now=now)
    return None


async def _send(request: Request, whole: Whole, *, in_clear: bool, actor: Actor, now: datetime) -> None:
    name = quote(f"{whole.row.code}-{whole.row.name}")
    response = await request.respond(
        content_type="application/zip",
        headers={
            "Content-Disposition": f"attachment; filename=archive.zip; filename*=UTF-8''{name}.zip",
            "Cache-Control": "no-store",
        },
    )
    if response is None:
        return
    async for piece in archive.stream(whole, in_clear=in_clear, actor=actor, now=now):
        await response.send(piece)
    await response.eof()


def _file(request: Request) -> tuple[str, bytes]:
    sent = request.files.get("file") if request.files else None
    if sent is None or not sent.name:
        raise Invalid(details=[Detail("file", "请选择文件", "PDF、JPEG 或 PNG")])
    name = sent.name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in name if letter.isprintable()) or "材料", sent.body


async def _draw(cohort_id: str, _: Step, actor: Actor, now: datetime) -> SubsidyClaim:
    return await claims.draw(cohort_id, actor=actor, now=now)


async def _submit(cohort_id: str, given: Step, actor: Actor, now: datetime) -> SubsidyClaim:
    return await claims.submit(
        cohort_id, late_reason=given.late_reason, version=given.version, actor=actor, now=now
    )


async def _publicise(cohort_id: str, given: Step, actor: Actor, now: datetime) -> SubsidyClaim:
    return await claims.publicise(cohort_id, version=given.version, actor=actor, now=now)


async def _approve(cohort_id: str, given: Step, actor: Actor, now: datetime) -> SubsidyClaim:
    return await claims.approve(cohort_id, version=given.version, actor=actor, now=now)


async def _return(cohort_id: str, given: Step, actor: Actor, now: datetime) -> SubsidyClaim:
    return await claims.give_back(cohort_id, reason=given.reason, version=given.version, actor=actor, now=now)


async def _pay(cohort_id: str, given: Step, actor: Actor, now: datetime) -> SubsidyClaim:
    return await claims.pay(cohort_id, reference=given.reference, version=given.version, actor=actor, now=now)


STEPS: dict[str, Callable[[str, Step, Actor, datetime], Awaitable[SubsidyClaim]]] = {
    "draw": _draw,
    "submit": _submit,
    "publicise": _publicise,
    "approve": _approve,
    "return": _return,
    "pay": _pay,
}


async def _claim(
    request: Request, actor: Actor, cohort_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    now = clock.now()
    whole = await queries.cohort(cohort_id, actor=actor, now=now)
    bureau_id = whole.programme.bureau_id
    return page(
        "desk/training_claim.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training", refusal=refusal),
        whole=whole,
        found=await claim_reads.whole(cohort_id, actor=actor, now=now),
        people=[each for each in whole.people if each.state in COUNTED],
        refusal=refusal,
        late_reason=reading.last(request, "late_reason"),
        may_manage=may(actor, Permission.TRAINING_MANAGE),
        may_approve=may(actor, Permission.TRAINING_APPROVE, bureau_id=bureau_id),
        may_pay=may(actor, Permission.SETTLEMENT_PAY),
    )


async def _archive(
    request: Request, actor: Actor, cohort_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    now = clock.now()
    whole = await queries.cohort(cohort_id, actor=actor, now=now)
    return page(
        "desk/training_archive.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training", refusal=refusal),
        whole=whole,
        files=await evidence.listing(whole.row.id),
        kept_until=evidence.kept_until(whole.row, whole.terms, now=now),
        refusal=refusal,
        may_manage=may(actor, Permission.TRAINING_MANAGE),
        may_reveal=may(actor, Permission.PERSONAL_DATA_OPEN),
    )
