"""A booking in a holding state has exactly its claims; any other has none."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant
from rooms.moves import HOLDING

_STATES = ", ".join(f"'{each}'" for each in sorted(HOLDING))

_ROOMS = f"""
    SELECT b.public_id, b.state FROM booking b WHERE b.state IN ({_STATES}) AND 1 <> (
        SELECT count(*) FROM resource_claim c WHERE c.booking_id = b.id AND c.active AND c.kind = 'room'
          AND c.resource_id = b.room_id AND c.starts_at = b.start_at - b.setup_min * 60000
          AND c.ends_at = b.end_at + b.turnover_min * 60000)
    ORDER BY b.id LIMIT 100
"""
_PEOPLE = f"""
    SELECT b.public_id, a.person_id FROM booking b
    JOIN (SELECT DISTINCT booking_id, person_id FROM crew_assignment WHERE state <> 'declined') a
      ON a.booking_id = b.id
    WHERE b.state IN ({_STATES}) AND 1 <> (
        SELECT count(*) FROM resource_claim c WHERE c.booking_id = b.id AND c.active AND c.kind = 'person'
          AND c.resource_id = a.person_id AND c.starts_at = b.start_at AND c.ends_at = b.end_at)
    ORDER BY b.id LIMIT 100
"""
_UNITS = f"""
    SELECT b.public_id, e.equipment_id FROM booking b JOIN booking_equipment e ON e.booking_id = b.id
    WHERE b.state IN ({_STATES}) AND 1 <> (
        SELECT count(*) FROM resource_claim c WHERE c.booking_id = b.id AND c.active AND c.kind = 'equipment'
          AND c.resource_id = e.equipment_id AND c.starts_at = b.start_at - b.setup_min * 60000
          AND c.ends_at = b.end_at + b.turnover_min * 60000)
    ORDER BY b.id LIMIT 100
"""
_STRAY = f"""
    SELECT b.public_id, b.state, c.kind, c.resource_id FROM resource_claim c
    JOIN booking b ON b.id = c.booking_id
    WHERE c.active AND (b.state NOT IN ({_STATES})
      OR (c.kind = 'room' AND c.resource_id <> b.room_id)
      OR (c.kind = 'equipment' AND NOT EXISTS (
            SELECT 1 FROM booking_equipment e WHERE e.booking_id = b.id AND e.equipment_id = c.resource_id))
      OR (c.kind = 'person' AND NOT EXISTS (
            SELECT 1 FROM crew_assignment a
            WHERE a.booking_id = b.id AND a.person_id = c.resource_id AND a.state <> 'declined')))
    ORDER BY c.id LIMIT 100
"""


async def check() -> list[str]:
    """A sentence for each booking that holds too little or too much."""
    rooms = await database.fetch(_ROOMS)
    wrong = [f"排期 {row['public_id']}（{row['state']}）没有恰好一条直播间占用" for row in rooms]
    wrong += [
        f"排期 {row['public_id']} 没有占用人员 {row['person_id']}" for row in await database.fetch(_PEOPLE)
    ]
    wrong += [
        f"排期 {row['public_id']} 没有占用设备 {row['equipment_id']}" for row in await database.fetch(_UNITS)
    ]
    for row in await database.fetch(_STRAY):
        wrong.append(f"排期 {row['public_id']}（{row['state']}）多占了 {row['kind']} {row['resource_id']}")
    return wrong


INVARIANT = Invariant("rooms.holding", "占用中的排期恰有其占用，其他排期没有占用", check)
