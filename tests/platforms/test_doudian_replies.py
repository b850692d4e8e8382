"""抖店 API replies: whole orders and after-sales to the fen, and what is refused."""

import copy

import msgspec
import pytest

from livehub.platforms.adapters.doudian import ADAPTER
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

ORDER = Fetch(FetchKind.ORDER, "900001", "6900000000000000001", "6900000000000000001")
REFUND = Fetch(FetchKind.REFUND, "900001", "6900000000000000001", "7100000000000000009")


def order_event(*, lines: dict | None = None, without: tuple[str, ...] = (), **changes: object) -> Event:
    reply = copy.deepcopy(sample("doudian", "order_detail_reply")["reply"])
    order = reply["data"]["shop_order_detail"]
    order |= changes
    for sku in order["sku_order_list"]:
        sku.update(lines or {})
        for name in without:
            sku.pop(name)
    return ADAPTER.read_reply(ORDER, compact(reply))


def refund(**changes: object):
    reply = copy.deepcopy(sample("doudian", "after_sale_detail_reply")["reply"])
    info = reply["data"]["process_info"]["after_sale_info"]
    info |= changes
    (snapshot,) = ADAPTER.read_reply(REFUND, compact(reply)).refunds
    return snapshot


@pytest.mark.parametrize(
    ("name", "fetch"), [("order_detail_reply", ORDER), ("after_sale_detail_reply", REFUND)]
)
def test_the_sample_reply_is_read_whole(name, fetch):
    known = sample("doudian", name)

    event = ADAPTER.read_reply(fetch, compact(known["reply"]))

    assert event == msgspec.convert(known["expected"], Event)
    assert list(ADAPTER.fetches(event)) == []


def test_the_six_components_add_up_in_every_line():
    for line in order_event().order.lines:
        parts = (
            line.merchant_disc_fen
            + line.platform_disc_fen
            + line.other_disc_fen
            + line.voucher_subsidy_fen
            + line.buyer_paid_fen
        )
        assert line.list_fen == parts


def test_amounts_only_the_order_states_are_split_over_its_lines_to_the_fen():
    names = (
        "pay_amount",
        "post_amount",
        "promotion_shop_amount",
        "promotion_platform_amount",
        "promotion_talent_amount",
        "promotion_pay_amount",
    )

    lines = order_event(without=names).order.lines

    # by list price, 25800 to 3980, largest remainder
    assert [
        (
            each.merchant_disc_fen,
            each.platform_disc_fen,
            each.other_disc_fen,
            each.buyer_paid_fen,
            each.freight_fen,
        )
        for each in lines
    ] == [(866, 433, 260, 24241, 693), (134, 67, 40, 3739, 107)]


def test_a_total_that_does_not_follow_from_the_lines_breaks_the_identity():
    with pytest.raises(Malformed) as refusal:
        order_event(without=("pay_amount",), pay_amount=28881)

    assert refusal.value.reason == "identity"


def test_promotions_larger_than_what_was_paid_break_the_identity():
    with pytest.raises(Malformed) as refusal:
        order_event(lines={"promotion_pay_amount": 99_999})

    assert refusal.value.reason == "identity"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"order_status": 1, "pay_time": 0}, 10),
        ({"order_status": 103}, 10),
        ({"order_status": 105}, 20),
        ({"order_status": 2}, 20),
        ({"order_status": 101}, 30),
        ({"order_status": 3}, 40),
        ({"order_status": 5}, 50),
        ({"order_status": 4, "pay_time": 0}, 60),
        ({"order_status": 4}, 20),
        ({"order_status": 4, "ship_time": 1760000015}, 40),
        ({"order_status": 4, "ship_time": 1760000015, "finish_time": 1760000018}, 50),
    ],
)
def test_an_order_cancelled_after_payment_stays_a_sale(changes, status):
    assert order_event(**changes).order.status == status


@pytest.mark.parametrize(("trade_types", "excluded"), [([10, 11], True), ([12, 12], True), ([10, 0], False)])
def test_samples_and_draws_are_no_sales(trade_types, excluded):
    reply = copy.deepcopy(sample("doudian", "order_detail_reply")["reply"])
    for sku, trade_type in zip(
        reply["data"]["shop_order_detail"]["sku_order_list"], trade_types, strict=True
    ):
        sku["trade_type"] = trade_type

    assert ADAPTER.read_reply(ORDER, compact(reply)).order.excluded is excluded


WRONG_ORDERS = {
    "another order": ({"order_id": "6900000000000000009"}, "schema"),
    "another shop": ({"shop_id": 900002}, "schema"),
    "no lines": ({"sku_order_list": []}, "schema"),
    "an unknown status": ({"order_status": 77}, "schema"),
    "no update time": ({"update_time": 0}, "time"),
    "a time in milliseconds": ({"pay_time": 1_760_000_010_000}, "time"),
    "an amount as a text": ({"pay_amount": "288.80"}, "schema"),
    "a negative amount": ({"post_amount": -1}, "schema"),
    "an amount beyond all sense": ({"pay_amount": 10**13}, "schema"),
    "a fraction of a fen": ({"pay_amount": 28880.5}, "schema"),
}


