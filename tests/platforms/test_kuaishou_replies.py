"""快手 API replies: what was bought and what it cost, read as one order to the fen, and what is refused."""

import copy

import pytest

from livehub.orders import identity
from livehub.platforms import replies
from livehub.platforms.adapters.kuaishou import ADAPTER
from livehub.platforms.contract import (
    Event,
    EventType,
    Fetch,
    FetchKind,
    Line,
    Malformed,
    OrderSnapshot,
    OrderStatus,
    RefundKind,
    RefundSnapshot,
    RefundStatus,
    ReplyRefused,
)
from tests.platforms.doors import compact, sample

REF = "6900000000000000001"
ORDER = Fetch(FetchKind.ORDER, "900001", REF, REF)
REFUND = Fetch(FetchKind.REFUND, "900001", REF, "7100000000000000009")


def order_event(*, base: dict | None = None, item: dict | None = None, fees: dict | None = None) -> Event:
    detail, cost = (
        copy.deepcopy(sample("kuaishou", name)["reply"])
        for name in ("order_detail_reply", "fee_detail_reply")
    )
    detail["data"]["orderBaseInfo"].update(base or {})
    detail["data"]["orderItemInfo"].update(item or {})
    cost["data"].update(fees or {})
    return ADAPTER.read_reply(ORDER, replies.joined([compact(detail), compact(cost)]))


def refund_event(**changes: object) -> Event:
    reply = copy.deepcopy(sample("kuaishou", "refund_detail_reply")["reply"])
    reply["data"].update(changes)
    return ADAPTER.read_reply(REFUND, compact(reply))


def test_the_sample_replies_are_read_as_one_whole_order():
    line = Line(
        line_ref=REF,
        product_ref="21000000000001",
        sku_ref="22000000000001",
        title="沙虫干 100g",
        quantity=2,
        list_fen=20_000,
        merchant_disc_fen=1_000,
        platform_disc_fen=500,
        other_disc_fen=500,
        buyer_paid_fen=18_000,
        freight_fen=800,
    )

    event = order_event()

    assert event == Event(
        type=EventType.ORDER_UPDATED,
        shop_ref="900001",
        order_ref=REF,
        status_at=1_760_000_020_456,
        created_at=1_760_000_000_111,
        paid_at=1_760_000_010_123,
        order=OrderSnapshot(
            status=OrderStatus.PAID,
            lines=(line,),
            created_at=1_760_000_000_111,
            paid_at=1_760_000_010_123,
            updated_at=1_760_000_020_456,
            buyer_id="f1b6made0up0open0id0000000000001",
        ),
        covers_until=1_760_000_020_456,
    )
    assert list(ADAPTER.fetches(event)) == []
    assert identity.broken_line(event) is None


def test_the_sample_after_sale_is_read_whole():
    event = refund_event()

    assert (event.type, event.order_ref, event.refund_ref) == (EventType.REFUND_SUCCEEDED, REF, REFUND.ref)
    assert event.refunds == (
        RefundSnapshot(
            refund_ref=REFUND.ref,
            line_ref=REF,
            kind=RefundKind.REFUND_ONLY,
            status=RefundStatus.SUCCEEDED,
            applied_fen=7_000,
            refunded_fen=7_000,
            quantity=1,
            applied_at=1_760_003_600_001,
            succeeded_at=1_760_007_200_004,
            updated_at=1_760_007_200_005,
        ),
    )


def test_an_order_is_never_read_of_one_reply_alone():
    detail, cost = (
        compact(sample("kuaishou", name)["reply"]) for name in ("order_detail_reply", "fee_detail_reply")
    )
    for raw in (
        detail,
        cost,
        replies.joined([detail]),
        replies.joined([detail, cost, cost]),
        b"",
        b"\x1e\x1e",
    ):
        with pytest.raises(Malformed):
            ADAPTER.read_reply(ORDER, raw)
    with pytest.raises(Malformed):
        ADAPTER.read_reply(ORDER, replies.joined([cost, detail]))


@pytest.mark.parametrize(
    "fees",
    [
        {"buyerPay": 18_801},
        {"merchantBearAmount": 0},
        {"platformBearAmount": 501},
        {"expressFee": 0},
        {"buyerPay": 1_880_000, "expressFee": 80_000},  # another unit
    ],
)
def test_money_that_does_not_add_up_breaks_the_identity(fees):
    assert identity.broken_line(order_event(fees=fees)) is not None


def test_a_price_the_seller_changed_without_bearing_it_breaks_the_identity():
    assert identity.broken_line(order_event(item={"originalPrice": 10_001})) is not None


