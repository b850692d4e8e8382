"""Every readable delivery has its messages, every message its delivery, and its bytes their digest."""

from __future__ import annotations

from hashlib import sha256

from livehub import database
from livehub.inbox import queue
from livehub.inbox.models import DeliveryStatus
from livehub.kit.invariants import Invariant

CHUNK = 500


async def check() -> list[str]:
    """Messages without their delivery, and deliveries whose bytes are not those that were signed for."""
    orphans = await database.fetch(
        "SELECT m.id AS id FROM inbox_message m LEFT JOIN inbox_delivery d ON d.id = m.delivery_id"
        " WHERE m.delivery_id <> 0 AND d.id IS NULL"
    )
    found = [f"message {row['id']} has lost its delivery" for row in orphans]
    last = 0
    while True:
        rows = await database.fetch(
            "SELECT id, sha256, body_sealed IS NULL AS erased FROM inbox_delivery"
            f" WHERE id > $1 AND status = '{DeliveryStatus.SPLIT}' ORDER BY id LIMIT {CHUNK}",
            last,
        )
        if not rows:
            return found
        last = rows[-1]["id"]
        kept = {row["id"]: bytes(row["sha256"]) for row in rows if not row["erased"]}
        bodies = await queue.bodies(kept)
        found += [
            f"delivery {each} no longer has the bytes of its digest"
            for each, (raw, _) in bodies.items()
            if sha256(raw).digest() != kept[each]
        ]


INVARIANT = Invariant("inbox.kept", "推送原文与摘要一致", check)
