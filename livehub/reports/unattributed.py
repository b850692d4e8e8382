"""Lines that belong to no broadcast, sold by a broadcast's shops in its hours: what a clerk looks through."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock, paging
from livehub.kit.paging import Page
from livehub.reports.basis import G2_SQL
from rooms.queries import BroadcastView


class Loose(Struct, frozen=True, kw_only=True):
    """One line of class U."""

    shop: str
    shop_name: str
    platform: str
    order_ref: str
    line_ref: str
    product_name: str
    paid_at: datetime
    g2_fen: int


async def near(
    show: BroadcastView, *, after: timedelta, actor: Actor, now: datetime, number: int = 1, size: int = 50
) -> Page[Loose]:
    """The lines paid from its first start until some time after its end that the reader may see, by time."""
    number, size, limit, offset = paging.window(number=number, size=size)
    shops = await _shops(show, bureau_scope(actor, Permission.SALES_READ))
    if show.started_at is None or not shops:
        return Page([], number, size, 0)
    since, until = show.started_at, (show.ended_at or now) + after
    grouped = (
        "SELECT r.order_id, r.line_ref, r.product_id, max(r.minute) AS minute,"
        f" sum({G2_SQL}) AS g2_fen FROM contribution_entry r WHERE r.centre_id = $1"
        " AND r.day >= $2 AND r.day <= $3 AND r.minute >= $4 AND r.minute <= $5"
        " AND r.broadcast_id = 0 AND r.attribution = 'U'"
        f" AND r.shop_id IN ({', '.join(str(int(each)) for each in shops)})"
        f" GROUP BY r.order_id, r.line_ref, r.product_id HAVING sum({G2_SQL}) <> 0 OR sum(r.units) <> 0"
    )
    args = (
        actor.centre_id,
        *(clock.day_number(clock.local_day(each)) for each in (since, until)),
        *(clock.to_ms(each) // 60_000 for each in (since, until)),
    )
    counted = await database.fetch_one(f"SELECT count(*) AS n FROM ({grouped}) g", *args)
    rows = await database.fetch(
        "SELECT g.line_ref, g.g2_fen, o.order_ref, o.platform, o.paid_at, s.public_id AS shop,"
        " s.name AS shop_name, coalesce(p.name, '') AS product_name"
        f" FROM ({grouped}) g JOIN sales_order o ON o.id = g.order_id JOIN shop s ON s.id = o.shop_id"
        " LEFT JOIN product p ON p.id = g.product_id"
        f" ORDER BY g.minute, o.id, g.line_ref LIMIT {limit} OFFSET {offset}",
        *args,
    )
    items = [
        Loose(**{**row, "g2_fen": int(row["g2_fen"]), "paid_at": clock.from_ms(row["paid_at"])})
        for row in rows
    ]
    return Page(items, number, size, int(counted["n"]) if counted else 0)


async def _shops(show: BroadcastView, scope: Collection[int] | None) -> list[int]:
    """Shops that sold in it, sell on its accounts, or are its bureau's on its platforms; in scope."""
    rows = await database.fetch(
        "SELECT s.id, s.bureau_id FROM shop s JOIN broadcast x ON x.id = $1 AND x.centre_id = s.centre_id"
        " WHERE EXISTS (SELECT 1 FROM rollup_bucket r WHERE r.broadcast_id = x.id AND r.shop_id = s.id)"
        " OR EXISTS (SELECT 1 FROM broadcast_account c WHERE c.broadcast_id = x.id AND"
        "  ((s.bureau_id = x.bureau_id AND s.platform = c.platform) OR EXISTS (SELECT 1 FROM shop_account a"
        "   WHERE a.shop_id = s.id AND a.platform = c.platform AND a.account_ref = c.account_ref)))"
        " ORDER BY s.id",
        show.id,
    )
    return [row["id"] for row in rows if scope is None or row["bureau_id"] in scope]
