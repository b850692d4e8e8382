"""对账: up to when each shop agrees with its platform's list, what differs on which day, and saying why."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from msgspec import Meta, Struct, field

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid
from livehub.orders import explaining, reconciled
from livehub.orders.explaining import DifferenceSettled
from livehub.orders.pull_models import DifferenceKind, DifferenceStatus
from livehub.orders.reconciled import DayState, DifferenceView, Search, ShopState
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Fen, Instant, Listed, Nothing, Paging

calls = Section("对账")

MOST_DAYS = 100
Text = Annotated[str, Meta(max_length=64)]


class ReconciledShop(Struct, frozen=True, kw_only=True):
    """一个店铺对到哪里了。"""

    shop: Annotated[str, Meta(description="店铺公开编号")]
    name: str
    platform: str
    why_not: Annotated[str, Meta(description="不对账的原因：no_list、shared、no_api、disabled；对账的为空")]
    reconciled_until: Annotated[
        Instant | None, Meta(description="到这一时刻为止的清单已连续核对；未开始为空")
    ]
    is_late: Annotated[bool, Meta(description="超过一天未对账")]
    windows_waiting: int
    windows_dead: Annotated[int, Meta(description="已放弃的拉取窗口")]
    differences_open: int
    differences_30_days: int


class ReconciledDay(Struct, frozen=True, kw_only=True):
    """一个店铺一天的核对，按平台给出的更新日。"""

    day: date
    orders: Annotated[int, Meta(description="平台清单中最近一次更新在当天的订单")]
    refunds: int
    missing: Annotated[int, Meta(description="推送没到、由清单发现的")]
    amount: Annotated[int, Meta(description="金额不一致的")]
    extra: Annotated[int, Meta(description="本系统有、平台清单没有的")]
    open: Annotated[int, Meta(description="其中待处理的")]
    is_reconciled: Annotated[bool, Meta(description="当天清单已全部核对")]


class Difference(Struct, frozen=True, kw_only=True):
    """一条差异。"""

    id: str
    shop: str
    shop_name: str
    platform: str
    day: date
    kind: DifferenceKind
    about: Annotated[str, Meta(description="order 订单，refund 售后")]
    ref: str
    order_ref: str
    ours_fen: Fen | None
    theirs_fen: Fen | None
    updated_at: Instant | None
    found_at: Instant
    status: DifferenceStatus
    closed_at: Instant | None
    outcome: Annotated[str, Meta(description="自行消除的原因：pulled、agrees、moved、listed")]
    reason: Annotated[str, Meta(description="人工说明的原因代码")]
    note: str
    explained_by: str


class DifferenceSearch(Paging, frozen=True, kw_only=True):
    """要哪些差异；留空即不限。"""

    q: Annotated[Text, Meta(description="完整的订单号或售后单号")] = ""
    shop: Annotated[Text, Meta(description="店铺公开编号")] = ""
    kind: DifferenceKind | None = None
    status: DifferenceStatus | None = None
    since: Annotated[date | None, Meta(description="起始日（含）")] = field(default=None, name="from")
    until: Annotated[date | None, Meta(description="截止日（含）")] = field(default=None, name="to")


class Days(Struct, frozen=True, kw_only=True):
    """哪几天；默认最近三十天。"""

    since: Annotated[date | None, Meta(description="起始日（含）")] = field(default=None, name="from")
    until: Annotated[date | None, Meta(description="截止日（含）")] = field(default=None, name="to")


class DriftExplanation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """为什么会有这条差异，记入审计。"""

    reason: Annotated[str, Meta(description="、".join(explaining.REASONS), min_length=1, max_length=16)]
    note: Annotated[str, Meta(min_length=2, max_length=300)]


@calls.get(
    "/reconciliation/shops",
    summary="各店铺与平台清单核对到哪里",
    needs=(Permission.SALES_READ,),
    query=Nothing,
    answer=All[ReconciledShop],
)
async def shops(asked: Asked[Nothing, None]) -> All[ReconciledShop]:
    """The shops whose sales the caller may see."""
    found = await reconciled.shops(actor=asked.actor, now=asked.now)
    return All(items=[_shop(each, is_late=each.is_late(asked.now)) for each in found])


@calls.get(
    "/reconciliation/shops/{shop}/days",
    summary="一个店铺逐日的核对",
    needs=(Permission.SALES_READ,),
    query=Days,
    answer=All[ReconciledDay],
)
async def days(asked: Asked[Days, None], shop: str) -> All[ReconciledDay]:
    """Its days, the newest first; days without anything are left out."""
    until = asked.query.until or clock.local_day(asked.now)
    since = asked.query.since or date.fromordinal(max(1, until.toordinal() - 30))
    if not timedelta(0) <= until - since <= timedelta(days=MOST_DAYS):
        raise Invalid(details=[Detail("from", "天数超出范围", f"最多 {MOST_DAYS} 天，起始不晚于截止")])
    found = await reconciled.days(shop, day_from=since, day_to=until, actor=asked.actor)
    return All(items=[_day(each) for each in found])


@calls.get(
    "/reconciliation/differences",
    summary="查找差异，新发现的在前",
    needs=(Permission.SALES_READ,),
    query=DifferenceSearch,
    answer=Listed[Difference],
)
async def differences(asked: Asked[DifferenceSearch, None]) -> Listed[Difference]:
    """The differences that fit."""
    query = asked.query
    wanted = Search(
        q=query.q,
        shop=query.shop,
        kind=query.kind or "",
        status=query.status or "",
        day_from=query.since,
        day_to=query.until,
    )
    page = await reconciled.differences(wanted, actor=asked.actor, number=query.page, size=query.size)
    return Listed(
        items=[_difference(each) for each in page.items], page=page.number, size=page.size, total=page.total
    )


@calls.post(
    "/reconciliation/differences/{found_id}/explain",
    summary="说明一条差异",
    needs=(Permission.SALES_RECONCILE,),
    body=DriftExplanation,
    answer=Difference,
    refusals=(DifferenceSettled,),
)
async def explain(asked: Asked[None, DriftExplanation], found_id: str) -> Difference:
    """Say why it is as it is."""
    await reconciled.difference(found_id, actor=asked.actor)  # of this centre, or NotFound
    said = asked.body
    await database.unit(
        lambda: explaining.explain(
            found_id, reason=said.reason, note=said.note, actor=asked.actor, now=asked.now
        )
    )
    return _difference(await reconciled.difference(found_id, actor=asked.actor))


def _shop(each: ShopState, *, is_late: bool) -> ReconciledShop:
    return ReconciledShop(
        shop=each.shop,
        name=each.name,
        platform=each.platform,
        why_not=each.why_not,
        reconciled_until=each.reconciled_until,
        is_late=is_late,
        windows_waiting=each.waiting,
        windows_dead=each.dead,
        differences_open=each.open,
        differences_30_days=each.found,
    )


def _day(each: DayState) -> ReconciledDay:
    return ReconciledDay(**{name: getattr(each, name) for name in ReconciledDay.__struct_fields__})


def _difference(each: DifferenceView) -> Difference:
    values = {name: getattr(each, name) for name in Difference.__struct_fields__}
    return Difference(**values | {"kind": DifferenceKind(each.kind), "status": DifferenceStatus(each.status)})
