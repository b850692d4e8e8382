"""What stops a worker or breaks the money of one message harms no other message, and is never forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from livehub import database
from livehub.accounts.models import Role
from livehub.inbox import queue, receiving
from livehub.inbox.layout import Origin
from livehub.inbox.models import InboxMessage
from livehub.kit import clock, outbox
from livehub.orders import intake
from livehub.orders.invariants import buckets, contributions, folds
from livehub.orders.models import SalesOrder
from livehub.platforms import registry, shops
from livehub.platforms.models import Endpoint
from tests.factories.accounts import an_actor
from tests.factories.orders import World
from tests.factories.platforms import an_endpoint

T0 = datetime(2026, 3, 6, 12, tzinfo=clock.SHANGHAI)
DIES = -1  # seconds of a lease that has run out as soon as it is taken: its worker died at once


async def push(world: World, order_ref: str, *, shop: str = "s", at: datetime = T0, **data: Any) -> None:
    line = {"line_ref": "1", "quantity": 1, "list_fen": 5000, "buyer_paid_fen": 5000} | data.pop("line", {})
    order = {
        "shop_ref": shop, "order_ref": order_ref, "status": "paid", "currency": "CNY", "lines": [line],
        "created_at": T0.isoformat(), "paid_at": T0.isoformat(), "updated_at": at.isoformat(), **data,
    }  # fmt: skip
    raw = msgspec.json.encode({"type": "order.paid", "timestamp": at.isoformat(), "data": order})
    arrival = receiving.read_push(
        registry.get("standard_webhooks"),
        origin=Origin(1, world.centre.id, "standard_webhooks"),
        raw=raw,
        plaintext=raw,
        headers={"webhook-id": f"{order_ref}-{at.isoformat()}"},
        now=clock.now(),
    )
    await receiving.store([arrival])


async def work() -> None:
    while await intake.run_once(now=clock.now(), lease_seconds=30):
        pass


async def fates() -> dict[str, tuple[str, str]]:
    rows = await database.fetch("SELECT native_id, status, reason FROM inbox_message")
    return {row["native_id"].split("-")[0]: (row["status"], row["reason"]) for row in rows}


async def replay(order_ref: str, world: World) -> None:
    message = await InboxMessage.filter(native_id__startswith=order_ref).order_by("-id").first()
    assert message is not None
    clerk = an_actor(Role.STAFF, centre_id=world.centre.id)
    await database.unit(lambda: queue.replay(message.id, actor=clerk, why="修正后重放", now=clock.now()))


async def sound() -> None:
    assert await buckets.check() == await contributions.check() == await folds.check() == []


async def test_only_the_message_that_kills_its_worker_is_parked(world: World) -> None:
    for name in ("a", "poison", "c"):
        await push(world, name)
    for _ in range(3):  # its worker dies, the third time before anything could be processed alone
        assert len(await queue.lease(limit=9, seconds=DIES)) == 3
        await queue.take_back_expired()
    leased = await queue.lease(limit=9, seconds=DIES)
    assert {each.attempts for each in leased} == {queue.ALONE_AT}
    await queue.begin(leased[1])  # and here it died of it, with the third still waiting
    await queue.take_back_expired()

    await work()

    assert await fates() == {"a": ("applied", ""), "poison": ("parked", "poison"), "c": ("applied", "")}
    await sound()


async def test_a_worker_that_slept_over_its_lease_counts_no_attempt(world: World) -> None:
    await push(world, "a")
    for _ in range(2):
        await queue.lease(limit=9, seconds=DIES)
        await queue.take_back_expired()
    slept = (await queue.lease(limit=9, seconds=DIES))[0]
    await queue.take_back_expired()
    held = (await queue.lease(limit=9, seconds=30))[0]

    with pytest.raises(queue.LeaseLost):
        await queue.begin(slept)
    await queue.begin(held)


async def test_a_replay_of_broken_money_is_judged_anew_and_stays_to_be_seen(world: World) -> None:
    await push(world, "o", line={"list_fen": 5001})
    await work()
    assert await fates() == {"o": ("parked", "identity")}

    await replay("o", world)
    await work()

    assert await fates() == {"o": ("parked", "identity")}
    await sound()


async def test_a_replay_under_a_better_rule_books_the_order_from_its_bytes(world: World) -> None:
    await push(world, "o")
    [understood] = await intake.understand(await queue.lease(limit=1, seconds=30), now=clock.now())
    thin = tuple(msgspec.structs.replace(event, order=None) for event in understood.events)
    strict = intake.Understood(understood.message, thin, parked="identity", error="an older, stricter rule")
    await database.unit(lambda: intake.apply([strict], now=clock.now()))
    assert await fates() == {"o": ("parked", "identity")}
    await sound()

    await replay("o", world)
    await work()

    assert await fates() == {"o": ("applied", "")}
    order = await SalesOrder.get(order_ref="o")
    assert (order.complete, order.pending, order.g2_fen) == (True, False, 5000)
    await sound()


async def test_broken_money_in_an_unknown_shop_stays_broken_when_the_shop_is_added(world: World) -> None:
    endpoint: Endpoint = await an_endpoint(world.bureau, platform="standard_webhooks")
    await push(world, "o", shop="new", line={"list_fen": 5001})
    await work()
    assert await fates() == {"o": ("parked", "shop")}

    manager = an_actor(Role.MANAGER, centre_id=world.centre.id)
    await shops.add_shop(
        world.bureau.id, endpoint_id=endpoint.id, shop_ref="new", name="新店", actor=manager, now=clock.now()
    )
    await outbox.hand_out(now=clock.now())
    await work()

    assert await fates() == {"o": ("parked", "identity")}
    await sound()


async def test_an_order_whose_newest_money_is_broken_waits_although_its_refund_is_known(world: World) -> None:
    await push(world, "o")
    refund = {
        "refund_ref": "r", "line_ref": "1", "kind": "refund_only", "status": "succeeded", "refunded_fen": 1000,
        "succeeded_at": T0.isoformat(), "updated_at": T0.isoformat(),
    }  # fmt: skip
    await push(world, "o", at=T0 + timedelta(hours=1), line={"list_fen": 5001}, refunds=[refund])
    await work()

    order = await SalesOrder.get(order_ref="o")
    assert (order.pending, order.refund_fen) == (True, 1000)
    await push(world, "o", at=T0 + timedelta(hours=2), refunds=[refund])
    await work()
    order = await SalesOrder.get(order_ref="o")
    assert (order.pending, order.refund_fen) == (False, 1000)
    await sound()
