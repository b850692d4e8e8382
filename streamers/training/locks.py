"""Rows held until the end of the transaction: a cohort first, then people, each in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from livehub import database

Table = Literal["programme", "cohort", "person", "enrolment", "lesson", "incubation", "subsidy_claim"]


async def hold(table: Table, ids: Collection[int]) -> None:
    """Keep others from changing these rows; SQLite has one writer and needs nothing."""
    if database.dialect() == "sqlite":
        return
    statement = (
        f"SELECT t.id FROM {table} t WHERE t.id IN (SELECT wanted FROM v)"
        " ORDER BY t.id FOR NO KEY UPDATE OF t"
    )
    await database.with_rows({"wanted": "bigint"}, [(each,) for each in sorted(ids)], statement)
