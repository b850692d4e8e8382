"""What waits for whoever opens the desk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.inbox import queries as inbox
from livehub.orders import queries as orders
from livehub.reports import repairs
from livehub.settlement import case_queries
from livehub.settlement import queries as settlement
from livehub.settlement.case_models import CaseState
from livehub.settlement.models import BatchState
from livehub.vouchers import campaign_queries
from livehub.web.rendering import link
from rooms import queries as rooms
from rooms.models import BookingState, BroadcastState
from rooms.queries import BroadcastView, Occupancy

LATE = timedelta(minutes=10)
TOLD = timedelta(days=7)  # how long a repair of a figure is told of


class Todo(Struct, frozen=True):
    """Something that waits; its words are the template's."""

    kind: str
    count: int
    href: str


async def of(
    actor: Actor, taken: Sequence[Occupancy], shows: Sequence[BroadcastView], *, now: datetime
) -> list[Todo]:
    """What waits for the reader, what is most urgent first."""
    found = []
    if may(actor, Permission.BOOKING_APPROVE):
        waiting = await rooms.pending(actor=actor)
        found.append(Todo("bookings", len(waiting), "/desk/bookings?state=submitted"))
    if may(actor, Permission.BROADCAST_READ):
        late = [each for each in taken if _is_late(each, now=now)]
        live = [each for each in shows if each.state == BroadcastState.LIVE]
        over = [each for each in live if each.planned_end_at + LATE < now]
        found.append(Todo("late", len(late), _first(late)))
        found.append(Todo("abandoned", len(over), f"/desk/broadcasts/{over[0].public_id}" if over else ""))
    if may(actor, Permission.CASE_HANDLE):
        cases = await case_queries.cases(actor=actor, state=CaseState.OPEN, size=1)
        found.append(Todo("cases", cases.total, link("/desk/integrity", {"state": CaseState.OPEN})))
    if may(actor, Permission.SETTLEMENT_RUN):
        disputed = await settlement.batches(actor=actor, state=BatchState.DISPUTED, size=1)
        found.append(
            Todo("disputed", disputed.total, link("/desk/settlement", {"state": BatchState.DISPUTED}))
        )
    if may(actor, Permission.CAMPAIGN_COUNTERSIGN):
        unsigned = await campaign_queries.to_countersign(
            centre_id=actor.centre_id, bureaus=bureau_scope(actor, Permission.CAMPAIGN_COUNTERSIGN)
        )
        found.append(Todo("countersign", unsigned, "/desk/campaigns?state=draft"))
    if may(actor, Permission.INBOX_READ):
        health = await inbox.health(actor=actor, now=now)
        found.append(Todo("parked", health.parked, link("/desk/inbox", {"status": "parked"})))
        mended = await repairs.since(now - TOLD, centre_id=actor.centre_id)
        found.append(Todo("repairs", mended, "/desk/repairs"))
        found.append(Todo("dead", health.dead, link("/desk/inbox", {"status": "dead"})))
        overdue = await orders.overdue(centre_id=actor.centre_id, now=now)
        found.append(Todo("incomplete", overdue, link("/desk/inbox", {"status": "waiting"})))
    return [each for each in found if each.count]


def _is_late(taken: Occupancy, *, now: datetime) -> bool:
    """A firm show of ours that has not begun ten minutes after it should have."""
    firm = taken.mine and taken.state == BookingState.APPROVED and taken.broadcast != ""
    return firm and taken.core_starts_at + LATE < now < taken.core_ends_at


def _first(late: Sequence[Occupancy]) -> str:
    return f"/desk/broadcasts/{late[0].broadcast}" if late else ""
