"""What is sealed at rest, column by column, and how it comes under the newest key while the service runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial

import structlog
from msgspec import Struct

from livehub import database
from livehub.kit import sealing

log = structlog.get_logger(__name__)

BATCH = 100  # rows of one short transaction: a delivery has up to a MiB
LOOK = 5000  # rows that are looked at in one statement


class Column(Struct, frozen=True):
    """Where sealed bytes lie; declared beside the verb that seals them, listed in ``livehub.wiring``."""

    table: str
    column: str
    place: str
    by: str = ""  # the column of the same row whose text ends the place

    @property
    def name(self) -> str:
        """As people are told."""
        return f"{self.table}.{self.column}"


async def counts(column: Column) -> Counter[str]:
    """How many rows each key sealed, by the key's id."""
    found: Counter[str] = Counter()
    async for heads in _heads(column):
        found.update(key for _, key in heads)
    return found


async def reseal(column: Column) -> AsyncIterator[int]:
    """Seal by the newest key what an older one sealed; tells after each committed batch how many it were.

    It may end anywhere and begin anew. Rows that somebody else holds at that moment stay as they are, and so
    do those whose key is not there: ``counts`` tells.
    """
    newest, *older = sealing.ring().key_ids
    async for heads in _heads(column):
        old = [number for number, key in heads if key in older]
        for start in range(0, len(old), BATCH):
            yield await database.unit(partial(_reseal, column, old[start : start + BATCH], newest))


async def _heads(column: Column) -> AsyncIterator[list[tuple[int, str]]]:
    """(id, key's id) of every sealed row, some at a time."""
    last = 0
    while rows := await database.fetch(
        f"SELECT id, substr({column.column}, 1, {sealing.PREFIX_LENGTH}) AS head FROM {column.table}"
        f" WHERE id > $1 AND {column.column} IS NOT NULL ORDER BY id LIMIT {LOOK}",
        last,
    ):
        last = rows[-1]["id"]
        yield [(row["id"], sealing.key_of(bytes(row["head"]))) for row in rows]


async def _reseal(column: Column, numbers: Sequence[int], newest: str) -> int:
    """One batch in its transaction: a row that was changed or erased meanwhile is read as it now is."""
    ring, ending = sealing.ring(), f"t.{column.by}" if column.by else "''"
    rows = await database.with_rows(
        {"id": "bigint"},
        [(number,) for number in numbers],
        f"SELECT t.id, t.{column.column} AS sealed, {ending} AS ending"
        f" FROM v JOIN {column.table} t ON t.id = v.id WHERE t.{column.column} IS NOT NULL{_held()}",
    )
    fresh = []
    for row in rows:
        sealed, place = bytes(row["sealed"]), column.place + row["ending"]
        if sealing.key_of(sealed) == newest:
            continue
        try:
            fresh.append((row["id"], ring.seal(ring.open(sealed, place=place), place=place)))
        except sealing.KeyMissing:
            log.warning("reseal.does_not_open", table=column.table, column=column.column, id=row["id"])
    return await database.write_rows(
        {"id": "bigint", "sealed": "bytea"},
        fresh,
        f"UPDATE {column.table} SET {column.column} = v.sealed FROM v WHERE {column.table}.id = v.id",
    )


def _held() -> str:
    """Nobody waits for us, nor we for anybody; SQLite has one writer at a time, and it is us."""
    return " FOR NO KEY UPDATE OF t SKIP LOCKED" if database.dialect() == "postgres" else ""
