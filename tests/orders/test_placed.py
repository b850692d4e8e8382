"""G0: what was placed is on the day of its placing, and differs from what was paid by terms that close exactly."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from livehub import database
from livehub.inbox.recording import OwnFact
from livehub.kit import clock, outbox
from livehub.orders import contribution, ledger, state, unpaid
from livehub.orders.contribution import MEASURES, Attributed, Contribution, Key, Place
from livehub.orders.invariants import buckets, contributions, folds
from livehub.orders.state import OrderState, Stamp
from livehub.platforms.contract import Event, EventType, OrderSnapshot, OrderStatus
from livehub.settings import Settings
from rooms import onair
from tests.factories.facts import record_own
from tests.factories.orders import World
from tests.factories.platforms import a_shop
from tests.factories.rooms import a_broadcast, a_house, local
from tests.orders.test_intake import work
from tests.orders.test_state import DAY, T0, a_line, booked, fold

FEN = 10_000


def placed(
    *, created: int | None = T0, paid: int | None = None, closed: bool = False, excluded: bool = False, fen: int = FEN,
    order_ref: str = "o",
) -> Event:  # fmt: skip
    status = OrderStatus.CANCELLED if closed else OrderStatus.PAID if paid else OrderStatus.CREATED
    order = OrderSnapshot(
        status=status, lines=(a_line("a", paid=fen - 300, platform=300),), created_at=created, paid_at=paid,
        updated_at=max(T0, paid or 0), excluded=excluded,
    )  # fmt: skip
    return Event(
        type=EventType.ORDER_UPDATED,
        shop_ref="s",
        order_ref=order_ref,
        status_at=order.updated_at,
        order=order,
    )


def merged(*events: Event) -> OrderState:
    return fold([(event, Stamp("pull", f"{n:032x}")) for n, event in enumerate(events)])


def left(state_: OrderState) -> Contribution:
    """What is booked once it was noted that nobody pays."""
    return contribution.of(
        state_, place=Place(1, 2), attribute=lambda _line, _at: Attributed(), product_of=lambda _ref: 0,
        is_left_unpaid=True,
    )  # fmt: skip


async def patiently() -> int:
    """What the jobs do after half an hour."""
    later = clock.now() + unpaid.PATIENCE
    return await unpaid.note(since=later - timedelta(hours=6), now=later)


def by_day(found: Contribution) -> dict[int, dict[str, int]]:
    """Day, counted from T0's -> the measures that are not 0, but counts."""
    first = day(0)
    return {
        key.day - first: {
            name: value
            for name, value in zip(MEASURES, vector, strict=True)
            if value and name.startswith("placed")
        }
        for key, vector in found.items()
    }


def day(n: int) -> int:
    return clock.day_number(clock.local_day(clock.from_ms(T0 + n * DAY)))


def test_what_is_not_paid_stands_on_the_day_of_its_placing() -> None:
    assert by_day(left(merged(placed()))) == {0: {"placed_unpaid": FEN}}
    assert booked(merged(placed())) == {}  # perhaps it is paid in a moment
    assert by_day(booked(merged(placed(closed=True)))) == {0: {"placed_closed": FEN}}
    assert left(merged(placed(excluded=True))) == {}


