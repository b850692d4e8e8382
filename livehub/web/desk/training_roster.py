"""/desk/training/…/roster 名册: who is in a cohort, files of rosters, phone links, numbers for a reason."""

from __future__ import annotations

import asyncio
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
from livehub.kit.sheets import writing
from livehub.web import doors, reading
from livehub.web.desk import words
from livehub.web.desk.frame import Reason, back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from streamers import identity_numbers, links, people
from streamers.models import Streamer
from streamers.people import NewPerson, Revealed
from streamers.training import enrolments, importing, queries, roster
from streamers.training.errors import RosterRefused
from streamers.training.importing import Mode, Outcome
from streamers.training.models import Enrolment, EnrolmentState

bp = Blueprint("desk_training_roster", url_prefix="/desk/training")

PATH = "/desk/training"
XLSX_HEAD = ("序号", "姓名", "身份证号", "性别", "乡镇", "类别", "学历", "状态", "进班日期")


class Upload(Struct):
    """What stands beside the file."""

    mode: Annotated[Mode, Meta(extra={"expected": "选择导入方式"})]


class Adding(Struct):
    """Somebody new for the class."""

    name: Annotated[str, Meta(min_length=1, max_length=40)]
    identity: Annotated[str, Meta(min_length=1, max_length=40)]
    phone: Annotated[str, Meta(max_length=20)] = ""
    town: Annotated[str, Meta(max_length=40)] = ""
    overlap_reason: Annotated[str, Meta(max_length=200)] = ""


class Leaving(Reason):
    """How somebody leaves, and why."""

    into: Literal["withdrawn", "dismissed"] = "withdrawn"


