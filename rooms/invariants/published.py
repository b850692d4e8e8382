"""What calendars are told is what the published plans say: the same bookings, each once."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

_TOLD = "SELECT booking FROM plan_event WHERE NOT cancelled"
_SAID = (
    "SELECT s.booking FROM plan_slot s JOIN plan_version p ON p.id = s.version_id WHERE p.state = 'published'"
)


async def check() -> list[str]:
    """A sentence for each booking that only one of the two knows."""
    rows = await database.fetch(
        f"SELECT booking, 0 AS told FROM ({_SAID} EXCEPT {_TOLD}) a"
        f" UNION ALL SELECT booking, 1 AS told FROM ({_TOLD} EXCEPT {_SAID}) b ORDER BY booking LIMIT 100"
    )
    return [
        f"排期 {row['booking']} {'日历上有，已发布的排期里没有' if row['told'] else '已发布，日历上没有'}"
        for row in rows
    ]


INVARIANT = Invariant("rooms.published", "日历上的场次就是已发布排期里的场次", check)
