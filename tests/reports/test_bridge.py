"""The bridge closes to the fen for any days, filters and instants, and each term is the sum of its lines."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta

from livehub.kit import clock
from livehub.orders import intake, unpaid
from livehub.orders.invariants import buckets, contributions
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
from livehub.reports import bridge
from livehub.reports.basis import Axis
from livehub.reports.bridge import Term
from livehub.reports.figures import Scope
from tests.factories.orders import World
from tests.factories.statements import a_file, a_row, imported
from tests.orders.statements.test_importing import refund, sell
from tests.orders.test_intake import work
from tests.orders.test_placed import patiently
from tests.orders.test_state import T0

FIRST = date(2026, 3, 1)
DAYS = 6


def told(n: int, chance: random.Random, at: int) -> Event:
    """One order of two lines, created, perhaps paid, closed, refunded, on any days."""
    created = at + chance.randrange(DAYS) * 86_400_000
    paid = None if chance.random() < 0.3 else created + chance.choice([0, 0, 1, 2]) * 86_400_000
    status = OrderStatus.PAID if paid else chance.choice([OrderStatus.CREATED, OrderStatus.CANCELLED])
    lines = tuple(
        Line(
            line_ref=str(i), quantity=1, list_fen=sum(parts), merchant_disc_fen=parts[0], platform_disc_fen=parts[1],
            other_disc_fen=parts[2], voucher_subsidy_fen=parts[3], buyer_paid_fen=parts[4], freight_fen=7 * i,
        )
        for i in range(2)
        for parts in [[chance.randrange(400) for _ in range(5)]]
    )  # fmt: skip
    back = RefundSnapshot(
        refund_ref=f"r{n}", line_ref="1", kind=RefundKind.REFUND_ONLY, status=RefundStatus.SUCCEEDED,
        refunded_fen=lines[1].buyer_paid_fen // 2, succeeded_at=(paid or 0) + 86_400_000, updated_at=created,
    )  # fmt: skip
    order = OrderSnapshot(status=status, lines=lines, created_at=created, paid_at=paid, updated_at=created)
    return Event(
        type=EventType.ORDER_UPDATED, shop_ref="s", order_ref=f"o{n}", status_at=created, order=order,
        refunds=(back,) if paid and chance.random() < 0.4 else (),
    )  # fmt: skip


def scopes(world: World) -> Iterator[Scope]:
    for start in range(DAYS):
        for length in (1, 3):
            yield Scope(
                centre_id=world.centre.id, day_from=FIRST + timedelta(days=start),
                day_to=FIRST + timedelta(days=start + length - 1),
            )  # fmt: skip
    yield Scope(centre_id=world.centre.id, axis=Axis.SESSION)
    yield Scope(centre_id=world.centre.id, attribution="U", platform="standard_webhooks")


async def test_the_bridge_closes_and_every_term_is_the_sum_of_its_lines(world: World) -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    at = clock.to_ms(clock.at_local(FIRST, hour=12))
    events = [told(n, chance, at) for n in range(40)]
    await world.tell(*events[:20])
    await work()
    await patiently()
    then = clock.now() + timedelta(minutes=30)
    known = await bridge.of(Scope(centre_id=world.centre.id))
    await world.tell(*events[20:])
    while await intake.run_once(now=then + timedelta(seconds=1), lease_seconds=30):
        pass
    await unpaid.note(since=then, now=then + timedelta(hours=1))

    for scope in scopes(world):
        found = await bridge.of(scope)
        assert not any(found.open_fen()), scope
        expected = expected_of(events, scope)
        assert {term: found.fen[term] for term in expected} == expected, scope
        for term in Term:
            page = await bridge.lines(scope, term, size=200)
            assert sum(line.amount_fen for line in page.items) == found.fen[term], (scope, term)
    assert await bridge.of(Scope(centre_id=world.centre.id, as_of=then)) == known
    assert await buckets.check() == await contributions.check() == []


def expected_of(events: list[Event], scope: Scope) -> dict[Term, int]:
    """The terms as they follow from the orders themselves."""
    found = dict.fromkeys(
        (Term.G0, Term.UNPAID, Term.CLOSED, Term.PAID_OUTSIDE, Term.PLACED_OUTSIDE, Term.G2), 0
    )
    for event in events:
        assert event.order is not None
        order, paid = event.order, event.order.paid_at
        fen = sum(line.list_fen - line.merchant_disc_fen for line in order.lines)
        # A session's day is that of the broadcast: without one it is the event's, and the scope has all.
        is_placed, is_paid = within(order.created_at, scope), within(paid, scope)
        is_closed = order.status is OrderStatus.CANCELLED
        for term, counts in {
            Term.G0: is_placed,
            Term.UNPAID: is_placed and paid is None and not is_closed,
            Term.CLOSED: is_placed and paid is None and is_closed,
            Term.PAID_OUTSIDE: is_placed and paid is not None and not is_paid,
            Term.PLACED_OUTSIDE: is_paid and not is_placed,
            Term.G2: is_paid,
        }.items():
            found[term] += fen * counts
    return found


def within(ms: int | None, scope: Scope) -> bool:
    if ms is None:
        return False
    day = clock.local_day(clock.from_ms(ms))
    return (scope.day_from or day) <= day <= (scope.day_to or day)


async def test_what_nobody_read_in_full_is_pending_and_in_no_term(world: World) -> None:
    at = clock.to_ms(clock.at_local(FIRST, hour=12))
    thin = Event(type=EventType.ORDER_CREATED, shop_ref="s", order_ref="o1", status_at=at)
    await world.tell(thin)
    await work()

    found = await bridge.of(Scope(centre_id=world.centre.id))

    assert (found.pending, set(found.fen.values())) == (1, {0})


async def test_from_net_sales_to_what_was_settled_every_fen_has_its_step(world: World) -> None:
    centre = world.centre.id
    first, second = (clock.to_ms(clock.at_local(FIRST + timedelta(days=n), hour=12)) for n in range(2))
    for order, fens, at in (
        ("A", (10_000,), first), ("B", (5_000,), first), ("C", (3_000,), first), ("D", (700,), first),
        ("E", (900, 100), first), ("F", (4_000,), second),
    ):  # fmt: skip
        await sell(world, order, *fens, at=at)
    await refund(world, "B", 2_000)  # long after the days looked at
    await imported(
        a_file([
            a_row("A", "100"), a_row("B", "30"), a_row("C", "29.20"), a_row("D", "7.00"), a_row("D", "7.00"),
            a_row("E", "9", line="E-9"), a_row("F", "40"), a_row("Z", "1"),
        ]),
        centre_id=centre,
    )  # fmt: skip
    scope = Scope(centre_id=centre, day_from=FIRST, day_to=FIRST)

    found = await bridge.of(scope)

    assert not any(found.open_fen())
    steps = (
        Term.G3,
        Term.SOLD_OUTSIDE,
        Term.REFUNDED_OUTSIDE,
        Term.UNSETTLED,
        Term.UNMATCHED,
        Term.OVER_SETTLED,
        Term.G4,
    )
    assert [found.fen[term] for term in steps] == [19_700, 0, 2_000, 80, 1_000, 700, 17_320]
    for term in Term:
        page = await bridge.lines(scope, term, size=200)
        assert sum(line.amount_fen for line in page.items) == found.fen[term], term
    whole = await bridge.of(Scope(centre_id=centre))
    assert (not any(whole.open_fen()), whole.fen[Term.G4]) == (True, 21_320)
    before = await bridge.of(Scope(centre_id=centre, as_of=clock.now() - timedelta(days=1)))
    assert (not any(before.open_fen()), before.fen[Term.G4]) == (True, 0)


async def test_the_days_of_refunds_alone_are_of_sales_outside(world: World) -> None:
    await sell(world, "B", 5_000, refunded=2_000)
    day = clock.local_day(clock.from_ms(T0 + 86_400_000))

    found = await bridge.of(Scope(centre_id=world.centre.id, day_from=day, day_to=day))

    assert not any(found.open_fen())
    assert (found.fen[Term.G3], found.fen[Term.SOLD_OUTSIDE], found.fen[Term.G4]) == (-2_000, 2_000, 0)
