"""The sandbox's books on cases computed by hand."""

from __future__ import annotations

import pytest

from tests.sandbox.shapes import (
    DAY,
    EGGS,
    MINUTE,
    MORNING,
    SARDINE,
    a_line,
    an_order,
    call,
    doudian_shop,
    erp_shop,
)

NONE = {
    "orders": 0,
    "units": 0,
    "g1_fen": 0,
    "g2_fen": 0,
    "voucher_subsidy_fen": 0,
    "refund_cash_fen": 0,
    "refund_g2_fen": 0,
    "g3_fen": 0,
}
PAID = MORNING + MINUTE


async def books_of(client, box, *orders, shop=None):
    await call(client, box, "POST", "/control/shops", shop or doudian_shop())
    await call(client, box, "POST", "/control/orders", {"orders": list(orders)})
    return await call(client, box, "GET", "/control/books")


async def test_an_order_with_every_discount(box, client):
    line = a_line(
        quantity=2,
        merchant_disc_fen=1_000,
        platform_disc_fen=500,
        talent_disc_fen=300,
        pay_disc_fen=200,
        freight_fen=800,
    )

    books = await books_of(client, box, an_order(lines=[line]))

    # list 20,000 = merchant 1,000 + platform 500 + other (300 + 200) + buyer 18,000; freight apart
    sold = NONE | {"orders": 1, "units": 2, "g1_fen": 18_000, "g2_fen": 19_000, "g3_fen": 19_000}
    assert books["totals"] == sold
    assert books["by_shop"] == {"900001": sold}
    assert books["by_day"] == {"2026-01-05": sold}
    assert books["by_shop_day"] == {"900001|2026-01-05": sold}
    assert books["by_product"] == {f"900001|{SARDINE['product_ref']}": sold}
    assert books["by_room"] == {"7500000000000000001": sold}


async def test_partial_refunds_are_booked_by_difference_on_the_day_of_their_success(box, client):
    line = a_line(price_fen=10_001, platform_disc_fen=1_001, merchant_disc_fen=0)  # G2 10,001, buyer 9,000
    refunds = [
        {"line": 0, "cash_fen": 1_000, "applied_at_ms": PAID, "succeeded_at_ms": PAID + DAY},
        {"line": 0, "cash_fen": 2_000, "applied_at_ms": PAID, "succeeded_at_ms": PAID + 2 * DAY},
        {"line": 0, "applied_at_ms": PAID + DAY, "succeeded_at_ms": PAID + 3 * DAY},
    ]

    books = await books_of(client, box, an_order(lines=[line], refunds=refunds))

    # floor(10,001 x 1,000 / 9,000) = 1,111; floor(10,001 x 3,000 / 9,000) = 3,333; all of it = 10,001
    by_day = {day: (found["g2_fen"], found["refund_g2_fen"]) for day, found in books["by_day"].items()}
    assert by_day == {
        "2026-01-05": (10_001, 0),
        "2026-01-06": (0, 1_111),
        "2026-01-07": (0, 2_222),
        "2026-01-08": (0, 6_668),
    }
    assert books["totals"]["refund_cash_fen"] == 9_000
    assert books["totals"]["g3_fen"] == 0


async def test_a_line_the_buyer_paid_nothing_for_comes_back_by_quantity(box, client):
    line = a_line(quantity=3, price_fen=1_000, platform_disc_fen=3_000)
    refund = {"line": 0, "cash_fen": 0, "quantity": 1, "applied_at_ms": PAID, "succeeded_at_ms": PAID}

    books = await books_of(client, box, an_order(lines=[line], refunds=[refund]))

    assert (books["totals"]["g1_fen"], books["totals"]["g2_fen"], books["totals"]["refund_g2_fen"]) == (
        0,
        3_000,
        1_000,
    )


async def test_a_voucher_is_taken_out_of_what_the_buyers_lines_cost(box, client):
    lines = [a_line(price_fen=10_000), a_line(product_ref=EGGS["product_ref"], price_fen=5_000)]
    order = an_order(
        shop="erp-1", lines=lines, voucher_code="V-1", voucher_subsidy_fen=2_000, order_ref="E-1"
    )

    await books_of(client, box, order, shop=erp_shop())
    books = await call(client, box, "GET", "/control/books?orders=1")

    (listed,) = books["orders"]
    assert [(x["voucher_subsidy_fen"], x["buyer_paid_fen"]) for x in listed["lines"]] == [
        (1_333, 8_667),
        (667, 4_333),
    ]
    assert books["totals"] == NONE | {
        "orders": 1,
        "units": 2,
        "g1_fen": 13_000,
        "g2_fen": 15_000,
        "voucher_subsidy_fen": 2_000,
        "g3_fen": 15_000,
    }


