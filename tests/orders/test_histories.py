"""Histories that platforms really send: every order of their messages ends in the same books.

Each permutation is the history of an order of its own, so that all of them meet in one database. Before
comparing, what names the order is taken out.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from livehub import database
from livehub.inbox import receiving
from livehub.inbox.layout import Origin
from livehub.inbox.receiving import Arrival
from livehub.kit import clock
from livehub.orders import intake
from livehub.orders.contribution import MEASURES
from livehub.orders.invariants import buckets, contributions, folds
from livehub.orders.models import SalesOrder
from livehub.platforms import registry
from tests.factories.orders import World

T0 = datetime(2026, 3, 6, 12, tzinfo=clock.SHANGHAI)
PAID, LATER = T0 + timedelta(minutes=1), T0 + timedelta(days=2)
REFUND = {"refund_ref": "r1", "line_ref": "1", "kind": "refund_only"}


def told(status: str, at: datetime, *, fen: int = 5000, refunds: Iterable[Mapping[str, Any]] = (), **more: Any) -> dict[str, Any]:  # fmt: skip
    """The whole order as a platform sees it at an instant."""
    paid = (
        {}
        if status == "created" or (status == "cancelled" and not refunds)
        else {"paid_at": PAID.isoformat()}
    )
    line = {"line_ref": "1", "quantity": 1, "list_fen": fen, "buyer_paid_fen": fen}
    return {
        "status": status, "currency": "CNY", "created_at": T0.isoformat(), "updated_at": at.isoformat(),
        "lines": [line], "refunds": list(refunds), **paid, **more,
    }  # fmt: skip


def back(ref: str, fen: int, at: datetime, *, status: str = "succeeded") -> dict[str, Any]:
    known = {"refunded_fen": fen, "succeeded_at": at.isoformat()} if status in {"succeeded", "failed"} else {}
    return REFUND | {"refund_ref": ref, "status": status, "applied_fen": fen,
                     "applied_at": T0.isoformat(), "updated_at": at.isoformat()} | known  # fmt: skip


HOUR = timedelta(hours=1)
HISTORIES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "a refund before the payment is known": (
        [told("created", T0), told("paid", PAID), told("paid", LATER, refunds=[back("r1", 2000, LATER)])],
        {"status": "partially_refunded", "g2_fen": 5000, "refund_fen": 2000, "over_refund": False},
    ),
    "a price that changes twice before it is paid": (
        [told("created", T0, fen=6000), told("created", T0 + timedelta(seconds=9), fen=5500), told("paid", PAID)],
        {"status": "paid", "g2_fen": 5000, "refund_fen": 0, "over_refund": False},
    ),
    "partial refunds that add up to more than was paid": (
        [
            told("paid", PAID),
            told("paid", LATER, refunds=[back("r1", 3000, LATER)]),
            told("paid", LATER + HOUR, refunds=[back("r1", 3000, LATER), back("r2", 3000, LATER + HOUR)]),
        ],
        {"status": "fully_refunded", "g2_fen": 5000, "refund_fen": 6000, "over_refund": True},
    ),
    "a refund that is asked for, agreed, paid back and fails after all": (
        [told("paid", LATER + n * HOUR, refunds=[back("r1", 5000, LATER + n * HOUR, status=status)])
         for n, status in enumerate(("created", "agreed", "succeeded", "failed"))],
        {"status": "paid", "g2_fen": 5000, "refund_fen": 0, "over_refund": False},
    ),
    "closed because everything went back": (
        [
            told("created", T0), told("paid", PAID), told("shipped", PAID + HOUR),
            told("cancelled", LATER, refunds=[back("r1", 5000, LATER)]),
        ],
        {"status": "fully_refunded", "g2_fen": 5000, "refund_fen": 5000, "over_refund": False},
    ),
    "closed without ever being paid": (
        [told("created", T0), told("created", T0 + HOUR, fen=4000), told("cancelled", T0 + 2 * HOUR)],
        {"status": "closed", "g2_fen": 0, "refund_fen": 0, "over_refund": False},
    ),
    "a whole life": (
        [
            told("created", T0), told("paid", PAID), told("partially_shipped", PAID + HOUR),
            told("shipped", PAID + 2 * HOUR), told("finished", LATER),
        ],
        {"status": "finished", "g2_fen": 5000, "refund_fen": 0, "over_refund": False},
    ),
}  # fmt: skip


def arrival(world: World, order: str, number: int, data: Mapping[str, Any], *, now: datetime | None = None) -> Arrival:  # fmt: skip
    """One delivery of one order; the same number of the same order is the same delivery again."""
    body = {
        "type": "order.updated",
        "timestamp": data["updated_at"],
        "data": {"shop_ref": "s", "order_ref": order, **data},
    }
    raw = msgspec.json.encode(body)
    return receiving.read_push(
        registry.get("standard_webhooks"), origin=Origin(1, world.centre.id, "standard_webhooks"), raw=raw,
        plaintext=raw, headers={"webhook-id": f"{order}/{number}"}, now=now or clock.now(),
    )  # fmt: skip


async def receive(arrivals: list[Arrival]) -> None:
    await receiving.store(arrivals)


async def work(*, limit: int = 500, now: datetime | None = None) -> None:
    while await intake.run_once(now=now or clock.now(), lease_seconds=30, limit=limit):
        pass


async def sound() -> None:
    assert await buckets.check() == await contributions.check() == await folds.check() == []


async def outcome(order: str) -> dict[str, Any]:
    found = await SalesOrder.get(order_ref=order)
    return {name: getattr(found, name) for name in ("status", "g2_fen", "refund_fen", "over_refund")}


def mixed(numbers: Iterable[int], chance: random.Random) -> Iterator[list[int]]:
    """The numbers in their order, each again up to five times later on, cut into batches anywhere."""
    sequence = list(numbers)
    for number in list(sequence):
        for _ in range(chance.choice((0, 0, 1, 5))):
            sequence.insert(chance.randrange(sequence.index(number) + 1, len(sequence) + 1), number)
    while sequence:
        size = chance.randrange(1, len(sequence) + 1)
        yield sequence[:size]
        del sequence[:size]


@pytest.mark.parametrize("name", HISTORIES)
async def test_every_order_of_its_messages_ends_alike(world: World, name: str) -> None:
    messages, expected = HISTORIES[name]
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    every = {f"o{n}": list(mixed(sequence, chance)) for n, sequence in enumerate(permutations(range(len(messages))))}  # fmt: skip
    rounds = max(len(batches) for batches in every.values())
    for at in range(rounds):
        await receive([
            arrival(world, order, number, messages[number])
            for order, batches in every.items() for number in (batches[at] if at < len(batches) else ())
        ])  # fmt: skip
        await work(limit=chance.choice([7, 50, 500]))

    found = [await outcome(order) for order in every]
    assert found == [expected] * len(every)
    await sound()
    rows = await database.fetch("SELECT contribution FROM sales_order")
    assert len({row["contribution"] for row in rows}) == 1


@pytest.mark.parametrize("days", [1, 40, 200])
async def test_what_comes_late_is_booked_on_its_own_day(world: World, days: int) -> None:
    late = T0 + timedelta(days=days)
    await receive([arrival(world, "o", 1, told("paid", PAID), now=late)])
    await work(now=late)
    await receive([arrival(world, "o", 2, told("paid", LATER, refunds=[back("r1", 2000, LATER)]), now=late)])
    await work(now=late)

    keep = [name for name in MEASURES if name in {"buyer_paid", "refund_done", "refund_sale", "refund_cash"}]
    rows = await database.fetch(
        f"SELECT day, {', '.join(keep)} FROM rollup_bucket WHERE buyer_paid <> 0 OR refund_done <> 0 ORDER BY day"
    )
    assert [row["day"] for row in rows] == [20260306, 20260308]
    assert (rows[0]["buyer_paid"], rows[1]["refund_done"]) == (5000, 2000)
    entries = await database.fetch("SELECT min(applied_at) AS first FROM contribution_entry")
    assert entries == [{"first": clock.to_ms(late)}]  # what was known at any instant before stays as it was
    await sound()
