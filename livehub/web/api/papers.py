"""资质与选品: papers that end soon, noting one, and what a selection meeting decided."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Conflict
from livehub.merchants import papers, qualifications, selection
from livehub.merchants.errors import QualificationRefused, ReviewRefused
from livehub.merchants.qualifications import Noted
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Instant, Listed, Paging, PublicId, listed

calls = Section("资质与选品")

OwnerKind = Literal["product", "merchant", "person"]


class PaperFilter(Paging, frozen=True, kw_only=True):
    """要哪些资质。"""

    state: Literal["", "soon", "expired", "valid", "withdrawn"] = ""
    owner_kind: Literal["", "product", "merchant", "person"] = ""


class QualificationShown(Struct, frozen=True, kw_only=True):
    """一份资质。"""

    id: str
    owner_kind: str
    owner_name: str
    type: str
    number: Annotated[str, Meta(description="个人资质的编号不显示")]
    issued_on: date | None
    valid_to: Annotated[date | None, Meta(description="最后一天；空是长期")]
    state: Annotated[str, Meta(description="valid、soon（30 天内到期）、expired 或 withdrawn")]
    days_left: int | None
    has_file: bool
    verified_by: str
    verified_at: Instant


class NewQualification(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """核验过的一份资质；原件在页面上传。"""

    owner_kind: OwnerKind
    owner: Annotated[PublicId, Meta(description="商品、商户或人员的公开编号")]
    type: Annotated[str, Meta(min_length=1, max_length=24)]
    number: Annotated[str, Meta(max_length=qualifications.NUMBER_LENGTH)] = ""
    issued_on: date | None = None
    valid_to: date | None = None


class Noticed(Struct, frozen=True, kw_only=True):
    """登记好的一份资质。"""

    id: str


class Withdrawn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """停用的原因。"""

    reason: Annotated[str, Meta(min_length=1, max_length=qualifications.REASON_LENGTH)]


class OnShelf(Struct, frozen=True, kw_only=True):
    """一个商品，和它在某一天能不能上播。"""

    id: str
    name: str
    category: str
    lacks: Annotated[list[str], Meta(description="缺什么，如 qualification_expired:sc_licence")]
    ends_in_days: Annotated[int | None, Meta(description="最先到期的还有几天，30 天以内才有")]


class Shelf(Struct, frozen=True, kw_only=True):
    """哪一天。"""

    on: Annotated[date | None, Meta(description="场次日；空是今天")] = None


class NewReview(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """选品会的结论。"""

    meeting_on: date
    decision: Literal["approved", "conditional", "rejected"]
    valid_to: date | None = None
    reasons: Annotated[str, Meta(max_length=selection.REASONS_LENGTH)] = ""


class Reviewed(Struct, frozen=True, kw_only=True):
    """登记好的选品结论。"""

    decision: str
    meeting_on: date
    valid_to: date | None


@calls.get(
    "/qualifications",
    summary="资质清单，先到期的在前",
    needs=(Permission.MERCHANT_READ,),
    query=PaperFilter,
    answer=Listed[QualificationShown],
)
async def latest(asked: Asked[PaperFilter, None]) -> Listed[QualificationShown]:
    """What is on file, and until when."""
    query = asked.query
    found = await papers.papers(
        actor=asked.actor,
        today=clock.local_day(asked.now),
        state=query.state,
        owner_kind=query.owner_kind,
        number=query.page,
        size=query.size,
    )
    answer = listed(found)
    return Listed(
        items=[
            QualificationShown(
                id=each.id,
                owner_kind=each.owner_kind,
                owner_name=each.owner,
                type=each.type,
                number=each.number,
                issued_on=each.issued_on,
                valid_to=each.valid_to,
                state=each.state,
                days_left=each.days_left,
                has_file=each.has_file,
                verified_by=each.verified_by,
                verified_at=each.verified_at,
            )
            for each in answer.items
        ],
        page=answer.page,
        size=answer.size,
        total=answer.total,
    )


@calls.post(
    "/qualifications",
    summary="登记一份核验过的资质",
    needs=(Permission.MERCHANT_MANAGE,),
    body=NewQualification,
    answer=Noticed,
    status=201,
    refusals=(QualificationRefused,),
)
async def add(asked: Asked[None, NewQualification]) -> Noticed:
    """Note a paper."""
    body = asked.body
    noted = Noted(
        owner_kind=body.owner_kind,
        owner=body.owner,
        type=body.type,
        number=body.number,
        issued_on=body.issued_on,
        valid_to=body.valid_to,
    )
    made = await qualifications.add(noted, actor=asked.actor, now=asked.now)
    return Noticed(id=made.public_id)


@calls.post(
    "/qualifications/{qualification_id}/withdraw",
    summary="停用一份资质，写明原因",
    needs=(Permission.MERCHANT_MANAGE,),
    body=Withdrawn,
    answer=Noticed,
    refusals=(QualificationRefused, Conflict),
)
async def withdraw(asked: Asked[None, Withdrawn], qualification_id: str) -> Noticed:
    """A paper counts no more; it stays on file."""
    gone = await database.unit(
        lambda: qualifications.withdraw(
            qualification_id, reason=asked.body.reason, actor=asked.actor, now=asked.now
        )
    )
    return Noticed(id=gone.public_id)


@calls.get(
    "/products",
    summary="商品，和它们在某一天能不能上播",
    needs=(Permission.MERCHANT_READ,),
    query=Shelf,
    answer=All[OnShelf],
)
async def shelf(asked: Asked[Shelf, None]) -> All[OnShelf]:
    """The products of the centre as they stand on a day."""
    day = asked.query.on or clock.local_day(asked.now)
    return All(
        items=[
            OnShelf(
                id=each.product.public_id,
                name=each.product.name,
                category=each.product.category,
                lacks=[f"{lack.rule}:{lack.type}".rstrip(":") for lack in each.standing.lacks],
                ends_in_days=each.ends_in,
            )
            for each in await papers.shelf(asked.actor.centre_id, day=day)
        ]
    )


@calls.post(
    "/products/{product_id}/reviews",
    summary="登记选品会的结论",
    needs=(Permission.MERCHANT_MANAGE,),
    body=NewReview,
    answer=Reviewed,
    status=201,
    refusals=(ReviewRefused,),
)
async def review(asked: Asked[None, NewReview], product_id: str) -> Reviewed:
    """What a meeting decided on a product."""
    body = asked.body
    made = await database.unit(
        lambda: selection.review(
            product_id,
            meeting_on=body.meeting_on,
            decision=body.decision,
            valid_to=body.valid_to,
            reasons=body.reasons,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return Reviewed(decision=made.decision, meeting_on=made.meeting_on, valid_to=made.valid_to)
