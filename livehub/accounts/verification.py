"""Somebody has a stretch of an audit chain verified: that it was done, and what came out, is an entry itself.

A press verifies at most MOST links, which takes seconds; ``livehub audit`` verifies all of every chain.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts import audit, chain
from livehub.accounts.actors import Actor
from livehub.accounts.models import AuditEntry
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, NotFound

MOST = 20_000


class Verification(Struct, frozen=True, kw_only=True):
    """When which links of a bureau's chain were verified by whom."""

    at: datetime
    by: str
    first: int  # 0: there was nothing to verify
    last: int
    wrong: list[str]


async def verify(bureau_id: int, *, since: date, until: date, actor: Actor, now: datetime) -> Verification:
    """Verify the links of some local days, both included; Invalid when they are more than MOST."""
    require(actor, Permission.AUDIT_READ)
    scope = bureau_scope(actor, Permission.AUDIT_READ)
    if scope is not None and bureau_id not in scope:
        raise NotFound
    if until < since:
        raise Invalid(details=[Detail("until", "不能早于开始日期")])
    begin, end = clock.at_local(since), clock.at_local(until + timedelta(days=1))
    first = await chain.first_since(bureau_id, begin)
    last = await chain.last_until(bureau_id, end - timedelta(milliseconds=1))
    if not first or last < first:
        first = last = 0
    if last - first >= MOST:
        reason = f"这段时间有 {last - first + 1:,} 条，一次最多验证 {MOST:,} 条"
        raise Invalid(details=[Detail("until", reason, "缩短日期范围")])
    checked = await chain.check(bureau_id, first=first, last=last) if first else chain.Checked(0, [])
    detail = {"first": first, "last": last, "links": checked.links, "wrong": checked.wrong}
    await database.unit(
        lambda: audit.write(
            "audit.verified",
            actor=actor,
            about=("chain", str(bureau_id)),
            bureau_id=bureau_id,
            now=now,
            result="broken" if checked.wrong else "ok",
            detail=detail,
        )
    )
    return Verification(at=now, by=actor.name, first=first, last=last, wrong=checked.wrong)


async def newest(bureau_id: int, *, centre_id: int) -> Verification | None:
    """The last time that somebody of a centre verified a chain."""
    row = (
        await AuditEntry.filter(
            object_kind="chain", object_id=str(bureau_id), action="audit.verified", centre_id=centre_id
        )
        .order_by("-id")
        .first()
    )
    if row is None:
        return None
    said = msgspec.json.decode(row.detail)
    return Verification(
        at=row.at, by=row.actor_name, first=said["first"], last=said["last"], wrong=said["wrong"]
    )
