"""Every bucket must be the sum of its entries; what differs is told, and mended by ``livehub rebuild``."""

from __future__ import annotations

from datetime import datetime

import structlog
from prometheus_client import Counter

from jobs.schedule import every
from livehub.orders import rollup

DIFFERING = Counter(
    "livehub_rollup_audit_differences_total", "Buckets found that were not their entries' sum"
)

log = structlog.get_logger(__name__)


@every(minutes=5)
async def rollup_audit(now: datetime) -> str:  # noqa: ARG001 -- as every task is called
    differing = await rollup.differing_buckets()
    if not differing:
        return "every bucket is the sum of its entries"
    DIFFERING.inc(len(differing))
    log.error("rollup_audit.buckets_differ", count=len(differing), first=differing[:3])
    return f"{len(differing)} buckets are not the sum of their entries; run: livehub rebuild"


TASK = rollup_audit
