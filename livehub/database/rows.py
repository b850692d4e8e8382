"""Many rows in one statement: a table ``v`` of values that any INSERT, UPDATE or SELECT may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from livehub.database.connections import dialect, fetch

SQLITE_VARIABLES = 32_000  # SQLite 3.32 and later allow 32,766 in one statement


async def with_rows(
    columns: Mapping[str, str], rows: Sequence[Sequence[Any]], statement: str
) -> list[dict[str, Any]]:
    """Run ``WITH v(columns) AS (rows) statement`` and return what it returns.

    ``columns`` is name -> PostgreSQL type (bigint, int, text, bytea, boolean). The statement must treat
    each row of ``v`` on its own, because SQLite gets them in chunks; ``INSERT … SELECT … FROM v`` needs a
    ``WHERE true`` before ON CONFLICT there. An empty list runs nothing.
    """
    if not rows:
        return []
    if dialect() == "postgres":
        head = _postgres_head(tuple(columns.items()))
        return await fetch(f"{head} {statement}", *map(list, zip(*rows, strict=True)))
    answers: list[dict[str, Any]] = []
    step = SQLITE_VARIABLES // len(columns)
    for start in range(0, len(rows), step):
        chunk = rows[start : start + step]
        head = _sqlite_head(tuple(columns), len(chunk))
        answers += await fetch(f"{head} {statement}", *(value for row in chunk for value in row))
    return answers


@lru_cache(maxsize=256)
def _postgres_head(columns: tuple[tuple[str, str], ...]) -> str:
    names = ", ".join(name for name, _ in columns)
    arrays = ", ".join(f"${i}::{kind}[]" for i, (_, kind) in enumerate(columns, start=1))
    return f"WITH v({names}) AS (SELECT * FROM unnest({arrays}))"


@lru_cache(maxsize=1024)
def _sqlite_head(names: tuple[str, ...], count: int) -> str:
    row = f"({', '.join('?' * len(names))})"
    return f"WITH v({', '.join(names)}) AS (VALUES {', '.join([row] * count)})"
