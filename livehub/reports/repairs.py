"""What the audit of the rollups had to repair: which figure, what it was and what it became, and why."""

from __future__ import annotations

from datetime import date, datetime

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, paging
from livehub.kit.paging import Page
from livehub.orders.contribution import MEASURES


class Changed(Struct, frozen=True):
    """One measure of a repair."""

    measure: str
    was: int
    became: int


class RepairRow(Struct, frozen=True, kw_only=True):
    """One repair as people read it."""

    at: datetime
    why: str  # entries | booked | bucket
    day: date
    shop: str  # public id
    shop_name: str
    broadcast: str  # public id, '' for none
    broadcast_title: str
    attribution: str
    order_ref: str  # '' for a bucket
    line_ref: str
    changed: list[Changed]


async def of_centre(*, actor: Actor, number: int = 1, size: int = 50) -> Page[RepairRow]:
    """The repairs of the reader's centre, the newest first."""
    require(actor, Permission.INBOX_READ)
    number, size, limit, offset = paging.window(number=number, size=size)
    counted = await database.fetch_one(
        "SELECT count(*) AS n FROM rollup_repair WHERE centre_id = $1", actor.centre_id
    )
    rows = await database.fetch(
        "SELECT r.at, r.why, r.day, r.attribution, r.line_ref, r.was, r.became,"
        " coalesce(s.public_id, '') AS shop,"
        " coalesce(s.name, '') AS shop_name, coalesce(b.public_id, '') AS broadcast,"
        " coalesce(b.title, '') AS broadcast_title, coalesce(o.order_ref, '') AS order_ref"
        " FROM rollup_repair r LEFT JOIN shop s ON s.id = r.shop_id"
        " LEFT JOIN broadcast b ON b.id = r.broadcast_id LEFT JOIN sales_order o ON o.id = r.order_id"
        f" WHERE r.centre_id = $1 ORDER BY r.id DESC LIMIT {limit} OFFSET {offset}",
        actor.centre_id,
    )
    items = []
    for row in rows:
        changed = _changed(row.pop("was"), row.pop("became"))
        at, day = clock.from_ms(row.pop("at")), clock.day_of_number(row.pop("day"))
        items.append(RepairRow(**row, at=at, day=day, changed=changed))
    return Page(items, number, size, int(counted["n"]) if counted else 0)


async def since(instant: datetime, *, centre_id: int) -> int:
    """How many repairs there were since an instant."""
    row = await database.fetch_one(
        "SELECT count(*) AS n FROM rollup_repair WHERE centre_id = $1 AND at >= $2",
        centre_id,
        clock.to_ms(instant),
    )
    return int(row["n"]) if row else 0


def _changed(was: str, became: str) -> list[Changed]:
    old, new = (msgspec.json.decode(each, type=dict[str, int]) for each in (was, became))
    names = [name for name in MEASURES if old.get(name, 0) != new.get(name, 0)]
    return [Changed(name, old.get(name, 0), new.get(name, 0)) for name in names]
