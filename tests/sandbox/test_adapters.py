"""livehub's adapters read what the sandbox writes: two codes, one truth."""

from __future__ import annotations

import pytest

from livehub.kit import clock
from livehub.platforms.adapters import doudian, standard_webhooks
from livehub.platforms.contract import Credential, FetchKind, OrderStatus, RefundKind, RefundStatus
from tests.sandbox.shapes import (
    DAY,
    EGGS,
    MINUTE,
    MORNING,
    a_line,
    an_order,
    call,
    doudian_shop,
    doudian_success,
    erp_shop,
    erp_success,
    receiving,
)

PAID = MORNING + MINUTE
LINES = [
    a_line(
        quantity=2,
        merchant_disc_fen=1_000,
        platform_disc_fen=500,
        talent_disc_fen=300,
        pay_disc_fen=200,
        freight_fen=800,
    ),
    a_line(product_ref=EGGS["product_ref"], room_ref="", author_ref="", author_name=""),
]
REFUNDS = [
    {
        "line": 0,
        "cash_fen": 7_000,
        "freight_fen": 800,
        "quantity": 1,
        "applied_at_ms": PAID,
        "succeeded_at_ms": PAID + DAY,
    },
    {"line": 0, "kind": "return_refund", "applied_at_ms": PAID, "closed_at_ms": PAID + DAY},
    {"line": 1, "cash_fen": 80, "applied_at_ms": PAID + DAY},
    {"line": 1, "kind": "exchange", "applied_at_ms": PAID, "succeeded_at_ms": PAID + DAY},
]
LIFE = {"shipped_at_ms": PAID + MINUTE, "finished_at_ms": PAID + 2 * DAY, "refunds": REFUNDS, "lines": LINES}


async def truth(client, box):
    (order,) = (await call(client, box, "GET", "/control/books?orders=1"))["orders"]
    return order


def delivered(adapter, credential, receiver):
    for headers, body in receiver.received:
        now_ms = clock.to_ms(clock.now())
        plain = adapter.authenticate(
            credential=credential, headers=headers, query={}, raw=body, now_ms=now_ms
        )
        for native in adapter.split(plain, headers=headers):
            yield from adapter.normalise(native)


def components(lines):
    """What both sides must agree on, line by line."""
    names = (
        "line_ref",
        "product_ref",
        "title",
        "quantity",
        "list_fen",
        "merchant_disc_fen",
        "platform_disc_fen",
    )
    more = (
        "other_disc_fen",
        "voucher_subsidy_fen",
        "buyer_paid_fen",
        "freight_fen",
        "room_ref",
        "author_ref",
    )
    read = dict.get if isinstance(lines[0], dict) else getattr
    return [{name: read(line, name) for name in names + more} for line in lines]


