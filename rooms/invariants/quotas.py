"""No bureau has more in a window than its quota allows."""

from __future__ import annotations

from datetime import timedelta

from livehub.kit.invariants import Invariant
from rooms import quotas
from rooms.quota_counting import window
from rooms.sharing_models import Quota

_FAR = timedelta(days=3 * 366)


async def check() -> list[str]:
    """A sentence for each window that holds more, from the one on in which the quota was set."""
    wrong: list[str] = []
    by_bureau: dict[int, list[Quota]] = {}
    for each in await Quota.filter(active=True).order_by("id"):
        by_bureau.setdefault(each.bureau_id, []).append(each)
    for bureau_id, found in by_bureau.items():
        since = {each.id: each.since_day for each in found}
        first = min(since.values())
        uses = await quotas.uses_of(bureau_id, since=first, until=first + _FAR)
        for limit in await quotas.limits_of(bureau_id):
            days = {window(use.day, limit.window)[0] for use in uses if use.day >= since[limit.id]}
            wrong += [
                f"部门 {bureau_id} 自 {day} 起的一期排了 {used}，额度 {limit.limit}"
                for day in sorted(days)
                if (used := limit.used(uses, day=day)) > limit.limit
            ]
    return wrong


INVARIANT = Invariant("rooms.quotas", "每个部门每一期的排期不超过额度", check)
