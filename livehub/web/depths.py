"""The figures that only the database knows: what waits, how long, what is stuck, who still lives.

They are asked when Prometheus comes, by few statements that read an index or a bounded number of rows, and
kept for two seconds. Every web process tells the same, so sum none of them over instances.
"""

from __future__ import annotations

import asyncio
import platform
import shutil
from collections.abc import AsyncIterator, Iterable, Sequence
from importlib.metadata import version
from statistics import median
from time import monotonic
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

from livehub import database
from livehub.accounts import chain
from livehub.inbox.queue import database_now
from livehub.settings import Settings

KEPT_SECONDS = 2.0
PATIENCE_SECONDS = 5.0
MOST = 100_000  # rows that are counted; beyond it the depth says no more than that
RECENT = 500  # messages looked at for what is not kept anywhere

log = structlog.get_logger(__name__)

# Every figure with its labels and its sentence; docs/operations.md says what to do about it.
FIGURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "livehub_build_info": ("What runs here; always 1", ("version", "python", "engine")),
    "livehub_database_up": ("Whether the database answered", ()),
    "livehub_inbox_messages": ("Messages that are not settled", ("platform", "status", "reason")),
    "livehub_inbox_oldest_seconds": ("Age of the oldest message that waits", ("platform",)),
    "livehub_inbox_newest_applied_seconds": ("Age of the newest message that is in the numbers", ()),
    "livehub_inbox_sender_skew_seconds": (
        "Senders' clock before ours, of recent pushes; late deliveries are below 0",
        ("platform", "which"),
    ),
    "livehub_outbox_facts": ("Facts that a listener has not heard", ("status",)),
    "livehub_outbox_oldest_seconds": ("Age of the oldest fact that waits", ()),
    "livehub_fetch_jobs": ("Fetches that are not done", ("status",)),
    "livehub_fetch_oldest_seconds": ("How long the oldest fetch is overdue", ()),
    "livehub_list_windows": ("Windows of platforms' lists that are not done", ("platform", "status")),
    "livehub_reconciled_age_seconds": (
        "Since the instant up to which a shop is reconciled with its platform's lists",
        ("platform", "shop"),
    ),
    "livehub_reconciliation_open": ("Differences that nobody explained", ("platform", "kind")),
    "livehub_notices_waiting": ("Messages to people that are not sent", ()),
    "livehub_loop_beat_seconds": ("Since the last sign of life of a loop", ("loop",)),
    "livehub_loop_failing_rounds": ("Rounds of a loop that failed in a row", ("loop",)),
    "livehub_job_success_seconds": ("Since the last success of a scheduled task", ("job",)),
    "livehub_audit_tail_entries": ("Audit entries that are not in the chain yet", ()),
    "livehub_database_connections": ("PostgreSQL connections of the whole installation", ("state",)),
    "livehub_database_oldest_transaction_seconds": ("Age of the oldest open transaction", ()),
    "livehub_sqlite_file_bytes": ("Size of the SQLite file and of its -wal", ("file",)),
    "livehub_disk_free_bytes": ("Room left where the data directory is", ()),
}

Sample = tuple[str, tuple[str, ...], float]  # the figure, its labels, its value


