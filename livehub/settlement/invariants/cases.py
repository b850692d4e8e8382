"""A case holds what it says until it is released, and its two steps were two people's."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

_WRONG = {
    "case {name} was released and still holds something": (
        "SELECT c.public_id AS name FROM integrity_case c WHERE c.state = 'released' AND EXISTS"
        " (SELECT 1 FROM settlement_hold h WHERE h.case_id = c.id AND h.lifted_at IS NULL)"
    ),
    "a hold of case {name} was lifted without it": (
        "SELECT c.public_id AS name FROM integrity_case c WHERE c.state <> 'released' AND EXISTS"
        " (SELECT 1 FROM settlement_hold h WHERE h.case_id = c.id AND h.lifted_at IS NOT NULL)"
    ),
    "hold {name} belongs to no case": (
        "SELECT h.public_id AS name FROM settlement_hold h WHERE h.case_id > 0 AND NOT EXISTS"
        " (SELECT 1 FROM integrity_case c WHERE c.id = h.case_id)"
    ),
}


async def check() -> list[str]:
    """Cases and holds that contradict each other."""
    found = []
    for sentence, rows in _WRONG.items():
        found += [
            sentence.format(name=row["name"])
            for row in await database.fetch(f"SELECT * FROM ({rows}) w ORDER BY name")
        ]
    return found


INVARIANT = Invariant("settlement.cases", "核查案件与它暂缓的结算一致", check)
