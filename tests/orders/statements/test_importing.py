"""A statement against the books: each row counts once, what does not agree is told, and closes itself when it does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.errors import PermissionMissing
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import clock
from livehub.kit.errors import Invalid, NotFound
from livehub.kit.states import WrongState
from livehub.orders.invariants import settled as invariant
from livehub.orders.statements import differences, drafts, importing, queries
from livehub.orders.statements.errors import AlreadyImported, RowsWrong, UnknownSource, WrongShop
from livehub.orders.statements.models import (
    SettledMark,
    SettlementDifference,
    SettlementStatement,
    StatementLine,
    StatementPiece,
)
from livehub.platforms.contract import Event, EventType, Line, OrderSnapshot, OrderStatus
from tests.factories.accounts import an_actor
from tests.factories.orders import World
from tests.factories.statements import a_file, a_row, differences_of, finance, imported, looked_at, said
from tests.orders.test_intake import work
from tests.orders.test_state import T0, a_refund

PAID = T0


async def sell(world: World, order: str, *fens: int, refunded: int = 0, at: int = PAID) -> None:
    """An order of so many lines, 1 and on; a refund of its first."""
    lines = tuple(
        Line(
            line_ref=f"{order}-{n}", quantity=1, list_fen=fen + 100, merchant_disc_fen=100, buyer_paid_fen=fen
        )
        for n, fen in enumerate(fens, start=1)
    )
    snapshot = OrderSnapshot(status=OrderStatus.PAID, lines=lines, created_at=at, paid_at=at, updated_at=at)
    event = Event(type=EventType.ORDER_PAID, shop_ref="s", order_ref=order, status_at=at, order=snapshot)
    await world.tell(event)
    if refunded:
        await refund(world, order, refunded)
    await work()


async def refund(world: World, order: str, fen: int) -> None:
    event = a_refund("r", PAID + 86_400_000, fen, line=f"{order}-1")
    await world.tell(Event(
        type=event.type, shop_ref="s", order_ref=order, status_at=event.status_at, refunds=event.refunds
    ))  # fmt: skip
    await work()


async def again(*, days: int = 1) -> int:
    now = clock.now()
    return await differences.look_again(since=now - timedelta(days=days), now=now)


async def sound() -> None:
    assert await invariant.check() == []


async def settled() -> int:
    row = await database.fetch_one("SELECT coalesce(sum(fen), 0) AS fen FROM settled_mark")
    return int(row["fen"]) if row else 0


async def test_what_agrees_is_matched_and_the_rest_is_told(world: World) -> None:
    centre = world.centre.id
    await sell(world, "A", 10_000)
    await sell(world, "B", 5_000, refunded=2_000)
    await sell(world, "C", 3_000)
    await sell(world, "D", 700)
    await sell(world, "E", 900, 100)

    whole = await imported(
        a_file([
            a_row("A", "100.00", entry="1", fee="-5.00"),
            a_row("B", "30.00", entry="2"),
            a_row("C", "29.20", entry="3"),
            a_row("D", "7.00", entry="4"), a_row("D", "7.00", entry="5"),
            a_row("E", "12.00", entry="6", line="E-1"), a_row("E", "1", entry="7", line="E-9"),
            a_row("F", "1.00", entry="8"), a_row("G", "2.00", entry="9"),
        ]),
        centre_id=centre,
    )  # fmt: skip

    assert (whole.seen.state, whole.seen.rows, whole.stored, whole.matched) == ("imported", 9, 9, 6)
    assert whole.seen.sums == {"sales": 18_920, "fee": -500, "commission": 0, "freight": 0, "other": 0}
    assert whole.settled_fen == await settled() == 18_520
    assert said(await differences_of(centre)) == [
        ("differs", "C", -80), ("no_line", "E", 100), ("not_found", "F", 100), ("not_found", "G", 200),
        ("over", "E", 300), ("twice", "D", 700),
    ]  # fmt: skip
    await sound()


async def test_a_row_without_a_line_is_shared_out_over_its_order_to_the_fen(world: World) -> None:
    await sell(world, "A", 1_001, 2_002, 3_000)

    await imported(a_file([a_row("A", "60.03")]), centre_id=world.centre.id)

    marks = {each.line_ref: each.fen for each in await SettledMark.all()}
    assert marks == {"A-1": 1_001, "A-2": 2_002, "A-3": 3_000}
    assert await differences_of(world.centre.id) == []


async def test_the_same_file_and_the_same_row_of_another_file_count_once(world: World) -> None:
    centre = world.centre.id
    await sell(world, "A", 10_000)
    await sell(world, "B", 5_000)
    day = a_file([a_row("A", "100", entry="1")])
    await imported(day, centre_id=centre)

    with pytest.raises(AlreadyImported):
        await looked_at(day, centre_id=centre)
    month = await looked_at(
        a_file([a_row("A", "100", entry="1"), a_row("B", "50", entry="2")]), centre_id=centre
    )
    assert (month.repeated, month.unknown) == (1, 0)
    whole = await imported(
        a_file([a_row("A", "100", entry="1"), a_row("B", "50", entry="2")]), centre_id=centre
    )

    assert (whole.seen.repeated, whole.stored, await settled()) == (1, 1, 15_000)
    assert await differences_of(centre) == []


async def test_an_order_that_comes_late_closes_its_difference(world: World) -> None:
    centre = world.centre.id
    await imported(a_file([a_row("A", "100"), a_row("B", "7")]), centre_id=centre)
    assert said(await differences_of(centre)) == [("not_found", "A", 10_000), ("not_found", "B", 700)]

    await sell(world, "A", 10_000)
    assert await again() == 2  # the row, and the order that it settles now

    assert said(await differences_of(centre)) == [("not_found", "B", 700)]
    assert said(await differences_of(centre, state="closed")) == [("not_found", "A", 10_000)]
    assert await settled() == 10_000
    assert await again() == 1
    assert await settled() == 10_000
    await sound()


async def test_a_refund_that_comes_late_closes_a_difference_and_opens_another(world: World) -> None:
    centre = world.centre.id
    await sell(world, "A", 10_000)
    await sell(world, "B", 10_000)
    await imported(a_file([a_row("A", "80"), a_row("B", "100")]), centre_id=centre)
    assert said(await differences_of(centre)) == [("differs", "A", -2_000)]

    await refund(world, "A", 2_000)
    await refund(world, "B", 500)
    await again()

    assert said(await differences_of(centre)) == [("over", "B", 500)]


async def test_an_explanation_stays_until_the_difference_is_another(world: World) -> None:
    centre = world.centre.id
    await sell(world, "A", 10_000)
    await imported(a_file([a_row("A", "80")]), centre_id=centre)
    (open_,) = await differences_of(centre)

    await differences.explain(open_.id, reason=" 平台扣了违约金 ", actor=finance(centre), now=clock.now())
    await again()

    (kept,) = await differences_of(centre, state="explained")
    assert (kept.id, kept.reason, kept.explained_by) == (open_.id, "平台扣了违约金", finance(centre).name)
    entry = await AuditEntry.get(action="difference.explained")
    assert "平台扣了违约金" in entry.detail
    with pytest.raises(WrongState):
        await differences.explain(open_.id, reason="再说一次", actor=finance(centre), now=clock.now())

    await refund(world, "A", 500)
    await again()
    assert said(await differences_of(centre, state="explained")) == []
    assert said(await differences_of(centre)) == [("differs", "A", -1_500)]


async def test_who_may_not_is_refused(world: World) -> None:
    centre = world.centre.id
    raw = a_file([a_row("A", "100")])
    manager = an_actor(Role.MANAGER, centre_id=centre)
    with pytest.raises(PermissionMissing):
        await drafts.draft(raw, name="x", shop="s", source="generic", actor=manager, now=clock.now())
    made = await looked_at(raw, centre_id=centre)
    with pytest.raises(PermissionMissing):
        await importing.begin(made.public_id, actor=manager, now=clock.now())
    with pytest.raises(NotFound):
        await importing.begin(made.public_id, actor=finance(centre + 1), now=clock.now())
    with pytest.raises(NotFound):
        await looked_at(raw, centre_id=centre + 1)
    with pytest.raises(NotFound):
        await queries.statement(made.public_id, actor=finance(centre + 1))
    with pytest.raises(NotFound):
        await differences.explain(10**30, reason="没有这一项", actor=finance(centre), now=clock.now())
    with pytest.raises(Invalid):
        await differences.explain(1, reason=" ", actor=finance(centre), now=clock.now())
    with pytest.raises(UnknownSource):
        await looked_at(raw, centre_id=centre, source="nowhere")
    with pytest.raises(WrongShop):
        await looked_at(raw, centre_id=centre, source="doudian")


async def test_a_file_with_a_row_nobody_can_read_is_not_imported_and_nothing_is_lost(world: World) -> None:
    centre = world.centre.id
    made = await looked_at(a_file([a_row("A", "100"), a_row("B", "x")]), centre_id=centre)

    with pytest.raises(RowsWrong):
        await importing.begin(made.public_id, actor=finance(centre), now=clock.now())
    with pytest.raises(WrongState):
        await importing.go_on(made.id, now=clock.now())

    whole = await queries.statement(made.public_id, actor=finance(centre))
    assert (whole.seen.state, whole.seen.rows, whole.seen.wrong, len(whole.mistakes)) == ("draft", 1, 1, 1)
    assert await StatementLine.all().count() == 0


async def test_the_file_is_kept_sealed_byte_for_byte(world: World) -> None:
    raw = a_file([a_row(f"ORDER-{n}", f"{n}.01") for n in range(30_000)], encoding="gbk")

    made = await looked_at(raw, centre_id=world.centre.id)

    assert await drafts.kept(made.id) == raw
    pieces = await StatementPiece.filter(statement_id=made.id)
    assert all(b"ORDER-" not in bytes(each.body_sealed) for each in pieces)


async def test_a_draft_is_forgotten_after_a_week_and_an_imported_file_never(world: World) -> None:
    centre = world.centre.id
    await imported(a_file([a_row("A", "1")]), centre_id=centre)
    await looked_at(a_file([a_row("A", "2")]), centre_id=centre)

    assert await drafts.prune(now=clock.now() + timedelta(days=6)) == 0
    assert await drafts.prune(now=clock.now() + timedelta(days=8)) == 1

    assert [each.state for each in await SettlementStatement.all()] == ["imported"]
    assert await StatementPiece.all().count() == 1


async def test_two_who_import_one_file_at_once_book_each_row_once(world: World) -> None:
    centre = world.centre.id
    for n in range(20):
        await sell(world, f"A{n}", 1_000)
    rows = [a_row(f"A{n}", "10", entry=str(n)) for n in range(20)] + [
        a_row("Z", "1"),
        a_row("A1", "1", line="none"),
    ]
    made = await looked_at(a_file(rows), centre_id=centre)
    await importing.begin(made.public_id, actor=finance(centre), now=clock.now())

    await asyncio.gather(*(importing.go_on(made.id, now=clock.now()) for _ in range(4)))

    assert (await StatementLine.all().count(), await SettledMark.all().count(), await settled()) == (
        22,
        20,
        20_000,
    )
    assert said(await differences_of(centre)) == [("no_line", "A1", 100), ("not_found", "Z", 100)]


async def test_an_import_that_is_begun_again_settles_nothing_twice(world: World) -> None:
    await sell(world, "A", 10_000)
    made = await looked_at(a_file([a_row("A", "100")]), centre_id=world.centre.id)
    await importing.begin(made.public_id, actor=finance(world.centre.id), now=clock.now())

    for _ in range(2):
        await importing.go_on(made.id, now=clock.now())

    assert await settled() == 10_000
    assert await differences_of(world.centre.id) == []


async def test_an_import_whose_process_went_away_is_finished(world: World) -> None:
    centre = world.centre.id
    await sell(world, "A", 10_000)
    made = await looked_at(a_file([a_row("A", "100")]), centre_id=centre)
    await importing.begin(made.public_id, actor=finance(centre), now=clock.now())

    assert await importing.finish_begun(now=clock.now(), older_than=clock.now() - timedelta(minutes=2)) == 0
    assert await importing.finish_begun(now=clock.now(), older_than=clock.now() + timedelta(seconds=1)) == 1

    assert (await settled(), (await SettlementStatement.get(id=made.id)).state) == (10_000, "imported")


@pytest.mark.parametrize("table", ["statement_line", "settled_mark"])
async def test_rows_and_marks_are_never_rewritten(world: World, table: str) -> None:
    await sell(world, "A", 10_000)
    await imported(a_file([a_row("A", "100")]), centre_id=world.centre.id)

    for verb in (f"UPDATE {table} SET statement_id = 9", f"DELETE FROM {table}"):
        with pytest.raises(Exception, match="append-only"):
            await database.execute(verb)


async def test_one_thing_has_one_difference_at_a_time(world: World) -> None:
    await sell(world, "A", 10_000)
    await imported(a_file([a_row("A", "80"), a_row("Z", "80")]), centre_id=world.centre.id)

    for each in await SettlementDifference.all():
        with pytest.raises(Exception, match=r"(?i)unique"):
            await database.execute(
                "INSERT INTO settlement_difference (centre_id, shop_id, statement_id, kind, statement_line_id,"
                " order_id, line_ref, net_fen, settled_fen, state, opened_at, reason, explained_by)"
                " SELECT centre_id, shop_id, statement_id, kind, statement_line_id, order_id, line_ref, 1, 2,"
                " 'open', opened_at, '', '' FROM settlement_difference WHERE id = $1",
                each.id,
            )
