"""The books must say what the orders say; what does not is repaired, recorded and told."""

from __future__ import annotations

from datetime import datetime

import structlog
from prometheus_client import Counter

from jobs.schedule import every
from livehub.orders import auditing

DIFFERING = Counter(
    "livehub_rollup_audit_differences_total", "Buckets and lines that were wrong and were repaired"
)

log = structlog.get_logger(__name__)


@every(minutes=5)
async def rollup_audit(now: datetime) -> str:
    done = await auditing.audit(now=now)
    if done.repairs:
        DIFFERING.inc(len(done.repairs))
        log.error("rollup_audit.repaired", count=len(done.repairs), first=[*map(str, done.repairs[:3])])
    return f"{done.days} days and {done.orders} orders compared, {len(done.repairs)} repairs"


TASK = rollup_audit
