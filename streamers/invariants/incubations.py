"""Whoever is incubated has a day by which she leaves, 36 months and her extensions at most."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

_WRONG = """
    SELECT i.public_id, i.extension_months, coalesce(sum(x.months), 0) AS given FROM incubation i
    LEFT JOIN incubation_extension x ON x.incubation_id = i.id
    GROUP BY i.id, i.public_id, i.extension_months, i.stage, i.admitted_on, i.due_on, i.ended_on
    HAVING i.extension_months <> coalesce(sum(x.months), 0)
        OR (i.stage IN ('graduated', 'exited') AND i.ended_on IS NULL)
        OR (i.stage IN ('admitted', 'incubating') AND (i.due_on IS NULL OR i.ended_on IS NOT NULL))
        OR (i.due_on / 10000 * 12 + i.due_on / 100 % 100) * 100 + i.due_on % 100
           > (i.admitted_on / 10000 * 12 + i.admitted_on / 100 % 100 + 36 + coalesce(sum(x.months), 0)) * 100
             + i.admitted_on % 100
    ORDER BY i.id LIMIT 100
"""


async def check() -> list[str]:
    """A sentence for each that is inside too long, or whose extensions do not add up."""
    return [
        f"孵化 {row['public_id']} 延期 {row['extension_months']} 个月，依据 {row['given']} 个月，或期限不对"
        for row in await database.fetch(_WRONG)
    ]


INVARIANT = Invariant("training.incubations", "孵化有期限，不超过 36 个月加有依据的延期", check)
