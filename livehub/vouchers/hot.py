"""The SQL of claims and redemptions: several inserts and updates over one batch of rows.

PostgreSQL gets them as one statement, since there each round trip costs; SQLite gets one after the other.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import asyncpg
from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.database.rows import each_row


class Sum(Struct, frozen=True):
    """What an UPDATE adds to a number of a table: an amount of each row, or 1, by an id of the row."""

    table: str
    column: str
    parts: tuple[tuple[str, str, int], ...]  # column of the id, column of the amount or '', sign


class Step(Struct, frozen=True):
    """One INSERT or UPDATE that reads the batch as ``v``; ``columns`` are those it needs of it.

    An UPDATE has ``{held}`` in its FROM and ``{same}`` at its end, and says in ``locks`` which rows of
    which table it touches: (table, SELECT of their ids).
    """

    name: str
    columns: tuple[str, ...]
    sql: str
    locks: tuple[str, str] = ("", "")
    sum: Sum | None = None  # of an UPDATE that adds: the same, to be summed before SQLite is asked


class JustTaken(database.Contention):
    """Somebody else wrote the same row just now: the batch is settled again, and sees it."""


def insert(name: str, table: str, columns: Mapping[str, str], *, where: str = "") -> Step:
    """Insert one row for each of the batch; ``columns`` is the table's column -> column of ``v``.

    A value in quotes or a number stands for itself. ``where`` may compare columns that are inserted.
    """
    condition = f" WHERE {where}" if where else ""
    return Step(
        name,
        tuple(dict.fromkeys(each for each in columns.values() if each.isidentifier())),
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM v{condition}",
    )


def count(name: str, table: str, column: str, *, per: str) -> Step:
    """Add to a counter how many rows of the batch name its row in ``per`` (0: none)."""
    return Step(
        name,
        (per,),
        f"UPDATE {table} SET {column} = {column} + g.n"
        f" FROM (SELECT {per} AS id, count(*) AS n FROM v GROUP BY {per}) g{{held}}"
        f" WHERE {table}.id = g.id{{same}}",
        (table, f"SELECT {per} FROM v"),
        Sum(table, column, ((per, "", 1),)),
    )


def move(name: str, moves: Sequence[tuple[str, str, str]]) -> Step:
    """Move amounts between ledger accounts; each move is (debit, credit, amount), columns of ``v``."""
    parts = [
        part
        for debit, credit, amount in moves
        for part in (
            f"SELECT {debit} AS id, -{amount} AS fen FROM v",
            f"SELECT {credit} AS id, {amount} AS fen FROM v",
        )
    ]
    touched = " UNION ".join(
        f"SELECT {debit} FROM v UNION SELECT {credit} FROM v" for debit, credit, _ in moves
    )
    return Step(
        name,
        tuple(dict.fromkeys(column for each in moves for column in each)),
        "UPDATE ledger_account SET balance_fen = balance_fen + g.fen"
        f" FROM (SELECT id, sum(fen) AS fen FROM ({' UNION ALL '.join(parts)}) m GROUP BY id) g{{held}}"
        " WHERE ledger_account.id = g.id{same}",
        ("ledger_account", touched),
        Sum(
            "ledger_account",
            "balance_fen",
            tuple(
                part for debit, credit, amount in moves for part in ((debit, amount, -1), (credit, amount, 1))
            ),
        ),
    )


async def prefer_indexes() -> None:
    """Let this transaction's statements go by the indexes, whatever size the tables had when first asked.

    PostgreSQL keeps a plan it made while a table was nearly empty: read whole for each batch, the same
    table is what slows a rush down as it fills.
    """
    if database.dialect() == "postgres":
        await database.fetch(
            "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"
            " set_config('enable_mergejoin', 'off', true)"
        )


async def run(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], steps: Sequence[Step]) -> None:
    """Do the steps in their order over the rows, in the current transaction.

    ``columns`` is name -> PostgreSQL type. No step sees what another one wrote. JustTaken when somebody else
    wrote a row at this moment that may be there once only.
    """
    if not rows:
        return
    if database.dialect() == "postgres":
        try:
            await database.with_rows(
                columns, [tuple(row[name] for name in columns) for row in rows], _one_statement(steps)
            )
        except IntegrityError as error:
            if isinstance(error.args[0], asyncpg.UniqueViolationError):
                raise JustTaken from error
            raise
        return
    for step in steps:
        kinds = {name: columns[name] for name in step.columns}
        values = [tuple(row[name] for name in kinds) for row in rows]
        await database.with_rows(kinds, values, step.sql.format(held="", same=""))


def _one_statement(steps: Sequence[Step]) -> str:
    return f"{ctes(steps)} SELECT 1 AS done"


def ctes(steps: Sequence[Step], *, held: Collection[str] = ()) -> str:
    """All steps as parts of a WITH that has ``v``, the last one first: PostgreSQL runs them from the last on.

    An UPDATE first locks its rows in the order of their ids, so that two batches never wait in a ring; not
    those of the tables in ``held``, which the statement has locked already.
    """
    parts = []
    for step in reversed(steps):
        table, touched = step.locks
        name = f"h_{step.name}"
        these = f"id = ANY(ARRAY({touched}))"  # found one by one, while IN may be planned as a walk over all
        lock = f", (SELECT id FROM {table} WHERE {these} ORDER BY id FOR UPDATE) {name}"
        if not table:
            sql = step.sql
        elif table in held:
            sql = step.sql.format(held="", same=f" AND {table}.{these}")
        else:
            sql = step.sql.format(held=lock, same=f" AND {name}.id = g.id AND {table}.{these}")
        parts.append(f", {step.name} AS ({sql})")
    return "".join(parts)


def sums(step: Step, rows: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """What a step that adds adds in all: (id, number), in the order in which the rows are locked."""
    assert step.sum is not None  # noqa: S101 -- asked of those steps only
    added: Counter[int] = Counter()
    for of, amount, sign in step.sum.parts:
        for row in rows:
            added[row[of]] += sign * row[amount] if amount else sign
    return sorted(added.items())


def add(step: Step) -> str:
    """PostgreSQL's CTE of a step whose sums are the table ``s_<name>``, once there is a row in ``ok``."""
    assert step.sum is not None  # noqa: S101 -- as above
    table, column, name = step.sum.table, step.sum.column, step.name
    return (
        f", {name} AS (UPDATE {table} SET {column} = {table}.{column} + g.n FROM (SELECT s.id, s.n FROM ok,"
        f" s_{name} s) g, (SELECT id FROM {table} WHERE id = ANY(ARRAY(SELECT id FROM s_{name}))"
        f" ORDER BY id FOR UPDATE) h WHERE {table}.id = g.id AND h.id = g.id"
        f" AND {table}.id = ANY(ARRAY(SELECT id FROM s_{name})))"
    )


def write(connection: sqlite3.Connection, rows: Sequence[Mapping[str, Any]], steps: Sequence[Step]) -> None:
    """SQLite only: the steps, by statements that stay prepared."""
    for step in steps:
        if step.sum is None:
            values = [[row[name] for name in step.columns] for row in rows]
            connection.executemany(each_row(step.sql, step.columns), values)
            continue
        connection.executemany(
            f"UPDATE {step.sum.table} SET {step.sum.column} = {step.sum.column} + ? WHERE id = ?",
            [(number, of) for of, number in sums(step, rows)],
        )
