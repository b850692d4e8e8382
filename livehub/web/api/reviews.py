"""复盘: a broadcast as it was known at three stages and as it is known now, and why they differ."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlencode

from msgspec import Meta, Struct

from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.reports import reviews
from livehub.reports.review_changes import Change, Changes
from livehub.reports.review_figures import Figures, Frame, Part, Ranked
from livehub.reports.reviews import Reviewed, Stage
from livehub.web.api.declared import ROOT, Asked, Section
from livehub.web.api.shapes import AsOf, Fen, Instant, Nothing, Unit
from rooms import queries as rooms

calls = Section("场次")


class Reached(StrEnum):
    """Whether a stage has its review."""

    NOT_DUE = "not_due"
    DUE = "due"
    FROZEN = "frozen"


class ReviewPart(Struct, frozen=True, kw_only=True):
    """一段时间付款的订单，未扣退款。"""

    g2_fen: Fen
    orders: int
    units: int


class ReviewRow(Struct, frozen=True, kw_only=True):
    """一个平台或一个商品。"""

    key: Annotated[str, Meta(description="平台代码或商品公开编号，- 表示未映射")]
    label: str
    g2_fen: Fen
    refund_fen: Fen
    g3_fen: Fen
    orders: int
    units: int


class ReviewMinute(Struct, frozen=True, kw_only=True):
    """直播中的一分钟。"""

    at: Instant
    g2_fen: Fen
    orders: int


class ReviewMark(Struct, frozen=True, kw_only=True):
    """曲线上的一个时刻：投券或环节。"""

    at: Instant
    kind: Literal["drop", "cue"]
    title: str
    cue: Annotated[str, Meta(description="环节的种类，投券时为空")]
    quantity: Annotated[int, Meta(description="投放张数，环节为 0")]


class ReviewFigures(Struct, frozen=True, kw_only=True):
    """某一时刻所知的这一场。"""

    numerator: Annotated[int, Meta(description="净成交额 G3，单位：分")]
    unit: Unit
    basis: Literal["G3"]
    as_of: AsOf
    pending: Annotated[int, Meta(description="本场店铺当天还没有取到全文的订单数，不在任何金额内")]
    pending_fen: Annotated[int | None, Meta(description="待取数订单的金额：不知道，总是 null")]
    evidence_url: Annotated[str, Meta(description="这个数字的明细；明细之和即这个数字")]
    g2_fen: Fen
    refund_fen: Fen
    g3_fen: Fen
    orders: int
    units: int
    refunds: int
    before: Annotated[ReviewPart, Meta(description="开播前付款")]
    in_live: Annotated[ReviewPart, Meta(description="从开播到下播付款，含中间停播")]
    tail_7: Annotated[ReviewPart, Meta(description="下播后 7 天内付款")]
    tail_30: Annotated[ReviewPart, Meta(description="下播后第 8 到 30 天付款")]
    later: Annotated[ReviewPart, Meta(description="更晚付款")]
    claimed: int
    claimed_face_fen: Fen
    redeemed: int
    platforms: list[ReviewRow]
    products: Annotated[list[ReviewRow], Meta(description="净成交额前 10")]
    curve: Annotated[list[ReviewMinute], Meta(description="直播的每一分钟")]
    marks: list[ReviewMark]


class StageReview(Struct, frozen=True, kw_only=True):
    """一个时点的复盘；封存后不再改动。"""

    stage: Stage
    state: Reached
    due_at: Instant | None
    made_at: Instant | None
    figures: ReviewFigures | None


class ReviewChange(Struct, frozen=True, kw_only=True):
    """一个原因。"""

    fen: Fen
    orders: int


class ReviewChanges(Struct, frozen=True, kw_only=True):
    """两个时点之间净成交额为什么变了；五个原因之和即差额。"""

    since: Stage
    until: Annotated[Stage | None, Meta(description="null 表示现在")]
    since_at: Instant
    until_at: Instant
    fen: Fen
    tail: Annotated[ReviewChange, Meta(description="播后成交")]
    late: Annotated[ReviewChange, Meta(description="下播前付款、之后才入账")]
    moved: Annotated[ReviewChange, Meta(description="已知订单的归属调整")]
    corrected: Annotated[ReviewChange, Meta(description="已知订单的金额更正")]
    refunds: Annotated[ReviewChange, Meta(description="退款，负数")]


class BroadcastReviews(Struct, frozen=True, kw_only=True):
    """一个场次的复盘。"""

    broadcast: str
    started_at: Instant | None
    ended_at: Instant | None
    stages: list[StageReview]
    now: Annotated[ReviewFigures | None, Meta(description="此刻所知；还没有结束时为 null")]
    changes: list[ReviewChanges]


@calls.get(
    "/broadcasts/{broadcast_id}/reviews",
    summary="一个场次的复盘：T+0、T+7、T+30 与现在，以及变化的原因",
    needs=(Permission.SALES_READ,),
    query=Nothing,
    answer=BroadcastReviews,
)
async def of(asked: Asked[Nothing, None], broadcast_id: str) -> BroadcastReviews:
    """The reviews of a broadcast the caller may see."""
    seen = await rooms.broadcast(broadcast_id, actor=asked.actor)
    scope = bureau_scope(asked.actor, Permission.SALES_READ)
    if scope is not None and seen.bureau_id not in scope:
        raise NotFound
    if seen.started_at is None or seen.ended_at is None:
        waiting = [
            StageReview(stage=each, state=Reached.NOT_DUE, due_at=None, made_at=None, figures=None)
            for each in Stage
        ]
        return BroadcastReviews(
            broadcast=broadcast_id,
            started_at=seen.started_at,
            ended_at=None,
            stages=waiting,
            now=None,
            changes=[],
        )
    found = await reviews.of(
        seen.id,
        centre_id=asked.actor.centre_id,
        bureau_id=seen.bureau_id,
        starts_at=seen.started_at,
        ends_at=seen.ended_at,
        now=asked.now,
    )
    return BroadcastReviews(
        broadcast=broadcast_id,
        started_at=seen.started_at,
        ended_at=seen.ended_at,
        stages=[_stage(each, found, broadcast_id) for each in Stage],
        now=_figures(found.now, found.frame, broadcast_id, as_of=found.as_of),
        changes=[_changes(*each) for each in found.changes],
    )


def _stage(stage: Stage, found: Reviewed, broadcast: str) -> StageReview:
    kept, due_at = found.frozen.get(stage), found.due_at(stage)
    if kept is None:
        state = Reached.DUE if due_at <= found.as_of else Reached.NOT_DUE
        return StageReview(stage=stage, state=state, due_at=due_at, made_at=None, figures=None)
    return StageReview(
        stage=stage,
        state=Reached.FROZEN,
        due_at=due_at,
        made_at=kept.made_at,
        figures=_figures(kept.figures, kept.frame, broadcast, as_of=kept.as_of),
    )


def _figures(known: Figures, frame: Frame, broadcast: str, *, as_of: datetime) -> ReviewFigures:
    asked = urlencode({"basis": "G3", "broadcast": broadcast, "as_of": as_of.isoformat()})
    return ReviewFigures(
        numerator=known.g3_fen,
        unit="fen",
        basis="G3",
        as_of=as_of,
        pending=known.pending,
        pending_fen=None,
        evidence_url=f"{ROOT}/sales/lines?{asked}",
        g2_fen=known.g2_fen,
        refund_fen=known.refund_fen,
        g3_fen=known.g3_fen,
        orders=known.orders,
        units=known.units,
        refunds=known.refunds,
        before=_part(known.before),
        in_live=_part(known.in_live),
        tail_7=_part(known.tail_7),
        tail_30=_part(known.tail_30),
        later=_part(known.later),
        claimed=known.claimed,
        claimed_face_fen=known.claimed_face_fen,
        redeemed=known.redeemed,
        platforms=[_row(each) for each in known.platforms],
        products=[_row(each) for each in known.products],
        curve=[
            ReviewMinute(at=clock.from_ms(minute * 60_000), g2_fen=fen, orders=orders)
            for minute, (fen, orders) in enumerate(known.curve, start=frame.first_minute)
        ],
        marks=[
            ReviewMark(
                at=clock.from_ms(each.at_ms),
                kind="drop" if each.kind == "drop" else "cue",
                title=each.title,
                cue=each.cue,
                quantity=each.quantity,
            )
            for each in known.marks
        ],
    )


def _part(part: Part) -> ReviewPart:
    return ReviewPart(g2_fen=part.g2_fen, orders=part.orders, units=part.units)


def _row(row: Ranked) -> ReviewRow:
    return ReviewRow(
        key=row.key,
        label=row.label,
        g2_fen=row.g2_fen,
        refund_fen=row.refund_fen,
        g3_fen=row.g3_fen,
        orders=row.orders,
        units=row.units,
    )


def _changes(since: Stage, until: Stage | None, found: Changes) -> ReviewChanges:
    return ReviewChanges(
        since=since,
        until=until,
        since_at=found.since,
        until_at=found.until,
        fen=found.fen,
        tail=_change(found.tail),
        late=_change(found.late),
        moved=_change(found.moved),
        corrected=_change(found.corrected),
        refunds=_change(found.refunds),
    )


def _change(change: Change) -> ReviewChange:
    return ReviewChange(fen=change.fen, orders=change.orders)
