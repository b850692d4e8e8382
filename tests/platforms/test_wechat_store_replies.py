"""微信小店 API replies: whole orders and after-sales to the fen, and what is refused."""

import copy

import msgspec
import pytest

from livehub.platforms.adapters.wechat_store import ADAPTER
from livehub.platforms.contract import (
    Event,
    Fetch,
    FetchKind,
    Malformed,
    RefundKind,
    RefundStatus,
    ReplyRefused,
)
from tests.platforms.doors import compact, sample

ORDER = Fetch(FetchKind.ORDER, "gh_0000000000aa", "3700000000000000001", "3700000000000000001")
REFUND = Fetch(FetchKind.REFUND, "gh_0000000000aa", "3700000000000000001", "2000000000000001")
DISCOUNTS = (
    "merchant_discounted_price",
    "finder_discounted_price",
    "cash_coupon_discounted_price",
    "national_subsidy_discounted_price",
)


def order_reply() -> dict:
    return copy.deepcopy(sample("wechat_store", "order_get_reply")["reply"])


def order_event(
    *, detail: dict | None = None, price: dict | None = None, without: tuple[str, ...] = (), **changes: object
) -> Event:
    reply = order_reply()
    reply["order"] |= changes
    reply["order"]["order_detail"] |= detail or {}
    reply["order"]["order_detail"]["price_info"] |= price or {}
    for product in reply["order"]["order_detail"]["product_infos"]:
        for name in without:
            product.pop(name, None)
    return ADAPTER.read_reply(ORDER, compact(reply))


def refund(**changes: object):
    reply = copy.deepcopy(sample("wechat_store", "after_sale_reply")["reply"])
    reply["after_sale_order"] |= changes
    (snapshot,) = ADAPTER.read_reply(REFUND, compact(reply)).refunds
    return snapshot


@pytest.mark.parametrize(("name", "fetch"), [("order_get_reply", ORDER), ("after_sale_reply", REFUND)])
def test_the_sample_reply_is_read_whole(name, fetch):
    known = sample("wechat_store", name)

    event = ADAPTER.read_reply(fetch, compact(known["reply"]))

    assert event == msgspec.convert(known["expected"], Event)
    assert list(ADAPTER.fetches(event)) == []


def test_nothing_of_the_receiver_is_taken_in():
    kept = msgspec.json.encode(order_event()).decode()

    assert "13900000001" not in kept
    assert "张三" not in kept


def test_the_six_components_add_up_in_every_line():
    for line in order_event(without=DISCOUNTS).order.lines:
        assert line.list_fen == sum(
            (
                line.merchant_disc_fen,
                line.platform_disc_fen,
                line.other_disc_fen,
                line.voucher_subsidy_fen,
                line.buyer_paid_fen,
            )
        )


def test_discounts_only_the_order_states_are_split_over_its_lines_to_the_fen():
    lines = order_event(without=DISCOUNTS).order.lines

    # by list price, 25800 to 3980, largest remainder
    assert [
        (each.merchant_disc_fen, each.platform_disc_fen, each.other_disc_fen, each.buyer_paid_fen)
        for each in lines
    ] == [(866, 434, 260, 24240), (134, 66, 40, 3740)]


def test_the_merchants_discount_by_its_older_name():
    price = {"merchant_discounted_price": None, "discounted_price": 1000}

    lines = order_event(without=("merchant_discounted_price",), price=price).order.lines

    assert sum(line.merchant_disc_fen for line in lines) == 1000


@pytest.mark.parametrize(
    "price",
    [
        {"order_price": 28781},
        {"freight": 801},
        {"order_price": 0},
        {"order_price": 28700},  # 80 fen by a benefit that is not in the table
    ],
)
def test_a_total_that_does_not_follow_from_prices_and_discounts_breaks_the_identity(price):
    with pytest.raises(Malformed) as refusal:
        order_event(price=price)

    assert refusal.value.reason == "identity"


def test_discounts_larger_than_a_price_break_the_identity():
    reply = order_reply()
    one, two = reply["order"]["order_detail"]["product_infos"]
    one["finder_discounted_price"] = 0
    two["finder_discounted_price"] = 4300
    reply["order"]["order_detail"]["price_info"]["order_price"] = 28780 + 300 - 4300

    with pytest.raises(Malformed) as refusal:
        ADAPTER.read_reply(ORDER, compact(reply))

    assert refusal.value.reason == "identity"


