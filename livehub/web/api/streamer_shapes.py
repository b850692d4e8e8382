"""Shapes of the calls about streamers, and how a period of one is answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from livehub.reports.basis import Axis, Basis
from livehub.reports.performance import Performance, Period, Show
from livehub.reports.ranking import Place
from livehub.web import show
from livehub.web.api.declared import ROOT
from livehub.web.api.shapes import AsOf, Fen, Instant, Paging, Unit
from livehub.web.api.training_shapes import NewPerson
from streamers import registry
from streamers.models import StreamerStatus
from streamers.queries import StreamerView

StageName = Annotated[str, Meta(min_length=1, max_length=registry.NAME_LENGTH, description="艺名")]


class StreamerFilter(Paging, frozen=True, kw_only=True):
    """要哪些主播；不填为除已离开外的全部。"""

    name: Annotated[str, Meta(max_length=40, description="艺名或姓名的一部分")] = ""
    status: Literal["", "trainee", "newbie", "active", "paused", "left"] = ""
    trained: Annotated[
        Literal["", "certified", "learning", "never"], Meta(description="有证书、在读或没有参加过培训")
    ] = ""
    bureau: Annotated[str, Meta(max_length=16, description="参加过哪个部门的培训班，部门公开编号")] = ""


class StreamerShown(Struct, frozen=True, kw_only=True):
    """一位主播。"""

    id: str
    stage_name: str
    name: str
    town: str
    status: str
    accounts: Annotated[int, Meta(description="平台账号数")]
    classes: Annotated[int, Meta(description="参加过的培训班")]
    certificates: Annotated[int, Meta(description="有效证书")]


class NewStreamer(NewPerson, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一位新主播；身份证号已在人员登记里的，用登记的那个人。"""

    stage_name: StageName
    status: StreamerStatus = StreamerStatus.NEWBIE


class StreamerNamed(Struct, frozen=True, kw_only=True):
    """登记好的一位主播。"""

    id: str
    stage_name: str
    status: str


class StreamerAccountSeen(Struct, frozen=True, kw_only=True):
    """一个平台账号。"""

    platform: str
    account_ref: str
    name: str


class StreamerClass(Struct, frozen=True, kw_only=True):
    """参加过的一个班。"""

    cohort: str
    name: str
    programme_name: str
    bureau_name: str
    state: str
    starts_on: date
    ends_on: date
    certificate: Annotated[str, Meta(description="有效证书的编号；没有为空")]


class StreamerLinkSeen(Struct, frozen=True, kw_only=True):
    """一个手机链接；地址只在生成时给出。"""

    id: int
    created_at: Instant
    expires_at: Instant
    revoked_at: Instant | None
    bound: Annotated[bool, Meta(description="已绑定一部手机")]


class StreamerWhole(Struct, frozen=True, kw_only=True):
    """一位主播的档案；证件号码和手机号只说有没有。"""

    id: str
    person: Annotated[str, Meta(description="人员公开编号，写明原因后可查看号码")]
    stage_name: str
    name: str
    town: str
    status: str
    category: str
    education: str
    has_identity: bool
    has_phone: bool
    is_age_known: bool
    accounts: list[StreamerAccountSeen]
    classes: list[StreamerClass]
    links: list[StreamerLinkSeen]


class NewStreamerStatus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """主播到哪一步。"""

    status: StreamerStatus


