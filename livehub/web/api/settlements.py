"""结算: what merchants are owed for a day, submitted, confirmed or disputed, and paid; what is held back."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission
from livehub.kit.errors import LivehubError
from livehub.kit.states import WrongState
from livehub.settlement import batches, collecting, files, holds, queries, responses
from livehub.settlement.errors import AlreadyHeld, HeldByCase, NothingToSettle, SettlementHeld, TooEarly
from livehub.settlement.models import BatchState
from livehub.settlement.queries import BatchRow, HoldRow
from livehub.vouchers.errors import InsufficientFunds
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, AsOf, Fen, Instant, Listed, Nothing, Paging, Unit
from livehub.web.doors import SignInAgain

calls = Section("结算")

Reason = Annotated[str, Meta(min_length=2, max_length=batches.REASON_LENGTH)]
Name = Annotated[str, Meta(max_length=16)]


class SettlementQuestion(Paging, frozen=True, kw_only=True):
    """哪些批次。"""

    state: Annotated[
        Literal["", "draft", "submitted", "disputed", "confirmed", "paid"], Meta(description="哪一种状态")
    ] = ""
    day: Annotated[date | None, Meta(description="结算日")] = None
    campaign: Annotated[Name, Meta(description="活动公开编号")] = ""


class SettlementRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """结算哪一天；重复调用不会多出明细。"""

    date: Annotated[date, Meta(description="昨天或更早的一天")]


class SettlementRan(Struct, frozen=True, kw_only=True):
    """生成了什么。"""

    date: date
    batches: Annotated[int, Meta(description="新批次")]
    lines: Annotated[int, Meta(description="新明细")]


class Settlement(Struct, frozen=True, kw_only=True):
    """一个结算批次：一个商户、一个活动、一天。"""

    id: str
    number: Annotated[int, Meta(description="批次号，中心内唯一")]
    day: Annotated[date, Meta(description="结算日：到这一天结束为止")]
    state: BatchState
    campaign: Annotated[str, Meta(description="活动公开编号")]
    campaign_name: str
    payee: Annotated[str, Meta(description="商户；平台订单为店铺")]
    basis: Literal["settlement"]
    unit: Unit
    total_fen: Annotated[int, Meta(description="明细之和，可能为负，单位：分")]
    redeemed_fen: Annotated[int, Meta(description="核销，单位：分")]
    recovered_fen: Annotated[int, Meta(description="结算前退款收回，单位：分")]
    late_fen: Annotated[int, Meta(description="结算后退款收回，商户应退，单位：分")]
    carried_in_fen: Annotated[int, Meta(description="以前批次结转的应退，单位：分")]
    net_fen: Annotated[int, Meta(description="本批次抵扣的应退，单位：分")]
    pay_fen: Annotated[int, Meta(description="应付，不会为负，单位：分")]
    carried_fen: Annotated[int, Meta(description="结转到下一批次的应退，单位：分")]
    version: Annotated[int, Meta(description="提交过几次")]
    sha256: Annotated[str, Meta(description="提交的文件的 SHA-256；还没有提交为空")]
    submitted_by: str
    submitted_at: Instant | None
    confirmed_by: str
    confirmed_at: Instant | None
    reason: Annotated[str, Meta(description="异议的原因，或代商户确认的依据")]
    answer: Annotated[str, Meta(description="对异议的答复")]
    paid_by: str
    paid_at: Instant | None
    payment_ref: Annotated[str, Meta(description="付款凭证号")]


class SettlementLine(Struct, frozen=True, kw_only=True):
    """一行明细：一次核销，或一次收回。"""

    redemption: Annotated[str, Meta(description="核销公开编号")]
    at: Instant
    store: str
    order_no: str
    order_fen: Fen
    refund_no: Annotated[str, Meta(description="收回的退款单号；核销为空")]
    refunded_at: Instant | None
    amount_fen: Annotated[int, Meta(description="核销为正，收回为负，单位：分")]
    is_late: Annotated[bool, Meta(description="结算之后才退款")]
    is_held: Annotated[bool, Meta(description="正在暂缓结算，提交时会移出")]


class SettlementWhole(Struct, frozen=True, kw_only=True):
    """一个批次和它的明细。"""

    settlement: Settlement
    as_of: AsOf
    evidence_url: str
    items: list[SettlementLine]
    page: int
    size: int
    total: int


class SettlementFile(Struct, frozen=True, kw_only=True):
    """提交的文件，一字节不差。"""

    name: str
    version: int
    sha256: str
    content_base64: Annotated[str, Meta(description="CSV 的字节，base64")]


class SettlementWord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """商户确认不必写；财务代为确认要写依据。"""

    reason: Annotated[str, Meta(max_length=batches.REASON_LENGTH)] = ""


class SettlementReason(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """为什么。"""

    reason: Reason


class SettlementPaid(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """付款的凭证。"""

    reference: Annotated[str, Meta(max_length=batches.REF_LENGTH, description="应付为 0 时可不写")] = ""


class NewSettlementHold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """暂缓一个商户或一笔核销的结算，写一个。"""

    merchant: Annotated[Name, Meta(description="商户公开编号")] = ""
    redemption: Annotated[Name, Meta(description="核销公开编号")] = ""
    reason: Reason


class SettlementHold(Struct, frozen=True, kw_only=True):
    """正在暂缓的结算。"""

    id: str
    merchant_name: str
    redemption: Annotated[str, Meta(description="核销公开编号；空：商户的全部")]
    reason: str
    placed_by: str
    placed_at: Instant


@calls.get(
    "/settlements",
    summary="结算批次，新的在前",
    needs=(Permission.SETTLEMENT_READ,),
    query=SettlementQuestion,
    answer=Listed[Settlement],
)
async def listing(asked: Asked[SettlementQuestion, None]) -> Listed[Settlement]:
    """The batches the caller may see."""
    query = asked.query
    page = await queries.batches(
        actor=asked.actor,
        state=query.state,
        day=query.day,
        campaign=query.campaign,
        number=query.page,
        size=query.size,
    )
    return Listed(
        items=[_settlement(each) for each in page.items], page=page.number, size=page.size, total=page.total
    )


@calls.post(
    "/settlements/run",
    summary="为已经结束的一天生成结算批次",
    needs=(Permission.SETTLEMENT_RUN,),
    body=SettlementRun,
    answer=SettlementRan,
    refusals=(TooEarly,),
)
async def run(asked: Asked[None, SettlementRun]) -> SettlementRan:
    """What the morning's task does, by hand."""
    ran = await collecting.run(asked.body.date, actor=asked.actor, now=asked.now)
    return SettlementRan(date=ran.day, batches=ran.batches, lines=ran.lines)


