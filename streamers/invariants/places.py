"""A class counts exactly the places that are taken, and no more than it has."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant
from streamers.training.models import COUNTED

_STATES = ", ".join(f"'{each}'" for each in sorted(COUNTED))
_WRONG = f"""
    SELECT c.public_id, c.taken, c.capacity, count(e.id) AS found FROM cohort c
    LEFT JOIN enrolment e ON e.cohort_id = c.id AND e.state IN ({_STATES})
    GROUP BY c.id, c.public_id, c.taken, c.capacity HAVING count(e.id) <> c.taken OR c.taken > c.capacity
    ORDER BY c.id LIMIT 100
"""


async def check() -> list[str]:
    """A sentence for each class that counts wrong."""
    return [
        f"{row['public_id']} 记了 {row['taken']} 人，名册里有 {row['found']} 人，容量 {row['capacity']}"
        for row in await database.fetch(_WRONG)
    ]


INVARIANT = Invariant("training.places", "培训班的名额等于占名额的学员，不超过容量", check)
