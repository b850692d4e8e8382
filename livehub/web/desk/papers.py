"""/desk/papers 资质与选品: what is on file, what ends soon, noting papers, and how old streamers are."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Detail, LivehubError, NotFound
from livehub.merchants import papers, qualifications, queries, requirements, selection
from livehub.merchants.errors import QualificationRefused
from livehub.merchants.qualifications import File, Noted
from livehub.web import doors, reading
from livehub.web.desk.frame import Reason, asked, back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from streamers import ages
from streamers import queries as streamers

bp = Blueprint("desk_papers", url_prefix="/desk/papers")

PATH = "/desk/papers"
APART = ":"  # between kind and public id in one field's value
NAMES = {"product": "商品", "merchant": "商户", "person": "人员"}


class Query(Struct):
    """The list's address."""

    state: Annotated[str, Meta(pattern="^(soon|expired|valid|withdrawn)?$")] = ""
    owner: Annotated[str, Meta(pattern="^(product|merchant|person)?$")] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class NewPaper(Struct):
    """What a paper says."""

    owner: Annotated[str, Meta(min_length=3, max_length=30, extra={"expected": "选择属于谁"})]
    type: Annotated[str, Meta(min_length=1, max_length=24, extra={"expected": "选择资质"})]
    number: Annotated[str, Meta(max_length=qualifications.NUMBER_LENGTH)] = ""
    issued_on: date | None = None
    valid_to: date | None = None

    def noted(self) -> Noted:
        """The same, with whose it is."""
        kind, _, owner = self.owner.partition(APART)
        return Noted(
            owner_kind=kind,
            owner=owner,
            type=self.type,
            number=self.number,
            issued_on=self.issued_on,
            valid_to=self.valid_to,
        )


class Decided(Struct):
    """What a selection meeting decided."""

    product: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择商品"})]
    meeting_on: date
    decision: Annotated[str, Meta(min_length=1, max_length=12)]
    valid_until: date | None = None
    reasons: Annotated[str, Meta(max_length=selection.REASONS_LENGTH)] = ""


class Born(Struct):
    """Whose day of birth."""

    streamer: Annotated[str, Meta(min_length=1, max_length=16, extra={"expected": "选择主播"})]
    born_on: date


