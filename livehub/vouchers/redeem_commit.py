"""Settle a batch of taps: read, decide, and write by one statement that asks whether all still holds.

Nothing is locked while a batch is decided. What is written stands on the vouchers' rows, which the statement
locks and compares with what was read, and on unique indexes: of a key's answer, of a receipt, of the n-th
use of a person at a merchant. Where one of them fails nothing is written, and the batch is decided again
with its vouchers locked. On SQLite the writer's turn itself keeps others away.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import asyncpg
from prometheus_client import Counter
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.database.rows import arrays, each_row, unnest
from livehub.kit import limits
from livehub.vouchers import failed_codes, holdings, hot, redeem_reads, redeem_rows, refusals
from livehub.vouchers.redeem_deciding import Settling
from livehub.vouchers.redeem_reads import Seen
from livehub.vouchers.taps import Redeemed, Tap

MISSES = Counter(
    "livehub_redeem_misses_total", "Batches that were no longer as read, and were settled anew under lock"
)

Answers = list[Redeemed | Exception]
Ask = Callable[..., Awaitable[list[dict[str, Any]]]]


class Settler:
    """Settles batches, each in a transaction of its own."""

    def __init__(self) -> None:
        self.misses = 0

    async def settle(self, taps: Sequence[Tap]) -> Answers:
        """One answer for each tap, in order, when everything is committed."""
        if database.dialect() == "sqlite":
            return await database.commit_work(lambda connection: _settle_at_once(connection, taps))
        answers, settling = _decide(taps, await redeem_reads.read(taps))
        if await _is_written(settling, taps, database.commit_statement):
            return answers
        self.misses += 1
        MISSES.inc()
        return await _settle_under_lock(taps)


def _decide(taps: Sequence[Tap], seen: Sequence[Seen]) -> tuple[Answers, Settling]:
    settling = Settling()
    return [settling.answer(tap, each) for tap, each in zip(taps, seen, strict=True)], settling


@database.atomic
async def _settle_under_lock(taps: Sequence[Tap]) -> Answers:
    await hot.prefer_indexes()
    await holdings.hold(
        indexes=[tap.reading.index for tap in taps if tap.reading.index],
        public_ids=[tap.reading.voucher for tap in taps if tap.reading.voucher],
    )
    answers, settling = _decide(taps, await redeem_reads.read(taps, in_transaction=True))
    if not await _is_written(settling, taps, database.fetch):
        raise hot.JustTaken
    return answers


async def _is_written(settling: Settling, taps: Sequence[Tap], ask: Ask) -> bool:
    """Write everything, or nothing because somebody was here in between."""
    if not (settling.rows or settling.refused):
        return True
    failed = _failed(settling, now=max(tap.now for tap in taps))
    try:
        rows = await ask(
            _STATEMENT,
            *arrays(_GIVEN, [tuple([row[name] for name in _GIVEN]) for row in settling.rows]),
            *arrays(refusals.COLUMNS, refusals.rows(settling.refused)),
            *arrays(limits.COUNTED, failed),
            *(each for step in _ADDING for each in arrays(_SUMS, hot.sums(step, settling.rows))),
        )
    except IntegrityError as error:
        if isinstance(error.args[0], asyncpg.UniqueViolationError):
            return False
        raise
    return bool(rows)


def _failed(settling: Settling, *, now: datetime) -> list[tuple[str, int, int]]:
    began = failed_codes.window(now)
    return [(name, began, number) for name, number in sorted(settling.failures.items())]


_GIVEN = redeem_rows.TILL_COLUMNS


_REFUSED_AT = len(_GIVEN) + 1
_FAILED_AT = _REFUSED_AT + len(refusals.COLUMNS)
_SUMS_AT = _FAILED_AT + len(limits.COUNTED)
_SUMS = {"id": "bigint", "n": "bigint"}
_STEPS = tuple(step for step in redeem_rows.TILL_STEPS["postgres"] if step.sum is None)
_ADDING = tuple(step for step in redeem_rows.TILL_STEPS["postgres"] if step.sum is not None)
# PostgreSQL's: the vouchers are locked in the order of their ids, then all is written, or no row comes back.
_STATEMENT = (
    f"WITH given({', '.join(_GIVEN)}) AS (SELECT * FROM {unnest(_GIVEN)}),"
    f" r({', '.join(refusals.COLUMNS)}) AS (SELECT * FROM {unnest(refusals.COLUMNS, first=_REFUSED_AT)}),"
    f" f({', '.join(limits.COUNTED)}) AS (SELECT * FROM {unnest(limits.COUNTED, first=_FAILED_AT)}),"
    + "".join(
        f" s_{step.name}(id, n) AS (SELECT * FROM {unnest(_SUMS, first=_SUMS_AT + len(_SUMS) * i)}),"
        for i, step in enumerate(_ADDING)
    )
    + " held AS (SELECT x.id FROM given JOIN voucher x ON x.id = given.voucher_id"
    " AND x.version = given.read_version AND x.state = given.was ORDER BY x.id FOR NO KEY UPDATE OF x),"
    " ok AS MATERIALIZED (SELECT 1 AS done WHERE (SELECT count(*) FROM held) = (SELECT count(*) FROM given)),"
    " v AS MATERIALIZED (SELECT given.* FROM given, ok)"
    f"{''.join(hot.add(step) for step in reversed(_ADDING))}{hot.ctes(_STEPS)},"
    f" failed AS ({limits.ADD.format(of='f, ok')}), refused AS ({refusals.ADD.format(of='r, ok')})"
    " SELECT done FROM ok"
)


def _settle_at_once(connection: sqlite3.Connection, taps: Sequence[Tap]) -> Answers:
    """The same for SQLite, where nobody else writes meanwhile."""
    answers, settling = _decide(taps, redeem_reads.read_at_once(connection, taps))
    hot.write(connection, settling.rows, redeem_rows.TILL_STEPS["sqlite"])
    connection.executemany(
        each_row(refusals.ADD.format(of="v"), tuple(refusals.COLUMNS)), refusals.rows(settling.refused)
    )
    connection.executemany(
        each_row(limits.ADD.format(of="v"), tuple(limits.COUNTED)),
        _failed(settling, now=max(tap.now for tap in taps)),
    )
    return answers
