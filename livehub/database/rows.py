"""Many rows in one statement: a table ``v`` of values that any INSERT, UPDATE or SELECT may read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tortoise.connection import get_connection

from livehub.database.connections import ask, dialect, fetch

SQLITE_VARIABLES = 32_000  # SQLite 3.32 and later allow 32,766 in one statement


async def with_rows(
    columns: Mapping[str, str], rows: Sequence[Sequence[Any]], statement: str, *, by_index: bool = False
) -> list[dict[str, Any]]:
    """Run ``WITH v(columns) AS (rows) statement`` and return what it returns.

    ``by_index``: it reads only, and is asked as ``ask`` does, outside the current transaction.

    ``columns`` is name -> PostgreSQL type (bigint, int, text, bytea, boolean). The statement must treat
    each row of ``v`` on its own, because SQLite gets them in chunks; ``INSERT … SELECT … FROM v`` needs a
    ``WHERE true`` before ON CONFLICT there. An empty list runs nothing.
    """
    if not rows:
        return []
    question = ask if by_index else fetch
    if dialect() == "postgres":
        return await question(f"{_head(columns)} {statement}", *arrays(columns, rows))
    answers: list[dict[str, Any]] = []
    step = SQLITE_VARIABLES // len(columns)
    for start in range(0, len(rows), step):
        chunk = rows[start : start + step]
        head = _sqlite_head(tuple(columns), len(chunk))
        answers += await question(f"{head} {statement}", *(value for row in chunk for value in row))
    return answers


async def write_rows(columns: Mapping[str, str], rows: Sequence[Sequence[Any]], statement: str) -> int:
    """Run an INSERT … SELECT … FROM v, or an UPDATE … FROM v WHERE …, wholly or not at all.

    Returns how many rows of the table it touched. SQLite prepares it once for all rows, where
    ``with_rows`` compiles a statement as long as the rows are many: three times as fast. In an UPDATE
    every column of ``v`` is written with its ``v.``.
    """
    if not rows:
        return 0
    connection: Any = get_connection("default")
    if dialect() == "postgres":
        written: int = await connection.execute_counted(
            f"{_head(columns)} {statement}", arrays(columns, rows)
        )
    else:
        written = await connection.execute_for_each(each_row(statement, tuple(columns)), rows)
    return written


def _head(columns: Mapping[str, str]) -> str:
    return f"WITH v({', '.join(columns)}) AS (SELECT * FROM {unnest(columns)})"


def unnest(columns: Mapping[str, str], *, first: int = 1) -> str:
    """PostgreSQL's ``unnest`` over the parameters that ``arrays`` makes, counted from ``first``."""
    return _unnest(tuple(columns.values()), first)


def arrays(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Rows as one parameter for each column.

    asyncpg asks of each element of an array whether it is a list itself, half a microsecond each time; so
    numbers go as one text, which PostgreSQL reads as fast.
    """
    by_column: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else ([] for _ in columns)
    return [
        _as_text(values) if kind in _NUMBERS else list(values)
        for values, kind in zip(by_column, columns.values(), strict=True)
    ]


_NUMBERS = frozenset({"bigint", "int"})


def _as_text(numbers: Sequence[int | None]) -> str:
    if set(map(type, numbers)) == {int}:  # nearly always: three times as fast
        return f"{{{','.join(map(str, numbers))}}}"
    return f"{{{','.join(['NULL' if each is None else str(int(each)) for each in numbers])}}}"


@lru_cache(maxsize=256)
def _unnest(kinds: tuple[str, ...], first: int) -> str:
    return f"unnest({', '.join(array(kind, i) for i, kind in enumerate(kinds, start=first))})"


def array(kind: str, place: int) -> str:
    """The SQL array of a column that ``arrays`` made a parameter of."""
    return f"${place}::text::{kind}[]" if kind in _NUMBERS else f"${place}::{kind}[]"


@lru_cache(maxsize=1024)
def _sqlite_head(names: tuple[str, ...], count: int) -> str:
    row = f"({', '.join('?' * len(names))})"
    return f"WITH v({', '.join(names)}) AS (VALUES {', '.join([row] * count)})"


@lru_cache(maxsize=256)
def each_row(statement: str, names: tuple[str, ...]) -> str:
    """SQLite only: an INSERT … SELECT … FROM v for one row, whose values are its parameters."""
    place = {name: f"?{i}" for i, name in enumerate(names, start=1)}
    if statement.startswith("UPDATE"):
        return re.sub(
            r"\bv\.(\w+)", lambda found: place[found[1]], statement.replace(" FROM v WHERE", " WHERE", 1)
        )
    row = ", ".join(f"{number} AS {name}" for name, number in place.items())
    return statement.replace(" FROM v", f" FROM (SELECT {row}) AS v", 1)
