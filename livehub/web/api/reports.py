"""报表: prepared by one person, signed by another, submitted; their packs, and a campaign's audit pack."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import datetime

from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission
from livehub.kit.errors import NotFound
from livehub.kit.states import WrongState
from livehub.reports import documents, later, packing
from livehub.reports.basis import Axis, Basis
from livehub.reports.documents import NewReport, Seen
from livehub.reports.errors import PackFailed, PackNotReady, ReportMoved, ReportOutlived
from livehub.reports.forms import Figure, Table
from livehub.reports.models import BureauReport, ReportPack, ReportState
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import Asked, Section
from livehub.web.api.report_shapes import (
    AuditPackPiece,
    AuditPackQuestion,
    PackPiece,
    PieceQuestion,
    ReportChange,
    ReportFigure,
    ReportLine,
    ReportPackState,
    ReportRow,
    ReportsQuestion,
    ReportTable,
    ReportWanted,
    ReportWhole,
    Returning,
    Signing,
    Submitting,
)
from livehub.web.api.shapes import Listed, Nothing
from livehub.web.doors import SignInAgain

calls = Section("报表")


@calls.get(
    "/reports",
    summary="报表，新的在前",
    needs=(Permission.REPORT_READ,),
    query=ReportsQuestion,
    answer=Listed[ReportRow],
)
async def listing(asked: Asked[ReportsQuestion, None]) -> Listed[ReportRow]:
    """The reports the caller may see."""
    query = asked.query
    page = await documents.listed(
        actor=asked.actor, state=query.state, kind=query.kind, number=query.page, size=query.size
    )
    rows = [_row(each) for each in page.items]
    return Listed(items=rows, page=page.number, size=page.size, total=page.total)


@calls.post(
    "/reports",
    summary="编制一份报表",
    needs=(Permission.REPORT_PREPARE,),
    body=ReportWanted,
    answer=ReportRow,
    status=201,
)
async def prepare(asked: Asked[None, ReportWanted]) -> ReportRow:
    """A draft."""
    body = asked.body
    wanted = NewReport(
        kind=body.kind,
        bureau=body.bureau,
        since=body.since,
        until=body.until,
        axis=body.axis,
        basis=body.basis,
    )
    return _row(await documents.prepare(wanted, actor=asked.actor, now=asked.now))


@calls.get(
    "/reports/{report_id}",
    summary="一份报表的全部数字、资料包和签字后的变动",
    needs=(Permission.REPORT_READ,),
    query=Nothing,
    answer=ReportWhole,
)
async def one(asked: Asked[Nothing, None], report_id: str) -> ReportWhole:
    """A report the caller may see."""
    seen = await documents.read(report_id, actor=asked.actor, now=asked.now)
    changes = [] if seen.row.state is ReportState.DRAFT else await later.sales(seen.ask)
    return ReportWhole(
        report=_row(seen.row),
        title=seen.document.title,
        as_of=seen.document.as_of,
        sha256=seen.sha256,
        tables=[_table(each, seen) for each in seen.document.tables],
        pack=_pack(await packing.of_report(seen.row.id)),
        changes=[
            ReportChange(**{name: getattr(each, name) for name in ReportChange.__struct_fields__})
            for each in changes
        ],
    )


@calls.post(
    "/reports/{report_id}/sign",
    summary="签字：内容从此固定。编制人和令牌不能签，登录的人要在不久前输过密码",
    needs=(Permission.REPORT_SIGN,),
    body=Signing,
    answer=ReportRow,
    refusals=(WrongState, SecondPersonNeeded, ReportMoved, SignInAgain),
)
async def sign(asked: Asked[None, Signing], report_id: str) -> ReportRow:
    """Freeze what was seen."""
    body = asked.body
    return _row(
        await documents.sign(
            report_id, sha256=body.sha256, as_of=as_utc(body.as_of), actor=asked.actor, now=asked.now
        )
    )


@calls.post(
    "/reports/{report_id}/submit",
    summary="登记已上报",
    needs=(Permission.REPORT_SIGN,),
    body=Submitting,
    answer=ReportRow,
    refusals=(WrongState, SecondPersonNeeded),
)
async def submit(asked: Asked[None, Submitting], report_id: str) -> ReportRow:
    """It was handed in."""
    return _row(
        await documents.submit(report_id, reference=asked.body.reference, actor=asked.actor, now=asked.now)
    )


@calls.post(
    "/reports/{report_id}/return",
    summary="登记被退回",
    needs=(Permission.REPORT_SIGN,),
    body=Returning,
    answer=ReportRow,
    refusals=(WrongState, SecondPersonNeeded),
)
async def give_back(asked: Asked[None, Returning], report_id: str) -> ReportRow:
    """It came back."""
    return _row(
        await documents.give_back(report_id, reason=asked.body.reason, actor=asked.actor, now=asked.now)
    )


@calls.get(
    "/reports/{report_id}/pack",
    summary="资料包的一段",
    needs=(Permission.REPORT_READ,),
    query=PieceQuestion,
    answer=PackPiece,
    refusals=(PackNotReady, PackFailed, ReportOutlived, SignInAgain),
)
async def pack(asked: Asked[PieceQuestion, None], report_id: str) -> PackPiece:
    """A part of the bytes; NotFound after the last."""
    kept = await packing.ready(report_id, actor=asked.actor)
    data, _ = await _nth(packing.pieces(kept.id), asked.query.piece)
    return PackPiece(
        name=kept.name,
        size=kept.size,
        sha256=kept.sha256,
        piece=asked.query.piece,
        content_base64=base64.b64encode(data).decode(),
    )


@calls.get(
    "/campaigns/{campaign_id}/audit-pack",
    summary="一个活动的审计包：资金账、券、核销、退款、规则、审计链",
    needs=(Permission.LEDGER_READ,),
    query=AuditPackQuestion,
    answer=AuditPackPiece,
    refusals=(SignInAgain,),
)
async def audit_pack(asked: Asked[AuditPackQuestion, None], campaign_id: str) -> AuditPackPiece:
    """A part of the bytes, made anew as of one instant; NotFound after the last."""
    known = min(as_utc(asked.query.as_of), asked.now) if asked.query.as_of else None
    made = await packing.of_campaign(campaign_id, actor=asked.actor, now=asked.now, as_of=known)
    data, is_last = await _nth(made.pieces, asked.query.piece)
    return AuditPackPiece(
        name=made.name,
        as_of=made.as_of,
        piece=asked.query.piece,
        is_last=is_last,
        content_base64=base64.b64encode(data).decode(),
    )


async def _nth(pieces: AsyncIterator[bytes], number: int) -> tuple[bytes, bool]:
    """(the piece, whether none follows); NotFound when there are not so many."""
    found: bytes | None = None
    seen = 0
    async for data in pieces:
        seen += 1
        if seen == number:
            found = data
        elif seen > number:
            break
    if found is None:
        raise NotFound
    return found, seen == number


def _row(row: BureauReport) -> ReportRow:
    same = {name: getattr(row, name) for name in _SAME}
    return ReportRow(
        id=row.public_id,
        axis=Axis(row.axis),
        basis=Basis(row.basis),
        sha256=row.sha256.hex() if row.sha256 else "",
        **same,
    )


_SAME = tuple(name for name in ReportRow.__struct_fields__ if name not in {"id", "axis", "basis", "sha256"})


def _pack(found: ReportPack | None) -> ReportPackState | None:
    if found is None:
        return None
    return ReportPackState(
        state=found.state.value,
        rows=found.rows,
        size=found.size,
        sha256=found.sha256.hex() if found.sha256 else "",
        error=found.error,
    )


def _table(table: Table, seen: Seen) -> ReportTable:
    return ReportTable(
        name=table.name,
        title=table.title,
        heads=list(table.heads),
        columns=list(table.columns),
        rows=[
            ReportLine(
                names=list(row.names),
                figures=[_figure(each, seen.document.as_of) for each in row.figures],
                is_total=row.is_total,
            )
            for row in table.rows
        ],
        note=table.note,
    )


def _figure(figure: Figure, as_of: datetime) -> ReportFigure:
    return ReportFigure(
        numerator=figure.numerator,
        denominator=figure.denominator,
        unit=figure.unit,
        basis=figure.basis,
        as_of=as_of,
        evidence_url=figure.opens,
        evidence_file=f"evidence/{figure.of.file}" if figure.of else "",
        why=figure.why,
    )