@calls.get(
    "/settlements/{settlement_id}",
    summary="一个批次和它的明细",
    needs=(Permission.SETTLEMENT_READ,),
    query=Paging,
    answer=SettlementWhole,
)
async def one(asked: Asked[Paging, None], settlement_id: str) -> SettlementWhole:
    """A batch the caller may see."""
    seen = await queries.batch(settlement_id, actor=asked.actor)
    page = await queries.lines(seen.row_id, number=asked.query.page, size=asked.query.size)
    return SettlementWhole(
        settlement=_settlement(seen),
        as_of=asked.now,
        evidence_url=f"/api/v1/settlements/{seen.id}/file",
        items=[
            SettlementLine(**{name: getattr(row, name) for name in SettlementLine.__struct_fields__})
            for row in page.items
        ],
        page=page.number,
        size=page.size,
        total=page.total,
    )


@calls.get(
    "/settlements/{settlement_id}/file",
    summary="提交的结算文件",
    needs=(Permission.SETTLEMENT_READ,),
    query=Nothing,
    answer=SettlementFile,
    refusals=(SignInAgain,),
)
async def file(asked: Asked[Nothing, None], settlement_id: str) -> SettlementFile:
    """The bytes that were submitted last."""
    kept = await files.newest((await queries.batch(settlement_id, actor=asked.actor)).row_id)
    return SettlementFile(
        name=f"{kept.name}.csv",
        version=kept.version,
        sha256=kept.sha256.hex(),
        content_base64=base64.b64encode(kept.body).decode(),
    )


class Step(Struct, frozen=True, kw_only=True):
    """One step with a batch: who may take it, what is said with it, and what may be refused."""

    name: str
    summary: str
    needs: Permission
    body: type[Struct] = Nothing
    refusals: tuple[type[LivehubError], ...] = (WrongState,)
    take: Callable[..., Awaitable[object]]  # of the batch's public id and the body