class NewStreamerAccount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个平台账号。"""

    platform: Annotated[str, Meta(min_length=1, max_length=32)]
    account_ref: Annotated[str, Meta(min_length=1, max_length=registry.REF_LENGTH)]
    name: Annotated[str, Meta(max_length=60)] = ""


class StreamerLinkMade(Struct, frozen=True, kw_only=True):
    """新的手机链接，只给这一次。"""

    id: int
    path: Annotated[str, Meta(description="本系统地址下的路径")]
    expires_at: Instant


class StreamerLinkEnded(Struct, frozen=True, kw_only=True):
    """作废的手机链接。"""

    id: int


class StreamerDays(Struct, frozen=True, kw_only=True):
    """哪一段时间；不填为最近 30 天。"""

    since: Annotated[date | None, Meta(description="起始日（含）")] = field(default=None, name="from")
    until: Annotated[date | None, Meta(description="截止日（不含），最长一年")] = field(
        default=None, name="to"
    )


class StreamerMeasure(Struct, frozen=True, kw_only=True):
    """一个数：分子、分母、单位、口径、截至时刻和明细地址。"""

    name: str
    numerator: int
    denominator: Annotated[int | None, Meta(description="比例和均值才有；0 时 value 为空")]
    value: Annotated[
        int | str | None, Meta(description="计数和金额是整数；比例是四位小数；fen_per_hour 是整数分")
    ]
    unit: Annotated[str, Meta(description="count、ms、fen、ratio，或 fen_per_hour（分母是毫秒）")]
    basis: str
    as_of: AsOf
    evidence_url: str
    why: Annotated[str, Meta(description="没有值的原因")]


class StreamerPlace(Struct, frozen=True, kw_only=True):
    """在一个主题里的名次：每小时净成交额向主题均值收缩，(n·x + k·μ)/(n + k)。"""

    streamer: str
    stage_name: str
    theme: str
    broadcasts: Annotated[int, Meta(description="n")]
    live_ms: int
    g3_fen: Fen
    mean: Annotated[str, Meta(description="x，分每小时，精确的分数")]
    theme_mean: Annotated[str, Meta(description="μ，主题合计之比，精确的分数")]
    score: Annotated[str, Meta(description="收缩后的分数，精确")]
    rank: int
    of: int


class StreamerShow(Struct, frozen=True, kw_only=True):
    """一场直播。"""

    broadcast: str
    title: str
    theme: str
    day: date
    started_at: Instant
    is_on_time: bool
    live_ms: int
    g2_fen: Fen
    refund_fen: Fen
    g3_fen: Fen
    orders: int
    pending: Annotated[int, Meta(description="店铺还没有取到全文的订单")]
    sells: Annotated[bool, Meta(description="不带货的不计入销售比率")]
    has_co_anchor: Annotated[bool, Meta(description="有副播；没有约定分成，全部计在主播名下")]
    evidence_url: Annotated[str, Meta(description="这一场的订单明细，之和即 g3_fen")]


class StreamerLinkClaims(Struct, frozen=True, kw_only=True):
    """她的一个领券链接在这段时间领出的券。"""

    slug: str
    platform: str
    broadcast: str
    claimed: int
    redeemed: Annotated[int, Meta(description="其中已使用")]


class StreamerPerformance(Struct, frozen=True, kw_only=True):
    """一位主播一段时间的业绩。"""

    since: date = field(name="from")
    until: Annotated[date, Meta(description="不含")] = field(name="to")
    as_of: AsOf
    basis: Basis
    axis: Axis
    unit: Unit
    measures: list[StreamerMeasure]
    places: list[StreamerPlace]
    shows: list[StreamerShow]
    links: list[StreamerLinkClaims]
    is_active: Annotated[bool, Meta(description="最近 30 天直播满 30 小时")]
    is_narrowed: Annotated[bool, Meta(description="只含本部门的场次")]


class StreamerRanking(Struct, frozen=True, kw_only=True):
    """各主题的名次。"""

    since: date = field(name="from")
    until: Annotated[date, Meta(description="不含")] = field(name="to")
    as_of: AsOf
    basis: Basis
    k: Annotated[int, Meta(description="主题均值相当于几场")]
    items: list[StreamerPlace]


def days(period: Period) -> str:
    """A period as a query says it."""
    return f"from={period.since}&to={period.until}"


def performance_of(found: Performance) -> StreamerPerformance:
    """A period of hers, as it is answered."""
    return StreamerPerformance(
        since=found.period.since,
        until=found.period.until,
        as_of=found.as_of,
        basis=Basis.G3,
        axis=Axis.SESSION,
        unit="fen",
        measures=list(_measures(found)),
        places=[place_of(each, found.who) for each in found.places],
        shows=[_show(each) for each in found.shows],
        links=[
            StreamerLinkClaims(
                slug=each.slug,
                platform=each.platform,
                broadcast=each.broadcast,
                claimed=each.claimed,
                redeemed=each.redeemed,
            )
            for each in found.links
        ],
        is_active=found.is_active,
        is_narrowed=found.is_narrowed,
    )


def place_of(place: Place, who: StreamerView) -> StreamerPlace:
    """A place in a theme, with exact fractions."""
    return StreamerPlace(
        streamer=who.public_id,
        stage_name=who.stage_name,
        theme=place.theme,
        broadcasts=place.broadcasts,
        live_ms=place.live_ms,
        g3_fen=place.g3_fen,
        mean=str(place.mean),
        theme_mean=str(place.theme_mean),
        score=str(place.score),
        rank=place.rank,
        of=place.of,
    )


def _show(each: Show) -> StreamerShow:
    return StreamerShow(
        broadcast=each.broadcast,
        title=each.title,
        theme=each.theme,
        day=each.day,
        started_at=each.started_at,
        is_on_time=each.is_on_time,
        live_ms=each.live_ms,
        g2_fen=each.g2_fen,
        refund_fen=each.refund_fen,
        g3_fen=each.g3_fen,
        orders=each.orders,
        pending=each.pending,
        sells=each.sells,
        has_co_anchor=each.has_co_anchor,
        evidence_url=f"{ROOT}/sales/lines?basis=G3&axis=session&broadcast={each.broadcast}",
    )


def _measures(found: Performance) -> Iterator[StreamerMeasure]:
    address = f"{ROOT}/streamers/{found.who.public_id}/performance?{days(found.period)}"
    no_show, no_sale = "这段时间没有下播的场次", "这段时间没有带货的场次"
    shows = len(found.shows)

    def told(name: str, numerator: int, unit: str, basis: str, **more: Any) -> StreamerMeasure:
        usual = {"denominator": None, "value": numerator, "why": ""}
        return StreamerMeasure(
            name=name, numerator=numerator, unit=unit, basis=basis, as_of=found.as_of,
            evidence_url=address, **{**usual, **more},
        )  # fmt: skip

    def rate(name: str, numerator: int, denominator: int, basis: str, why: str) -> StreamerMeasure:
        value, reason = show.quotient(numerator, denominator), "" if denominator else why
        return told(name, numerator, "ratio", basis, denominator=denominator, value=value, why=reason)

    yield told("broadcasts", shows, "count", "ended")
    yield told("live_ms", found.live_ms, "ms", "runs")
    yield rate("on_time_rate", found.on_time, shows, "planned_start", no_show)
    yield told("g3_fen", found.g3_fen, "fen", Basis.G3)
    yield told(
        "g3_per_hour", found.g3_fen, "fen_per_hour", Basis.G3, denominator=found.selling_ms,
        value=found.fen_per_hour, why="" if found.selling_ms else no_sale,
    )  # fmt: skip
    yield rate("refund_rate", found.refund_fen, found.g2_fen, Basis.G2, "这段时间没有成交")
    yield told("claimed", found.claimed, "count", "claimed_at")
    yield rate(
        "redemption_rate_of_claimed", found.redeemed, found.claimed, "claimed_at", "她的链接没有领出券"
    )
    yield told("live_ms_30d", found.live_ms_30d, "ms", "runs")