async def test_doudian_pushes_lead_to_replies_that_tell_the_truth(box, client):
    adapter = doudian.ADAPTER
    async with receiving(doudian_success) as receiver:
        shop = doudian_shop(hook_url=receiver.url)
        credential = Credential(shop["app_key"], (shop["secret"],), shop["access_token"])
        await call(client, box, "POST", "/control/shops", shop)
        await call(client, box, "POST", "/control/orders", {"orders": [an_order(**LIFE)]})
        await call(client, box, "POST", "/control/push", {"shuffle": True})

        events = list(delivered(adapter, credential, receiver))
        fetches = {fetch for event in events for fetch in adapter.fetches(event)}
        replies = {}
        for fetch in fetches:
            wanted = adapter.call(fetch, credential=credential, now_ms=clock.to_ms(clock.now()))
            async with client.request(
                wanted.method,
                f"{box.base_url}/doudian{wanted.path}",
                params=wanted.query,
                headers=wanted.headers,
                data=wanted.body,
            ) as answer:
                replies[fetch] = adapter.read_reply(fetch, await answer.read())

    told = await truth(client, box)
    (order,) = [event.order for fetch, event in replies.items() if fetch.kind is FetchKind.ORDER]
    assert len(events) == 4 + 4 + 3
    assert components(order.lines) == components(told["lines"])
    assert (order.status, order.created_at, order.paid_at, order.finished_at, order.buyer_id) == (
        OrderStatus.FINISHED,
        told["created_at_ms"],
        told["paid_at_ms"],
        told["finished_at_ms"],
        told["buyer_id"],
    )
    refunds = {
        event.refunds[0].refund_ref: event.refunds[0]
        for fetch, event in replies.items()
        if fetch.kind is FetchKind.REFUND
    }
    by_truth = [refunds[refund["refund_ref"]] for refund in told["refunds"]]
    assert [
        (r.kind, r.status, r.refunded_fen, r.freight_fen, r.quantity, r.succeeded_at) for r in by_truth
    ] == [
        (RefundKind.REFUND_ONLY, RefundStatus.SUCCEEDED, 7_000, 800, 1, PAID + DAY),
        (RefundKind.RETURN_REFUND, RefundStatus.FAILED, None, 0, 1, None),
        (RefundKind.REFUND_ONLY, RefundStatus.CREATED, None, 0, 0, None),
        (RefundKind.EXCHANGE, RefundStatus.CLOSED, None, 0, 1, None),
    ]
    assert [r.line_ref for r in by_truth] == [refund["line_ref"] for refund in told["refunds"]]
    assert max(event.status_at for event in events) <= max(event.covers_until for event in replies.values())


@pytest.mark.parametrize("trade_type", [10, 11, 12])
async def test_what_is_no_sale_here_is_none_there(box, client, trade_type):
    adapter = doudian.ADAPTER
    credential = Credential("7000000000000000001", ("11111111-2222-3333-4444-555555555555",), "token-1")
    await call(client, box, "POST", "/control/shops", doudian_shop())
    made = await call(client, box, "POST", "/control/orders", {"orders": [an_order(trade_type=trade_type)]})
    ref = made["orders"][0]["order_ref"]
    fetch = doudian.Fetch(FetchKind.ORDER, "900001", ref, ref)

    wanted = adapter.call(fetch, credential=credential, now_ms=clock.to_ms(clock.now()))
    url = f"{box.base_url}/doudian{wanted.path}"
    async with client.post(url, params=wanted.query, data=wanted.body) as answer:
        event = adapter.read_reply(fetch, await answer.read())

    assert event.order.excluded


async def test_erp_deliveries_carry_the_truth_as_it_stood(box, client):
    adapter = standard_webhooks.ADAPTER
    async with receiving(erp_success) as receiver:
        shop = erp_shop(hook_url=receiver.url)
        await call(client, box, "POST", "/control/shops", shop)
        order = an_order(
            shop="erp-1", voucher_code="V-1", voucher_subsidy_fen=2_000, broadcast_ref="b", **LIFE
        )
        await call(client, box, "POST", "/control/orders", {"orders": [order]})
        await call(client, box, "POST", "/control/push", {"concurrency": 1})

        events = list(delivered(adapter, Credential("", (shop["secret"],)), receiver))

    told = await truth(client, box)
    last = max(events, key=lambda event: event.status_at)
    assert len(events) == 4 + 4 + 3
    assert [components(event.order.lines) for event in events] == [components(told["lines"])] * len(events)
    assert last.order.status is OrderStatus.FINISHED
    assert (last.order.voucher_code, last.order.broadcast_ref) == ("V-1", "b")
    assert [(r.refund_ref, r.status, r.refunded_fen) for r in last.refunds] == [
        (told["refunds"][0]["refund_ref"], RefundStatus.SUCCEEDED, 7_000),
        (told["refunds"][1]["refund_ref"], RefundStatus.CLOSED, None),
        (told["refunds"][2]["refund_ref"], RefundStatus.CREATED, None),
        (told["refunds"][3]["refund_ref"], RefundStatus.SUCCEEDED, 0),
    ]
