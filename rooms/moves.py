"""Which state may follow which, for bookings and broadcasts; see docs/concepts.md."""

from __future__ import annotations

from collections.abc import Mapping

from rooms.models import BookingState as B
from rooms.models import BroadcastState as C

HOLDING = frozenset({B.OFFERED, B.SUBMITTED, B.FIRST_APPROVED, B.APPROVED, B.CHECKED_IN})
PENDING = frozenset({B.SUBMITTED, B.FIRST_APPROVED})

BOOKING: Mapping[B, frozenset[B]] = {
    B.DRAFT: frozenset({B.SUBMITTED, B.CANCELLED}),
    B.OFFERED: frozenset({B.SUBMITTED, B.EXPIRED, B.DECLINED}),
    B.SUBMITTED: frozenset({B.FIRST_APPROVED, B.APPROVED, B.REJECTED, B.EXPIRED, B.CANCELLED}),
    B.FIRST_APPROVED: frozenset({B.APPROVED, B.REJECTED, B.EXPIRED, B.CANCELLED}),
    B.APPROVED: frozenset({B.CHECKED_IN, B.CANCELLED, B.DISPLACED, B.NO_SHOW}),
    B.CHECKED_IN: frozenset({B.COMPLETED, B.CANCELLED, B.DISPLACED}),
}

BROADCAST: Mapping[C, frozenset[C]] = {
    C.PLANNED: frozenset({C.CHECKED, C.ABORTED}),
    C.CHECKED: frozenset({C.LIVE, C.PLANNED, C.ABORTED}),  # what is changed is checked again
    C.LIVE: frozenset({C.ENDED}),
    C.ENDED: frozenset({C.LIVE, C.REVIEWED}),
}