def test_what_is_paid_on_the_day_of_its_placing_is_one_entry_as_ever() -> None:
    (key, vector) = next(iter(booked(merged(placed(), placed(paid=T0 + 60_000))).items()))

    assert vector[-3:] == (0, 0, 0)
    assert (key.minute, contribution.g2(vector)) == ((T0 + 60_000) // 60_000, FEN)


def test_what_is_paid_on_another_day_is_taken_from_the_day_of_its_placing_to_that_of_its_payment() -> None:
    found = booked(merged(placed(), placed(paid=T0 + DAY)))

    assert by_day(found) == {0: {"placed_shift": FEN}, 1: {"placed_shift": -FEN}}


def test_an_order_whose_placing_nobody_dates_is_placed_when_it_was_first_told_of_or_paid() -> None:
    assert by_day(left(merged(placed(created=None)))) == {0: {"placed_unpaid": FEN}}
    assert by_day(booked(merged(placed(created=None, paid=T0 + DAY)))) == {1: {}}


def test_the_text_of_an_older_contribution_has_less_measures() -> None:
    key = Key(1, 20260306, 0, 1, 0, 0, "U", "1", 0)
    older = msgspec.json.encode([(msgspec.structs.astuple(key), (5,) * 14)]).decode()

    assert contribution.decode(older) == {key: (5,) * 14 + (0, 0, 0)}


DAYS = st.integers(0, 3)
ORDERS = st.lists(
    st.tuples(st.integers(1, 10**7), DAYS, st.none() | DAYS, st.booleans(), st.booleans()),
    min_size=1,
    max_size=8,
)


@given(orders=ORDERS, first=DAYS, last=DAYS)
def test_the_bridge_closes_for_any_days(
    orders: list[tuple[int, int, int | None, bool, bool]], first: int, last: int
) -> None:
    scope = range(day(first), day(last) + 1)
    vectors: list[tuple[int, ...]] = []
    expected = dict.fromkeys(("g0", "unpaid", "closed", "paid_outside", "placed_outside", "g2"), 0)
    for fen, created, after, closed, excluded in orders:
        paid = None if after is None else created + after
        event = placed(
            created=T0 + created * DAY, paid=None if paid is None else T0 + paid * DAY, closed=closed,
            excluded=excluded, fen=300 + fen,
        )  # fmt: skip
        vectors += [vector for key, vector in left(merged(event)).items() if key.day in scope]
        if excluded:
            continue
        is_placed, is_paid = day(created) in scope, paid is not None and day(paid) in scope
        expected["g0"] += (300 + fen) * is_placed
        expected["g2"] += (300 + fen) * is_paid
        expected["unpaid"] += (300 + fen) * (is_placed and paid is None and not closed)
        expected["closed"] += (300 + fen) * (is_placed and paid is None and closed)
        expected["paid_outside"] += (300 + fen) * (is_placed and paid is not None and not is_paid)
        expected["placed_outside"] += (300 + fen) * (is_paid and not is_placed)

    sums = (
        dict(zip(MEASURES, contribution.total(vectors), strict=False))
        if vectors
        else dict.fromkeys(MEASURES, 0)
    )
    g2 = contribution.g2(tuple(sums.values()))

    assert (g2, sums["placed_unpaid"], sums["placed_closed"]) == tuple(
        expected[n] for n in ("g2", "unpaid", "closed")
    )
    assert sums["placed_shift"] == expected["paid_outside"] - expected["placed_outside"]
    assert g2 + sums["placed_unpaid"] + sums["placed_closed"] + sums["placed_shift"] == expected["g0"]


async def test_what_is_not_paid_finds_its_show_by_the_time_of_its_placing(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[0])
    show = await a_broadcast(house, local(2, 20), minutes=60)
    account = (await database.fetch("SELECT account_ref FROM streamer_account"))[0]["account_ref"]
    for ref, at in (("before", local(2, 19)), ("within", local(2, 20, 5))):
        event = placed(created=clock.to_ms(at), order_ref=ref)
        assert event.order is not None
        line = msgspec.structs.replace(event.order.lines[0], author_ref=account)
        event = msgspec.structs.replace(
            event, shop_ref=shop.shop_ref, order=msgspec.structs.replace(event.order, lines=(line,))
        )
        fact = OwnFact(
            centre_id=shop.centre_id, platform=shop.platform, shop_ref=shop.shop_ref, order_ref=ref,
            native_type="order.created", native_id=ref, event=event,
        )  # fmt: skip
        async with database.transaction():
            await record_own([fact], now=clock.now())
    await work()
    assert await patiently() == 2

    await database.unit(lambda: onair.start(show.public_id, actor=house.manager, now=local(2, 20)))
    while await outbox.hand_out(now=clock.now()):
        pass

    rows = await database.fetch(
        "SELECT broadcast_id, sum(placed_unpaid) AS fen FROM rollup_bucket GROUP BY broadcast_id"
    )
    assert {row["broadcast_id"]: row["fen"] for row in rows} == {0: FEN, show.id: FEN}
    assert await contributions.check() == await buckets.check() == []


async def test_orders_known_before_a_measure_was_are_booked_anew(world: World) -> None:
    await world.tell(placed(order_ref="o1"), placed(order_ref="o2", paid=T0 + DAY))
    await work()
    await patiently()
    other = merged(placed(fen=700))
    await database.execute("UPDATE sales_order SET state = $1 WHERE order_ref = 'o1'", state.encode(other))
    assert await contributions.check() != []

    assert await ledger.book_all_anew(reason="rebuild", now=clock.now()) == 1

    assert await contributions.check() == await buckets.check() == []
    rows = await database.fetch(
        "SELECT reason, sum(placed_unpaid) AS fen FROM contribution_entry GROUP BY reason"
    )
    assert {row["reason"]: row["fen"] for row in rows} == {"message": 0, "unpaid": FEN, "rebuild": 700 - FEN}


async def test_an_order_is_noted_once_it_was_left_unpaid_and_forgotten_when_it_is_paid_after_all(
    world: World,
) -> None:
    await world.tell(placed(order_ref="o1"), placed(order_ref="o2"), placed(order_ref="o3", closed=True))
    await work()
    now = clock.now()
    assert await unpaid.note(since=now - timedelta(hours=6), now=now + timedelta(minutes=29)) == 0
    assert await sums() == (0, FEN, 0)

    assert await patiently() == 2
    assert await patiently() == 0
    assert await sums() == (2 * FEN, FEN, 0)

    await world.tell(placed(order_ref="o1", paid=T0 + 60_000))
    await world.tell(placed(order_ref="o2", closed=True, fen=400))
    await work()
    assert await sums() == (0, FEN + 400, 0)
    assert await contributions.check() == await buckets.check() == await folds.check() == []


async def sums() -> tuple[int, ...]:
    row = await database.fetch_one(
        "SELECT sum(placed_unpaid) AS a, sum(placed_closed) AS b, sum(placed_shift) AS c FROM rollup_bucket"
    )
    assert row is not None
    return tuple(int(each or 0) for each in row.values())