def test_more_freight_than_was_paid_is_impossible():
    with pytest.raises(Malformed) as refusal:
        order_event(fees={"expressFee": 18_801})

    assert refusal.value.reason == "identity"


@pytest.mark.parametrize(
    ("base", "status"),
    [
        ({"status": 10, "payTime": 0}, 10),
        ({"status": 30}, 20),
        ({"status": 40}, 40),
        ({"status": 50}, 40),
        ({"status": 70, "recvTime": 1_760_000_030_000}, 50),
        ({"status": 80, "payTime": 0}, 60),
        ({"status": 80}, 20),
        ({"status": 80, "sendTime": 1_760_000_015_000}, 40),
    ],
)
def test_an_order_is_as_far_as_its_status_and_a_failed_one_as_far_as_it_got(base, status):
    order = order_event(base=base).order

    assert (order.status, order.finished_at) == (status, 1_760_000_030_000 if base["status"] == 70 else None)


BROKEN = {
    "an unknown status": ({"base": {"status": 0}}, "schema"),
    "another order": ({"base": {"oid": 1}}, "schema"),
    "another order's fees": ({"fees": {"oid": 1}}, "schema"),
    "another shop's": ({"fees": {"sellerId": 900002}}, "schema"),
    "no time": ({"base": {"updateTime": 0}}, "time"),
    "seconds": ({"base": {"updateTime": 1_760_000_020}}, "time"),
    "a negative amount": ({"fees": {"buyerPay": -1}}, "schema"),
    "a fraction": ({"fees": {"buyerPay": 1.5}}, "schema"),
    "an amount as a text": ({"fees": {"buyerPay": "188.00"}}, "schema"),
    "no amount": ({"fees": {"buyerPay": None}}, "schema"),
    "a title that is a list": ({"item": {"itemTitle": []}}, "schema"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_order_that_cannot_be_is_malformed(case):
    changes, reason = BROKEN[case]

    with pytest.raises(Malformed) as refusal:
        order_event(**changes)

    assert refusal.value.reason == reason


@pytest.mark.parametrize("way", [1, 10])
@pytest.mark.parametrize(
    ("status", "read"),
    [(10, 10), (11, 10), (20, 10), (21, 10), (22, 20), (30, 20), (40, 30), (50, 20), (70, 50), (12, 10)],
)
def test_an_after_sale_under_way_moves_no_money(way, status, read):
    (refund,) = refund_event(handlingWay=way, status=status, endTime=0).refunds

    assert (refund.status, refund.refunded_fen, refund.succeeded_at) == (read, None, None)


@pytest.mark.parametrize(
    ("way", "kind", "status", "cash"),
    [
        (1, RefundKind.RETURN_REFUND, RefundStatus.SUCCEEDED, 7_000),
        (10, RefundKind.REFUND_ONLY, RefundStatus.SUCCEEDED, 7_000),
        (3, RefundKind.EXCHANGE, RefundStatus.CLOSED, None),
        (4, RefundKind.RESEND, RefundStatus.CLOSED, None),
        (5, RefundKind.RESEND, RefundStatus.CLOSED, None),
        (99, RefundKind.RESEND, RefundStatus.CLOSED, None),
    ],
)
def test_a_success_is_money_back_only_where_money_was_asked_for(way, kind, status, cash):
    (refund,) = refund_event(handlingWay=way).refunds

    assert (refund.kind, refund.status, refund.refunded_fen) == (kind, status, cash)


@pytest.mark.parametrize("changes", [{"oid": 1}, {"refundId": 1}, {"sellerId": 900002}, {"refundFee": -1}])
def test_an_after_sale_of_something_else_is_malformed(changes):
    with pytest.raises(Malformed):
        refund_event(**changes)


@pytest.mark.parametrize(
    ("words", "retry"),
    [
        ("token is expired", False),
        ("签名校验失败", False),
        ("api rate limit", True),
        ("触发限流", True),
        ("系统繁忙", True),
    ],
)
def test_a_refusal_says_whether_to_ask_again(words, retry):
    refusal = compact({"result": 28, "error_msg": words})
    detail = compact(sample("kuaishou", "order_detail_reply")["reply"])

    for raw in (replies.joined([refusal, refusal]), replies.joined([detail, refusal])):
        with pytest.raises(ReplyRefused) as refused:
            ADAPTER.read_reply(ORDER, raw)
        assert (refused.value.code, refused.value.retry) == ("28", retry)


def test_nothing_of_the_receiver_is_taken_in():
    assert "13900000001" not in repr(order_event())
