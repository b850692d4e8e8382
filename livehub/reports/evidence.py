"""The bytes behind a number, opened for a reason that is written down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.inbox import layout
from livehub.kit import sealing
from livehub.kit.errors import LivehubError, NotFound
from livehub.platforms import queries as platforms
from livehub.platforms import registry
from livehub.platforms.contract import BadSignature, Covers
from livehub.reports.messages import require_row_id


class EvidenceErased(LivehubError):
    """原始报文已按保存期限删除，只保留摘要与结论。"""

    code, status = "EVIDENCE_ERASED", 410


class Evidence(Struct, frozen=True):
    """The bytes as they came, and what the platform had encrypted in them; None where nothing was."""

    raw: bytes
    plain: bytes | None = None


async def open_evidence(delivery_id: int, *, actor: Actor, why: str, now: datetime) -> Evidence:
    """The sealed bytes, for a reason that is written down; call it inside ``database.unit``."""
    require(actor, Permission.EVIDENCE_OPEN)
    require_row_id(delivery_id)
    row = await database.fetch_one(
        "SELECT body_sealed, platform, endpoint_id, source FROM inbox_delivery"
        " WHERE id = $1 AND centre_id = $2",
        delivery_id,
        actor.centre_id,
    )
    if row is None:
        raise NotFound
    if row["body_sealed"] is None:
        raise EvidenceErased
    await audit.write(
        "evidence.opened", actor=actor, now=now, about=("delivery", str(delivery_id)), detail={"why": why}
    )
    raw = sealing.ring().open(bytes(row["body_sealed"]), place=layout.BODY_PLACE)
    return Evidence(raw, await _decrypted(raw, row) if row["source"] == "push" else None)


async def _decrypted(raw: bytes, row: Mapping[str, Any]) -> bytes | None:
    adapter = registry.get(row["platform"])
    if adapter.covers is Covers.BODY:
        return None
    openers = await platforms.openers([row["endpoint_id"]])
    try:
        return adapter.reopen(credential=openers[row["endpoint_id"]], raw=raw)
    except (BadSignature, KeyError):
        return None
