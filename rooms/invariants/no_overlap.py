"""No two active claims of one room, person or unit overlap."""

from __future__ import annotations

from livehub import database
from livehub.kit import clock
from livehub.kit.invariants import Invariant

_OVERLAPS = """
    SELECT one.kind, one.resource_id, one.booking_id AS first, other.booking_id AS second, other.starts_at
    FROM resource_claim one JOIN resource_claim other
      ON other.kind = one.kind AND other.resource_id = one.resource_id AND other.id > one.id
     AND other.starts_at < one.ends_at AND one.starts_at < other.ends_at
    WHERE one.active AND other.active ORDER BY one.id, other.id LIMIT 100
"""


async def check() -> list[str]:
    """A sentence for each pair that overlaps."""
    return [
        f"{row['kind']} {row['resource_id']}：排期 {row['first']} 与 {row['second']} 在"
        f" {clock.local(clock.from_ms(row['starts_at'])):%Y-%m-%d %H:%M} 重叠"
        for row in await database.fetch(_OVERLAPS)
    ]


INVARIANT = Invariant("rooms.no_overlap", "同一直播间、人员或设备的占用互不重叠", check)
