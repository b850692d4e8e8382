"""补贴申领、抽查和佐证材料。"""

from __future__ import annotations

import base64
import binascii
from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission
from livehub.kit.errors import Detail
from livehub.kit.states import WrongState
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Fen, Instant, Nothing, PublicId, Unit
from livehub.web.api.training_shapes import Because, Line, Ratio
from streamers.training import claim_reads, claims, evidence, queries, spot_checks
from streamers.training.errors import (
    AlreadySubsidised,
    ClaimChanged,
    ClaimLate,
    ClaimRefused,
    EvidenceKnown,
    EvidenceRefused,
    NothingToClaim,
    SpotCheckRefused,
    SpotChecksMissing,
)
from streamers.training.subsidy_models import ClaimState, EvidenceFile

calls = Section("补贴与材料")


class ClaimLine(Struct, frozen=True, kw_only=True):
    """一名学员的补贴，或为什么没有。"""

    enrolment: PublicId
    name: str
    eligible: bool
    reason: Annotated[str, Meta(description="不能申领的原因；可以申领时为空")]
    amount_fen: Fen


class CheckSeen(Struct, frozen=True, kw_only=True):
    """一次抽查。"""

    enrolment: PublicId
    name: str
    method: str
    confirmed: bool
    note: str
    by: str
    at: Instant


class ClaimSeen(Struct, frozen=True, kw_only=True):
    """一个班的补贴申领；还没有测算时 state 为空，明细为现在的试算。"""

    id: Annotated[str, Meta(description="公开编号；还没有测算时为空")]
    state: ClaimState | None
    version: int
    unit: Unit
    people: int
    pass_rate: Annotated[Ratio | None, Meta(description="合格率：结业 ÷（第一节课时在册 − 退学）")]
    factor: Annotated[str, Meta(description="系数：合格率达标为 1，否则按规定打折")]
    per_head_fen: Fen
    total_fen: Annotated[Fen, Meta(description="明细之和；每人的金额向下取整到分")]
    card: Annotated[Literal["", "yellow", "red"], Meta(description="全班出勤：黄牌或红牌")]
    late_reason: str
    reason: Annotated[str, Meta(description="最近一次退回的原因")]
    submitted_by: str
    approved_by: str
    paid_by: str
    payment_ref: str
    checks_needed: Annotated[int, Meta(description="批准前至少抽查几人")]
    lines: list[ClaimLine]
    checks: list[CheckSeen]


