"""Closed months are what the entries say that was known when they were closed."""

from __future__ import annotations

from livehub.kit.invariants import Invariant
from livehub.reports import periods

RECENT = 24


async def check() -> list[str]:
    """Closed months that differ from the entries."""
    return [
        f"{name} is not what the entries say of its closing" for name in await periods.differing(limit=RECENT)
    ]


INVARIANT = Invariant("reports.closed", "关账快照等于当时已入账的贡献", check)
