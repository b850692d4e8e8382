"""The imitated platforms sign and speak by their own code; the adapters must read the same truth."""

import random

import pytest

from livehub.platforms import registry, replies
from livehub.platforms.contract import Credential, Fetch, FetchKind, HttpCall, RefundKind
from livehub.sandbox import catalogue, doudian, erp, kuaishou, making, wechat_store
from livehub.sandbox.orders import Numbers, Order
from livehub.sandbox.spec import LineSpec, OrderSpec, RefundSpec, ShopSpec
from tests.platforms.doors import NOW_MS, WECHAT_SECRET, compact

PAID = 1_760_000_010_000
WHSEC = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
SECRETS = {
    "doudian": "a-secret",
    "kuaishou": "a-sign-secret:MDEyMzQ1Njc4OWFiY2RlZg==",
    "standard_webhooks": WHSEC,
    "wechat_store": WECHAT_SECRET,
}


def shop(platform: str) -> ShopSpec:
    return ShopSpec(
        platform=platform,
        shop_ref="900001",
        hook_url="http://127.0.0.1:1/",
        secret=SECRETS[platform],
        app_key="7000000000000000001",
        access_token="a-token",
        products=catalogue.products(platform),
        room_ref="7400000000000000001",
    )


def an_order(platform: str, *, seed: int) -> Order:
    rng = random.Random(seed)
    where = shop(platform)
    names = [product.product_ref for product in where.products]
    rng.shuffle(names)
    lines = [
        LineSpec(
            product_ref=names.pop(),
            quantity=rng.randint(1, 3),
            price_fen=rng.randint(900, 30_000),
            merchant_disc_fen=rng.randint(0, 300),
            platform_disc_fen=rng.randint(0, 200),
            talent_disc_fen=rng.randint(0, 100),
            pay_disc_fen=rng.randint(0, 50),
            freight_fen=rng.choice((0, 600)),
        )
        for _ in range(1 if platform == "kuaishou" else rng.randint(1, 4))
    ]
    refunds = [
        RefundSpec(
            line=0,
            kind=kind,
            cash_fen=cash,
            freight_fen=0 if platform in ("kuaishou", "wechat_store") else freight,
            applied_at_ms=PAID + 5000,
            succeeded_at_ms=at,
        )
        for kind, cash, freight, at in (
            ("return_refund", 333, 100, PAID + 9000),
            ("refund_only", 50, 0, None),
            ("exchange", None, 0, PAID + 9000),
        )
    ]
    spec = OrderSpec(
        shop="900001",
        lines=lines,
        refunds=refunds,
        created_at_ms=PAID - 9000,
        paid_at_ms=PAID,
        shipped_at_ms=PAID + 1000,
    )
    return making.order(spec, shop=where, numbers=Numbers(now_ms=NOW_MS), rng=rng, now_ms=NOW_MS)


FIELDS = (
    "line_ref",
    "product_ref",
    "quantity",
    "list_fen",
    "merchant_disc_fen",
    "platform_disc_fen",
    "other_disc_fen",
    "voucher_subsidy_fen",
    "buyer_paid_fen",
    "freight_fen",
    "room_ref",
)


def as_rows(lines) -> list[list]:
    return [[getattr(line, name) for name in FIELDS] for line in lines]


def money_back(refunds) -> dict[str, tuple]:
    return {
        each.refund_ref: (each.line_ref, each.refunded_fen, each.freight_fen, each.succeeded_at)
        for each in refunds
        if each.refunded_fen is not None and each.kind is not RefundKind.EXCHANGE
    }


def expected_money_back(order: Order) -> dict[str, tuple]:
    return {
        each.refund_ref: (each.line.line_ref, each.cash_fen, each.freight_fen, each.succeeded_at)
        for each in order.refunds
        if each.succeeded_at is not None and each.moves_money
    }


@pytest.mark.parametrize("seed", range(8))
def test_doudian_is_fetched_to_the_fen(seed):
    order, where, adapter = an_order("doudian", seed=seed), shop("doudian"), registry.get("doudian")
    credential = Credential(where.app_key, (where.secret,), where.access_token)
    body = doudian.envelope([message.body for message in doudian.messages(order)])
    headers = doudian.headers(body, app_key=where.app_key, app_secret=where.secret)

    plain = adapter.authenticate(credential=credential, headers=headers, query={}, raw=body, now_ms=NOW_MS)
    thin = [event for native in adapter.split(plain, headers=headers) for event in adapter.normalise(native)]
    asked = {fetch for event in thin for fetch in adapter.fetches(event)}
    told = {
        fetch: adapter.read_reply(fetch, _answer(order, fetch, adapter, credential, where)) for fetch in asked
    }

    (order_fetch,) = [fetch for fetch in asked if fetch.kind is FetchKind.ORDER]
    assert as_rows(told[order_fetch].order.lines) == as_rows(order.lines)
    assert told[order_fetch].order.buyer_id == order.buyer_id
    refunds = [refund for fetch in asked - {order_fetch} for refund in told[fetch].refunds]
    assert len(refunds) == len(order.refunds)
    assert money_back(refunds) == expected_money_back(order)


def _answer(order: Order, fetch: Fetch, adapter, credential: Credential, where: ShopSpec) -> bytes:
    """What the imitated API says to the adapter's own signed call."""
    call = adapter.call(fetch, credential=credential, now_ms=NOW_MS)
    wanted = doudian.check_call(call.path, call.query, call.body, app_secret=where.secret, now_ms=NOW_MS)
    if fetch.kind is FetchKind.ORDER:
        assert wanted == {"shop_order_id": order.order_ref}
        data = doudian.order_detail(order)
    else:
        (refund,) = [each for each in order.refunds if wanted == {"after_sale_id": each.refund_ref}]
        data = doudian.after_sale_detail(order, refund)
    return compact({"code": 10000, "msg": "success", "sub_code": "", "sub_msg": "", "data": data})


