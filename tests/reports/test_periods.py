"""暂定 -> 已核对 -> 已关账: a day says when it moved again, and a closed month never does."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from msgspec.structs import replace

from livehub import database
from livehub.accounts.errors import PermissionMissing, SecondPersonNeeded
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import clock
from livehub.kit.errors import Invalid
from livehub.orders import intake
from livehub.reports import adjustments, figures, periods
from livehub.reports.errors import (
    DayNotOver,
    DayPending,
    DaysMoved,
    DaysNotReconciled,
    MonthClosed,
    MonthNotOver,
    NoSuchMonth,
)
from livehub.reports.figures import Scope
from livehub.reports.invariants import closed
from livehub.reports.models import ClosedMonth
from livehub.reports.periods import DayState
from livehub.settings import Settings
from tests.contention import kinds, meet
from tests.factories.accounts import an_actor
from tests.factories.orders import World
from tests.factories.statements import finance
from tests.orders.test_histories import LATER, PAID, arrival, back, receive, told

MONTH, FIRST, LAST = 202603, date(2026, 3, 1), date(2026, 3, 31)
SEEN = datetime(2026, 4, 1, 9, tzinfo=clock.SHANGHAI)  # when everything of March was booked
CLOSED = SEEN + timedelta(hours=1)
AFTER = SEEN + timedelta(days=3)


async def book(world: World, order: str, number: int, data: dict[str, object], *, now: datetime) -> None:
    await receive([arrival(world, order, number, data, now=now)])
    while await intake.run_once(now=now, lease_seconds=30):
        pass


async def a_month(world: World) -> None:
    await book(world, "A", 1, told("paid", PAID), now=SEEN)
    await book(world, "B", 1, told("paid", LATER, refunds=[back("r1", 2000, LATER)]), now=SEEN)


async def states(world: World) -> dict[int, DayState]:
    """Day of the month -> its state, of the days that have figures."""
    seen = await periods.month(MONTH, centre_id=world.centre.id)
    return {each.day.day: each.state for each in seen.days if each.figures}


async def reconciled(world: World, *, now: datetime = CLOSED) -> int:
    return await periods.reconcile(FIRST, LAST, actor=finance(world.centre.id), now=now)


async def test_a_day_is_provisional_until_it_is_looked_at_and_again_when_it_moved(world: World) -> None:
    await a_month(world)
    assert await states(world) == {6: DayState.PROVISIONAL, 8: DayState.PROVISIONAL}

    assert await reconciled(world) == 2
    assert await states(world) == {6: DayState.RECONCILED, 8: DayState.RECONCILED}
    assert await reconciled(world) == 0

    await book(world, "C", 1, told("paid", PAID, fen=700), now=AFTER)
    seen = await periods.month(MONTH, centre_id=world.centre.id)
    assert await states(world) == {6: DayState.PROVISIONAL, 8: DayState.RECONCILED}
    (sixth,) = [each for each in seen.days if each.day.day == 6]
    assert (sixth.changes, sixth.changed_fen) == (1, 700)
    assert await reconciled(world, now=AFTER + timedelta(hours=1)) == 1


async def test_what_came_after_the_look_is_not_said_to_be_right(world: World) -> None:
    actor = finance(world.centre.id)
    await a_month(world)
    await book(world, "C", 1, told("paid", PAID, fen=700), now=AFTER)
    later = AFTER + timedelta(hours=1)

    with pytest.raises(DaysMoved) as refused:
        await periods.reconcile(FIRST, LAST, actor=actor, now=later, seen_at=CLOSED)
    with pytest.raises(Invalid):
        await periods.reconcile(LAST, FIRST, actor=actor, now=later)

    assert refused.value.data == {"days": ["2026-03-06"]}
    assert set((await states(world)).values()) == {DayState.PROVISIONAL}
    assert await periods.reconcile(FIRST, LAST, actor=actor, now=later, seen_at=later) == 2


async def test_a_closed_month_stays_and_what_comes_later_is_an_adjustment_with_its_reason(
    world: World,
) -> None:
    await a_month(world)
    await reconciled(world)
    made = await periods.close(MONTH, actor=finance(world.centre.id), now=CLOSED)

    assert (made.snapshot.total.g3_fen, made.snapshot.bridge["G4"]) == (8_000, 0)
    assert {row.key: row.g3_fen for row in made.snapshot.days} == {"20260306": 10_000, "20260308": -2_000}
    assert await states(world) == {6: DayState.CLOSED, 8: DayState.CLOSED}
    assert await adjustments.of(MONTH, centre_id=world.centre.id) == []
    await book(world, "C", 1, told("paid", PAID, fen=700), now=AFTER)
    await book(world, "A", 2, told("paid", LATER, refunds=[back("r1", 5000, LATER)]), now=AFTER)
    await database.execute("UPDATE rollup_bucket SET revision = revision")  # rollups may go on moving

    again = await periods.closing(MONTH, centre_id=world.centre.id)
    found = await adjustments.of(MONTH, centre_id=world.centre.id)
    now = await figures.total(Scope(centre_id=world.centre.id, day_from=FIRST, day_to=LAST))

    assert again == made
    assert [(each.reason, each.g3_fen, each.orders) for each in found] == [
        ("late", 700, 1),
        ("refund", -5_000, 1),
    ]
    assert made.snapshot.total.g3_fen + sum(each.g3_fen for each in found) == now.g3_fen
    april = await adjustments.booked(
        centre_id=world.centre.id,
        since=clock.at_local(date(2026, 4, 1)),
        until=clock.at_local(date(2026, 5, 1)),
    )
    assert april == found
    assert await closed.check() == []
    entry = await AuditEntry.get(action="month.closed")
    assert made.sha256 in entry.detail
    with pytest.raises(MonthClosed):
        await periods.close(MONTH, actor=finance(world.centre.id), now=AFTER)
    with pytest.raises(MonthClosed):
        await reconciled(world, now=AFTER)


async def test_what_is_not_over_not_known_or_not_looked_at_is_not_closed(world: World) -> None:
    actor = finance(world.centre.id)
    await a_month(world)
    with pytest.raises(DaysNotReconciled) as refused:
        await periods.close(MONTH, actor=actor, now=CLOSED)
    assert refused.value.data == {"days": ["2026-03-06", "2026-03-08"]}
    with pytest.raises(MonthNotOver):
        await periods.close(MONTH, actor=actor, now=clock.at_local(LAST, hour=23))
    with pytest.raises(DayNotOver):
        await periods.reconcile(FIRST, LAST, actor=actor, now=clock.at_local(LAST, hour=23))
    for number in (202600, 202613, 0, 99, 10**12):
        with pytest.raises(NoSuchMonth):
            await periods.close(number, actor=actor, now=CLOSED)
    await reconciled(world)
    await book(world, "C", 1, told("paid", PAID, fen=700), now=AFTER)
    with pytest.raises(DaysNotReconciled):
        await periods.close(MONTH, actor=actor, now=AFTER)

    await database.execute("UPDATE rollup_bucket SET pending = 1 WHERE day = 20260306")
    with pytest.raises(DayPending):
        await reconciled(world, now=AFTER)


async def test_only_finance_closes_and_no_machine(world: World) -> None:
    await a_month(world)
    for role in (Role.MANAGER, Role.STAFF, Role.AUDITOR, Role.BUREAU):
        actor = an_actor(role, centre_id=world.centre.id)
        with pytest.raises(PermissionMissing):
            await periods.reconcile(FIRST, LAST, actor=actor, now=CLOSED)
        with pytest.raises(PermissionMissing):
            await periods.close(MONTH, actor=actor, now=CLOSED)
    await reconciled(world)
    machine = replace(finance(world.centre.id), kind="token")
    with pytest.raises(SecondPersonNeeded):
        await periods.close(MONTH, actor=machine, now=CLOSED)


async def test_two_who_close_a_month_at_once_close_it_once(db: Settings, world: World) -> None:
    await a_month(world)
    await reconciled(world)

    answers = await meet(
        db,
        "LOCK TABLE closed_month IN EXCLUSIVE MODE",
        *[lambda: periods.close(MONTH, actor=finance(world.centre.id), now=CLOSED)] * 2,
    )

    assert kinds(answers) == ["Closing", "MonthClosed"]
    assert await ClosedMonth.all().count() == 1


async def test_a_snapshot_is_what_was_known_at_its_instant_and_the_invariant_says_when_it_is_not(
    world: World,
) -> None:
    await a_month(world)
    await reconciled(world)
    await periods.close(MONTH, actor=finance(world.centre.id), now=CLOSED)
    assert await closed.check() == []

    row = await ClosedMonth.get()
    wrong = row.snapshot.replace('"g3_fen":8000', '"g3_fen":8001')
    assert wrong != row.snapshot
    await ClosedMonth.create(
        centre_id=row.centre_id, month=202602, as_of=row.as_of, at=row.at, made_by="x", snapshot=wrong
    )

    assert len(await closed.check()) == 1
    for statement in ("UPDATE closed_month SET month = 202601", "DELETE FROM closed_month"):
        with pytest.raises(Exception, match="append-only"):
            await database.execute(statement)
