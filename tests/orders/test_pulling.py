"""Windowed pulls: what no push told of is found, what differs is said, and a window loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from livehub import database
from livehub.accounts.actors import system
from livehub.accounts.models import AuditEntry
from livehub.kit import clock
from livehub.kit.errors import Invalid
from livehub.orders import asking, cursors, differences, explaining, listings, pulling, reconciled
from livehub.orders.asking import Ask
from livehub.orders.cursors import Held, LeaseLost
from livehub.orders.invariants import buckets, contributions, folds
from livehub.orders.invariants import reconciled as agreed
from livehub.orders.pull_models import Cadence, DifferenceKind, SyncCursor, SyncDifference, SyncMark
from livehub.orders.pulling import Puller
from livehub.orders.windows import Planned
from livehub.platforms import queries as platforms
from livehub.platforms import registry
from livehub.platforms.contract import FetchKind, Listed, ListPage
from livehub.platforms.models import Shop
from livehub.settings import Settings
from tests.contention import meet
from tests.factories.accounts import a_bureau
from tests.factories.differences import a_difference
from tests.factories.platforms import a_shop, an_endpoint
from tests.orders.test_fetching import REFS, SHOP, Wire, a_job, total, waits_at_the_first, wire
from tests.orders.test_reattribution import sell

__all__ = ["wire"]

CLERK = system("tests")
HOUR = timedelta(hours=1)
HALF = 1_800_000  # milliseconds: the middle of the hour that is read


class Pulled:
    """The imitated platform's lists, read over the last hour."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.puller = Puller()

    async def window(
        self, *, kinds: tuple[str, ...] = ("order", "refund"), until: timedelta = timedelta(0)
    ) -> None:
        """One window of each list, from an hour ago to some while ago."""
        now = clock.now()
        (shop,) = await cursors.listable()
        end = clock.to_ms(now - until)
        planned = [Planned(FetchKind(kind), Cadence.RECENT, clock.to_ms(now - HOUR), end) for kind in kinds]
        await database.unit(lambda: cursors.open_windows(shop, planned, now=now))

    async def pull(self, **more: Any) -> None:
        """A window read, what it asks for fetched, and what is gone closed."""
        await self.window(**more)
        await self.puller.run_once()
        await self.wire.fetch()
        await differences.settle(now=clock.now())


@pytest.fixture
async def pulled(wire: Wire) -> AsyncIterator[Pulled]:
    await database.execute("UPDATE endpoint SET calls_per_second = 1000")
    made = Pulled(wire)
    yield made
    await made.puller.close()


async def rows_of(table: str, columns: str, order: str = "id") -> list[tuple[Any, ...]]:
    found = await database.fetch(f"SELECT {columns} FROM {table} ORDER BY {order}")
    return [tuple(row.values()) for row in found]


async def found() -> list[tuple[Any, ...]]:
    return await rows_of("sync_difference", "about, kind, status, outcome", "about, kind, ref")


async def test_an_order_whose_push_was_lost_is_found_and_counted_once(pulled: Pulled) -> None:
    await pulled.wire.order()
    await pulled.pull()

    assert (await total())["paid"] == 7500
    assert await found() == [("order", "missing", "closed", "pulled")]
    assert await agreed.check() == await buckets.check() == await contributions.check() == []

    calls = dict(pulled.wire.box.api_calls)
    await pulled.pull()

    assert (await total())["orders"] == 1
    assert pulled.wire.box.api_calls["order.orderDetail"] == calls["order.orderDetail"]  # nothing was news
    assert await folds.check() == []