@bp.get("/")
@doors.signed_in(Permission.MERCHANT_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list, and the forms of those who may note papers."""
    return await _list(request, actor, form=reading.blank())


@bp.post("/", stream=True)
@doors.uploading(Permission.MERCHANT_MANAGE)
async def add(request: Request, actor: Actor) -> HTTPResponse:
    """Note a paper, with its file."""
    try:
        noted = reading.form(request, NewPaper).noted()
        await qualifications.add(noted, actor=actor, now=clock.now(), file=_file(request))
    except LivehubError as error:
        return await _refused(request, actor, error)
    return back(PATH, done="paper-added")


@bp.post("/reviews")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def review(request: Request, actor: Actor) -> HTTPResponse:
    """Note what a selection meeting decided."""
    try:
        given = reading.form(request, Decided)
        await database.unit(
            lambda: selection.review(
                given.product,
                meeting_on=given.meeting_on,
                decision=given.decision,
                valid_to=given.valid_until,
                reasons=given.reasons,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        return await _refused(request, actor, error)
    return back(PATH, done="product-reviewed")


@bp.post("/births")
@doors.signed_in(Permission.STREAMER_MANAGE)
async def born(request: Request, actor: Actor) -> HTTPResponse:
    """Note a streamer's day of birth; it is never shown again."""
    try:
        given = reading.form(request, Born)
        await database.unit(
            lambda: ages.note(given.streamer, born_on=given.born_on, actor=actor, now=clock.now())
        )
    except LivehubError as error:
        return await _refused(request, actor, error)
    return back(PATH, done="birth-noted")


@bp.post("/<paper_id:str>/withdraw")
@doors.signed_in(Permission.MERCHANT_MANAGE)
async def withdraw(request: Request, actor: Actor, paper_id: str) -> HTTPResponse:
    """A paper counts no more."""
    try:
        reason = reading.form(request, Reason).reason
        await database.unit(
            lambda: qualifications.withdraw(paper_id, reason=reason, actor=actor, now=clock.now())
        )
    except NotFound:
        raise
    except LivehubError as error:
        return await _refused(request, actor, error)
    return back(PATH, done="paper-withdrawn")


@bp.get("/<paper_id:str>/file")
@doors.signed_in(Permission.MERCHANT_MANAGE, Permission.EVIDENCE_OPEN)
async def file(_request: Request, actor: Actor, paper_id: str) -> HTTPResponse:
    """A paper's file, to be kept, never shown by the browser as a page of ours."""
    paper, body = await qualifications.opened(paper_id, actor=actor, now=clock.now())
    ending = paper.file_type.rpartition("/")[2]
    return HTTPResponse(
        body,
        content_type=paper.file_type,
        headers={
            "Content-Disposition": f'attachment; filename="{paper.public_id}.{ending}"',
            "Cache-Control": "no-store",
        },
    )


def _file(request: Request) -> File | None:
    sent = request.files.get("file") if request.files else None
    if sent is None or not sent.name:
        return None
    if not sent.body:
        raise QualificationRefused(details=[Detail("file", "文件是空的", "PDF、JPG 或 PNG")])
    name = sent.name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(letter for letter in name if unicodedata.category(letter)[0] not in "CZ" or letter == " ")
    return File(name=plain.strip(), body=sent.body)


async def _refused(request: Request, actor: Actor, error: LivehubError) -> HTTPResponse:
    form = reading.refused(request, doors.shown(request, error))
    return await _list(request, actor, form=form, refusal=error)


async def _list(
    request: Request, actor: Actor, *, form: Form, refusal: LivehubError | None = None
) -> HTTPResponse:
    query = reading.query(request, Query) if refusal is None else Query()
    today = clock.local_day(clock.now())
    may_manage = may(actor, Permission.MERCHANT_MANAGE)
    may_people = may(actor, Permission.STREAMER_MANAGE)
    products = await queries.products(actor.centre_id) if may_manage else []
    people = await streamers.streamers(actor.centre_id) if may_people else []
    return page(
        "desk/papers.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "papers"),
        query=asked(request, Query),
        page=await papers.papers(
            actor=actor, today=today, state=query.state, owner_kind=query.owner, number=query.page
        ),
        ending=await papers.ending(centre_id=actor.centre_id, today=today),
        today=today,
        form=form,
        may_manage=may_manage,
        may_people=may_people,
        may_open=may_manage or may(actor, Permission.EVIDENCE_OPEN),
        may_open_personal=may(actor, Permission.PERSONAL_DATA_OPEN),
        owners=await _owners(actor, products, people) if may_manage else [],
        types=[(code, name) for code, name in requirements.NAMES.items() if code != "selection"],
        products=[(each.public_id, each.name) for each in products],
        streamers=[(each.public_id, each.stage_name) for each in people],
        unborn=await _unborn(people, today=today),
    )


async def _owners(
    actor: Actor, products: list[queries.ProductView], people: list[streamers.StreamerView]
) -> list[tuple[str, str]]:
    """Whose a paper can be, as the form's choices."""
    persons = await streamers.person_ids([each.id for each in people])
    return [
        *((f"product{APART}{each.public_id}", f"{NAMES['product']} · {each.name}") for each in products),
        *(
            (f"merchant{APART}{each.public_id}", f"{NAMES['merchant']} · {each.name}")
            for each in await queries.merchants(actor=actor)
        ),
        *(
            (f"person{APART}{persons[each.id][1]}", f"{NAMES['person']} · {each.stage_name}")
            for each in people
        ),
    ]


async def _unborn(people: list[streamers.StreamerView], *, today: date) -> list[str]:
    """Who cannot go on air, because nobody noted how old she is."""
    persons = await streamers.person_ids([each.id for each in people])
    years = await ages.on([number for number, _ in persons.values()], day=today)
    return [each.stage_name for each in people if years.get(persons[each.id][0]) is None]
