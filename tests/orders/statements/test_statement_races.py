"""Several people with the same statement, and several statements of the same order, at the same moment."""

from __future__ import annotations

import asyncio

from livehub.accounts.models import AuditEntry
from livehub.kit import clock
from livehub.orders.statements import differences, drafts, importing
from livehub.orders.statements.models import SettlementStatement, StatementLine
from livehub.settings import Settings
from tests.contention import kinds, meet
from tests.factories.orders import World
from tests.factories.statements import a_file, a_row, differences_of, finance, imported, looked_at, said
from tests.orders.statements.test_importing import sell, settled

ORDERS = "SELECT 1 FROM sales_order FOR UPDATE"
DIFFERENCES = "LOCK TABLE settlement_difference IN ACCESS EXCLUSIVE MODE"


async def test_one_file_imported_by_two_at_once_is_booked_once(db: Settings, world: World) -> None:
    centre = world.centre.id
    await sell(world, "A", 10_000)
    made = await looked_at(a_file([a_row("A", "100"), a_row("Z", "1")]), centre_id=centre)
    await importing.begin(made.public_id, actor=finance(centre), now=clock.now())

    answers = await meet(db, ORDERS, *[lambda: importing.go_on(made.id, now=clock.now())] * 2)

    assert kinds(answers) == ["NoneType"] * 2
    assert (await StatementLine.all().count(), await settled()) == (2, 10_000)
    assert said(await differences_of(centre)) == [("not_found", "Z", 100)]


async def test_two_statements_that_settle_one_order_at_once_see_each_other(
    db: Settings, world: World
) -> None:
    centre = world.centre.id
    await sell(world, "A", 10_000)
    made = [await looked_at(a_file([a_row("A", "100", entry=f"L{n}")]), centre_id=centre) for n in range(2)]
    for each in made:
        await importing.begin(each.public_id, actor=finance(centre), now=clock.now())

    answers = await meet(
        db, DIFFERENCES, *[lambda each=each: importing.go_on(each.id, now=clock.now()) for each in made]
    )

    assert kinds(answers) == ["NoneType"] * 2
    assert said(await differences_of(centre)) == [("twice", "A", 10_000)]


async def test_one_file_uploaded_by_two_at_once_is_one_draft(db: Settings, world: World) -> None:
    raw = a_file([a_row("A", "100")])

    await meet(
        db, "LOCK TABLE statement_piece IN EXCLUSIVE MODE",
        *[lambda: looked_at(raw, centre_id=world.centre.id)] * 2,
    )  # fmt: skip

    kept = await SettlementStatement.get()
    assert await drafts.kept(kept.id) == raw


async def test_a_draft_is_begun_once(db: Settings, world: World) -> None:
    centre = world.centre.id
    made = await looked_at(a_file([a_row("A", "100")]), centre_id=centre)

    answers = await meet(
        db,
        "SELECT 1 FROM settlement_statement FOR UPDATE",
        *[lambda: importing.begin(made.public_id, actor=finance(centre), now=clock.now())] * 2,
    )

    assert kinds(answers) == ["AlreadyImported", "SettlementStatement"]
    assert await AuditEntry.filter(action="statement.imported").count() == 1


async def test_a_difference_is_explained_once(db: Settings, world: World) -> None:
    centre = world.centre.id
    await imported(a_file([a_row("A", "100")]), centre_id=centre)
    (open_,) = await differences_of(centre)

    def say(reason: str) -> asyncio.Future[None]:
        return differences.explain(open_.id, reason=reason, actor=finance(centre), now=clock.now())

    answers = await meet(
        db,
        "SELECT 1 FROM settlement_difference FOR UPDATE",
        lambda: say("第一个人说的"),
        lambda: say("第二个人说的"),
    )

    assert kinds(answers) == ["NoneType", "WrongState"]
    assert [each.reason for each in await differences_of(centre, state="explained")] == ["第一个人说的"]
