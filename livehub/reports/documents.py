"""报表: one person prepares it, another of the bureau signs what she saw; submitted, perhaps returned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau, Centre
from livehub.accounts.permissions import Permission, bureau_scope, require, require_second_person
from livehub.kit import clock, ids, states
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.kit.paging import Page, window
from livehub.reports import composing, forms
from livehub.reports.basis import Axis, Basis
from livehub.reports.errors import ReportMoved
from livehub.reports.forms import Ask, Document
from livehub.reports.models import BureauReport, ReportPack, ReportState
from livehub.reports.reviews import SETTLED

MOVES = {
    ReportState.DRAFT: frozenset({ReportState.SIGNED}),
    ReportState.SIGNED: frozenset({ReportState.SUBMITTED}),
    ReportState.SUBMITTED: frozenset({ReportState.RETURNED}),
}
MOST_DAYS = 400
REASON_LENGTH, REFERENCE_LENGTH = 200, 60
YEARS = range(2010, 2100)
P = Permission


class NewReport(Struct, frozen=True, kw_only=True):
    """What is to be reported: days half-open, and the axis that is usual for its kind unless one is named."""

    kind: str
    bureau: str  # public id
    since: date
    until: date
    axis: Axis | None = None
    basis: Basis = Basis.G3


class Seen(Struct, frozen=True, kw_only=True):
    """A report as it is read: its content as signed, or as known at an instant while it is a draft."""

    row: BureauReport
    ask: Ask
    document: Document
    content: bytes

    @property
    def sha256(self) -> str:
        """Of the content."""
        return forms.digest(self.content).hex()


@database.atomic
async def prepare(wanted: NewReport, *, actor: Actor, now: datetime) -> BureauReport:
    """A draft; Invalid for days that are not there yet, or too many."""
    report = composing.kind(wanted.kind)
    bureau = await Bureau.filter(public_id=wanted.bureau, centre_id=actor.centre_id).first()
    if bureau is None:
        raise Invalid(details=[Detail("bureau", "没有这个主管部门")])
    require(actor, P.REPORT_PREPARE, bureau_id=bureau.id)
    _require_days(wanted, today=clock.local_day(now))
    made = await BureauReport.create(
        public_id=ids.public_id(),
        centre_id=actor.centre_id,
        bureau_id=bureau.id,
        kind=report.name,
        since=wanted.since,
        until=wanted.until,
        axis=str(wanted.axis or report.axis),
        basis=str(wanted.basis),
        prepared_by_id=actor.id if actor.kind != "token" else -actor.id,
        prepared_by=actor.name,
        prepared_at=now,
    )
    await _note("report.prepared", made, actor=actor, now=now)
    return made


def _require_days(wanted: NewReport, *, today: date) -> None:
    wrong = []
    if wanted.since.year not in YEARS or wanted.until.year not in YEARS:
        wrong.append(Detail("from", "日期超出范围", f"{YEARS.start} 至 {YEARS.stop - 1} 年"))
    elif wanted.since >= wanted.until:
        wrong.append(Detail("to", "止日要在起日之后（不含止日）", str(wanted.since + timedelta(days=1))))
    elif (wanted.until - wanted.since).days > MOST_DAYS:
        wrong.append(Detail("to", "时间太长", f"最多 {MOST_DAYS} 天"))
    elif wanted.since > today:
        wrong.append(Detail("from", "这些天还没有到", f"{today} 或以前"))
    if wrong:
        raise Invalid(details=wrong)


async def read(public_id: str, *, actor: Actor, now: datetime, as_of: datetime | None = None) -> Seen:
    """A report the reader may see; a draft as it is known ``as_of``, or by now. NotFound otherwise."""
    row = await _row(public_id, actor=actor)
    require(actor, P.REPORT_READ, bureau_id=row.bureau_id, centre_id=row.centre_id)
    known = row.as_of or min(as_of or now, now - SETTLED)
    ask = await ask_of(row, as_of=known)
    if row.state is not ReportState.DRAFT:
        content = row.content.encode()
        return Seen(row=row, ask=ask, document=forms.decoded(content), content=content)
    document = await composing.compose(ask, composing.kind(row.kind))
    return Seen(row=row, ask=ask, document=document, content=forms.encoded(document))


async def sign(public_id: str, *, sha256: str, as_of: datetime, actor: Actor, now: datetime) -> BureauReport:
    """Freeze what the signer saw, by its instant and its hash.

    SecondPersonNeeded for who prepared it and for machines, ReportMoved when it would say something else
    now, WrongState when it is signed already. The pack is made from here on.
    """
    row = await _row(public_id, actor=actor)
    require(actor, P.REPORT_SIGN, bureau_id=row.bureau_id, centre_id=row.centre_id)
    require_second_person(actor, first_user_id=row.prepared_by_id)
    states.require_move(MOVES, current=row.state, target=ReportState.SIGNED)
    seen = await read(public_id, actor=actor, now=now, as_of=as_of)
    if seen.sha256 != sha256 or seen.ask.as_of != as_of:
        raise ReportMoved

    async def freeze() -> None:
        await _move(
            row,
            ReportState.SIGNED,
            as_of=as_of,
            content=seen.content.decode(),
            sha256=bytes.fromhex(seen.sha256),
            signed_by_id=actor.id,
            signed_by=actor.name,
            signed_at=now,
        )
        await ReportPack.create(report_id=row.id)
        await _note("report.signed", row, actor=actor, now=now, sha256=seen.sha256)

    await database.unit(freeze)
    return await _row(public_id, actor=actor)


@database.atomic
async def submit(public_id: str, *, reference: str, actor: Actor, now: datetime) -> BureauReport:
    """Note that it was handed in, under which reference."""
    row = await _signer(public_id, actor=actor)
    await _move(row, ReportState.SUBMITTED, submitted_by=actor.name, submitted_at=now, reference=reference)
    await _note("report.submitted", row, actor=actor, now=now, reference=reference)
    return await _row(public_id, actor=actor)


@database.atomic
async def give_back(public_id: str, *, reason: str, actor: Actor, now: datetime) -> BureauReport:
    """Note that it came back, and why: it stays as it was signed, another is prepared instead."""
    row = await _signer(public_id, actor=actor)
    await _move(row, ReportState.RETURNED, returned_by=actor.name, returned_at=now, reason=reason)
    await _note("report.returned", row, actor=actor, now=now, reason=reason)
    return await _row(public_id, actor=actor)


async def listed(
    *, actor: Actor, state: str = "", kind: str = "", number: int = 1, size: int = 50
) -> Page[BureauReport]:
    """The reports the reader may see, the newest first; their contents are left out."""
    number, size, limit, offset = window(number=number, size=size)
    found = BureauReport.filter(centre_id=actor.centre_id)
    scope = bureau_scope(actor, P.REPORT_READ)
    if scope is not None:
        found = found.filter(bureau_id__in=sorted(scope) or [0])
    if state:
        found = found.filter(state=state)
    if kind:
        found = found.filter(kind=kind)
    rows = await found.order_by("-id").offset(offset).limit(limit).only(*_LISTED)
    return Page(rows, number, size, await found.count())


_LISTED = (
    *("id", "public_id", "bureau_id", "kind", "since", "until", "axis", "basis", "state"),
    *("prepared_by_id", "prepared_by", "prepared_at", "as_of", "sha256", "signed_by", "signed_at"),
    *("submitted_by", "submitted_at", "reference", "returned_by", "returned_at", "reason"),
)


async def ask_of(row: BureauReport, *, as_of: datetime) -> Ask:
    """What a report is about."""
    bureau, centre = await Bureau.get(id=row.bureau_id), await Centre.get(id=row.centre_id)
    return Ask(
        centre_id=row.centre_id,
        centre=centre.name,
        bureau_id=row.bureau_id,
        bureau=bureau.public_id,
        bureau_name=bureau.name,
        since=row.since,
        until=row.until,
        axis=Axis(row.axis),
        basis=Basis(row.basis),
        as_of=as_of,
    )


async def bureaus(actor: Actor) -> Sequence[Bureau]:
    """Those the actor may prepare reports for."""
    scope = bureau_scope(actor, P.REPORT_PREPARE)
    found = Bureau.filter(centre_id=actor.centre_id)
    return await (found if scope is None else found.filter(id__in=sorted(scope) or [0])).order_by("id")


async def _row(public_id: str, *, actor: Actor) -> BureauReport:
    row = await BureauReport.filter(public_id=public_id, centre_id=actor.centre_id).first()
    if row is None:
        raise NotFound
    return row


async def _signer(public_id: str, *, actor: Actor) -> BureauReport:
    row = await _row(public_id, actor=actor)
    require(actor, P.REPORT_SIGN, bureau_id=row.bureau_id, centre_id=row.centre_id)
    require_second_person(actor, first_user_id=0)
    return row


async def _move(row: BureauReport, target: ReportState, **changes: object) -> None:
    """The next state, once: of two at a time one finds it moved."""
    states.require_move(MOVES, current=row.state, target=target)
    moved = await BureauReport.filter(id=row.id, state=row.state).update(state=target, **changes)
    if not moved:
        raise states.WrongState


async def _note(action: str, row: BureauReport, *, actor: Actor, now: datetime, **detail: str) -> None:
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("report", row.public_id),
        bureau_id=row.bureau_id,
        detail={"kind": row.kind, "from": row.since.isoformat(), "to": row.until.isoformat(), **detail},
    )