class Submission(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """提交申领。"""

    late_reason: Annotated[Line, Meta(description="已过申领时间时写明原因")] = ""


class Payment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """付款凭证。"""

    reference: Annotated[str, Meta(min_length=1, max_length=60)]


class NewCheck(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一次抽查；不符时要写明情况。"""

    method: Literal["visit", "phone", "video"]
    confirmed: bool
    note: Line = ""


class NewEvidence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一份材料：PDF、JPEG 或 PNG，8 MB 以内。"""

    kind: Literal["photo", "sign_in", "leave_slip", "survey", "settlement", "institution", "other"]
    name: Annotated[str, Meta(min_length=1, max_length=120, description="文件名")]
    content_base64: Annotated[str, Meta(min_length=4)]


class EvidenceSeen(Struct, frozen=True, kw_only=True):
    """一份材料。"""

    id: PublicId
    kind: str
    name: str
    size: int
    sha256: str
    retain_until: date
    by: str
    at: Instant


@calls.get(
    "/cohorts/{cohort_id}/claim",
    summary="一个班的补贴申领和逐人测算",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=ClaimSeen,
)
async def one(asked: Asked[Nothing, None], cohort_id: str) -> ClaimSeen:
    """A class's claim."""
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


@calls.post(
    "/cohorts/{cohort_id}/claim",
    summary="测算，提交前可以重算",
    needs=(Permission.TRAINING_MANAGE,),
    body=Nothing,
    answer=ClaimSeen,
    refusals=(WrongState,),
)
async def draw(asked: Asked[None, Nothing], cohort_id: str) -> ClaimSeen:
    """Draw it up."""
    await database.unit(lambda: claims.draw(cohort_id, actor=asked.actor, now=asked.now))
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


@calls.post(
    "/cohorts/{cohort_id}/claim/submit",
    summary="提交申领",
    needs=(Permission.TRAINING_MANAGE,),
    body=Submission,
    answer=ClaimSeen,
    refusals=(WrongState, SecondPersonNeeded, ClaimChanged, ClaimLate, NothingToClaim, AlreadySubsidised),
    versioned=True,
)
async def submit(asked: Asked[None, Submission], cohort_id: str) -> ClaimSeen:
    """Submit it."""
    await database.unit(
        lambda: claims.submit(
            cohort_id,
            late_reason=asked.body.late_reason,
            version=asked.version,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


@calls.post(
    "/cohorts/{cohort_id}/claim/publicise",
    summary="公示",
    needs=(Permission.TRAINING_MANAGE,),
    body=Nothing,
    answer=ClaimSeen,
    refusals=(WrongState,),
    versioned=True,
)
async def publicise(asked: Asked[None, Nothing], cohort_id: str) -> ClaimSeen:
    """Put it up."""
    await database.unit(
        lambda: claims.publicise(cohort_id, version=asked.version, actor=asked.actor, now=asked.now)
    )
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


@calls.post(
    "/cohorts/{cohort_id}/claim/approve",
    summary="批准申领；不能是提交的人",
    needs=(Permission.TRAINING_APPROVE,),
    body=Nothing,
    answer=ClaimSeen,
    refusals=(WrongState, SecondPersonNeeded, SpotChecksMissing, ClaimChanged),
    versioned=True,
)
async def approve(asked: Asked[None, Nothing], cohort_id: str) -> ClaimSeen:
    """Approve it."""
    await database.unit(
        lambda: claims.approve(cohort_id, version=asked.version, actor=asked.actor, now=asked.now)
    )
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


@calls.post(
    "/cohorts/{cohort_id}/claim/return",
    summary="退回申领",
    needs=(Permission.TRAINING_APPROVE,),
    body=Because,
    answer=ClaimSeen,
    refusals=(WrongState, ClaimRefused),
    versioned=True,
)
async def give_back(asked: Asked[None, Because], cohort_id: str) -> ClaimSeen:
    """Return it."""
    await database.unit(
        lambda: claims.give_back(
            cohort_id, reason=asked.body.reason, version=asked.version, actor=asked.actor, now=asked.now
        )
    )
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


@calls.post(
    "/cohorts/{cohort_id}/claim/pay",
    summary="登记付款；不能是提交或批准的人",
    needs=(Permission.SETTLEMENT_PAY,),
    body=Payment,
    answer=ClaimSeen,
    refusals=(WrongState, SecondPersonNeeded, ClaimRefused),
    versioned=True,
)
async def pay(asked: Asked[None, Payment], cohort_id: str) -> ClaimSeen:
    """Note that it was paid."""
    await database.unit(
        lambda: claims.pay(
            cohort_id,
            reference=asked.body.reference,
            version=asked.version,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


@calls.post(
    "/enrolments/{enrolment_id}/spot-checks",
    summary="登记一次抽查",
    needs=(Permission.TRAINING_MANAGE,),
    body=NewCheck,
    answer=Nothing,
    status=201,
    refusals=(SpotCheckRefused,),
)
async def check(asked: Asked[None, NewCheck], enrolment_id: str) -> Nothing:
    """Ask somebody."""
    body = asked.body
    await database.unit(
        lambda: spot_checks.note(
            enrolment_id,
            method=body.method,
            confirmed=body.confirmed,
            text=body.note,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return Nothing()


@calls.get(
    "/cohorts/{cohort_id}/evidence",
    summary="一个班的佐证材料",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=All[EvidenceSeen],
)
async def files(asked: Asked[Nothing, None], cohort_id: str) -> All[EvidenceSeen]:
    """A class's files."""
    whole = await queries.cohort(cohort_id, actor=asked.actor, now=asked.now)
    return All(items=[_file(each) for each in await evidence.listing(whole.row.id)])


@calls.post(
    "/cohorts/{cohort_id}/evidence",
    summary="保存一份材料，加密留存",
    needs=(Permission.TRAINING_MANAGE,),
    body=NewEvidence,
    answer=EvidenceSeen,
    status=201,
    refusals=(EvidenceRefused, EvidenceKnown),
)
async def keep(asked: Asked[None, NewEvidence], cohort_id: str) -> EvidenceSeen:
    """Keep a file."""
    body = asked.body
    try:
        raw = base64.b64decode(body.content_base64, validate=True)
    except (binascii.Error, ValueError):
        raise EvidenceRefused(details=[Detail("content_base64", "不是 base64", "文件的字节")]) from None
    made = await evidence.add(
        cohort_id, kind=body.kind, name=body.name, body=raw, actor=asked.actor, now=asked.now
    )
    return _file(made)


async def _seen(cohort_id: str, *, actor: Actor, now: datetime) -> ClaimSeen:
    whole = await claim_reads.whole(cohort_id, actor=actor, now=now)
    claim = whole.claim
    same = ("late_reason", "reason", "submitted_by", "approved_by", "paid_by", "payment_ref")
    return ClaimSeen(
        id=claim.public_id if claim is not None else "",
        state=claim.state if claim is not None else None,
        version=claim.version if claim is not None else 0,
        unit="fen",
        people=len(whole.shown),
        pass_rate=whole.pass_rate or None,
        factor=whole.factor,
        per_head_fen=whole.per_head_fen,
        total_fen=whole.total_fen,
        card=whole.card,  # type: ignore[arg-type]  # one of three
        checks_needed=whole.checks_needed,
        lines=[
            ClaimLine(
                enrolment=who.public_id,
                name=who.person.name,
                eligible=line.eligible,
                reason=line.reason,
                amount_fen=line.amount_fen,
            )
            for who, line in whole.shown
        ],
        checks=[
            CheckSeen(
                enrolment=each.enrolment.public_id,
                name=each.enrolment.person.name,
                method=each.method,
                confirmed=each.confirmed,
                note=each.note,
                by=each.by_name,
                at=each.at,
            )
            for each in whole.checks
        ],
        **{name: getattr(claim, name) if claim is not None else "" for name in same},
    )


def _file(row: EvidenceFile) -> EvidenceSeen:
    same = ("kind", "name", "size", "retain_until", "at")
    return EvidenceSeen(
        id=row.public_id,
        sha256=bytes(row.sha256).hex(),
        by=row.by_name,
        **{name: getattr(row, name) for name in same},
    )
