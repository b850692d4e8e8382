"""The newest reviews are what the entries say that was known at their instants."""

from __future__ import annotations

from livehub.kit.invariants import Invariant
from livehub.reports import reviews

RECENT = 200


async def check() -> list[str]:
    """Reviews that differ from the entries."""
    return [
        f"review {name} is not what the entries say of its instant"
        for name in await reviews.differing(limit=RECENT)
    ]


INVARIANT = Invariant("reports.reviews", "复盘等于当时已入账的贡献", check)
