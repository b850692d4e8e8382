"""The same messages in any order, with duplicates and in any batches, end in the same books."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import msgspec

from livehub import database
from livehub.inbox import receiving
from livehub.inbox.layout import Origin
from livehub.kit import clock
from livehub.orders import intake
from livehub.orders.contribution import MEASURES
from livehub.orders.invariants import buckets, contributions, folds
from livehub.platforms import registry
from tests.factories.orders import World

ORDERS = 200
T0 = datetime(2026, 3, 6, 12, tzinfo=clock.SHANGHAI)


def deliveries(seed: int) -> list[tuple[str, bytes]]:
    """1,000 full orders of the generic inbound in five states each: (webhook id, body)."""
    chance = random.Random(seed)
    found = []
    for n in range(ORDERS):
        paid = chance.randrange(1000, 30_000)
        subsidy = chance.choice([0, 0, 2000])
        found += [(f"m-{n}-{step}", body(n, step, paid=paid, subsidy=subsidy)) for step in range(5)]
    return found


def body(n: int, step: int, *, paid: int, subsidy: int) -> bytes:
    at = T0.timestamp() + n * 60 + step * 3600 * 9
    moment = datetime.fromtimestamp(at, clock.SHANGHAI).isoformat()
    start = datetime.fromtimestamp(T0.timestamp() + n * 60, clock.SHANGHAI).isoformat()
    line = {
        "line_ref": f"{n}-1", "product_ref": f"p{n % 7}", "quantity": 1 + n % 3, "list_fen": paid + subsidy,
        "voucher_subsidy_fen": subsidy, "buyer_paid_fen": paid, "title": "海鸭蛋",
    }  # fmt: skip
    refunds = []
    if step >= 3 and n % 4 == 0:
        cash = paid // 3 if step == 3 else paid
        refunds = [{
            "refund_ref": f"r{n}-{part}", "line_ref": f"{n}-1", "kind": "refund_only", "status": "succeeded",
            "refunded_fen": money, "applied_at": start, "succeeded_at": moment, "updated_at": moment,
        } for part, money in enumerate([cash] if step == 3 else [paid // 3, paid - paid // 3])]  # fmt: skip
    data: dict[str, Any] = {
        "shop_ref": "s", "order_ref": f"o{n}", "status": ["created", "paid", "shipped", "shipped", "finished"][step],
        "currency": "CNY", "created_at": start, "updated_at": moment, "lines": [line], "refunds": refunds,
    }  # fmt: skip
    if step >= 1:
        data["paid_at"] = start
    return msgspec.json.encode({"type": "order.updated", "timestamp": moment, "data": data})


async def receive(world: World, chosen: list[tuple[str, bytes]]) -> None:
    adapter = registry.get("standard_webhooks")
    origin = Origin(1, world.centre.id, "standard_webhooks")
    arrivals = [
        receiving.read_push(
            adapter, origin=origin, raw=raw, plaintext=raw, headers={"webhook-id": name}, now=clock.now()
        )
        for name, raw in chosen
    ]
    await receiving.store(arrivals)


async def books() -> dict[str, Any]:
    """Everything that must not depend on the order of arrival."""
    orders = await database.fetch("SELECT order_ref, state, contribution FROM sales_order ORDER BY order_ref")
    keys = "day, broadcast_id, shop_id, streamer_id, product_id, attribution"
    values = await database.fetch(f"SELECT {keys}, {', '.join(MEASURES)} FROM rollup_bucket ORDER BY {keys}")
    return {"orders": orders, "buckets": [row for row in values if any(row[m] for m in MEASURES)]}


async def clear() -> None:
    """Take back everything but the centre, so that another order can be tried on the same database."""
    if database.dialect() == "sqlite":
        for verb in ("update", "delete"):
            await database.execute(f"DROP TRIGGER IF EXISTS contribution_entry_append_only_{verb}")
    else:
        await database.execute("DROP TRIGGER IF EXISTS contribution_entry_append_only ON contribution_entry")
    for table in ("inbox_message", "inbox_delivery", "sales_order", "order_line", "contribution_entry",
                  "rollup_bucket", "rollup_minute", "fetch_job", "outbox_message"):  # fmt: skip
        await database.execute(f"DELETE FROM {table}")


async def test_a_thousand_messages_in_twenty_orders(world: World) -> None:
    messages = deliveries(seed=7)
    assert len(messages) == 1000
    expected: dict[str, Any] | None = None
    for round_ in range(20):
        chance = random.Random(round_)
        shuffled = messages + chance.choices(messages, k=150)
        chance.shuffle(shuffled)
        while shuffled:
            size = chance.choice([1, 20, 200, 900])
            await receive(world, shuffled[:size])
            del shuffled[:size]
            await intake.run_once(now=clock.now(), lease_seconds=30, limit=chance.choice([7, 100, 500]))
        while await intake.run_once(now=clock.now(), lease_seconds=30):
            pass

        found = await books()
        expected = expected or found
        assert found == expected
        assert (await database.fetch("SELECT status, count(*) AS n FROM inbox_message WHERE status NOT IN"
                                     " ('applied', 'stale') GROUP BY status")) == []  # fmt: skip
        await clear() if round_ < 19 else None

    assert await buckets.check() == []
    assert await contributions.check() == []
    assert await folds.check() == []
    assert expected is not None
    assert len(expected["orders"]) == ORDERS
    paid_out = sum(row["refund_done"] for row in expected["buckets"])
    assert paid_out == sum(row["refund_sale"] for row in expected["buckets"]) > 0