def test_a_sku_told_twice_is_one_line():
    """Bought once and given once: after-sales name the SKU alone."""
    reply = order_reply()
    products = reply["order"]["order_detail"]["product_infos"]
    products.append({"product_id": "10000000000002", "sku_id": "2000000002", "sku_cnt": 1, "sale_price": 0})

    lines = ADAPTER.read_reply(ORDER, compact(reply)).order.lines

    assert [(line.line_ref, line.quantity, line.list_fen) for line in lines] == [
        ("2000000001", 2, 25800),
        ("2000000002", 2, 3980),
    ]
    assert sum(line.freight_fen for line in lines) == 800


@pytest.mark.parametrize(
    ("detail", "seen"),
    [
        ({}, [("sphFinderMadeUp02", "阿海"), ("sphFinderMadeUp01", "")]),
        ({"source_infos": None}, [("sphFinderMadeUp01", ""), ("sphFinderMadeUp01", "")]),
        (
            {"source_infos": [{"sku_id": 2000000001, "account_id": 7, "account_nickname": "阿珍"}]},
            [("7", "阿珍"), ("sphFinderMadeUp01", "")],
        ),
        (
            {"source_infos": [{"sku_id": "2000000001", "account_id": ""}], "ext_info": None},
            [("", ""), ("", "")],
        ),
    ],
)
def test_through_whom_a_line_was_sold(detail, seen):
    lines = order_event(detail=detail).order.lines

    assert [(line.author_ref, line.author_name) for line in lines] == seen


@pytest.mark.parametrize("live", [None, {}, {"live_id": ""}, {"live_id": 0}])
def test_an_order_from_no_live_has_no_room(live):
    assert {line.room_ref for line in order_event(detail={"ext_info": live}).order.lines} == {""}


STATUSES = [
    ({"status": 10}, {"pay_info": None}, 10),
    ({"status": 12}, {}, 20),
    ({"status": 13}, {}, 20),
    ({"status": 20}, {}, 20),
    ({"status": 21}, {}, 30),
    ({"status": 30}, {}, 40),
    ({"status": 100}, {}, 50),
    ({"status": 250}, {"pay_info": {"pay_time": 0}}, 60),
    ({"status": 250}, {"pay_info": None}, 60),
    ({"status": 200}, {}, 20),
    ({"status": 250}, {}, 20),
    ({"status": 200}, {"delivery_info": {"ship_done_time": 1760000015}}, 40),
    ({"status": 200}, {"ext_info": {"confirm_receipt_time": 1760000018}}, 50),
]


@pytest.mark.parametrize(("changes", "detail", "status"), STATUSES)
def test_an_order_cancelled_after_payment_stays_a_sale(changes, detail, status):
    assert order_event(detail=detail, **changes).order.status == status


@pytest.mark.parametrize(("method", "excluded"), [(1, False), (2, False), (3, True), (4, False)])
def test_a_zero_price_draw_is_no_sale(method, excluded):
    detail = {"pay_info": {"pay_time": 1760000010, "payment_method": method}}

    assert order_event(detail=detail).order.excluded is excluded


WRONG_ORDERS = {
    "another order": ({"order_id": "3700000000000000009"}, {}, "schema"),
    "no products": ({}, {"product_infos": []}, "schema"),
    "no prices": ({}, {"price_info": None}, "schema"),
    "a product without its SKU": ({}, {"product_infos": [{"sku_cnt": 1, "sale_price": 1}]}, "schema"),
    "an unknown status": ({"status": 77}, {}, "schema"),
    "no update time": ({"update_time": 0}, {}, "time"),
    "a time in milliseconds": ({"create_time": 1_760_000_010_000}, {}, "time"),
    "a payment in milliseconds": ({}, {"pay_info": {"pay_time": 1_760_000_010_000}}, "time"),
    "no detail": ({"order_detail": None}, None, "schema"),
}


@pytest.mark.parametrize("case", WRONG_ORDERS)
def test_an_order_that_cannot_be_booked_is_malformed(case):
    changes, detail, reason = WRONG_ORDERS[case]
    reply = order_reply()
    reply["order"] |= changes
    if detail is not None:
        reply["order"]["order_detail"] |= detail

    with pytest.raises(Malformed) as refusal:
        ADAPTER.read_reply(ORDER, compact(reply))

    assert refusal.value.reason == reason


@pytest.mark.parametrize("amount", ["288.80", -1, 10**13, 28780.5, None])
def test_an_amount_that_is_no_amount_is_malformed(amount):
    with pytest.raises(Malformed):
        order_event(price={"order_price": amount})


