"""播出差错: what went wrong on the air is noted, and put right once, in words that stay."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import ids
from livehub.kit.errors import Detail, NotFound
from rooms import onair
from rooms.air_models import Incident
from rooms.errors import AlreadyCorrected, RecordRefused
from rooms.models import Broadcast

CATEGORIES = (
    "false_claim", "price", "quality", "forbidden", "privacy", "minors", "conduct", "technical", "other",
)  # fmt: skip
TEXT_LENGTH = 500


@database.atomic
async def report(
    broadcast: str, *, category: str, text: str, actor: Actor, now: datetime, at: datetime | None = None
) -> Incident:
    """Note what was wrong in a broadcast that has begun, and when."""
    seen = await Broadcast.get_or_none(public_id=broadcast)
    if seen is None:
        raise NotFound
    onair.require_run(seen, actor=actor)
    happened = at or now
    details = []
    if category not in CATEGORIES:
        details.append(Detail("category", "没有这种差错", "、".join(CATEGORIES)))
    if not 0 < len(text.strip()) <= TEXT_LENGTH:
        details.append(Detail("text", "请写明说了或做了什么", f"1 到 {TEXT_LENGTH} 个字"))
    if seen.started_at is None or happened < seen.started_at or happened > now:
        details.append(Detail("at", "不在这一场开播以后", "开播以后的时间"))
    if details:
        raise RecordRefused(details=details)
    incident = await Incident.create(
        public_id=ids.public_id(),
        broadcast_id=seen.id,
        at=happened,
        category=category,
        text=text.strip(),
        reported_by=actor.name,
        reported_at=now,
    )
    await _audit("incident.reported", seen, incident, actor=actor, now=now)
    return incident


@database.atomic
async def correct(incident: str, *, text: str, actor: Actor, now: datetime) -> Incident:
    """Say how it was put right; AlreadyCorrected when somebody did."""
    meant = await Incident.get_or_none(public_id=incident)
    if meant is None:
        raise NotFound
    seen = await Broadcast.get(id=meant.broadcast_id)
    require(actor, Permission.BROADCAST_RUN, bureau_id=seen.bureau_id, centre_id=seen.centre_id)
    if not 0 < len(text.strip()) <= TEXT_LENGTH:
        raise RecordRefused(details=[Detail("correction", "请写明怎样更正的", f"1 到 {TEXT_LENGTH} 个字")])
    open_one = Incident.filter(id=meant.id, corrected_at__isnull=True)  # decides who is first
    if not await open_one.update(correction=text.strip(), corrected_by=actor.name, corrected_at=now):
        raise AlreadyCorrected
    await _audit("incident.corrected", seen, meant, actor=actor, now=now)
    return await Incident.get(id=meant.id)


async def _audit(
    action: str, broadcast: Broadcast, incident: Incident, *, actor: Actor, now: datetime
) -> None:
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("broadcast", broadcast.public_id),
        bureau_id=broadcast.bureau_id,
        detail={"incident": incident.public_id, "category": incident.category},
    )
