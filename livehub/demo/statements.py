"""What the platform settled of the demo's past: two files of its kind, and what does not agree in one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from livehub import database
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.models import Role
from livehub.kit import clock, money
from livehub.orders.statements import differences, drafts, importing, matching, queries
from livehub.platforms.models import Shop

HEAD = "动账流水号,动账时间,订单号,子订单号,订单实付应结,订单退款,平台服务费,佣金"
SERVICE, COMMISSION = 5, 10  # per cent of what is settled
SHORT_FEN = 80  # by so much one row is settled too little
UNKNOWN = ("6933000000000000017", "6933000000000000024")  # orders that nobody sold
LEAST = 4  # lines, below which there is nothing to tell

Line = tuple[str, str, int]  # order, line, fen that are due


async def tell(shop_ref: str, *, centre_id: int, before: datetime, now: datetime) -> int:
    """Import what was settled of orders paid before an instant; returns how many lines that were."""
    shop = await Shop.get(platform="doudian", shop_ref=shop_ref)
    finance = Actor(kind="system", name="财务", centre_id=centre_id, grants=(Grant(Role.FINANCE),))
    lines = await _due(shop.id, before=before)
    if len(lines) < LEAST:
        return 0
    half = len(lines) // 2
    today = clock.local_day(now)
    await _imported(lines[:half], shop=shop, mark="A", day=today, by=finance, now=now)
    order_ref, line_ref, fen = lines[half]
    differing = [(order_ref, line_ref, fen - SHORT_FEN), *lines[half + 1 :]]
    differing += [(each, "", 1_990 * n) for n, each in enumerate(UNKNOWN, start=1)]
    await _imported(differing, shop=shop, mark="B", day=today, by=finance, now=now)
    found = await queries.differences(actor=finance, kind=differences.DIFFERS, state="open")
    for each in found.items:
        if each.fen == -SHORT_FEN:
            await differences.explain(
                each.id, reason="平台代扣运费险 0.80 元，账单备注可查", actor=finance, now=now
            )
    return len(lines)


async def _due(shop_id: int, *, before: datetime) -> list[Line]:
    """Every sold line that is not refunded wholly, the oldest order first."""
    orders = await database.fetch(
        "SELECT order_ref, contribution FROM sales_order WHERE shop_id = $1 AND complete AND paid_at < $2"
        " ORDER BY paid_at, id",
        shop_id,
        clock.to_ms(before),
    )
    return [
        (row["order_ref"], line_ref, fen)
        for row in orders
        for line_ref, fen in sorted(matching.sold_of(row["contribution"]).items())
        if fen > SHORT_FEN
    ]


async def _imported(
    lines: Sequence[Line], *, shop: Shop, mark: str, day: date, by: Actor, now: datetime
) -> None:
    name = f"抖店动账明细-{mark}.csv"
    settled = (day - timedelta(days=1)).isoformat()
    rows = [
        f"{mark}{day:%y%m%d}{n:06},{settled} 09:30:00,'{order_ref},{line_ref and chr(39) + line_ref},"
        f"{_yuan(fen)},0.00,{_yuan(-fen * SERVICE // 100)},{_yuan(-fen * COMMISSION // 100)}"
        for n, (order_ref, line_ref, fen) in enumerate(lines, start=1)
    ]
    raw = "\r\n".join([HEAD, *rows, ""]).encode("gb18030")
    made = await drafts.draft(raw, name=name, shop=shop.public_id, source="doudian", actor=by, now=now)
    await importing.begin(made.public_id, actor=by, now=now)
    await importing.go_on(made.id, now=now)


def _yuan(fen: int) -> str:
    return money.yuan(fen).replace(",", "")
