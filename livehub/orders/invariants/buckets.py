"""Every bucket is the sum of its entries, for every measure, and every minute the sum of its payments."""

from __future__ import annotations

from livehub.kit import clock
from livehub.kit.invariants import Invariant
from livehub.orders import rollup


async def check() -> list[str]:
    """Buckets and minutes that differ from their entries."""
    keys = [
        ", ".join(f"{name}={row[name]}" for name in rollup.BUCKET) for row in await rollup.differing_buckets()
    ]
    minutes = await rollup.differing_minutes(now=clock.now())
    return [f"bucket {key} is not the sum of its entries" for key in keys] + [
        f"minute {row['minute']} of broadcast {row['broadcast_id']} is not the sum of its entries"
        for row in minutes
    ]


INVARIANT = Invariant("orders.buckets", "汇总等于贡献之和", check)
