"""The merge: any order, any repetition, any split of the same facts ends in the same state and contribution."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from livehub.kit import clock
from livehub.orders import contribution, state
from livehub.orders.contribution import MEASURES, Attributed, Contribution, Place
from livehub.orders.state import OrderState, Stamp
from livehub.platforms.contract import (
    Event,
    EventType,
    Line,
    OrderSnapshot,
    OrderStatus,
    RefundKind,
    RefundSnapshot,
    RefundStatus,
)

T0 = 1_760_000_000_000
DAY = 86_400_000


def a_line(ref: str, *, paid: int, voucher: int = 0, platform: int = 0, quantity: int = 1) -> Line:
    return Line(
        line_ref=ref,
        product_ref=f"p{ref}",
        quantity=quantity,
        list_fen=paid + voucher + platform,
        platform_disc_fen=platform,
        voucher_subsidy_fen=voucher,
        buyer_paid_fen=paid,
    )


def a_full(
    at: int, *, status: OrderStatus = OrderStatus.PAID, lines: tuple[Line, ...], paid_at: int | None = T0
) -> Event:
    order = OrderSnapshot(status=status, lines=lines, created_at=T0 - 5000, paid_at=paid_at, updated_at=at)
    return Event(type=EventType.ORDER_UPDATED, shop_ref="s", order_ref="o", status_at=at, order=order)


def a_refund(
    ref: str, at: int, cash: int, *, line: str = "", status: RefundStatus = RefundStatus.SUCCEEDED
) -> Event:
    refund = RefundSnapshot(
        refund_ref=ref, line_ref=line, kind=RefundKind.REFUND_ONLY, status=status, refunded_fen=cash,
        applied_at=at - DAY, succeeded_at=at, updated_at=at,
    )  # fmt: skip
    return Event(
        type=EventType.REFUND_SUCCEEDED, shop_ref="s", order_ref="o", status_at=at, refunds=(refund,)
    )


def a_thin(at: int, *, refund_ref: str = "") -> Event:
    kind = EventType.REFUND_CREATED if refund_ref else EventType.ORDER_PAID
    return Event(type=kind, shop_ref="s", order_ref="o", refund_ref=refund_ref, status_at=at,
                 status=None if refund_ref else OrderStatus.PAID, paid_at=None if refund_ref else T0)  # fmt: skip


def fold(facts: list[tuple[Event, Stamp]]) -> OrderState:
    merged = OrderState()
    for event, stamp in facts:
        state.merge(merged, event, stamp)
    return merged


def booked(merged: OrderState) -> Contribution:
    return contribution.of(
        merged, place=Place(1, 2), attribute=lambda _line, _at: Attributed(), product_of=lambda _ref: 0
    )


def sums(merged: OrderState) -> dict[str, int]:
    return dict(zip(MEASURES, contribution.total(booked(merged).values()), strict=False))


times = st.integers(0, 6).map(lambda n: T0 + n * 1000)
money = st.integers(0, 500)
lines = st.lists(st.builds(a_line, st.sampled_from("ab"), paid=money, voucher=money, quantity=st.integers(1, 3)),
                 min_size=1, max_size=2, unique_by=lambda each: each.line_ref).map(tuple)  # fmt: skip
events = st.one_of(
    st.builds(a_full, times, status=st.sampled_from(list(OrderStatus)), lines=lines, paid_at=st.sampled_from([None, T0, T0 + DAY])),
    st.builds(a_refund, st.sampled_from("xyz"), times, money, line=st.sampled_from(["", "a", "b"]),
              status=st.sampled_from(list(RefundStatus))),
    st.builds(a_thin, times, refund_ref=st.sampled_from(["", "x", "y"])),
)  # fmt: skip
stamped = st.lists(st.tuples(events, st.sampled_from(["push", "pull", "own"])), min_size=1, max_size=8).map(
    lambda drawn: [(event, Stamp(source, f"{n:032x}")) for n, (event, source) in enumerate(drawn)]
)


@given(stamped, st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None)
def test_order_and_repetition_do_not_matter(facts: list[tuple[Event, Stamp]], chance: random.Random) -> None:
    again = facts + [chance.choice(facts) for _ in range(chance.randrange(6))]
    chance.shuffle(again)

    one, other = fold(facts), fold(again)

    assert state.encode(one) == state.encode(other)
    assert contribution.encode(booked(one)) == contribution.encode(booked(other))


@given(stamped)
@settings(max_examples=200, deadline=None)
def test_a_state_survives_its_storage(facts: list[tuple[Event, Stamp]]) -> None:
    merged = fold(facts)

    assert state.encode(state.decode(state.encode(merged))) == state.encode(merged)
    assert contribution.decode(contribution.encode(booked(merged))) == booked(merged)


@given(stamped)
@settings(max_examples=400, deadline=None)
def test_a_merge_says_truly_whether_it_changed_the_state_and_its_contribution(
    facts: list[tuple[Event, Stamp]],
) -> None:
    merged = OrderState()
    for event, stamp in facts + facts[:1]:
        encoded, grounds, contributed = state.encode(merged), contribution.grounds(merged), booked(merged)

        changed = state.merge(merged, event, stamp)

        assert changed == (state.encode(merged) != encoded)
        if contribution.grounds(merged) == grounds:
            assert booked(merged) == contributed


@given(st.integers(1_420_041_600_000, 2_000_000_000_000))
def test_the_day_of_a_bucket_is_the_local_day(at: int) -> None:
    merged = fold([(a_full(at, lines=(a_line("a", paid=100),), paid_at=at), Stamp("pull", "1"))])

    assert {key.day for key in booked(merged) if key.minute} == {
        clock.day_number(clock.local_day(clock.from_ms(at)))
    }


@given(st.integers(1, 10_000), st.integers(0, 3000), st.lists(st.integers(1, 4000), max_size=5))
def test_a_fully_refunded_line_leaves_nothing(paid: int, voucher: int, parts: list[int]) -> None:
    facts = [a_full(T0, lines=(a_line("a", paid=paid, voucher=voucher),))]
    left = paid
    for n, part in enumerate(parts):
        cash = min(part, left)
        left -= cash
        facts.append(a_refund(f"r{n}", T0 + DAY * (n + 1), cash, line="a"))
    facts.append(a_refund("last", T0 + DAY * 9, left, line="a"))

    total = sums(fold([(event, Stamp("pull", f"{n:032x}")) for n, event in enumerate(facts)]))

    assert total["refund_done"] == total["refund_sale"] == total["refund_apply"] == paid + voucher
    assert total["refund_cash"] == paid


def test_refunds_are_dated_by_success_and_the_sale_by_payment() -> None:
    merged = fold([
        (a_full(T0, lines=(a_line("a", paid=8000, voucher=2000),)), Stamp("pull", "1")),
        (a_refund("r", T0 + 2 * DAY, 4000, line="a"), Stamp("pull", "2")),
    ])  # fmt: skip

    by_day = {key.day: dict(zip(MEASURES, vector, strict=True)) for key, vector in booked(merged).items()}

    sale_day, apply_day, refund_day = (
        clock.day_number(clock.local_day(clock.from_ms(T0 + n * DAY))) for n in range(3)
    )
    assert contribution.g2(tuple(by_day[sale_day].values())) == 10_000
    assert by_day[sale_day]["refund_sale"] == 5000
    assert by_day[apply_day]["refund_apply"] == 5000
    assert by_day[refund_day]["refund_done"] == 5000
    assert by_day[refund_day]["refund_cash"] == 4000


def test_thin_messages_add_no_money_and_one_pending_until_an_answer_covers_them() -> None:
    thin = fold([(a_thin(T0), Stamp("push", "1"))])
    assert sums(thin) == dict.fromkeys(MEASURES, 0) | {"pending": 1}

    full = a_full(T0, lines=(a_line("a", paid=100),))
    assert sums(fold([(full, Stamp("pull", "2")), (a_thin(T0), Stamp("push", "1"))]))["pending"] == 0

    later = fold([(full, Stamp("pull", "2")), (a_thin(T0 + 9000), Stamp("push", "3"))])
    assert sums(later)["pending"] == 1
    assert sums(later)["buyer_paid"] == 100


def test_more_money_back_than_was_paid_is_counted_in_full() -> None:
    merged = fold([
        (a_full(T0, lines=(a_line("a", paid=100),)), Stamp("pull", "1")),
        (a_refund("r", T0 + 1, 150, line="a"), Stamp("pull", "2")),
    ])  # fmt: skip

    assert sums(merged)["refund_done"] == 150
    assert sums(merged)["refund_cash"] == 150


def test_a_refund_that_failed_after_its_success_is_taken_back() -> None:
    merged = fold([
        (a_full(T0, lines=(a_line("a", paid=100),)), Stamp("pull", "1")),
        (a_refund("r", T0 + 1, 100, line="a"), Stamp("pull", "2")),
        (a_refund("r", T0 + 2, 100, line="a", status=RefundStatus.FAILED), Stamp("pull", "3")),
    ])  # fmt: skip

    assert sums(merged)["refund_done"] == 0
