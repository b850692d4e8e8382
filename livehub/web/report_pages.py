"""/bureau/reports and /desk/reports 报表: prepared, looked at, signed, downloaded and submitted."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.reports import composing, documents, later, packing
from livehub.reports.basis import Axis, Basis
from livehub.reports.documents import NewReport
from livehub.reports.forms import Ask
from livehub.reports.models import PackState, ReportState
from livehub.web import doors, reading, sending, two_doors
from livehub.web.desk.frame import Reason, back
from livehub.web.reading import Form
from livehub.web.rendering import link, page

FRESH_SECONDS = 4  # after which a page that waits for a pack looks again


class Query(Struct):
    """The list's address."""

    state: Annotated[str, Meta(max_length=10)] = ""
    kind: Annotated[str, Meta(max_length=24)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class NewForm(Struct, rename={"since": "from", "until": "to"}):
    """What is asked for; both days are part of it."""

    kind: Annotated[str, Meta(max_length=24, extra={"expected": "一种报表"})]
    bureau: Annotated[str, Meta(max_length=16, extra={"expected": "主管部门"})]
    since: date
    until: date
    axis: Axis | None = None
    basis: Basis = Basis.G3


class Signing(Struct):
    """What was seen: its instant in milliseconds, and its hash."""

    as_of: Annotated[int, Meta(ge=0, le=4_102_444_800_000)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Submitting(Struct):
    """Under which paper."""

    reference: Annotated[str, Meta(max_length=documents.REFERENCE_LENGTH)] = ""


@doors.signed_in(Permission.REPORT_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The reports, the newest first."""
    query = reading.query(request, Query)
    found = await documents.listed(actor=actor, state=query.state, kind=query.kind, number=query.page)
    return page(
        "reports/list.html",
        shell=await two_doors.shell(request, actor, "reports"),
        path=two_doors.path_of(request),
        page=found,
        query={"state": query.state, "kind": query.kind},
        kinds=_kinds(),
        bureaus={each.id: each.name for each in await accounts.bureaus(actor.centre_id)},
        may_prepare=may(actor, Permission.REPORT_PREPARE),
    )


@doors.signed_in(Permission.REPORT_PREPARE)
async def new(request: Request, actor: Actor) -> HTTPResponse:
    """The empty form: last month."""
    last = clock.local_day(clock.now()).replace(day=1) - timedelta(days=1)
    mine = await documents.bureaus(actor)
    form = reading.blank(
        kind="monthly",
        bureau=mine[0].public_id if len(mine) == 1 else "",
        basis="G3",
        **{"from": last.replace(day=1).isoformat(), "to": last.isoformat()},
    )
    return await _form(request, actor, form)


@doors.signed_in(Permission.REPORT_PREPARE)
async def prepare(request: Request, actor: Actor) -> HTTPResponse:
    """A draft."""
    try:
        wanted = reading.form(request, NewForm)
        made = await documents.prepare(_wanted(wanted), actor=actor, now=clock.now())
    except LivehubError as error:
        return await _form(request, actor, reading.refused(request, doors.shown(request, error)), error=error)
    return back(f"{two_doors.path_of(request)}/{made.public_id}", done="report-prepared")


@doors.signed_in(Permission.REPORT_READ)
async def show_one(request: Request, actor: Actor, report_id: str) -> HTTPResponse:
    """The report, each figure with its lines."""
    return await _report(request, actor, report_id)


@doors.signed_in(Permission.REPORT_SIGN, freshly=True)
async def sign(request: Request, actor: Actor, report_id: str) -> HTTPResponse:
    """Freeze what was seen."""
    try:
        seen = reading.form(request, Signing)
        await documents.sign(
            _id(report_id),
            sha256=seen.sha256,
            as_of=clock.from_ms(seen.as_of),
            actor=actor,
            now=clock.now(),
        )
    except NotFound:
        raise
    except LivehubError as error:
        return await _report(request, actor, report_id, refusal=doors.shown(request, error))
    return back(f"{two_doors.path_of(request)}/{report_id}", done="report-signed")


@doors.signed_in(Permission.REPORT_SIGN)
async def submit(request: Request, actor: Actor, report_id: str) -> HTTPResponse:
    """It was handed in."""
    try:
        reference = reading.form(request, Submitting).reference
        await documents.submit(_id(report_id), reference=reference, actor=actor, now=clock.now())
    except NotFound:
        raise
    except LivehubError as error:
        return await _report(request, actor, report_id, refusal=doors.shown(request, error))
    return back(f"{two_doors.path_of(request)}/{report_id}", done="report-submitted")


@doors.signed_in(Permission.REPORT_SIGN)
async def give_back(request: Request, actor: Actor, report_id: str) -> HTTPResponse:
    """It came back."""
    try:
        reason = reading.form(request, Reason).reason
        await documents.give_back(_id(report_id), reason=reason, actor=actor, now=clock.now())
    except NotFound:
        raise
    except LivehubError as error:
        return await _report(request, actor, report_id, refusal=doors.shown(request, error))
    return back(f"{two_doors.path_of(request)}/{report_id}", done="report-returned")


@doors.signed_in(Permission.REPORT_READ, freshly=True)
async def pack(request: Request, actor: Actor, report_id: str) -> None:
    """The pack of a signed report."""
    kept = await packing.ready(_id(report_id), actor=actor)
    await sending.send(request, kept.name, packing.pieces(kept.id), size=kept.size)


_ROUTES = (
    ("GET", "/", show),
    ("GET", "/new", new),
    ("POST", "/", prepare),
    ("GET", "/<report_id:str>", show_one),
    ("POST", "/<report_id:str>/sign", sign),
    ("POST", "/<report_id:str>/submit", submit),
    ("POST", "/<report_id:str>/return", give_back),
    ("GET", "/<report_id:str>/pack.zip", pack),
)
bureau, desk = two_doors.mounted("reports", _ROUTES)
audit_packs = Blueprint("desk_audit_packs", url_prefix="/desk/campaigns")


@audit_packs.get("/<campaign_id:str>/audit-pack.zip")
@doors.signed_in(Permission.LEDGER_READ, freshly=True)
async def audit_pack(request: Request, actor: Actor, campaign_id: str) -> None:
    """A campaign's ledger, vouchers, uses, refunds and rules, as known two minutes ago."""
    made = await packing.of_campaign(_id(campaign_id), actor=actor, now=clock.now())
    await sending.send_made(request, made.name, made.pieces)


def _id(text: str) -> str:
    if len(text) > 16:
        raise NotFound
    return text


def _wanted(form: NewForm) -> NewReport:
    until = form.until + timedelta(days=1) if form.until.year < 9999 else form.until
    return NewReport(
        kind=form.kind, bureau=form.bureau, since=form.since, until=until, axis=form.axis, basis=form.basis
    )


def _kinds() -> list[tuple[str, str]]:
    return [(report.name, report.title) for report in composing.registry().values()]


async def _form(
    request: Request, actor: Actor, form: Form, *, error: LivehubError | None = None
) -> HTTPResponse:
    return page(
        "reports/new.html",
        status=error.status if error else 200,
        shell=await two_doors.shell(request, actor, "reports"),
        path=two_doors.path_of(request),
        form=form,
        kinds=_kinds(),
        bureaus=[(each.public_id, each.name) for each in await documents.bureaus(actor)],
    )


async def _report(
    request: Request, actor: Actor, report_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    now = clock.now()
    seen = await documents.read(_id(report_id), actor=actor, now=now)
    row = seen.row
    is_draft = row.state is ReportState.DRAFT
    pack = await packing.of_report(row.id)
    may_sign = may(actor, Permission.REPORT_SIGN, bureau_id=row.bureau_id)
    return page(
        "reports/report.html",
        status=refusal.status if refusal else 200,
        shell=await two_doors.shell(request, actor, "reports", refusal=refusal),
        path=two_doors.path_of(request),
        report=row,
        document=seen.document,
        last_day=row.until - timedelta(days=1),
        sha256=seen.sha256,
        seen_ms=clock.to_ms(seen.document.as_of),
        pack=pack,
        is_making=pack is not None and pack.state is PackState.WAITING,
        again_after=FRESH_SECONDS,
        changes=[]
        if is_draft
        else [(each, _lines(seen.ask, each.reason)) for each in await later.sales(seen.ask)],
        refunds=None if is_draft else await later.refunds(seen.ask),
        may_sign=may_sign and is_draft and actor.id != row.prepared_by_id,
        is_hers=actor.id == row.prepared_by_id,
        may_submit=may_sign and row.state is ReportState.SIGNED,
        may_return=may_sign and row.state is ReportState.SUBMITTED,
    )


def _lines(ask: Ask, _reason: str) -> str:
    """The lines of a report's days that were booked since."""
    after: datetime = clock.local(ask.as_of).replace(tzinfo=None)
    return link(
        "/desk/sales/lines",
        {},
        booked_after=after.isoformat(timespec="milliseconds"),
        bureau=ask.bureau,
        axis=ask.axis,
        **{"from": ask.since, "to": ask.until},
    )