async def test_what_is_no_sale_does_not_count(box, client):
    unpaid = an_order(paid_at_ms=None, cancelled_at_ms=PAID)
    sample = an_order(trade_type=10)
    open_refund = an_order(refunds=[{"line": 0, "applied_at_ms": PAID}])
    closed_refund = an_order(refunds=[{"line": 0, "applied_at_ms": PAID, "closed_at_ms": PAID}])
    exchange = an_order(
        refunds=[{"line": 0, "kind": "exchange", "applied_at_ms": PAID, "succeeded_at_ms": PAID}]
    )

    books = await books_of(client, box, unpaid, sample, open_refund, closed_refund, exchange)

    assert books["totals"] == NONE | {
        "orders": 3,
        "units": 3,
        "g1_fen": 30_000,
        "g2_fen": 30_000,
        "g3_fen": 30_000,
    }


async def test_days_are_those_of_shanghai(box, client):
    before_midnight = 1_767_628_799_000  # 2026-01-05 23:59:59 there

    books = await books_of(
        client,
        box,
        an_order(created_at_ms=before_midnight, paid_at_ms=before_midnight + 999),
        an_order(created_at_ms=before_midnight, paid_at_ms=before_midnight + 1_000),
    )

    assert {day: found["orders"] for day, found in books["by_day"].items()} == {
        "2026-01-05": 1,
        "2026-01-06": 1,
    }


async def test_an_order_in_two_rooms_is_one_order(box, client):
    lines = [
        a_line(room_ref="1"),
        a_line(product_ref=EGGS["product_ref"], room_ref="2"),
        a_line(room_ref="2"),
    ]

    books = await books_of(client, box, an_order(lines=lines))

    assert books["totals"]["orders"] == 1
    assert {room: found["orders"] for room, found in books["by_room"].items()} == {"1": 1, "2": 1}
    assert {room: found["units"] for room, found in books["by_room"].items()} == {"1": 1, "2": 2}


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (an_order(shop="nobody"), "unknown shop"),
        (an_order(lines=[a_line(product_ref="nothing")]), "unknown product"),
        (an_order(lines=[a_line(merchant_disc_fen=10_001)]), "exceed its price"),
        (an_order(paid_at_ms=MORNING - 1_000), "before"),
        (an_order(paid_at_ms=None, shipped_at_ms=PAID), "not paid"),
        (an_order(cancelled_at_ms=PAID), "refund it instead"),
        (an_order(voucher_code="V-1"), "ERP shops only"),
        (an_order(refunds=[{"line": 7, "applied_at_ms": PAID}]), "no line 7"),
        (an_order(order_ref="abc"), "digits"),
    ],
)
async def test_an_impossible_order_is_refused_and_nothing_kept(box, client, order, why):
    await call(client, box, "POST", "/control/shops", doudian_shop())

    answer = await call(client, box, "POST", "/control/orders", {"orders": [an_order(), order]}, expect=422)

    assert why in answer["error"]
    assert (await call(client, box, "GET", "/control/books"))["totals"] == NONE
    assert (await call(client, box, "GET", "/control/status"))["messages"] == 0


async def test_later_steps_move_the_books_and_are_told_once(box, client):
    await call(client, box, "POST", "/control/shops", doudian_shop())
    made = await call(client, box, "POST", "/control/orders", {"orders": [an_order()]})
    ref = made["orders"][0]["order_ref"]
    refund = {"line": 0, "cash_fen": 4_000, "applied_at_ms": PAID}

    asked = await call(
        client, box, "POST", "/control/steps", {"steps": [{"order_ref": ref, "refunds": [refund]}]}
    )
    (refund_ref,) = asked["orders"][0]["refund_refs"]
    step = {"order_ref": ref, "shipped_at_ms": PAID + DAY, "succeed": {refund_ref: PAID + DAY}}
    done = await call(client, box, "POST", "/control/steps", {"steps": [step]})
    again = await call(client, box, "POST", "/control/steps", {"steps": [step]}, expect=422)
    early = {"order_ref": ref, "finished_at_ms": PAID + MINUTE}
    refused = await call(client, box, "POST", "/control/steps", {"steps": [early]}, expect=422)

    assert [made["messages"], asked["messages"], done["messages"]] == [2, 1, 2]
    assert "already shipped" in again["error"]
    assert "is before" in refused["error"]  # the past that was told is not written anew
    books = await call(client, box, "GET", "/control/books")
    assert books["by_day"]["2026-01-06"]["refund_g2_fen"] == 4_000


@pytest.mark.parametrize(
    ("shop", "why"),
    [
        (doudian_shop(shop_ref="a-shop"), "numeric shop_ref"),
        (doudian_shop(access_token=""), "access_token"),
        (erp_shop(secret="whsec_not base64"), "base64"),
        (erp_shop(secret="c2VjcmV0"), "whsec_"),
    ],
)
async def test_a_shop_that_could_not_sign_is_refused(box, client, shop, why):
    assert why in (await call(client, box, "POST", "/control/shops", shop, expect=422))["error"]


@pytest.mark.parametrize("body", [{"orders": [{"shop": "1", "colour": "red"}]}, {"orders": 1}, [], "text"])
async def test_a_request_of_the_wrong_shape_is_refused(box, client, body):
    await call(client, box, "POST", "/control/orders", body, expect=400)
