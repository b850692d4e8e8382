"""An import that is gone on with, rows without a line, and files that contradict each other: no fen twice, none lost."""

from __future__ import annotations

from datetime import timedelta

from livehub import database
from livehub.kit import clock
from livehub.orders.invariants import settled as invariant
from livehub.orders.statements import drafts, importing, queries
from livehub.orders.statements.models import SettledMark, SettlementStatement, StatementPiece
from livehub.settings import Settings
from tests.contention import meet
from tests.factories.orders import World
from tests.factories.statements import a_file, a_row, differences_of, finance, imported, looked_at
from tests.orders.statements.test_importing import refund, sell, settled


async def marks() -> dict[str, int]:
    found: dict[str, int] = {}
    for each in await SettledMark.all():
        found[each.line_ref] = found.get(each.line_ref, 0) + each.fen
    return found


async def test_an_import_that_goes_on_after_a_refund_leaves_what_is_marked(world: World) -> None:
    centre = world.centre.id
    await sell(world, "A", 20_000, 10_000)
    made = await looked_at(a_file([a_row("A", "0.01")]), centre_id=centre)
    await importing.begin(made.public_id, actor=finance(centre), now=clock.now())
    await importing.go_on(made.id, now=clock.now())
    before = await marks()
    await database.execute("UPDATE settlement_statement SET state = 'importing'")  # killed before its end

    await refund(world, "A", 20_000)  # by what is left now the fen would be the other line's
    await importing.go_on(made.id, now=clock.now())

    assert (await marks(), await settled()) == (before, 1)
    assert await invariant.check() == []


async def test_a_refund_without_a_line_is_taken_from_the_line_that_is_settled_too_much(world: World) -> None:
    centre = world.centre.id
    await sell(world, "A", 10_000, 20_000)
    await imported(a_file([a_row("A", "300")]), centre_id=centre)
    await refund(world, "A", 10_000)

    await imported(a_file([a_row("A", "-70"), a_row("A", "-30")]), centre_id=centre)

    assert await marks() == {"A-1": 0, "A-2": 20_000}
    assert await differences_of(centre) == []


async def test_a_row_that_says_other_sales_than_in_an_earlier_file_is_named(world: World) -> None:
    centre = world.centre.id
    await sell(world, "A", 10_000)
    await imported(a_file([a_row("A", "100", entry="1")]), centre_id=centre)

    made = await looked_at(
        a_file([a_row("A", "90", entry="1"), a_row("A", "100", entry="1", fee="-1")]), centre_id=centre
    )

    whole = await queries.statement(made.public_id, actor=finance(centre))
    assert (whole.seen.wrong, whole.seen.rows, whole.seen.repeated) == (2, 0, 0)
    assert [each.line for each in whole.mistakes] == [2, 3]
    assert "100.00" in whole.mistakes[0].reason


async def test_one_import_that_cannot_go_on_keeps_no_other_waiting(world: World) -> None:
    centre = world.centre.id
    await sell(world, "A", 10_000)
    made = [await looked_at(a_file([a_row("A", "1", entry=f"{n}")]), centre_id=centre) for n in range(2)]
    for each in made:
        await importing.begin(each.public_id, actor=finance(centre), now=clock.now())
    await StatementPiece.filter(statement_id=made[0].id).delete()

    assert await importing.finish_begun(now=clock.now(), older_than=clock.now() + timedelta(seconds=1)) == 1

    states = [each.state for each in await SettlementStatement.all().order_by("id")]
    assert states == ["importing", "imported"]


async def test_a_draft_that_is_begun_while_old_ones_are_forgotten_keeps_its_file(
    db: Settings, world: World
) -> None:
    centre = world.centre.id
    raw = a_file([a_row("A", "100")])
    made = await looked_at(raw, centre_id=centre)
    later = clock.now() + drafts.KEPT * 2

    await meet(
        db,
        "SELECT 1 FROM settlement_statement FOR UPDATE",
        lambda: importing.begin(made.public_id, actor=finance(centre), now=clock.now()),
        lambda: drafts.prune(now=later),
    )

    kept = await SettlementStatement.get_or_none(id=made.id)
    assert kept is not None
    assert (kept.state, await drafts.kept(made.id)) == ("importing", raw)
