"""Messages about bookings: one for each thing that happened, in the transaction in which it did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from livehub.accounts.models import Bureau, Centre
from livehub.kit import clock
from livehub.notices import sending
from rooms.conflicts import Span
from rooms.models import Booking, Room

_KINDS = {"live": "直播", "rehearsal": "彩排", "training": "培训", "exam": "考核", "maintenance": "检修"}


async def ask_centre(booking: Booking, *, now: datetime) -> None:
    """A booking waits for the centre's approval."""
    bureau = await Bureau.get(id=booking.bureau_id)
    until = f"，保留到 {_at(booking.hold_until)}" if booking.hold_until else ""
    centre = await Centre.get(id=booking.centre_id)
    body = f"{bureau.name}申请{await _what(booking)}{until}，请审批。"
    await _send("booking.submitted", booking, recipient=centre.name, body=body, now=now)


async def tell_bureau(kind: str, booking: Booking, *, said: str, now: datetime) -> None:
    """Something became of a bureau's booking; ``said`` follows what it is about."""
    bureau = await Bureau.get(id=booking.bureau_id)
    await _send(kind, booking, recipient=bureau.name, body=f"{await _what(booking)}{said}", now=now)


def alternatives(options: Sequence[tuple[str, Span]]) -> str:
    """Free times as a sentence: (room's name, time)."""
    if not options:
        return "前后七天没有合适的空档。"
    times = "；".join(
        f"{name} {_at(span.starts_at)}–{clock.local(span.ends_at):%H:%M}" for name, span in options
    )
    return f"还空着：{times}。"


async def _what(booking: Booking) -> str:
    room = await Room.get(id=booking.room_id)
    span = f"{_at(booking.start_at)}–{clock.local(booking.end_at):%H:%M}"
    return f"{room.name} {span} 的{_KINDS[booking.kind]}“{booking.title}”"


async def _send(kind: str, booking: Booking, *, recipient: str, body: str, now: datetime) -> None:
    await sending.send(
        kind,
        centre_id=booking.centre_id,
        recipient=recipient,
        body=body,
        dedupe_key=f"{kind}:{booking.public_id}:{booking.version}",
        now=now,
    )


def _at(instant: datetime | None) -> str:
    return f"{clock.local(instant):%m月%d日 %H:%M}" if instant else ""