class Depths:
    """What one worker has asked last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asking = asyncio.Lock()
        self._asked_at = -KEPT_SECONDS
        self._registry = CollectorRegistry()

    async def registry(self) -> CollectorRegistry:
        """The figures, at most two seconds old; without a database only those that need none."""
        async with self._asking:
            if monotonic() - self._asked_at >= KEPT_SECONDS:
                samples = [*_of_this_machine(self._settings), *await _of_the_database()]
                self._registry = CollectorRegistry()
                self._registry.register(_Collector(samples))
                self._asked_at = monotonic()
        return self._registry


class _Collector:
    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterable[GaugeMetricFamily]:
        families = {
            name: GaugeMetricFamily(name, text, labels=labels) for name, (text, labels) in FIGURES.items()
        }
        for name, labels, value in self._samples:
            families[name].add_metric(labels, value)
        return [family for family in families.values() if family.samples]


def _of_this_machine(settings: Settings) -> Iterable[Sample]:
    engine = "sqlite" if settings.is_sqlite else "postgres"
    yield "livehub_build_info", (version("livehub"), platform.python_version(), engine), 1
    if settings.data_dir.exists():
        yield "livehub_disk_free_bytes", (), shutil.disk_usage(settings.data_dir).free
    if settings.file is not None:
        for kind, suffix in (("database", ""), ("wal", "-wal")):
            file = settings.file.with_name(settings.file.name + suffix)
            yield "livehub_sqlite_file_bytes", (kind,), file.stat().st_size if file.exists() else 0


async def _of_the_database() -> list[Sample]:
    samples: list[Sample] = []
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for question in _QUESTIONS:
                samples += [sample async for sample in question()]
    except (database.DatabaseUnavailable, TimeoutError):
        return [("livehub_database_up", (), 0)]
    except Exception:
        log.exception("depths.not_asked")  # before the first migration, say
        return [("livehub_database_up", (), 0)]
    return [("livehub_database_up", (), 1), *samples]


async def _inbox() -> AsyncIterator[Sample]:
    columns = "platform, status, reason, received_at"
    rows = await database.fetch(
        f"SELECT platform, status, reason, count(*) AS n, {database_now()} - min(received_at) AS age FROM ("
        f" SELECT * FROM (SELECT {columns} FROM inbox_message WHERE status = 'received'"
        f" ORDER BY next_attempt_at, id LIMIT {MOST}) waiting UNION ALL"
        f" SELECT * FROM (SELECT {columns} FROM inbox_message WHERE status = 'processing' LIMIT {MOST}) taken"
        f" UNION ALL SELECT * FROM (SELECT {columns} FROM inbox_message"
        f" WHERE status IN ('parked', 'dead') LIMIT {MOST}) stuck) every"
        " GROUP BY platform, status, reason"
    )
    oldest: dict[str, float] = {}
    for row in rows:
        yield "livehub_inbox_messages", (row["platform"], row["status"], row["reason"]), int(row["n"])
        if row["status"] in {"received", "processing"}:
            oldest[row["platform"]] = max(oldest.get(row["platform"], 0.0), int(row["age"]) / 1000)
    for name, age in oldest.items():
        yield "livehub_inbox_oldest_seconds", (name,), age


async def _recent_messages() -> AsyncIterator[Sample]:
    """Row ids grow with time, so the newest messages are the last of the primary key."""
    rows = await database.fetch(
        "SELECT platform, source, status, provider_ts, received_at,"
        f" {database_now()} AS now FROM inbox_message ORDER BY id DESC LIMIT {RECENT}"
    )
    applied = [int(row["now"]) - int(row["received_at"]) for row in rows if row["status"] == "applied"]
    if applied:
        yield "livehub_inbox_newest_applied_seconds", (), min(applied) / 1000
    skews: dict[str, list[float]] = {}
    for row in rows:
        if row["source"] == "push" and row["provider_ts"]:
            skew = (int(row["provider_ts"]) - int(row["received_at"])) / 1000
            skews.setdefault(row["platform"], []).append(skew)
    for name, values in skews.items():
        yield "livehub_inbox_sender_skew_seconds", (name, "median"), median(values)
        yield "livehub_inbox_sender_skew_seconds", (name, "greatest"), max(values)


async def _outbox() -> AsyncIterator[Sample]:
    for status in ("waiting", "dead"):
        n, age = await _queue("outbox_message", f"status = '{status}'", "created_at")
        yield "livehub_outbox_facts", (status,), n
        if status == "waiting":
            yield "livehub_outbox_oldest_seconds", (), age


async def _fetches() -> AsyncIterator[Sample]:
    for status in ("waiting", "dead"):
        n, age = await _queue("fetch_job", f"status = '{status}'", "due_at")
        yield "livehub_fetch_jobs", (status,), n
        if status == "waiting":
            yield "livehub_fetch_oldest_seconds", (), age


async def _lists() -> AsyncIterator[Sample]:
    for row in await database.fetch(
        "SELECT s.platform AS platform, c.status AS status, count(*) AS n FROM sync_cursor c"
        " JOIN shop s ON s.id = c.shop_id WHERE c.status IN ('waiting', 'dead') GROUP BY s.platform, c.status"
    ):
        yield "livehub_list_windows", (row["platform"], row["status"]), int(row["n"])
    for row in await database.fetch(
        "SELECT s.platform AS platform, s.public_id AS shop,"
        f" {database_now()} - min(m.reconciled_until) AS age FROM sync_mark m"
        " JOIN shop s ON s.id = m.shop_id JOIN endpoint e ON e.id = s.endpoint_id"
        " WHERE NOT e.disabled GROUP BY s.platform, s.public_id"
    ):
        yield "livehub_reconciled_age_seconds", (row["platform"], row["shop"]), int(row["age"]) / 1000
    for row in await database.fetch(
        "SELECT s.platform AS platform, d.kind AS kind, count(*) AS n FROM sync_difference d"
        " JOIN shop s ON s.id = d.shop_id WHERE d.status = 'open' GROUP BY s.platform, d.kind"
    ):
        yield "livehub_reconciliation_open", (row["platform"], row["kind"]), int(row["n"])


async def _notices() -> AsyncIterator[Sample]:
    n, _ = await _queue("notice", "state = 'waiting'", "created_at")
    yield "livehub_notices_waiting", (), n


async def _loops() -> AsyncIterator[Sample]:
    for row in await database.fetch(f"SELECT name, {database_now()} - at AS age, failures FROM loop_beat"):
        yield "livehub_loop_beat_seconds", (row["name"],), max(0, int(row["age"])) / 1000
        yield "livehub_loop_failing_rounds", (row["name"],), int(row["failures"])


async def _jobs() -> AsyncIterator[Sample]:
    """The names by jumping along the index, and of each its last success."""
    rows = await database.fetch(
        "WITH RECURSIVE names(job) AS (SELECT min(job) FROM job_run UNION ALL"
        " SELECT (SELECT min(r.job) FROM job_run r WHERE r.job > names.job) FROM names WHERE job IS NOT NULL)"
        f" SELECT job, {database_now()} - (SELECT r.finished_at FROM job_run r WHERE r.job = names.job"
        " AND r.status = 'done' ORDER BY r.due_at DESC LIMIT 1) AS age FROM names WHERE job IS NOT NULL"
    )
    for row in rows:
        if row["age"] is not None:
            yield "livehub_job_success_seconds", (row["job"],), max(0, int(row["age"])) / 1000


async def _audit() -> AsyncIterator[Sample]:
    yield "livehub_audit_tail_entries", (), await chain.tail_size()


async def _connections() -> AsyncIterator[Sample]:
    if database.dialect() != "postgres":
        return
    rows = await database.fetch(
        "SELECT CASE WHEN backend_type IS NULL THEN 'hidden' ELSE coalesce(state, '') END AS state,"
        " count(*) AS n,"
        " coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 AS age"
        " FROM pg_stat_activity WHERE datname = current_database() AND usesysid IS NOT NULL"
        " AND coalesce(backend_type, 'client backend') = 'client backend' GROUP BY 1"
    )
    for row in rows:
        yield "livehub_database_connections", (row["state"],), int(row["n"])
    oldest = max((float(row["age"]) for row in rows), default=0.0)
    yield "livehub_database_oldest_transaction_seconds", (), oldest


async def _queue(table: str, where: str, since: str) -> tuple[int, float]:
    """(how many, seconds since the earliest) of a bounded number of rows."""
    row = await database.fetch_one(
        f"SELECT count(*) AS n, {database_now()} - min(since) AS age"
        f" FROM (SELECT {since} AS since FROM {table} WHERE {where} LIMIT {MOST}) waiting"
    )
    assert row is not None  # noqa: S101 -- an aggregate has one row
    return int(row["n"]), max(0.0, int(row["age"] or 0) / 1000)


_QUESTIONS: tuple[Any, ...] = (
    _inbox,
    _recent_messages,
    _outbox,
    _fetches,
    _lists,
    _notices,
    _loops,
    _jobs,
    _audit,
    _connections,
)
