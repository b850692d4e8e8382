"""回放和保存: what is kept of a broadcast, for at least three years and for as long as somebody holds it."""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import ids
from livehub.kit.errors import Detail, NotFound
from rooms import locks, retention
from rooms.air_models import Incident, Recording
from rooms.errors import RecordingKnown, RecordRefused, Retained
from rooms.models import Broadcast

REF_LENGTH, REASON_LENGTH = 200, 200
LONGEST_S = 48 * 3600

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


class Kept(Struct, frozen=True, kw_only=True):
    """What is kept of a broadcast, and until when at least."""

    incidents: list[Incident]
    recordings: list[Recording]
    retain_until: datetime | None
    legal_hold: bool


async def of(broadcast_id: int) -> Kept:
    """Everything that is kept of a broadcast, in order."""
    broadcast = await Broadcast.get(id=broadcast_id)
    return Kept(
        incidents=await Incident.filter(broadcast_id=broadcast_id).order_by("at", "id"),
        recordings=await Recording.filter(broadcast_id=broadcast_id).order_by("id"),
        retain_until=broadcast.retain_until,
        legal_hold=broadcast.legal_hold,
    )


@database.atomic
async def add(
    broadcast: str, *, ref: str, seconds: int, actor: Actor, now: datetime, sha256: str = ""
) -> Recording:
    """Note where a broadcast's video is; RecordingKnown when it is noted already."""
    seen = await _seen(broadcast)
    require(actor, Permission.BROADCAST_RUN, bureau_id=seen.bureau_id, centre_id=seen.centre_id)
    details = []
    if not 0 < len(ref.strip()) <= REF_LENGTH:
        details.append(Detail("ref", "请填写回放编号或文件位置", f"1 到 {REF_LENGTH} 个字符"))
    if not 0 < seconds <= LONGEST_S:
        details.append(Detail("seconds", "时长不对", f"1 到 {LONGEST_S} 秒"))
    if sha256 and not _DIGEST.fullmatch(sha256):
        details.append(Detail("sha256", "不是 SHA-256", "64 位十六进制"))
    if details:
        raise RecordRefused(details=details)
    recording = Recording(
        public_id=ids.public_id(),
        broadcast_id=seen.id,
        ref=ref.strip(),
        sha256=bytes.fromhex(sha256) if sha256 else None,
        seconds=seconds,
        noted_by=actor.name,
        noted_at=now,
    )
    try:
        async with database.transaction():
            await recording.save()
    except IntegrityError as error:
        raise RecordingKnown from error
    await _audit("recording.noted", seen, actor=actor, now=now, detail={"recording": recording.public_id})
    return recording


@database.atomic
async def delete(recording: str, *, reason: str, actor: Actor, now: datetime) -> None:
    """Forget a recording whose time is over; Retained before that, or while it is held."""
    meant = await Recording.get_or_none(public_id=recording)
    if meant is None:
        raise NotFound
    seen = await Broadcast.get(id=meant.broadcast_id)
    require(actor, Permission.RECORD_RELEASE, bureau_id=seen.bureau_id, centre_id=seen.centre_id)
    _require_reason(reason)
    await locks.hold("broadcast", {seen.id})
    held = await Broadcast.get(id=seen.id)
    if retention.is_kept(held.retain_until, legal_hold=held.legal_hold, now=now):
        raise Retained(data={"retain_until": held.retain_until, "legal_hold": held.legal_hold})
    await Recording.filter(id=meant.id).delete()
    detail: dict[str, object] = {"recording": meant.public_id, "ref": meant.ref, "reason": reason.strip()}
    await _audit("recording.deleted", held, actor=actor, now=now, detail=detail)


@database.atomic
async def hold(broadcast: str, *, is_held: bool, reason: str, actor: Actor, now: datetime) -> Broadcast:
    """Keep everything of a broadcast whatever its age, or no longer; both with a reason."""
    seen = await _seen(broadcast)
    require(actor, Permission.RECORD_RELEASE, bureau_id=seen.bureau_id, centre_id=seen.centre_id)
    _require_reason(reason)
    await locks.hold("broadcast", {seen.id})
    if await Broadcast.filter(id=seen.id, legal_hold=not is_held).update(legal_hold=is_held):
        action = "broadcast.held" if is_held else "broadcast.released"
        await _audit(action, seen, actor=actor, now=now, detail={"reason": reason.strip()})
    return await Broadcast.get(id=seen.id)


def _require_reason(reason: str) -> None:
    if not 0 < len(reason.strip()) <= REASON_LENGTH:
        raise RecordRefused(details=[Detail("reason", "请写明原因", f"1 到 {REASON_LENGTH} 个字")])


async def _seen(public_id: str) -> Broadcast:
    seen = await Broadcast.get_or_none(public_id=public_id)
    if seen is None:
        raise NotFound
    return seen


async def _audit(
    action: str, broadcast: Broadcast, *, actor: Actor, now: datetime, detail: dict[str, object]
) -> None:
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("broadcast", broadcast.public_id),
        bureau_id=broadcast.bureau_id,
        detail=detail,
    )
