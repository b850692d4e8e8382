"""/desk/training/…/graduation 考核与结业: marks, what the bar says of everybody and why, certificates."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Detail, LivehubError, NotFound
from livehub.web import doors, reading
from livehub.web.desk.frame import Reason, back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from streamers.training import certificates, graduation, moves, queries, scores
from streamers.training.course_models import Assessment, AssessmentKind, Certificate, GraduationDecision
from streamers.training.errors import ScoreRefused
from streamers.training.models import COUNTED

bp = Blueprint("desk_training_end", url_prefix="/desk/training")

PATH = "/desk/training"


class Exam(Struct):
    """An examination to be."""

    kind: Annotated[AssessmentKind, Meta(extra={"expected": "选择类型"})]
    name: Annotated[str, Meta(min_length=1, max_length=60)]
    held_on: date


class Marking(Struct):
    """Everybody's marks of one attempt: a field for each enrolment besides."""

    attempt: Annotated[int, Meta(ge=1, le=5)] = 1
    examiner: Annotated[str, Meta(max_length=40)] = ""
    reason: Annotated[str, Meta(max_length=200)] = ""


@bp.get("/<cohort_id:str>/graduation")
@doors.signed_in(Permission.TRAINING_READ)
async def show(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Where everybody stands."""
    return await _standing(request, actor, cohort_id)


@bp.post("/<cohort_id:str>/assessments")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def assess(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Plan an examination."""
    try:
        given = reading.form(request, Exam)
        made = await database.unit(
            lambda: scores.plan(
                cohort_id,
                kind=given.kind,
                name=given.name,
                held_on=given.held_on,
                actor=actor,
                now=clock.now(),
            )
        )
    except NotFound:
        raise
    except LivehubError as error:
        refused = reading.refused(request, doors.shown(request, error))
        return await _standing(request, actor, cohort_id, form=refused, refusal=error)
    return back(f"{PATH}/assessments/{made.public_id}")


@bp.get("/assessments/<assessment_id:str>")
@doors.signed_in(Permission.TRAINING_READ)
async def show_marks(request: Request, actor: Actor, assessment_id: str) -> HTTPResponse:
    """One examination's marks."""
    return await _marks(request, actor, assessment_id)


@bp.post("/assessments/<assessment_id:str>/scores")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def enter(request: Request, actor: Actor, assessment_id: str) -> HTTPResponse:
    """Enter or correct marks."""
    exam = await _exam(assessment_id, actor)
    try:
        given = reading.form(request, Marking)
        marks = [
            scores.Mark(
                enrolment=name.removeprefix("m-"),
                tenths=_tenths(name, text),
                attempt=given.attempt,
                examiner=given.examiner,
                reason=given.reason,
            )
            for name, text in reading.typed(request).items()
            if name.startswith("m-") and text.strip()
        ]
        await database.unit(lambda: scores.mark(assessment_id, marks, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _marks(request, actor, assessment_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{exam.cohort.public_id}/graduation", done="scores-entered")


@bp.post("/<cohort_id:str>/graduation/confirm")
@doors.signed_in(Permission.TRAINING_CERTIFY)
async def confirm(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Decide on everybody."""
    try:
        await database.unit(lambda: graduation.confirm(cohort_id, actor=actor, now=clock.now()))
    except NotFound:
        raise
    except LivehubError as error:
        return await _standing(request, actor, cohort_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{cohort_id}/graduation", done="graduated")


@bp.post("/<cohort_id:str>/certificates")
@doors.signed_in(Permission.TRAINING_CERTIFY)
async def issue(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Issue certificates to everybody who graduated."""
    try:
        await database.unit(lambda: certificates.issue(cohort_id, actor=actor, now=clock.now()))
    except NotFound:
        raise
    except LivehubError as error:
        return await _standing(request, actor, cohort_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{cohort_id}/graduation", done="certified")


@bp.get("/certificates/<certificate_id:str>/paper.pdf")
@doors.signed_in(Permission.TRAINING_READ)
async def paper(request: Request, actor: Actor, certificate_id: str) -> HTTPResponse:
    """The certificate's paper."""
    serial, raw = await certificates.paper_of(
        certificate_id, base_url=request.app.ctx.settings.url, actor=actor
    )
    return HTTPResponse(
        raw,
        content_type="application/pdf",
        headers={
            "Content-Disposition": f"inline; filename=certificate.pdf; filename*=UTF-8''{quote(serial)}.pdf",
            "Cache-Control": "no-store",
        },
    )


@bp.post("/certificates/<certificate_id:str>/revoke")
@doors.signed_in(Permission.TRAINING_CERTIFY)
async def revoke(request: Request, actor: Actor, certificate_id: str) -> HTTPResponse:
    """It is good no longer."""
    cohort_id = await _cohort_of(certificate_id, actor)
    try:
        given = reading.form(request, Reason)
        await database.unit(
            lambda: certificates.revoke(certificate_id, reason=given.reason, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        return await _standing(request, actor, cohort_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{cohort_id}/graduation", done="certificate-revoked")


@bp.post("/certificates/<certificate_id:str>/replace")
@doors.signed_in(Permission.TRAINING_CERTIFY)
async def replace(request: Request, actor: Actor, certificate_id: str) -> HTTPResponse:
    """A new one instead, with a number of its own."""
    cohort_id = await _cohort_of(certificate_id, actor)
    try:
        given = reading.form(request, Reason)
        await database.unit(
            lambda: certificates.replace(certificate_id, reason=given.reason, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        return await _standing(request, actor, cohort_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{cohort_id}/graduation", done="certificate-replaced")


async def _standing(
    request: Request,
    actor: Actor,
    cohort_id: str,
    *,
    form: Form | None = None,
    refusal: LivehubError | None = None,
) -> HTTPResponse:
    whole = await queries.cohort(cohort_id, actor=actor, now=clock.now())
    people = [each for each in whole.people if each.state in COUNTED]
    found = GraduationDecision.filter(enrolment_id__in=[each.id for each in people])
    decided = {each.enrolment_id: each for each in await found.order_by("seq")}
    return page(
        "desk/training_graduation.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training", refusal=None if form else refusal),
        whole=whole,
        people=people,
        decided=decided,
        reasons={key: msgspec.json.decode(each.reasons, type=list[str]) for key, each in decided.items()},
        form=form or reading.blank(held_on=str(clock.local_day(clock.now()))),
        kinds=list(AssessmentKind),
        examines=whole.row.state in moves.EXAMINES,
        may_manage=may(actor, Permission.TRAINING_MANAGE),
        may_certify=may(actor, Permission.TRAINING_CERTIFY),
    )


async def _marks(
    request: Request, actor: Actor, assessment_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    exam = await _exam(assessment_id, actor)
    whole = await queries.cohort(exam.cohort.public_id, actor=actor, now=clock.now())
    marks = await queries.scores(exam.cohort_id)
    typed = reading.typed(request) if refusal is not None else {}
    return page(
        "desk/training_marks.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "training", refusal=refusal),
        exam=exam,
        whole=whole,
        people=[each for each in whole.people if each.state in COUNTED],
        marks={key[1]: row for key, row in marks.items() if key[0] == exam.id},
        typed=typed,
        refusal=refusal,
        may_manage=may(actor, Permission.TRAINING_MANAGE) and whole.row.state in moves.EXAMINES,
    )


async def _exam(assessment_id: str, actor: Actor) -> Assessment:
    row = await Assessment.get_or_none(public_id=assessment_id).select_related("cohort")
    if row is None:
        raise NotFound
    await queries.cohort(row.cohort.public_id, actor=actor, now=clock.now())
    return row


async def _cohort_of(certificate_id: str, actor: Actor) -> str:
    row = await Certificate.get_or_none(public_id=certificate_id).select_related("enrolment__cohort")
    if row is None:
        raise NotFound
    klass = row.enrolment.cohort
    await queries.cohort(klass.public_id, actor=actor, now=clock.now())
    return str(klass.public_id)


def _tenths(name: str, text: str) -> int:
    plain = text.strip()
    whole, _, part = plain.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 4 and len(part) <= 1) or (
        part and not (part.isascii() and part.isdigit())
    ):
        raise ScoreRefused(details=[Detail(name, "不是分数", "0 到 100，最多一位小数")])
    return int(whole) * 10 + int(part or 0)