@bp.get("/<cohort_id:str>/roster")
@doors.signed_in(Permission.TRAINING_READ)
async def show(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Who is in a class."""
    return await _roster(request, actor, cohort_id, form=reading.blank(mode=str(Mode.DRY_RUN)))


@bp.post("/<cohort_id:str>/roster/import", stream=True)
@doors.uploading(Permission.TRAINING_MANAGE)
async def take(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Look at a file, or take it in."""
    outcome: Outcome | None = None
    form = reading.blank(mode=str(Mode.DRY_RUN))
    try:
        given = reading.form(request, Upload)
        form = reading.blank(mode=str(given.mode))
        name, raw = _file(request)
        outcome = await importing.into_cohort(
            raw, cohort=cohort_id, mode=given.mode, name=name, actor=actor, now=clock.now()
        )
    except NotFound:
        raise
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _roster(request, actor, cohort_id, form=form, refusal=error)
    return await _roster(request, actor, cohort_id, form=form, outcome=outcome)


@bp.post("/<cohort_id:str>/enrolments")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def add(request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """Register somebody where she is not known yet, and give her a place."""
    try:
        given = reading.form(request, Adding)
        made = await database.unit(lambda: _added(given, cohort_id, actor))
    except NotFound:
        raise
    except LivehubError as error:
        refused = reading.refused(request, doors.shown(request, error))
        return await _roster(request, actor, cohort_id, adding=refused, refusal=error)
    done = "enrolled" if made.state is EnrolmentState.ENROLLED else "waitlisted"
    return back(f"{PATH}/{cohort_id}/roster", done=done)


@bp.post("/enrolments/<enrolment_id:str>/leave")
@doors.signed_in(Permission.TRAINING_MANAGE)
async def leave(request: Request, actor: Actor, enrolment_id: str) -> HTTPResponse:
    """Somebody withdraws or is dismissed."""
    cohort_id = await _cohort_of(enrolment_id, actor)
    try:
        given = reading.form(request, Leaving)
        await database.unit(
            lambda: enrolments.leave(
                enrolment_id,
                into=EnrolmentState(given.into),
                reason=given.reason,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        return await _roster(request, actor, cohort_id, refusal=doors.shown(request, error))
    return back(f"{PATH}/{cohort_id}/roster", done="left")


@bp.post("/enrolments/<enrolment_id:str>/link")
@doors.signed_in(Permission.STREAMER_MANAGE)
async def link(request: Request, actor: Actor, enrolment_id: str) -> HTTPResponse:
    """A link for a trainee's phone, shown in this one answer only."""
    cohort_id = await _cohort_of(enrolment_id, actor)
    row = await Enrolment.get(public_id=enrolment_id).select_related("person")
    owner = await Streamer.get_or_none(person_id=row.person_id)
    if owner is None:
        raise NotFound
    issued = await database.unit(lambda: links.issue(owner.public_id, actor=actor, now=clock.now()))
    url = f"{request.app.ctx.settings.url}/s/{issued.token}"
    return await _roster(request, actor, cohort_id, link=(row.person.name, url))


@bp.post("/enrolments/<enrolment_id:str>/reveal")
@doors.signed_in(Permission.PERSONAL_DATA_OPEN)
async def reveal(request: Request, actor: Actor, enrolment_id: str) -> HTTPResponse:
    """Somebody's numbers in clear, shown in this one answer only; the reason is in the trail."""
    cohort_id = await _cohort_of(enrolment_id, actor)
    row = await Enrolment.get(public_id=enrolment_id).select_related("person")
    try:
        given = reading.form(request, Reason)
        found = await database.unit(
            lambda: people.reveal(row.person.public_id, reason=given.reason, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        return await _roster(request, actor, cohort_id, refusal=doors.shown(request, error))
    answer = await _roster(request, actor, cohort_id, revealed=(row.person.name, found))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.get("/<cohort_id:str>/roster.xlsx")
@doors.signed_in(Permission.TRAINING_READ, freshly=True)
async def export(_request: Request, actor: Actor, cohort_id: str) -> HTTPResponse:
    """花名册 as a workbook; identity numbers are masked."""
    whole = await queries.cohort(cohort_id, actor=actor, now=clock.now())
    rows = [
        (
            str(number),
            each.person.name,
            identity_numbers.masked(shown) if (shown := people.number_of(each.person)) else "",
            {"female": "女", "male": "男"}.get(each.person.gender, ""),
            each.person.town,
            words.category(each.person.category),
            each.person.education,
            words.state("enrolment", each.state),
            str(each.enrolled_on or ""),
        )
        for number, each in enumerate(whole.people, start=1)
    ]
    book = await asyncio.to_thread(
        writing.workbook, [XLSX_HEAD, *rows], sheet="花名册", widths=(6, 12, 22, 6, 16, 10, 10, 10, 12)
    )
    return _workbook(f"花名册 {whole.row.code}", book)


@bp.get("/imports/<import_id:str>/errors.xlsx")
@doors.signed_in(Permission.TRAINING_MANAGE, freshly=True)
async def mistakes(_request: Request, actor: Actor, import_id: str) -> HTTPResponse:
    """The rows that could not be taken, each with its reason."""
    book = await importing.workbook(import_id, actor=actor, now=clock.now())
    return _workbook("名册错误行", book)


@bp.get("/template.xlsx")
@doors.signed_in(Permission.TRAINING_READ, freshly=True)
async def template(_request: Request, _actor: Actor) -> HTTPResponse:
    """An empty roster to fill in, its cells text."""
    book = writing.workbook([roster.TEMPLATE], sheet="名册", widths=(12, 22, 14, 16, 10, 10, 12))
    return _workbook("名册模板", book)


async def _added(given: Adding, cohort_id: str, actor: Actor) -> Enrolment:
    now = clock.now()
    wanted = NewPerson(name=given.name, identity=given.identity, phone=given.phone, town=given.town)
    known = await people.known_by(wanted, centre_id=actor.centre_id, today=clock.local_day(now))
    person = known or await people.register(wanted, centre_id=actor.centre_id, actor=actor, now=now)
    return await enrolments.enrol(
        cohort_id, person=person.public_id, overlap_reason=given.overlap_reason, actor=actor, now=now
    )


async def _roster(
    request: Request,
    actor: Actor,
    cohort_id: str,
    *,
    form: Form | None = None,
    adding: Form | None = None,
    refusal: LivehubError | None = None,
    outcome: Outcome | None = None,
    link: tuple[str, str] | None = None,
    revealed: tuple[str, Revealed] | None = None,
) -> HTTPResponse:
    whole = await queries.cohort(cohort_id, actor=actor, now=clock.now())
    wrong = outcome.wrong[: importing.TOLD] if outcome is not None else []
    mistaken = refusal.details if isinstance(refusal, RosterRefused) else []
    return page(
        "desk/training_roster.html",
        status=refusal.status if refusal else 200,
        shell=await frame(
            request, actor, "training", refusal=refusal if form is None and adding is None else None
        ),
        whole=whole,
        form=form or reading.blank(mode=str(Mode.DRY_RUN)),
        adding=adding or reading.blank(),
        outcome=outcome,
        wrong=[(each, roster.said(each)) for each in wrong],
        mistaken=mistaken,
        link=link,
        revealed=revealed,
        megabytes=request.app.ctx.settings.statement_limit // 2**20,
        may_manage=may(actor, Permission.TRAINING_MANAGE),
        may_open=may(actor, Permission.PERSONAL_DATA_OPEN),
    )


async def _cohort_of(enrolment_id: str, actor: Actor) -> str:
    """The class of an enrolment the actor may see; NotFound else."""
    row = await Enrolment.get_or_none(public_id=enrolment_id).select_related("cohort")
    if row is None:
        raise NotFound
    await queries.cohort(row.cohort.public_id, actor=actor, now=clock.now())
    return str(row.cohort.public_id)


def _file(request: Request) -> tuple[str, bytes]:
    sent = request.files.get("file") if request.files else None
    if sent is None or not sent.name:
        raise Invalid(details=[Detail("file", "请选择文件", ".xlsx 或 CSV")])
    if len(sent.body) > request.app.ctx.settings.statement_limit:
        raise Invalid(details=[Detail("file", "文件太大", "拆成几个文件")])
    name = sent.name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in name if letter.isprintable())[-120:] or "名册", sent.body


def _workbook(name: str, raw: bytes) -> HTTPResponse:
    return HTTPResponse(
        raw,
        content_type=writing.CONTENT_TYPE,
        headers={
            "Content-Disposition": f"attachment; filename=export.xlsx; filename*=UTF-8''{quote(name)}.xlsx",
            "Cache-Control": "no-store",
        },
    )
