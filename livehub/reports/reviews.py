"""复盘: each broadcast frozen as it was known 10 minutes, 7 days and 30 days after its end."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

import msgspec
import structlog
from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.reports import review_changes, review_figures
from livehub.reports.review_changes import Changes
from livehub.reports.review_figures import Figures, Frame

log = structlog.get_logger(__name__)

# An entry bears the time at which its batch was taken, and is committed after it: whoever holds a batch
# for longer than its lease is fenced off, so after this no entry of an earlier instant appears any more;
# the longest lease that the settings allow is shorter.
SETTLED = timedelta(minutes=2)


class Stage(StrEnum):
    """How long after its end a show is looked at."""

    T0 = "T+0"
    T7 = "T+7"
    T30 = "T+30"

    @property
    def after(self) -> timedelta:
        """From the end of the show."""
        return _AFTER[self]


_AFTER = {Stage.T0: timedelta(minutes=10), Stage.T7: timedelta(days=7), Stage.T30: timedelta(days=30)}


class Due(Struct, frozen=True, kw_only=True):
    """A show whose review is to be frozen."""

    broadcast_id: int
    centre_id: int
    bureau_id: int
    run: int
    stage: Stage
    starts_at: datetime
    ends_at: datetime

    @property
    def as_of(self) -> datetime:
        """The instant whose knowledge counts."""
        return self.ends_at + self.stage.after


class Frozen(Struct, frozen=True, kw_only=True):
    """A review as it was frozen."""

    stage: Stage
    as_of: datetime
    made_at: datetime
    frame: Frame
    figures: Figures


class Reviewed(Struct, frozen=True, kw_only=True):
    """A show that has ended: its reviews so far, how it stands now, and why they differ."""

    ends_at: datetime
    frozen: dict[Stage, Frozen]
    as_of: datetime
    now: Figures
    frame: Frame
    changes: tuple[tuple[Stage, Stage | None, Changes], ...]  # None: now

    def due_at(self, stage: Stage) -> datetime:
        """When a stage is reached."""
        return self.ends_at + stage.after


async def freeze_due(*, now: datetime, limit: int = 50) -> int:
    """Freeze every review whose time has come; one that fails does not keep the others waiting."""
    made, failures = 0, list[Exception]()
    for stage in Stage:
        for each in await _due(stage, now=now, limit=limit):
            try:
                made += await freeze(each, now=now)
            except database.DatabaseUnavailable:
                raise
            except Exception as error:
                log.exception("review.failed", broadcast=each.broadcast_id, stage=str(each.stage))
                failures.append(error)
    if failures:
        raise ExceptionGroup("reviews that could not be made", failures)
    return made


async def freeze(due: Due, *, now: datetime) -> bool:
    """Keep a show as it was known when its review was due; False when somebody else did."""
    show = await review_figures.frame(
        due.broadcast_id,
        centre_id=due.centre_id,
        bureau_id=due.bureau_id,
        since=due.starts_at,
        until=due.ends_at,
        as_of=due.as_of,
    )
    figures = await review_figures.known(show, as_of=due.as_of)
    written = await database.fetch_one(
        "INSERT INTO broadcast_review (broadcast_id, run, stage, as_of, made_at, frame, figures)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (broadcast_id, run, stage) DO NOTHING"
        " RETURNING id",
        due.broadcast_id,
        due.run,
        str(due.stage),
        clock.to_ms(due.as_of),
        clock.to_ms(now),
        msgspec.json.encode(show).decode(),
        msgspec.json.encode(figures).decode(),
    )
    return written is not None


async def of(
    broadcast_id: int,
    *,
    centre_id: int,
    bureau_id: int,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
) -> Reviewed:
    """The reviews of a show that has ended. One that went on air again since is reviewed anew."""
    rows = await database.fetch(
        "SELECT stage, as_of, made_at, frame, figures FROM broadcast_review WHERE broadcast_id = $1"
        f" AND run = {_RUNS.format('$1')}",
        broadcast_id,
    )
    found = {each.stage: each for each in map(_frozen, rows)}
    frozen = {stage: found[stage] for stage in Stage if stage in found}
    show = await review_figures.frame(
        broadcast_id, centre_id=centre_id, bureau_id=bureau_id, since=starts_at, until=ends_at, as_of=now
    )
    stations: list[tuple[Stage | None, datetime]] = [(each.stage, each.as_of) for each in frozen.values()]
    stations.append((None, now))
    changes = []
    for (stage, since), (following, until) in pairwise(stations):
        assert stage is not None  # noqa: S101 -- only the last station is now
        changes.append((stage, following, await review_changes.between(show, since=since, until=until)))
    return Reviewed(
        ends_at=ends_at,
        frozen=frozen,
        as_of=now,
        now=await review_figures.known(show, as_of=now),
        frame=show,
        changes=tuple(changes),
    )


async def differing(*, limit: int) -> list[str]:
    """Reviews, the newest first, that are not what the entries say of their instant."""
    rows = await database.fetch(
        "SELECT v.stage, v.as_of, v.made_at, v.frame, v.figures, b.public_id FROM broadcast_review v"
        f" JOIN broadcast b ON b.id = v.broadcast_id ORDER BY v.id DESC LIMIT {int(limit)}"
    )
    wrong = []
    for row in rows:
        kept = _frozen(row)
        fresh = await review_figures.known(kept.frame, as_of=kept.as_of)
        if _of_entries(fresh) != _of_entries(kept.figures):
            wrong.append(f"{row['public_id']} {kept.stage}")
    return wrong


def _of_entries(figures: Figures) -> Figures:
    """What follows from the entries alone: names may change, and a use of a voucher may be withdrawn."""
    return msgspec.structs.replace(
        figures,
        products=tuple(msgspec.structs.replace(each, label="") for each in figures.products),
        marks=(),
        redeemed=0,
    )


def _frozen(row: dict[str, object]) -> Frozen:
    return Frozen(
        stage=Stage(str(row["stage"])),
        as_of=clock.from_ms(int(str(row["as_of"]))),
        made_at=clock.from_ms(int(str(row["made_at"]))),
        frame=msgspec.json.decode(str(row["frame"]), type=Frame),
        figures=msgspec.json.decode(str(row["figures"]), type=Figures),
    )


_RUNS = "(SELECT count(*) FROM broadcast_run x WHERE x.broadcast_id = {})"


async def _due(stage: Stage, *, now: datetime, limit: int) -> list[Due]:
    """Shows that ended long enough ago and have no review of a stage since, the latest first."""
    rows = await database.fetch(
        "SELECT b.id, b.centre_id, b.bureau_id, b.started_at, b.ended_at,"
        f" {_RUNS.format('b.id')} AS run FROM broadcast b"
        " WHERE b.state IN ('ended', 'reviewed') AND b.started_at IS NOT NULL AND b.ended_at <= $1"
        " AND NOT EXISTS (SELECT 1 FROM broadcast_review v WHERE v.broadcast_id = b.id AND v.stage = $2"
        f" AND v.run = {_RUNS.format('b.id')}) ORDER BY b.ended_at DESC LIMIT {int(limit)}",
        clock.to_ms(now - stage.after - SETTLED),
        str(stage),
    )
    return [
        Due(
            broadcast_id=row["id"],
            centre_id=row["centre_id"],
            bureau_id=row["bureau_id"],
            run=int(row["run"]),
            stage=stage,
            starts_at=clock.from_ms(row["started_at"]),
            ends_at=clock.from_ms(row["ended_at"]),
        )
        for row in rows
    ]