STEPS = (
    Step(
        name="submit",
        summary="提交批次：明细和文件从此固定",
        needs=Permission.SETTLEMENT_RUN,
        refusals=(WrongState, SecondPersonNeeded, SettlementHeld, NothingToSettle, SignInAgain),
        take=lambda batch, _, **who: batches.submit(batch, **who),
    ),
    Step(
        name="confirm",
        summary="确认批次无误",
        needs=Permission.SETTLEMENT_CONFIRM,
        body=SettlementWord,
        take=lambda batch, body, **who: responses.confirm(batch, reason=body.reason, **who),
    ),
    Step(
        name="dispute",
        summary="对批次提出异议",
        needs=Permission.SETTLEMENT_CONFIRM,
        body=SettlementReason,
        take=lambda batch, body, **who: responses.dispute(batch, reason=body.reason, **who),
    ),
    Step(
        name="reopen",
        summary="答复异议，批次退回草稿",
        needs=Permission.SETTLEMENT_RUN,
        body=SettlementReason,
        take=lambda batch, body, **who: batches.reopen(batch, answer=body.reason, **who),
    ),
    Step(
        name="pay",
        summary="登记已付款，须由提交人之外的人",
        needs=Permission.SETTLEMENT_PAY,
        body=SettlementPaid,
        refusals=(WrongState, SecondPersonNeeded, SettlementHeld, InsufficientFunds, SignInAgain),
        take=lambda batch, body, **who: batches.pay(batch, reference=body.reference, **who),
    ),
)


def _declare(step: Step) -> None:
    @calls.post(
        f"/settlements/{{settlement_id}}/{step.name}",
        summary=step.summary,
        needs=(step.needs,),
        body=step.body,
        answer=Settlement,
        refusals=step.refusals,
    )
    async def take(asked: Asked[None, Any], settlement_id: str) -> Settlement:
        await database.unit(lambda: step.take(settlement_id, asked.body, actor=asked.actor, now=asked.now))
        return _settlement(await queries.batch(settlement_id, actor=asked.actor))


for _step in STEPS:
    _declare(_step)


@calls.get(
    "/settlement-holds",
    summary="正在暂缓的结算",
    needs=(Permission.SETTLEMENT_RUN, Permission.SETTLEMENT_PAY),
    query=Nothing,
    answer=All[SettlementHold],
)
async def held(asked: Asked[Nothing, None]) -> All[SettlementHold]:
    """What is left out of batches."""
    return All(items=[_hold(each) for each in await queries.holds(asked.actor.centre_id)])


@calls.post(
    "/settlement-holds",
    summary="暂缓结算",
    needs=(Permission.SETTLEMENT_RUN,),
    body=NewSettlementHold,
    answer=SettlementHold,
    status=201,
    refusals=(AlreadyHeld,),
)
async def hold(asked: Asked[None, NewSettlementHold]) -> SettlementHold:
    """Leave a merchant or a redemption out."""
    body = asked.body
    made = await database.unit(
        lambda: holds.place(
            merchant=body.merchant,
            redemption=body.redemption,
            reason=body.reason,
            actor=asked.actor,
            now=asked.now,
        )
    )
    found = {each.id: each for each in await queries.holds(asked.actor.centre_id)}
    return _hold(found[made.public_id])


@calls.post(
    "/settlement-holds/{hold_id}/lift",
    summary="解除暂缓，须由另一个人",
    needs=(Permission.SETTLEMENT_PAY,),
    body=Nothing,
    answer=All[SettlementHold],
    refusals=(WrongState, SecondPersonNeeded, HeldByCase),
)
async def lift(asked: Asked[None, Nothing], hold_id: str) -> All[SettlementHold]:
    """Take it in again; answers with what is still held back."""
    await database.unit(lambda: holds.lift(hold_id, actor=asked.actor, now=asked.now))
    return await held(Asked(actor=asked.actor, now=asked.now, query=Nothing(), body=None))


def _hold(row: HoldRow) -> SettlementHold:
    return SettlementHold(
        id=row.id,
        merchant_name=row.merchant,
        redemption=row.redemption,
        reason=row.reason,
        placed_by=row.placed_by,
        placed_at=row.placed_at,
    )


def _settlement(row: BatchRow) -> Settlement:
    return Settlement(
        campaign=row.campaign_id,
        campaign_name=row.campaign,
        basis="settlement",
        unit="fen",
        **{name: getattr(row, name) for name in _SAME},
    )


_SAME = tuple(
    name
    for name in Settlement.__struct_fields__
    if name not in {"campaign", "campaign_name", "basis", "unit"}
)
