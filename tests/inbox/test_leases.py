"""Leases of messages: two workers hold different ones, and who lost a lease writes nothing."""

from __future__ import annotations

from datetime import datetime

import pytest

from livehub import database
from livehub.accounts.models import Role
from livehub.inbox import queue
from livehub.inbox.models import InboxMessage, ReplayRecord
from livehub.kit import clock
from livehub.orders import intake
from livehub.orders.invariants import buckets, contributions, folds
from livehub.orders.models import SalesOrder
from livehub.platforms.contract import Event, EventType, Line, OrderSnapshot, OrderStatus
from livehub.settings import Settings
from tests.contention import kinds, meet
from tests.factories.accounts import an_actor
from tests.factories.orders import World

T0 = clock.to_ms(datetime(2026, 3, 6, 12, tzinfo=clock.SHANGHAI))
DIES = -1  # seconds of a lease that has run out as soon as it is taken


def a_sale(order_ref: str, *, shop_ref: str = "s") -> Event:
    line = Line(line_ref="1", quantity=1, list_fen=5000, buyer_paid_fen=5000)
    order = OrderSnapshot(status=OrderStatus.PAID, lines=(line,), paid_at=T0, updated_at=T0)
    return Event(type=EventType.ORDER_PAID, shop_ref=shop_ref, order_ref=order_ref, status_at=T0, order=order)


async def lost_and_taken_over(world: World) -> tuple[list[queue.Leased], list[queue.Leased]]:
    """One message in the hands of a worker that slept over its lease, and of the one that has it now."""
    await world.tell(a_sale("o"))
    slept = await queue.lease(limit=1, seconds=DIES)
    assert await queue.take_back_expired() == 1
    return slept, await queue.lease(limit=1, seconds=30)


async def test_two_workers_hold_different_messages_and_do_not_wait(db: Settings, world: World) -> None:
    await world.tell(*(a_sale(f"o{n}") for n in range(20)))
    taken: list[list[int]] = []

    async def take() -> None:
        taken.append([each.id for each in await queue.lease(limit=9, seconds=30)])

    await meet(db, "SELECT 1 FROM inbox_message ORDER BY id LIMIT 1 FOR UPDATE", take, take)

    one, other = map(set, taken)
    assert (len(one), len(other), one & other) == (9, 9, set())


async def test_a_lease_in_force_is_left_alone(world: World) -> None:
    await world.tell(a_sale("o"))
    await queue.lease(limit=1, seconds=30)

    assert await queue.take_back_expired() == 0
    assert await queue.lease(limit=1, seconds=30) == []


async def test_a_worker_that_woke_too_late_books_nothing(world: World) -> None:
    slept, taken = await lost_and_taken_over(world)
    late = await intake.understand(slept, now=clock.now())
    heir = await intake.understand(taken, now=clock.now())

    with pytest.raises(queue.LeaseLost):
        await database.unit(lambda: intake.apply(late, now=clock.now()))
    assert await SalesOrder.all().count() == 0
    await database.unit(lambda: intake.apply(heir, now=clock.now()))

    assert (await InboxMessage.get()).status == "applied"
    assert await buckets.check() == await contributions.check() == await folds.check() == []


async def test_what_is_settled_is_not_settled_again(world: World) -> None:
    await world.tell(a_sale("o"))
    taken = await intake.understand(await queue.lease(limit=1, seconds=30), now=clock.now())
    await database.unit(lambda: intake.apply(taken, now=clock.now()))

    with pytest.raises(queue.LeaseLost):
        await database.unit(lambda: intake.apply(taken, now=clock.now()))


async def test_who_lost_the_lease_gives_nothing_back(world: World) -> None:
    slept, taken = await lost_and_taken_over(world)

    await queue.release(slept, wait_ms=0)

    message = await InboxMessage.get()
    assert (message.status, message.attempts, message.lease_token) == ("processing", 2, taken[0].token)


async def test_a_message_is_put_back_once_by_two_who_replay_it(db: Settings, world: World) -> None:
    await world.tell(a_sale("o", shop_ref="unknown"))
    await intake.run_once(now=clock.now(), lease_seconds=30)
    message = await InboxMessage.get()
    clerk = an_actor(Role.STAFF, centre_id=world.centre.id)

    async def replay() -> None:
        await database.unit(lambda: queue.replay(message.id, actor=clerk, why="重放", now=clock.now()))

    answers = await meet(db, "SELECT 1 FROM inbox_message FOR UPDATE", replay, replay)

    assert kinds(answers) == ["NoneType", "NotReplayable"]
    assert await ReplayRecord.all().count() == 1
