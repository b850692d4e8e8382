"""核查案件: what looks wrong, what stands behind it, what it holds back, and the two people who decide."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission
from livehub.kit.states import WrongState
from livehub.settlement import batches, case_queries, cases, merchant_phones, opening
from livehub.settlement.case_models import CaseState, Subject
from livehub.settlement.case_queries import CaseView, LateBehind, OrderBehind, RedemptionBehind
from livehub.settlement.errors import CaseKnown
from livehub.settlement.signals import CaseFigure
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import AsOf, Instant, Listed, Paging, PublicId, Unit

calls = Section("核查案件")

Text = Annotated[str, Meta(min_length=2, max_length=batches.REASON_LENGTH, description="记入案件，不能删改")]


class CaseQuestion(Paging, frozen=True, kw_only=True):
    """哪些案件。"""

    state: Annotated[
        Literal["", "open", "looked_at", "released", "confirmed"], Meta(description="哪一种状态")
    ] = ""
    rule: Annotated[str, Meta(max_length=24, description="哪一条规则；by_hand：人工立案")] = ""


class IntegrityCase(Struct, frozen=True, kw_only=True):
    """一个核查案件：一条规则或一个人，对一个对象的一天。"""

    id: str
    rule: Annotated[str, Meta(description="规则；by_hand：人工立案")]
    rule_label: str
    rule_version: int
    params: Annotated[dict[str, Any], Meta(description="立案时规则的阈值")]
    subject: Subject
    subject_ref: Annotated[str, Meta(description="对象的公开编号")]
    subject_name: str
    bureau: Annotated[str, Meta(description="涉及哪个部门的资金；空：整个中心")]
    day: date
    signals: Annotated[list[CaseFigure], Meta(description="立案时的数字")]
    state: CaseState
    unit: Unit
    held: Annotated[int, Meta(description="现在暂缓结算的核销笔数")]
    held_fen: Annotated[int, Meta(description="它们的补贴，减去已收回的，单位：分")]
    settled: Annotated[int, Meta(description="立案之前已提交结算的笔数")]
    opened_by: Annotated[str, Meta(description="空：规则")]
    opened_at: Instant
    looked_by: str
    looked_at: Instant | None
    ended_by: str
    ended_at: Instant | None


class CaseWord(Struct, frozen=True, kw_only=True):
    """案件里的一句话。"""

    step: Annotated[str, Meta(description="open、note、look、release、confirm")]
    text: str
    by: str
    at: Instant


class CaseWhole(Struct, frozen=True, kw_only=True):
    """一个案件、说明和一页明细。"""

    case: IntegrityCase
    as_of: AsOf
    evidence_url: Annotated[str, Meta(description="案件的页面：明细从这里打开到订单和推送")]
    notes: list[CaseWord]
    redemptions: list[RedemptionBehind]
    orders: list[OrderBehind]
    late: list[LateBehind]
    page: int
    size: int
    total: Annotated[int, Meta(description="明细全部条数")]


class NewCase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """人工立案；立案就暂缓结算。"""

    subject: Subject
    subject_ref: PublicId
    reason: Text


class CaseText(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """看到了什么，或为什么。"""

    text: Text


class NewMerchantPhone(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """商户人员的手机；只保存不可逆的索引。"""

    merchant: PublicId
    phone: Annotated[str, Meta(max_length=20, description="11 位手机号")]


class MerchantPhone(Struct, frozen=True, kw_only=True):
    """已登记的手机。"""

    shown: Annotated[str, Meta(description="隐去中间四位")]


@calls.get(
    "/cases",
    summary="核查案件，未结的在前",
    needs=(Permission.CASE_READ,),
    query=CaseQuestion,
    answer=Listed[IntegrityCase],
)
async def listing(asked: Asked[CaseQuestion, None]) -> Listed[IntegrityCase]:
    """The cases the caller may see."""
    query = asked.query
    page = await case_queries.cases(
        actor=asked.actor, state=query.state, rule=query.rule, number=query.page, size=query.size
    )
    return Listed(
        items=[_case(each) for each in page.items], page=page.number, size=page.size, total=page.total
    )


@calls.post(
    "/cases",
    summary="人工立案，并暂缓结算",
    needs=(Permission.CASE_HANDLE,),
    body=NewCase,
    answer=IntegrityCase,
    status=201,
    refusals=(CaseKnown, SecondPersonNeeded),
)
async def open_case(asked: Asked[None, NewCase]) -> IntegrityCase:
    """A case about a merchant, broadcast, redemption or voucher."""
    body = asked.body
    made = await database.unit(
        lambda: opening.by_hand(
            subject=body.subject,
            subject_ref=body.subject_ref,
            reason=body.reason,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await _now(made.public_id, asked)


@calls.get(
    "/cases/{case_id}",
    summary="一个案件和它的明细",
    needs=(Permission.CASE_READ,),
    query=Paging,
    answer=CaseWhole,
)
async def one(asked: Asked[Paging, None], case_id: str) -> CaseWhole:
    """A case the caller may see, with a page of the rows behind it."""
    seen = await case_queries.case(case_id, actor=asked.actor)
    page = await case_queries.behind(seen, actor=asked.actor, number=asked.query.page, size=asked.query.size)
    return CaseWhole(
        case=_case(seen),
        as_of=asked.now,
        evidence_url=f"/desk/integrity/{seen.id}",
        notes=[
            CaseWord(step=each.step, text=each.text, by=each.by, at=each.at)
            for each in await case_queries.notes(seen.row_id)
        ],
        redemptions=[each for each in page.items if isinstance(each, RedemptionBehind)],
        orders=[each for each in page.items if isinstance(each, OrderBehind)],
        late=[each for each in page.items if isinstance(each, LateBehind)],
        page=page.number,
        size=page.size,
        total=page.total,
    )


@calls.post(
    "/cases/{case_id}/notes",
    summary="补充说明",
    needs=(Permission.CASE_HANDLE,),
    body=CaseText,
    answer=IntegrityCase,
)
async def note(asked: Asked[None, CaseText], case_id: str) -> IntegrityCase:
    """A sentence more."""
    await database.unit(lambda: cases.note(case_id, text=asked.body.text, actor=asked.actor, now=asked.now))
    return await _now(case_id, asked)


@calls.post(
    "/cases/{case_id}/look",
    summary="登记看过了什么：两人中的第一人；已认定的由此复核",
    needs=(Permission.CASE_HANDLE,),
    body=CaseText,
    answer=IntegrityCase,
    refusals=(WrongState, SecondPersonNeeded),
)
async def look(asked: Asked[None, CaseText], case_id: str) -> IntegrityCase:
    """The first of two people."""
    await database.unit(lambda: cases.look(case_id, text=asked.body.text, actor=asked.actor, now=asked.now))
    return await _now(case_id, asked)


@calls.post(
    "/cases/{case_id}/release",
    summary="恢复结算，须由看过的人和立案的人之外的人",
    needs=(Permission.CASE_HANDLE,),
    body=CaseText,
    answer=IntegrityCase,
    refusals=(WrongState, SecondPersonNeeded),
)
async def release(asked: Asked[None, CaseText], case_id: str) -> IntegrityCase:
    """Lift what it holds back."""
    await database.unit(
        lambda: cases.release(case_id, text=asked.body.text, actor=asked.actor, now=asked.now)
    )
    return await _now(case_id, asked)


@calls.post(
    "/cases/{case_id}/confirm",
    summary="认定有问题，暂缓的不再结算，须由看过的人和立案的人之外的人",
    needs=(Permission.CASE_HANDLE,),
    body=CaseText,
    answer=IntegrityCase,
    refusals=(WrongState, SecondPersonNeeded),
)
async def confirm(asked: Asked[None, CaseText], case_id: str) -> IntegrityCase:
    """It is as it looked."""
    await database.unit(
        lambda: cases.confirm(case_id, text=asked.body.text, actor=asked.actor, now=asked.now)
    )
    return await _now(case_id, asked)


@calls.post(
    "/merchant-phones",
    summary="登记商户人员的手机，只留索引",
    needs=(Permission.CASE_HANDLE,),
    body=NewMerchantPhone,
    answer=MerchantPhone,
    status=201,
)
async def note_phone(asked: Asked[None, NewMerchantPhone]) -> MerchantPhone:
    """Somebody who works for a merchant."""
    shown = await database.unit(
        lambda: merchant_phones.note(
            asked.body.merchant, phone=asked.body.phone, actor=asked.actor, now=asked.now
        )
    )
    return MerchantPhone(shown=shown)


async def _now(case_id: str, asked: Asked[Any, Any]) -> IntegrityCase:
    return _case(await case_queries.case(case_id, actor=asked.actor))


_SAME = frozenset(IntegrityCase.__struct_fields__) - {"unit"}


def _case(seen: CaseView) -> IntegrityCase:
    same = {name: value for name, value in msgspec.structs.asdict(seen).items() if name in _SAME}
    return IntegrityCase(unit="fen", **same)