@pytest.mark.parametrize("case", WRONG_ORDERS)
def test_an_order_that_cannot_be_booked_is_malformed(case):
    changes, reason = WRONG_ORDERS[case]

    with pytest.raises(Malformed) as refusal:
        order_event(**changes)

    assert refusal.value.reason == reason


def test_a_line_named_twice_is_malformed():
    with pytest.raises(Malformed, match="twice"):
        order_event(lines={"order_id": "69"})


def test_a_title_too_long_for_us_is_cut():
    assert {len(line.title) for line in order_event(lines={"product_name": "沙" * 300}).order.lines} == {255}


REFUND_STATES = {
    "applied for": ({"after_sale_status": 6, "refund_status": 1}, RefundStatus.CREATED),
    "agreed": ({"after_sale_status": 12, "refund_status": 1}, RefundStatus.AGREED),
    "the money is on its way": ({"after_sale_status": 12, "refund_status": 2}, RefundStatus.AGREED),
    "goods on their way back": ({"after_sale_status": 11, "refund_status": 1}, RefundStatus.RETURNING),
    "refused": ({"after_sale_status": 27, "refund_status": 1}, RefundStatus.REFUSED),
    "withdrawn by the buyer": ({"after_sale_status": 28, "refund_status": 1}, RefundStatus.CLOSED),
    "the payment failed": ({"after_sale_status": 12, "refund_status": 4}, RefundStatus.FAILED),
    "clawed back": ({"after_sale_status": 12, "refund_status": 5}, RefundStatus.FAILED),
}


@pytest.mark.parametrize("case", REFUND_STATES)
def test_only_money_that_went_back_is_a_refunded_amount(case):
    changes, status = REFUND_STATES[case]

    snapshot = refund(**changes)

    assert (snapshot.status, snapshot.refunded_fen, snapshot.succeeded_at) == (status, None, None)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (0, RefundKind.RETURN_REFUND),
        (1, RefundKind.REFUND_ONLY),
        (2, RefundKind.REFUND_ONLY),
        (3, RefundKind.EXCHANGE),
        (6, RefundKind.RESEND),
        (7, RefundKind.RESEND),
        (8, RefundKind.RESEND),
        (99, RefundKind.RESEND),
    ],
)
def test_the_kind_of_an_after_sale_that_moved_no_money(number, kind):
    assert refund(after_sale_type=number, refund_status=1).kind is kind


@pytest.mark.parametrize("number", [3, 6, 8, 99])
def test_where_money_moved_it_is_a_refund_whatever_it_is_called(number):
    assert refund(after_sale_type=number).kind is RefundKind.REFUND_ONLY


def test_a_refund_smaller_than_its_freight_breaks_the_identity():
    with pytest.raises(Malformed) as refusal:
        refund(real_refund_amount=99)

    assert refusal.value.reason == "identity"


def test_a_success_without_its_own_time_is_dated_by_the_update():
    assert refund(refund_time=0).succeeded_at == 1_760_086_401_000


def test_the_newer_name_of_the_applied_amount_goes_first():
    assert refund(refund_total_amount=1600).applied_fen == 1500


def test_an_after_sale_over_several_lines_is_about_the_order():
    reply = copy.deepcopy(sample("doudian", "after_sale_detail_reply")["reply"])
    reply["data"]["order_info"]["sku_order_infos"] *= 2

    (snapshot,) = ADAPTER.read_reply(REFUND, compact(reply)).refunds

    assert (snapshot.line_ref, snapshot.quantity) == ("", 0)


@pytest.mark.parametrize("fetch", [ORDER, REFUND])
def test_a_reply_to_another_question_is_malformed(fetch):
    other = Fetch(fetch.kind, fetch.shop_ref, "69", "71")
    name = "order_detail_reply" if fetch is ORDER else "after_sale_detail_reply"

    with pytest.raises(Malformed, match="not what was asked for"):
        ADAPTER.read_reply(other, compact(sample("doudian", name)["reply"]))


@pytest.mark.parametrize(
    ("reply", "retry"),
    [
        ({"code": 20000, "msg": "system error"}, True),
        ({"code": 50002, "msg": "business failed", "sub_code": "isp.service-error"}, True),
        ({"code": "50002", "msg": "business failed"}, True),
        ({"code": 80000, "msg": "", "sub_code": "isv.request-limited", "sub_msg": "调用频繁"}, True),
        ({"code": 90001, "msg": "接口被限流"}, True),
        ({"code": 30001, "msg": "access_token expired", "sub_code": "isv.access-token-expired"}, False),
        ({"code": 40003, "msg": "bad parameter", "data": None}, False),
    ],
)
def test_an_error_of_the_platform_says_whether_to_ask_again(reply, retry):
    with pytest.raises(ReplyRefused) as refusal:
        ADAPTER.read_reply(ORDER, compact(reply))

    assert (refusal.value.code, refusal.value.retry) == (str(reply["code"]), retry)


@pytest.mark.parametrize(
    "raw", [b"", b"<html>502</html>", b"[]", b'{"code":10000}', b'{"code":10000,"data":{}}', b"\xff"]
)
def test_what_is_no_reply_is_malformed(raw):
    with pytest.raises(Malformed):
        ADAPTER.read_reply(ORDER, raw)


def test_an_applied_amount_that_does_not_hold_its_freight_is_unknown():
    assert refund(refund_amount=99).applied_fen is None
