"""A draft becomes part of the books: row by row, each once, however often and by whomever it is begun."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import structlog

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.kit.states import WrongState
from livehub.orders.statements import differences, drafts, registry
from livehub.orders.statements.errors import AlreadyImported, RowsWrong
from livehub.orders.statements.models import SettlementStatement, StatementState
from livehub.orders.statements.reading import Row

log = structlog.get_logger(__name__)


async def begin(public_id: str, *, actor: Actor, now: datetime) -> SettlementStatement:
    """Decide that a draft is imported; RowsWrong where a row cannot be read, AlreadyImported once it was."""
    require(actor, Permission.STATEMENT_IMPORT)

    async def decide() -> SettlementStatement:
        statement = await SettlementStatement.filter(public_id=public_id, centre_id=actor.centre_id).first()
        if statement is None:
            raise NotFound
        if statement.wrong:
            raise RowsWrong(data={"wrong": statement.wrong})
        moved = await database.fetch(
            "UPDATE settlement_statement SET state = $1, imported_by = $2, imported_at = $3"
            " WHERE id = $4 AND state = $5 RETURNING id",
            str(StatementState.IMPORTING),
            actor.name,
            clock.to_ms(now),
            statement.id,
            str(StatementState.DRAFT),
        )
        if not moved:
            raise AlreadyImported(data={"statement": statement.public_id})
        await audit.write(
            "statement.imported",
            actor=actor,
            now=now,
            about=("statement", statement.public_id),
            detail={"rows": statement.rows, "sales_fen": statement.sales_fen},
        )
        return statement

    return await database.unit(decide)


async def go_on(statement_id: int, *, now: datetime) -> None:
    """Store the rows of a statement that are not there yet and match them; WrongState for a draft."""
    statement = await SettlementStatement.get(id=statement_id)
    if statement.state == StatementState.DRAFT:
        raise WrongState
    rows = drafts.rows_of(await drafts.kept(statement.id), registry.get(statement.source))
    while some := await drafts.chunk(rows):
        await database.unit(partial(_store, statement, some, now=now))
    await database.execute(
        "UPDATE settlement_statement SET state = $1, repeated = rows -"
        " (SELECT count(*) FROM statement_line l WHERE l.statement_id = $2) WHERE id = $2",
        str(StatementState.IMPORTED),
        statement.id,
    )
    log.info("statement.imported", statement=statement.public_id, rows=statement.rows)


async def finish_begun(*, now: datetime, older_than: datetime) -> int:
    """Go on with imports whose process went away; one that cannot keeps no other waiting."""
    begun = await SettlementStatement.filter(
        state=StatementState.IMPORTING, imported_at__lt=clock.to_ms(older_than)
    ).order_by("id")
    finished = 0
    for each in begun:
        try:
            await go_on(each.id, now=now)
        except database.DatabaseUnavailable:
            raise
        except Exception:
            log.exception("statement.not_finished", statement=each.public_id)
        else:
            finished += 1
    return finished


async def _store(statement: SettlementStatement, rows: Sequence[Row], *, now: datetime) -> None:
    await database.with_rows(
        _LINE,
        [
            (statement.id, statement.centre_id, statement.shop_id, row.line, row.digest, row.order_ref,
             row.line_ref, row.entry_ref, clock.day_number(row.settled_on), row.sales_fen, row.fee_fen,
             row.commission_fen, row.freight_fen, row.other_fen)
            for row in sorted(rows, key=lambda each: each.digest)
        ],
        f"INSERT INTO statement_line ({', '.join(_LINE)}) SELECT {', '.join(_LINE)} FROM v WHERE true"
        " ON CONFLICT (shop_id, digest) DO NOTHING",
    )  # fmt: skip
    stored = await database.fetch(
        f"SELECT {differences.STORED} FROM statement_line l WHERE l.statement_id = $1"
        " AND l.line BETWEEN $2 AND $3 ORDER BY l.id",
        statement.id,
        min(row.line for row in rows),
        max(row.line for row in rows),
    )
    await differences.settle([differences.stored(row) for row in stored], now=now)


_LINE = {
    "statement_id": "bigint",
    "centre_id": "bigint",
    "shop_id": "bigint",
    "line": "int",
    "digest": "bytea",
    "order_ref": "text",
    "line_ref": "text",
    "entry_ref": "text",
    "settled_on": "int",
    "sales_fen": "bigint",
    "fee_fen": "bigint",
    "commission_fen": "bigint",
    "freight_fen": "bigint",
    "other_fen": "bigint",
}
