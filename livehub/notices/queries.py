"""发件箱: what was written to whom, opened for those who may read it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import sealing
from livehub.kit.paging import Page, window
from livehub.notices.models import Notice
from livehub.notices.sending import BODY_PLACE, known


class NoticeRow(Struct, frozen=True):
    """One message of the list; the recipient is masked, the body is empty where it may not be opened."""

    id: int
    kind: str
    channel_label: str
    recipient: str
    body: str
    state: str
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    expires_at: datetime | None

    def __repr__(self) -> str:
        return f"NoticeRow(id={self.id}, kind={self.kind!r})"


async def recent(
    actor: Actor, *, number: int = 1, size: int = 50, kind: str = "", recipient: str = ""
) -> Page[NoticeRow]:
    """Messages of the actor's centre, newest first, perhaps of one kind or one masked recipient.

    Only channels without a way of their own are opened: a code that went out by SMS is nobody else's.
    """
    require(actor, Permission.OUTBOX_READ)
    number, size, limit, offset = window(number=number, size=size)
    found = Notice.all() if actor.kind == "system" else Notice.filter(centre_id=actor.centre_id)
    if kind:
        found = found.filter(kind=kind)
    if recipient:
        found = found.filter(recipient=recipient)
    rows = await found.order_by("-created_at", "-id").limit(limit).offset(offset)
    return Page([_row(row) for row in rows], number, size, await found.count())


def _row(row: Notice) -> NoticeRow:
    channel = known().get(row.channel)
    opened = channel is not None and channel.readable
    return NoticeRow(
        id=row.id,
        kind=row.kind,
        channel_label=channel.label if channel else row.channel,
        recipient=row.recipient,
        body=sealing.ring().open_text(bytes(row.body_sealed), place=BODY_PLACE) if opened else "",
        state=row.state,
        attempts=row.attempts,
        created_at=row.created_at,
        sent_at=row.sent_at,
        expires_at=row.expires_at,
    )
