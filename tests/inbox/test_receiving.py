"""The same messages at two doors at once: stored once, and the doors do not wait for each other."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from livehub import database
from livehub.inbox import layout, receiving
from livehub.inbox.layout import Origin
from livehub.inbox.receiving import Arrival
from livehub.kit import clock
from livehub.platforms import registry
from livehub.platforms.contract import Event, EventType
from livehub.settings import Settings
from tests.contention import kinds, meet
from tests.factories.orders import World


def arrival(n: int) -> Arrival:
    order = {"shop_ref": "s", "order_ref": f"o{n}"}
    raw = msgspec.json.encode({"type": "order.paid", "timestamp": "2026-03-06T12:00:00+08:00", "data": order})
    return receiving.read_push(
        registry.get("standard_webhooks"),
        origin=Origin(1, 1, "standard_webhooks"),
        raw=raw,
        plaintext=raw,
        headers={"webhook-id": f"m{n}"},
        now=clock.now(),
    )


async def test_two_workers_store_the_same_batch_in_opposite_orders(db: Settings) -> None:
    for part in range(5):
        numbers = range(part * 1000, part * 1000 + 400)
        batches = [arrival(n) for n in numbers], [arrival(n) for n in reversed(numbers)]
        answers = await asyncio.gather(*map(receiving.store, batches), return_exceptions=True)
        assert kinds(answers) == ["list", "list"]  # a deadlock would be Contention

    row = await database.fetch_one("SELECT count(*) AS n FROM inbox_message")
    assert row == {"n": 2000}


async def test_two_workers_with_the_same_messages_do_not_wait_in_a_ring(db: Settings) -> None:
    """The middle one is held until both want it: one has what comes before it, the other what comes after."""
    forth, back = ([arrival(n) for n in numbers] for numbers in (range(9), reversed(range(9))))
    middle = forth[4].messages[0][list(receiving.PUSHED_MESSAGE).index("digest")]
    await receiving.store([arrival(99)])
    row = await database.fetch_one("SELECT * FROM inbox_message")
    assert row is not None
    copied = {name: name for name in row} | {"id": "id + 1", "digest": f"decode('{middle.hex()}', 'hex')"}

    answers = await meet(
        db,
        f"INSERT INTO inbox_message ({', '.join(copied)}) SELECT {', '.join(copied.values())} FROM inbox_message",
        lambda: receiving.store(forth),
        lambda: receiving.store(back),
    )

    assert kinds(answers) == ["list", "list"]
    assert await database.fetch_one("SELECT count(*) AS n FROM inbox_message") == {"n": 10}


async def test_a_fact_of_our_own_told_at_two_places_is_one_message(world: World) -> None:
    fact = Event(type=EventType.ORDER_PAID, shop_ref="s", order_ref="o", status_at=clock.to_ms(clock.now()))

    await asyncio.gather(*(world.tell(fact) for _ in range(2)))

    assert await database.fetch_one("SELECT count(*) AS n FROM inbox_message") == {"n": 1}


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_what_a_batch_brought_is_counted_without_reading_what_was_there(db: Settings) -> None:
    asked = receiving._SQLITE_NEW.format(ids="7, 8, 9")

    plan = " ".join(str(row) for row in await database.fetch(f"EXPLAIN QUERY PLAN {asked}"))

    assert "SEARCH inbox_message USING" in plan
    assert "inbox_message_of_delivery" in plan


def test_a_header_of_no_text_is_kept_as_far_as_it_can_be_read() -> None:
    assert layout.kept_headers({"x-proxy": "a\udcffb", "cookie": "c"}) == '{"x-proxy":"a?b"}'
