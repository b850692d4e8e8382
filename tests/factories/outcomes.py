"""Graduates who stream, and what they sell, for tests."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

from livehub import database
from livehub.inbox.recording import OwnFact
from livehub.kit import clock
from livehub.orders import intake
from livehub.platforms.contract import (
    Event,
    EventType,
    Line,
    OrderSnapshot,
    OrderStatus,
    RefundKind,
    RefundSnapshot,
    RefundStatus,
)
from livehub.platforms.models import Shop
from rooms.models import Broadcast, BroadcastRun, BroadcastState
from streamers import ages
from streamers.models import Streamer
from streamers.training import certificates, graduation
from streamers.training.models import Enrolment
from tests.factories.facts import record_own
from tests.factories.rooms import House, a_broadcast, a_house
from tests.factories.training import LATER, School, an_ended_school

_numbers = itertools.count()


async def a_graduated_school(
    *, trainees: int = 3, house: House | None = None
) -> tuple[School, list[Enrolment]]:
    """A class whose people graduated on LATER, all but the last, each with a certificate."""
    school, people = await an_ended_school(trainees=trainees, house=house or await a_house())
    await graduation.confirm(school.cohort.public_id, actor=school.manager, now=LATER)
    await certificates.issue(school.cohort.public_id, actor=school.manager, now=LATER)
    return school, [await Enrolment.get(id=each.id) for each in people]


async def streamed(
    school: School, who: Enrolment, starts_at: datetime, *, minutes: int = 60, by: int = 0
) -> Broadcast:
    """An ended broadcast with somebody as its anchor, booked by the house's bureau number ``by``."""
    streamer = await Streamer.get(person_id=who.person_id)
    booked = clock.at_local(clock.local_day(starts_at), hour=9 + 3 * (next(_numbers) % 4))
    now = booked - timedelta(days=3)
    born_on = clock.day_of_number(19950101)
    await ages.note(streamer.public_id, born_on=born_on, actor=school.manager, now=now)
    show = await a_broadcast(school.house, booked, now=now, by=by, streamer=streamer.public_id)
    return await aired(show, starts_at, minutes=minutes)


async def aired(show: Broadcast, starts_at: datetime, *, minutes: int = 60) -> Broadcast:
    """The same broadcast after it was on air for so long."""
    ended_at = starts_at + timedelta(minutes=minutes)
    await Broadcast.filter(id=show.id).update(
        state=BroadcastState.ENDED, started_at=clock.to_ms(starts_at), ended_at=clock.to_ms(ended_at)
    )
    await BroadcastRun.create(broadcast_id=show.id, started_at=starts_at, ended_at=ended_at)
    return await Broadcast.get(id=show.id)


async def sold(shop: Shop, show: Broadcast, order_ref: str, *, fen: int, back: int = 0) -> None:
    """An order of a broadcast, perhaps refunded in part a day later."""
    assert show.started_at is not None
    paid = clock.to_ms(show.started_at) + 60_000
    line = Line(line_ref="1", product_ref="p1", quantity=1, list_fen=fen, buyer_paid_fen=fen)
    order = OrderSnapshot(
        status=OrderStatus.PAID, lines=(line,), created_at=paid, paid_at=paid, updated_at=paid,
        broadcast_ref=show.public_id,
    )  # fmt: skip
    facts = [_fact(shop, order_ref, Event(
        type=EventType.ORDER_PAID, shop_ref=shop.shop_ref, order_ref=order_ref, status_at=paid, order=order
    ))]  # fmt: skip
    if back:
        later = paid + 86_400_000
        refund = RefundSnapshot(
            refund_ref=f"{order_ref}-r", line_ref="1", kind=RefundKind.REFUND_ONLY, status=RefundStatus.SUCCEEDED,
            refunded_fen=back, applied_at=paid, succeeded_at=later, updated_at=later,
        )  # fmt: skip
        facts.append(_fact(shop, order_ref, Event(
            type=EventType.REFUND_SUCCEEDED, shop_ref=shop.shop_ref, order_ref=order_ref, status_at=later,
            refunds=(refund,),
        )))  # fmt: skip
    async with database.transaction():
        await record_own(facts, now=clock.now())
    while await intake.run_once(now=clock.now(), lease_seconds=30):
        pass


def _fact(shop: Shop, order_ref: str, event: Event) -> OwnFact:
    return OwnFact(
        centre_id=shop.centre_id, platform=shop.platform, shop_ref=shop.shop_ref, order_ref=order_ref,
        native_type=str(event.type), native_id=f"{order_ref}-{event.type}", event=event,
    )  # fmt: skip
