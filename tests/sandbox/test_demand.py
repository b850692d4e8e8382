"""The drawn demand: repeatable, within the figures it is meant to imitate, and accepted by the sandbox."""

from __future__ import annotations

from random import Random
from statistics import mean, median

import msgspec

from livehub.sandbox import books, catalogue, demand, making
from livehub.sandbox.orders import Numbers
from livehub.sandbox.spec import ShopSpec
from tests.sandbox.shapes import DAY, MORNING, doudian_shop

HOUR = 3_600_000


def plan(**changes):
    asked = {
        "shop": "900001",
        "products": catalogue.products("doudian"),
        "starts_at_ms": MORNING,
        "ends_at_ms": MORNING + 3 * HOUR,
        "until_ms": MORNING + 60 * DAY,
        "orders": 3_000,
        "seed": 11,
        "room_ref": "75",
    }
    return demand.plan_broadcast_orders(**asked | changes)


def made(specs):
    shop = msgspec.convert(doudian_shop(), ShopSpec)
    shop.products = catalogue.products("doudian")
    numbers = Numbers(now_ms=MORNING)
    return [making.order(x, shop=shop, numbers=numbers, rng=Random(1), now_ms=MORNING) for x in specs]


def test_the_same_seed_plans_the_same_orders_and_another_seed_others():
    assert plan(orders=50) == plan(orders=50)
    assert plan(orders=50) != plan(orders=50, seed=12)


def test_every_planned_order_can_be_made_and_the_ledger_is_credible():
    orders = made(plan())

    totals = books.books(orders)["totals"]
    assert 0.92 * 3_000 < totals["orders"] < 0.96 * 3_000
    assert 8_000 < totals["g2_fen"] / totals["orders"] < 13_500  # about 100 yuan an order
    assert 0.08 < totals["refund_g2_fen"] / totals["g2_fen"] < 0.22
    for line in (line for order in orders for line in order.lines):
        parts = line.merchant_disc_fen + line.platform_disc_fen + line.other_disc_fen + line.buyer_paid_fen
        assert line.list_fen == parts + line.voucher_subsidy_fen


def test_most_is_sold_during_the_show_and_a_tenth_after_it():
    specs = plan()

    after = sum(spec.created_at_ms > MORNING + 3 * HOUR for spec in specs)
    assert 0.08 < after / len(specs) < 0.15
    assert min(spec.created_at_ms for spec in specs) >= MORNING


def test_nothing_is_planned_beyond_the_present():
    now = MORNING + DAY

    for order in made(plan(until_ms=now)):
        ended = [r.succeeded_at or r.closed_at or r.applied_at for r in order.refunds]
        assert max([order.updated_at, *ended]) <= now


def test_broadcasts_are_as_uneven_as_real_ones():
    rng = Random(4)

    sizes = [demand.orders_of_broadcast(rng) for _ in range(4_000)]

    assert 285 < median(sizes) < 345
    assert 720 < mean(sizes) < 980
    assert demand.orders_of_broadcast(rng, scale=0.0001) == 1


def test_only_the_litchi_claims_a_geographical_indication():
    assert [item.title for item in catalogue.ITEMS if item.gi] == ["香山鸡嘴荔枝 3斤"]
    assert len({item.number for item in catalogue.ITEMS}) == len(catalogue.ITEMS)
