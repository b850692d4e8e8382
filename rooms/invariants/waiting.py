"""An entry is offered as long as its booking is, and never else."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

_APART = """
    SELECT w.public_id FROM waitlist_entry w LEFT JOIN booking b ON b.id = w.booking_id
    WHERE (w.state = 'offered') <> (b.id IS NOT NULL AND b.state = 'offered')
       OR (w.state = 'offered' AND (b.room_id <> w.room_id OR b.start_at <> w.start_at))
    ORDER BY w.id LIMIT 100
"""


async def check() -> list[str]:
    """A sentence for each entry that says something else than its booking."""
    return [f"候补 {row['public_id']} 与它的排期不一致" for row in await database.fetch(_APART)]


INVARIANT = Invariant("rooms.waiting", "候补名额与它占用的排期一致", check)