@pytest.mark.parametrize("seed", range(8))
def test_kuaishou_is_fetched_to_the_fen(seed):
    order, where, adapter = an_order("kuaishou", seed=seed), shop("kuaishou"), registry.get("kuaishou")
    credential = Credential(where.app_key, (where.secret,), where.access_token)
    thin = []
    for message in kuaishou.messages(order):
        body = kuaishou.body(message.body, app_key=where.app_key, secret=where.secret)
        plain = adapter.authenticate(credential=credential, headers={}, query={}, raw=body, now_ms=NOW_MS)
        (native,) = adapter.split(plain, headers={})
        assert native.native_id == message.message_id
        thin += adapter.normalise(native)

    told = {}
    for fetch in {fetch for event in thin for fetch in adapter.fetches(event)}:
        call = adapter.call(fetch, credential=credential, now_ms=NOW_MS)
        raw = replies.joined([_told(order, each, where) for each in (call, *call.also)])
        told[fetch] = adapter.read_reply(fetch, raw)

    assert len(thin) == len(list(kuaishou.messages(order)))
    (order_fetch,) = [fetch for fetch in told if fetch.kind is FetchKind.ORDER]
    whole = told[order_fetch].order
    assert as_rows(whole.lines) == as_rows(order.lines)
    assert (whole.buyer_id, whole.paid_at, whole.updated_at) == (
        order.buyer_id,
        order.paid_at,
        order.updated_at,
    )
    refunds = [refund for fetch, event in told.items() for refund in event.refunds]
    assert len(refunds) == len(order.refunds)
    assert money_back(refunds) == expected_money_back(order)


def _told(order: Order, call: HttpCall, where: ShopSpec) -> bytes:
    """What the imitated API says to one of the adapter's own signed calls."""
    wanted = kuaishou.check_call(call.path, call.query, secret=where.secret, now_ms=NOW_MS)
    if "refundId" in wanted:
        (refund,) = [each for each in order.refunds if each.refund_ref == str(wanted["refundId"])]
        data = kuaishou.refund_detail(order, refund)
    else:
        assert wanted == {"oid": int(order.order_ref)}
        data = kuaishou.fee_detail(order) if "fee" in call.path else kuaishou.order_detail(order)
    return compact({"result": 1, "data": data})


@pytest.mark.parametrize("seed", range(8))
def test_an_erp_tells_everything_in_its_last_delivery(seed):
    order, where, adapter = (
        an_order("standard_webhooks", seed=seed),
        shop("standard_webhooks"),
        registry.get("standard_webhooks"),
    )
    credential = Credential("", (where.secret,))
    read = []
    for message in sorted(erp.messages(order), key=lambda each: each.at):
        headers = erp.headers(message.body, message_id=message.message_id, secret=where.secret, now_ms=NOW_MS)
        plain = adapter.authenticate(
            credential=credential, headers=headers, query={}, raw=message.body, now_ms=NOW_MS
        )
        read += [
            event for native in adapter.split(plain, headers=headers) for event in adapter.normalise(native)
        ]

    assert len(read) == len(list(erp.messages(order)))
    assert as_rows(read[-1].order.lines) == as_rows(order.lines)
    assert money_back(read[-1].refunds) == expected_money_back(order)


@pytest.mark.parametrize("seed", range(8))
def test_wechat_store_is_fetched_to_the_fen(seed):
    order, where = an_order("wechat_store", seed=seed), shop("wechat_store")
    adapter = registry.get("wechat_store")
    credential = Credential(where.app_key, (where.secret,), where.access_token)
    thin, keys = [], []
    for message in [*wechat_store.messages(order), *wechat_store.messages(order)]:
        query, body, headers = wechat_store.delivery(message.body, shop=where, now_ms=NOW_MS)
        plain = adapter.authenticate(
            credential=credential, headers=headers, query=query, raw=body, now_ms=NOW_MS
        )
        (native,) = adapter.split(plain, headers=headers)
        keys.append(native.native_id)
        thin += adapter.normalise(native)
    told = {
        fetch: adapter.read_reply(fetch, _wechat_answer(order, fetch, adapter, credential))
        for fetch in {fetch for event in thin for fetch in adapter.fetches(event)}
    }

    assert len(set(keys)) * 2 == len(keys)
    (lines,) = [event.order.lines for event in told.values() if event.order is not None]
    freight = FIELDS.index("freight_fen")
    assert [each[:freight] for each in as_rows(lines)] == [each[:freight] for each in as_rows(order.lines)]
    assert {line.room_ref for line in lines} == {"7400000000000000001"}
    assert sum(line.freight_fen for line in lines) == sum(line.freight_fen for line in order.lines)
    refunds = [refund for event in told.values() for refund in event.refunds]
    assert len(refunds) == len(order.refunds)
    assert money_back(refunds) == expected_money_back(order)


def _wechat_answer(order: Order, fetch: Fetch, adapter, credential: Credential) -> bytes:
    call = adapter.call(fetch, credential=credential, now_ms=NOW_MS)
    assert call.query == {"access_token": "a-token"}
    if fetch.kind is FetchKind.ORDER:
        assert call.body == compact({"order_id": order.order_ref})
        return compact({"errcode": 0, "errmsg": "ok", "order": wechat_store.order_get(order)})
    (refund,) = [
        each for each in order.refunds if call.body == compact({"after_sale_order_id": each.refund_ref})
    ]
    return compact({"errcode": 0, "after_sale_order": wechat_store.after_sale_get(order, refund)})
