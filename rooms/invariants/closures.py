"""A closure that was not lifted holds each of its rooms for its time; any other holds nothing."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

_LACKING = """
    SELECT k.public_id, r.room_id FROM closure k JOIN closure_room r ON r.closure_id = k.id
    WHERE k.lifted_at IS NULL AND 1 <> (
        SELECT count(*) FROM resource_claim c WHERE c.closure_id = k.id AND c.active AND c.kind = 'room'
          AND c.resource_id = r.room_id AND c.starts_at = k.start_at AND c.ends_at = k.end_at)
    ORDER BY k.id, r.room_id LIMIT 100
"""
_STRAY = """
    SELECT k.public_id, c.resource_id FROM resource_claim c JOIN closure k ON k.id = c.closure_id
    WHERE c.active AND (k.lifted_at IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM closure_room r WHERE r.closure_id = k.id AND r.room_id = c.resource_id))
    ORDER BY c.id LIMIT 100
"""


async def check() -> list[str]:
    """A sentence for each room that is not closed, or closed by nothing."""
    wrong = [
        f"封场 {row['public_id']} 没有占用直播间 {row['room_id']}" for row in await database.fetch(_LACKING)
    ]
    strays = await database.fetch(_STRAY)
    return wrong + [f"封场 {row['public_id']} 多占了直播间 {row['resource_id']}" for row in strays]


INVARIANT = Invariant("rooms.closures", "封场恰好占用它的直播间", check)