REFUND_STATES = {
    "MERCHANT_PROCESSING": RefundStatus.CREATED,
    "USER_WAIT_CONFIRM": RefundStatus.CREATED,
    "USER_WAIT_RETURN": RefundStatus.AGREED,
    "MERCHANT_OVERDUE_REFUND": RefundStatus.AGREED,
    "PLATFORM_REFUNDING": RefundStatus.AGREED,
    "NOBODY_HAS_HEARD_OF_IT": RefundStatus.AGREED,
    "MERCHANT_WAIT_RECEIPT": RefundStatus.RETURNING,
    "MERCHANT_REJECT_REFUND": RefundStatus.REFUSED,
    "MERCHANT_REJECT_RETURN": RefundStatus.REFUSED,
    "USER_CANCELD": RefundStatus.CLOSED,
    "RETURN_CLOSED": RefundStatus.CLOSED,
    "MERCHANT_EXCHANGE_SUCCESS": RefundStatus.CLOSED,
    "PLATFORM_REFUND_FAIL": RefundStatus.FAILED,
    "MERCHANT_REFUND_RETRY_FAIL": RefundStatus.FAILED,
    "MERCHANT_FAIL": RefundStatus.FAILED,
}


@pytest.mark.parametrize("status", REFUND_STATES)
def test_only_the_two_successes_are_money_back(status):
    snapshot = refund(status=status)

    assert (snapshot.status, snapshot.refunded_fen, snapshot.succeeded_at) == (
        REFUND_STATES[status],
        None,
        None,
    )


@pytest.mark.parametrize("status", ["MERCHANT_REFUND_SUCCESS", "MERCHANT_RETURN_SUCCESS"])
def test_both_successes_are_money_back(status):
    snapshot = refund(status=status)

    assert (snapshot.status, snapshot.refunded_fen) == (RefundStatus.SUCCEEDED, 1980)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("REFUND", RefundKind.REFUND_ONLY),
        ("RETURN", RefundKind.RETURN_REFUND),
        ("EXCHANGE", RefundKind.EXCHANGE),
        ("", RefundKind.RESEND),
        ("SOMETHING", RefundKind.RESEND),
    ],
)
def test_the_kind_of_an_after_sale_that_moved_no_money(name, kind):
    assert refund(type=name, status="MERCHANT_PROCESSING").kind is kind


@pytest.mark.parametrize("name", ["EXCHANGE", "", "SOMETHING"])
def test_where_money_moved_it_is_a_refund_whatever_it_is_called(name):
    assert refund(type=name).kind is RefundKind.REFUND_ONLY


def test_a_success_without_its_own_time_is_dated_by_the_update():
    assert refund(complete_time=0).succeeded_at == 1_760_086_401_000


@pytest.mark.parametrize("info", [None, {}, {"amount": None}])
def test_a_success_without_its_amount_is_malformed(info):
    with pytest.raises(Malformed, match="amount"):
        refund(refund_info=info)
    assert refund(refund_info=info, status="MERCHANT_PROCESSING").applied_fen is None


def test_an_after_sale_of_no_product_is_about_the_order():
    snapshot = refund(product_info=None)

    assert (snapshot.line_ref, snapshot.quantity) == ("", 0)


@pytest.mark.parametrize("fetch", [ORDER, REFUND])
def test_a_reply_to_another_question_is_malformed(fetch):
    other = Fetch(fetch.kind, fetch.shop_ref, "69", "71")
    name = "order_get_reply" if fetch is ORDER else "after_sale_reply"

    with pytest.raises(Malformed, match="not what was asked for"):
        ADAPTER.read_reply(other, compact(sample("wechat_store", name)["reply"]))


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        (-1, True),
        (45009, True),
        (45011, True),
        (40001, True),
        (40014, True),
        (42001, True),
        (48001, False),
        (100001, False),
    ],
)
def test_an_error_of_the_platform_says_whether_to_ask_again(code, retry):
    with pytest.raises(ReplyRefused) as refusal:
        ADAPTER.read_reply(ORDER, compact({"errcode": code, "errmsg": "said so"}))

    assert (refusal.value.code, refusal.value.retry) == (str(code), retry)


@pytest.mark.parametrize(
    "raw", [b"", b"<html>502</html>", b"[]", b'{"errcode":0}', b'{"errcode":0,"order":null}', b"\xff"]
)
def test_what_is_no_reply_is_malformed(raw):
    with pytest.raises(Malformed):
        ADAPTER.read_reply(ORDER, raw)