async def test_a_refund_whose_push_was_lost_is_found(pulled: Pulled) -> None:
    now = clock.to_ms(clock.now())
    order_ref = await pulled.wire.order()
    await pulled.wire.say("101", order_ref, pay_time=now // 1000 - 8)
    await pulled.wire.fetch()
    step = {
        "order_ref": order_ref,
        "refunds": [
            {"line": 0, "cash_fen": 3000, "applied_at_ms": now - 6000, "succeeded_at_ms": now - 4000}
        ],
    }
    await pulled.wire.control("/control/steps", {"steps": [step]})

    await pulled.pull()

    assert (await total())["refunded"] == 8000 * 3000 // 7500
    assert await found() == [
        ("order", "missing", "closed", "pulled"),
        ("refund", "missing", "closed", "pulled"),
    ]


async def test_what_was_pushed_is_no_difference_and_is_not_asked_for_again(pulled: Pulled) -> None:
    order_ref = await pulled.wire.order()
    paid = next(
        each["paid_at_ms"]
        for each in pulled.wire.box.store.books(with_orders=True)["orders"]
        if each["order_ref"] == order_ref
    )
    await pulled.wire.say("101", order_ref, pay_time=paid // 1000)
    await pulled.wire.fetch()
    calls = pulled.wire.box.api_calls["order.orderDetail"]

    await pulled.pull()

    assert await found() == []
    assert pulled.wire.box.api_calls["order.orderDetail"] == calls
    assert await rows_of("listed_item", "kind, ref, amount_fen") == [("order", order_ref, 7500)]


async def test_an_order_that_the_platform_does_not_list_stays_open_until_somebody_says_why(
    pulled: Pulled,
) -> None:
    await pulled.wire.say("101", "6900000000000099999", pay_time=clock.to_ms(clock.now()) // 1000 - 300)

    await pulled.pull()

    assert await found() == [("order", "extra", "open", "")]
    difference = await SyncDifference.get()
    with pytest.raises(Invalid):
        await explaining.explain(difference.public_id, reason="none", note="x", actor=CLERK, now=clock.now())
    await explaining.explain(
        difference.public_id, reason="test_order", note="平台联调用的测试单", actor=CLERK, now=clock.now()
    )
    with pytest.raises(explaining.DifferenceSettled):
        await explaining.explain(
            difference.public_id, reason="other", note="再来一次", actor=CLERK, now=clock.now()
        )
    assert (await AuditEntry.get(action="difference.explained")).object_id == difference.public_id
    await pulled.pull()
    assert [row[2] for row in await found()] == ["explained"]  # seen again, and still explained


async def test_an_order_updated_again_while_its_window_is_read_is_no_extra_one(pulled: Pulled) -> None:
    now = clock.to_ms(clock.now())
    order_ref = await pulled.wire.order(created_at_ms=now - 600_000, paid_at_ms=now - 500_000)
    await pulled.wire.say("101", order_ref, pay_time=(now - 500_000) // 1000)
    await pulled.wire.fetch()
    await pulled.wire.control(
        "/control/steps", {"steps": [{"order_ref": order_ref, "shipped_at_ms": now - 1000}]}
    )

    await pulled.pull(kinds=("order",), until=timedelta(minutes=2))  # its push is still on its way

    assert await found() == [("order", "extra", "closed", "moved")]


async def test_a_differing_amount_is_said_and_gone_when_both_agree(pulled: Pulled) -> None:
    order_ref = await pulled.wire.order()
    await pulled.pull()
    line = pulled.wire.box.store.orders[order_ref].lines[0]
    line.buyer_paid_fen -= 100  # the platform changed it without an update
    line.merchant_disc_fen += 100

    await pulled.pull()

    amount = await SyncDifference.get(kind=DifferenceKind.AMOUNT)
    assert (amount.ours_fen, amount.theirs_fen, str(amount.status)) == (7500, 7400, "open")
    line.buyer_paid_fen += 100
    line.merchant_disc_fen -= 100
    await pulled.pull()
    assert (await SyncDifference.get(kind=DifferenceKind.AMOUNT)).outcome == "agrees"
    assert await agreed.check() == []


async def test_many_pages_and_orders_of_one_second_are_all_listed(pulled: Pulled) -> None:
    now = clock.to_ms(clock.now())
    specs = [
        {"shop": SHOP, "lines": [{"product_ref": "1"}], "paid_at_ms": now - 400_000 + (n // 130) * 1000}
        for n in range(270)
    ]
    await pulled.wire.control("/control/orders", {"orders": specs})

    await pulled.window(kinds=("order",))
    pulling_all = 0
    while not await SyncCursor.filter(status="done").exists():
        pulling_all += await pulled.puller.run_once()
        await pulled.wire.fetch()
        await database.execute("UPDATE sync_cursor SET due_at = 0")
    await pulled.wire.fetch()
    await differences.settle(now=clock.now())

    window = await SyncCursor.get()
    assert window.pages == pulling_all >= 4
    assert (await total())["orders"] == 270
    assert len(await rows_of("listed_item", "ref")) == 270
    assert {row[1:] for row in await found()} == {("missing", "closed", "pulled")}


async def test_a_platform_that_is_away_is_asked_again_and_given_up_visibly(pulled: Pulled) -> None:
    await pulled.wire.order()
    await database.execute("UPDATE endpoint SET api_base_url = 'http://127.0.0.1:9'")
    await pulled.window(kinds=("order",))

    await pulled.puller.run_once()

    window = await SyncCursor.get()
    assert (str(window.status), window.attempts) == ("waiting", 1)
    assert "unreachable" in window.last_error
    await database.execute("UPDATE sync_cursor SET attempts = 11, due_at = 0")
    await pulled.puller.run_once()
    assert (await SyncCursor.get()).status == "dead"
    assert (await SyncMark.get()).reconciled_until == (await SyncMark.get()).begun_at

    await database.execute("UPDATE endpoint SET api_base_url = $1", f"{pulled.wire.box.base_url}/doudian")
    await explaining.try_again(window.id, actor=CLERK, now=clock.now())
    await pulled.puller.run_once()
    window = await SyncCursor.get()
    assert window.status == "done"
    assert (await SyncMark.get()).reconciled_until == window.window_end


async def test_a_token_of_another_shop_is_noticed(pulled: Pulled) -> None:
    await pulled.wire.order()
    await database.execute("UPDATE shop SET shop_ref = 'another'")

    await pulled.window(kinds=("order",))
    await pulled.puller.run_once()

    window = await SyncCursor.get()
    assert (str(window.status), "another shop's" in window.last_error) == ("dead", True)
    assert await rows_of("listed_item", "ref") == []


async def test_a_given_up_window_that_is_dropped_lets_the_mark_move_on(db: Settings) -> None:
    shop = await the_shop()
    start = clock.from_ms(1_760_000_000_000)
    one, other = [
        Planned(
            FetchKind.ORDER,
            Cadence.RECENT,
            clock.to_ms(start + n * HOUR),
            clock.to_ms(start + (n + 1) * HOUR),
        )
        for n in range(2)
    ]
    await database.unit(lambda: cursors.open_windows(shop, [one, other], now=clock.now()))
    await database.execute("UPDATE sync_cursor SET status = 'dead' WHERE window_start = $1", one.start)
    await close_next(shop.endpoint_id)
    assert (await SyncMark.get()).reconciled_until == start

    dead = await SyncCursor.get(window_start=one.start)
    with pytest.raises(Invalid):
        await explaining.drop(dead.id, note="", actor=CLERK, now=clock.now())
    await explaining.drop(dead.id, note="平台当天停机维护", actor=CLERK, now=clock.now())

    assert (await SyncMark.get()).reconciled_until == start + 2 * HOUR
    with pytest.raises(explaining.WindowNotDead):
        await explaining.try_again(dead.id, actor=CLERK, now=clock.now())


async def test_what_the_platform_lists_no_more_is_not_tried_again(db: Settings) -> None:
    shop = await the_shop()
    old = Planned(FetchKind.ORDER, Cadence.RECENT, 1, 2, is_too_old=True)
    await database.unit(lambda: cursors.open_windows(shop, [old], now=clock.now()))

    assert await cursors.ask_again(shop.endpoint_id) == 0
    with pytest.raises(explaining.WindowNotDead):
        await explaining.try_again((await SyncCursor.get()).id, actor=CLERK, now=clock.now())


async def the_shop() -> cursors.Listable:
    bureau = await a_bureau()
    endpoint = await an_endpoint(bureau, api_base_url="http://127.0.0.1:9")
    await a_shop(bureau, endpoint=endpoint, shop_ref=SHOP)
    (shop,) = await cursors.listable()
    return shop


def hours(count: int) -> list[Planned]:
    start = 1_760_000_000_000
    hour = 3_600_000
    return [
        Planned(FetchKind.ORDER, Cadence.RECENT, start + n * hour, start + (n + 1) * hour)
        for n in range(count)
    ]


async def opened(count: int = 1) -> cursors.Listable:
    shop = await the_shop()
    await database.unit(lambda: cursors.open_windows(shop, hours(count), now=clock.now()))
    return shop


async def close_next(endpoint_id: int) -> Held:
    held = await cursors.lease(endpoint_id, at=clock.now())
    assert held is not None
    await database.unit(lambda: cursors.move_on(held, following="", listed=0, asked=0, now=clock.now()))
    return held


async def record(held: Held, page: ListPage) -> None:
    shop = (await platforms.shops_by_id([held.shop_id]))[held.shop_id]
    await database.unit(lambda: listings.record(held, page, shop=shop, now=clock.now()))


PAGE = ListPage((Listed(ref="1", order_ref="1", updated_at=1_760_000_100_000),), "next")


async def test_windows_are_opened_once_by_however_many(db: Settings) -> None:
    shop = await the_shop()

    await asyncio.gather(
        *(database.unit(lambda: cursors.open_windows(shop, hours(3), now=clock.now())) for _ in range(3))
    )

    assert len(await SyncCursor.all()) == 3
    now = clock.now()
    assert await cursors.plan(now=now) > 0
    assert await cursors.plan(now=now) == 0


async def test_who_lost_its_window_records_nothing(db: Settings) -> None:
    shop = await opened()
    slept = await cursors.lease(shop.endpoint_id, at=clock.now())
    assert slept is not None
    await database.execute("UPDATE sync_cursor SET lease_until = 0")
    heir = await cursors.lease(shop.endpoint_id, at=clock.now())
    assert heir is not None
    before = await rows_of("sync_cursor", "*")

    with pytest.raises(LeaseLost):
        await record(slept, PAGE)
    await cursors.postpone(slept, "late", give_up=True)
    await cursors.release(slept, wait_ms=0)

    assert await rows_of("sync_cursor", "*") == before
    assert await rows_of("listed_item", "*") == await rows_of("fetch_job", "*") == await found() == []


async def test_a_page_that_is_recorded_is_not_recorded_again(db: Settings) -> None:
    shop = await opened()
    held = await cursors.lease(shop.endpoint_id, at=clock.now())
    assert held is not None
    await record(held, PAGE)

    with pytest.raises(LeaseLost):
        await record(held, PAGE)

    assert await rows_of("sync_cursor", "pages, listed, asked, page") == [(1, 1, 1, "next")]


async def test_the_heir_of_a_window_goes_on_at_its_page(db: Settings) -> None:
    shop = await opened()
    held = await cursors.lease(shop.endpoint_id, at=clock.now())
    assert held is not None
    await record(held, PAGE)
    await database.execute("UPDATE sync_cursor SET lease_until = 0")  # its process was killed

    heir = await cursors.lease(shop.endpoint_id, at=clock.now() + HOUR)

    assert heir is not None
    assert (heir.page, heir.opened_at) == ("next", held.opened_at)


async def test_two_processes_hold_different_windows_and_do_not_wait(db: Settings) -> None:
    shop = await opened(4)
    if database.dialect() != "postgres":
        pytest.skip("SQLite has one writer")
    taken: list[int] = []

    async def take() -> None:
        held = await cursors.lease(shop.endpoint_id, at=clock.now())
        assert held is not None
        taken.append(held.id)

    await meet(db, "SELECT 1 FROM sync_cursor ORDER BY window_start LIMIT 1 FOR UPDATE", take, take)

    assert len(set(taken)) == 2


async def test_two_windows_that_close_at_once_are_both_behind_the_mark(db: Settings) -> None:
    shop = await opened(2)
    first = await cursors.lease(shop.endpoint_id, at=clock.now())
    second = await cursors.lease(shop.endpoint_id, at=clock.now())
    assert first is not None
    assert second is not None
    is_closed, may_commit = asyncio.Event(), asyncio.Event()

    async def close_slowly() -> None:
        async with database.transaction():
            await cursors.move_on(second, following="", listed=0, asked=0, now=clock.now())
            is_closed.set()
            await may_commit.wait()

    slow = asyncio.ensure_future(close_slowly())
    await is_closed.wait()
    quick = asyncio.ensure_future(
        database.unit(lambda: cursors.move_on(first, following="", listed=0, asked=0, now=clock.now()))
    )
    await asyncio.wait({quick}, timeout=0.3)
    may_commit.set()
    await asyncio.gather(slow, quick)

    assert (await SyncMark.get()).reconciled_until == clock.from_ms(hours(2)[-1].end)


async def test_a_later_window_that_closes_first_waits_for_the_earlier_one(db: Settings) -> None:
    shop = await opened(3)
    first = await cursors.lease(shop.endpoint_id, at=clock.now())
    assert first is not None
    for _ in range(2):
        await close_next(shop.endpoint_id)
    assert (await SyncMark.get()).reconciled_until == clock.from_ms(hours(1)[0].start)

    await database.unit(lambda: cursors.move_on(first, following="", listed=0, asked=0, now=clock.now()))

    assert (await SyncMark.get()).reconciled_until == clock.from_ms(hours(3)[-1].end)


async def test_a_shop_that_shares_its_endpoint_is_not_listed(db: Settings) -> None:
    bureau = await a_bureau()
    endpoint = await an_endpoint(bureau, api_base_url="http://127.0.0.1:9")
    for _ in range(2):
        await a_shop(bureau, endpoint=endpoint)

    assert await cursors.listable() == []
    with pytest.raises(cursors.NotListable):
        await cursors.backfill((await Shop.first()).id, since=clock.now(), now=clock.now())  # type: ignore[union-attr]


async def test_lists_wait_while_the_inbox_is_behind(pulled: Pulled, monkeypatch: pytest.MonkeyPatch) -> None:
    order_ref = await pulled.wire.order()
    await pulled.wire.say("101", order_ref, pay_time=clock.to_ms(clock.now()) // 1000 - 8)
    await database.execute(
        "UPDATE inbox_message SET status = 'received', received_at = 1, next_attempt_at = 1"
    )
    await pulled.window(kinds=("order",))

    assert await pulled.puller.run_once() == 0

    window = await SyncCursor.get()
    assert (str(window.status), window.lease_until, window.attempts) == ("waiting", clock.from_ms(0), 0)
    monkeypatch.setattr(pulling, "BEHIND_MS", 10**15)
    await database.execute("UPDATE sync_cursor SET due_at = 0")
    assert await pulled.puller.run_once() == 1


async def test_lists_ask_in_one_order(db: Settings) -> None:
    origin = await a_job(db, *REFS)
    (shop,) = await Shop.filter(endpoint_id=origin.endpoint_id)

    for backwards in (False, True):
        asks = [
            Ask(shop_id=shop.id, shop_ref=SHOP, kind=FetchKind.ORDER, order_ref=ref, ref=ref)
            for ref in sorted(REFS, reverse=backwards)
        ]

        async def work(asks: list[Ask] = asks) -> None:
            await database.unit(lambda: asking.ask(asks, now=clock.now()))

        await waits_at_the_first(db, REFS, work)


def test_a_platform_says_whether_it_has_lists() -> None:
    assert {each.name: each.lister is not None for each in registry.all()} == {
        "doudian": True, "kuaishou": True, "standard_webhooks": False, "wechat_store": True,
    }  # fmt: skip


async def test_the_report_of_a_day_and_of_a_shop(pulled: Pulled) -> None:
    await pulled.wire.order()
    await pulled.pull()
    actor = msgspec.structs.replace(CLERK, centre_id=pulled.wire.endpoint.centre_id)
    now = clock.now()

    (state,) = await reconciled.shops(actor=actor, now=now)
    today = clock.local_day(now)
    (day,) = await reconciled.days(state.shop, day_from=today, day_to=today, actor=actor)

    assert (state.open, state.found, state.waiting, state.dead, state.why_not, state.is_late(now)) == (
        0,
        1,
        0,
        0,
        "",
        False,
    )
    assert (day.orders, day.missing, day.open, day.is_reconciled) == (1, 1, 0, False)
    assert state.is_late(now + timedelta(days=2))
    listed = await reconciled.differences(reconciled.Search(kind="missing"), actor=actor)
    assert [(each.status, each.outcome, each.is_known) for each in listed.items] == [
        ("closed", "pulled", True)
    ]
    assert await reconciled.prune(now=now + timedelta(days=400)) > 0


async def test_a_shop_that_was_disabled_for_long_is_no_false_alarm(pulled: Pulled) -> None:
    await pulled.wire.order()
    await pulled.pull()
    await database.execute(
        "UPDATE sales_order SET told_at = told_at - $1, changed_at = changed_at - $1", HALF
    )
    await database.execute("DELETE FROM sync_difference")
    assert await agreed.check() == []
    await database.execute("UPDATE endpoint SET disabled = true")

    await reconciled.prune(now=clock.now() + timedelta(days=101))

    assert await rows_of("sync_cursor", "status") == [("done",), ("done",)]  # the next one begins there
    assert await rows_of("listed_item", "ref") == []
    assert await agreed.check() == []


async def test_an_order_that_no_list_had_is_told_while_its_windows_rows_are_kept(pulled: Pulled) -> None:
    order_ref = await pulled.wire.order()
    await pulled.pull()
    await database.execute(
        "UPDATE sales_order SET told_at = told_at - $1, changed_at = changed_at - $1", HALF
    )
    await database.execute("DELETE FROM sync_difference")
    await database.execute("DELETE FROM listed_item")

    await reconciled.prune(now=clock.now() + timedelta(days=99))

    (told,) = await agreed.check()
    assert f"order {order_ref} of shop" in told


async def test_a_list_without_an_end_is_given_up_and_keeps_no_other_waiting(
    pulled: Pulled, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pulled.wire.order()
    await pulled.window()
    monkeypatch.setattr(pulling, "MOST_PAGES", 0)
    await pulled.puller.run_once()

    assert {status for _, status, _ in await rows_of("sync_cursor", "kind, status, pages")} == {"dead"}
    assert "no end" in (await SyncCursor.all())[0].last_error


async def test_a_difference_that_is_found_anew_while_it_is_closed_stays_open(db: Settings) -> None:
    shop = await a_shop(await a_bureau())
    await a_difference(shop)
    was = await SyncDifference.get()
    await database.execute("UPDATE sync_difference SET kind = 'extra', updated_at = 1")
    await sell(shop, was.order_ref, clock.to_ms(clock.now()))  # changed since: it is none any more

    async def found_anew() -> None:
        await database.execute("UPDATE sync_difference SET found_at = found_at + 1")

    await meet(
        db,
        "SELECT 1 FROM sync_difference FOR UPDATE",
        found_anew,
        lambda: differences.settle(now=clock.now()),
    )

    if not db.is_sqlite:  # there the second look comes after the first
        assert (await SyncDifference.get()).status == "open"
    assert await differences.settle(now=clock.now()) <= 1
