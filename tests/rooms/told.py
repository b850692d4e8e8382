"""Which messages about bookings were written, in order."""

from __future__ import annotations

from livehub.kit import sealing
from livehub.notices.models import Notice
from livehub.notices.sending import BODY_PLACE, RECIPIENT_PLACE
from rooms.invariants import closures, holding, no_overlap, quotas, waiting


async def told(*, after: int = 0) -> list[tuple[str, str]]:
    """(kind, recipient) of each message written after so many."""
    ring = sealing.ring()
    rows = await Notice.all().order_by("id")
    return [
        (each.kind, ring.open_text(bytes(each.recipient_sealed), place=RECIPIENT_PLACE))
        for each in rows[after:]
    ]


async def words(kind: str) -> list[str]:
    """What the messages of a kind say."""
    ring = sealing.ring()
    rows = await Notice.filter(kind=kind).order_by("id")
    return [ring.open_text(bytes(each.body_sealed), place=BODY_PLACE) for each in rows]


async def sound() -> bool:
    """Whether everything holds that must hold of the rooms' tables."""
    checks = (no_overlap, holding, quotas, closures, waiting)
    return [found for each in checks for found in await each.check()] == []
