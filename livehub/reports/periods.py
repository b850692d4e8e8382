"""暂定 -> 已核对 -> 已关账: which days are still moving, and the months whose figures are frozen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

import msgspec
from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require, require_second_person
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid
from livehub.reports import bridge, figures
from livehub.reports.basis import G2_SQL
from livehub.reports.errors import (
    DayNotOver,
    DayPending,
    DaysMoved,
    DaysNotReconciled,
    MonthClosed,
    MonthNotOver,
    NoSuchMonth,
)
from livehub.reports.figures import Figures, Grain, Scope
from livehub.reports.models import ClosedMonth
from livehub.reports.reviews import SETTLED

MOST_DAYS = 400  # whose states are told at once
YEARS = range(2010, 2100)


class DayState(StrEnum):
    """How far the figures of a day can still be trusted to stay."""

    PROVISIONAL = "provisional"
    RECONCILED = "reconciled"
    CLOSED = "closed"

    @property
    def label(self) -> str:
        """Its Chinese name."""
        return {"provisional": "暂定", "reconciled": "已核对", "closed": "已关账"}[self]


class Day(Struct, frozen=True, kw_only=True):
    """One day of a month with its figures as they are now."""

    day: date
    state: DayState
    figures: Figures | None  # None: nothing was ever booked
    reconciled_at: datetime | None
    reconciled_by: str
    changes: int  # entries booked since it was reconciled
    changed_fen: int  # of G3, by these entries


class Snapshot(Struct, frozen=True, kw_only=True):
    """What is frozen of a month: each day that has figures, and the bridge of the whole."""

    days: tuple[Figures, ...]
    total: Figures
    bridge: dict[str, int]


class Closing(Struct, frozen=True, kw_only=True):
    """A month that is closed."""

    month: int
    as_of: datetime
    at: datetime
    by: str
    snapshot: Snapshot
    sha256: str


class Month(Struct, frozen=True, kw_only=True):
    """A month: its days, and its closing if there was one."""

    month: int
    days: Sequence[Day]
    closing: Closing | None

    @property
    def waiting(self) -> list[Day]:
        """The days that keep it from being closed."""
        return [each for each in self.days if each.figures and each.state is DayState.PROVISIONAL]


def first_of(month: int) -> date:
    """The first day of a month YYYYMM; NoSuchMonth when there is none."""
    year, number = divmod(month, 100)
    if year not in YEARS or not 1 <= number <= 12:
        raise NoSuchMonth
    return date(year, number, 1)


def last_of(month: int) -> date:
    """The last day of a month YYYYMM."""
    return (first_of(month) + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def month_of(day: date) -> int:
    """The month YYYYMM of a day."""
    return day.year * 100 + day.month


async def month(number: int, *, centre_id: int) -> Month:
    """A month as it stands."""
    first, last = first_of(number), last_of(number)
    return Month(
        month=number,
        days=await days(centre_id=centre_id, first=first, last=last),
        closing=await closing(number, centre_id=centre_id),
    )


async def days(*, centre_id: int, first: date, last: date) -> list[Day]:
    """The days of a span of MOST_DAYS at most, the first first."""
    last = min(last, first + timedelta(days=MOST_DAYS - 1))
    span = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    scope = Scope(centre_id=centre_id, day_from=first, day_to=last)
    sums = {int(row.key): row for row in await figures.by(scope, Grain.DAY, limit=MOST_DAYS)}
    closed = {
        row["month"]
        for row in await database.fetch("SELECT month FROM closed_month WHERE centre_id = $1", centre_id)
    }
    looked = {
        row["day"]: row
        for row in await database.fetch(
            f"{_LOOKED} SELECT q.day AS day, q.as_of AS as_of, q.made_by AS made_by, count(r.id) AS changes,"
            f" coalesce(sum({G2_SQL} - r.refund_done), 0) AS fen FROM q LEFT JOIN contribution_entry r"
            " ON r.centre_id = $1 AND r.day = q.day AND r.applied_at > q.as_of"
            " GROUP BY q.day, q.as_of, q.made_by",
            centre_id,
            clock.day_number(first),
            clock.day_number(last),
        )
    }
    found = []
    for day in span:
        number = clock.day_number(day)
        row = looked.get(number)
        state = (
            DayState.CLOSED if month_of(day) in closed
            else DayState.RECONCILED if row and not row["changes"]
            else DayState.PROVISIONAL
        )  # fmt: skip
        found.append(
            Day(
                day=day,
                state=state,
                figures=sums.get(number),
                reconciled_at=clock.from_ms(row["as_of"]) if row else None,
                reconciled_by=row["made_by"] if row else "",
                changes=int(row["changes"]) if row else 0,
                changed_fen=int(row["fen"]) if row else 0,
            )
        )
    return found


# The newest look at each day.
_LOOKED = (
    "WITH q AS (SELECT d.day, d.as_of, d.made_by FROM day_reconciliation d WHERE d.centre_id = $1"
    " AND d.day BETWEEN $2 AND $3 AND d.id = (SELECT max(x.id) FROM day_reconciliation x"
    " WHERE x.centre_id = d.centre_id AND x.day = d.day))"
)


async def reconcile(
    first: date, last: date, *, actor: Actor, now: datetime, seen_at: datetime | None = None
) -> int:
    """Say that the days of a span are right; DayNotOver, DayPending, DaysMoved, MonthClosed.

    ``seen_at``: when the figures were read that are said to be right, else now. What was booked since is
    not among them. Days that nothing is booked on, and those that are reconciled already, stay as they are.
    """
    require(actor, Permission.PERIOD_CLOSE)
    if last < first:
        raise Invalid(details=[Detail("to", "止日在起日之前", f"{first} 或以后")])
    if last >= clock.local_day(now):
        raise DayNotOver
    as_of, at = clock.to_ms(min(now, seen_at or now) - SETTLED), clock.to_ms(now)

    async def look() -> int:
        found = await days(centre_id=actor.centre_id, first=first, last=last)
        if any(each.state is DayState.CLOSED for each in found):
            raise MonthClosed
        pending = [each.day.isoformat() for each in found if each.figures and each.figures.pending]
        if pending:
            raise DayPending(data={"days": pending})
        wanted = [each for each in found if each.figures and each.state is DayState.PROVISIONAL]
        await _require_seen([each.day for each in wanted], as_of, centre_id=actor.centre_id)
        await database.with_rows(
            {"centre_id": "bigint", "day": "int", "as_of": "bigint", "at": "bigint", "made_by": "text"},
            [(actor.centre_id, clock.day_number(each.day), as_of, at, actor.name) for each in wanted],
            "INSERT INTO day_reconciliation (centre_id, day, as_of, at, made_by)"
            " SELECT centre_id, day, as_of, at, made_by FROM v",
        )
        if wanted:
            await audit.write(
                "days.reconciled",
                actor=actor,
                now=now,
                about=("period", f"{first}/{last}"),
                detail={
                    "days": len(wanted),
                    "g3_fen": sum(each.figures.g3_fen for each in wanted if each.figures),
                },
            )
        return len(wanted)

    return await database.unit(look)


async def _require_seen(wanted: Sequence[date], as_of: int, *, centre_id: int) -> None:
    """DaysMoved where something was booked after an instant: nobody has looked at it."""
    rows = await database.with_rows(
        {"centre_id": "bigint", "day": "int", "as_of": "bigint"},
        [(centre_id, clock.day_number(each), as_of) for each in wanted],
        "SELECT v.day AS day FROM v WHERE EXISTS (SELECT 1 FROM contribution_entry r"
        " WHERE r.centre_id = v.centre_id AND r.day = v.day AND r.applied_at > v.as_of)",
    )
    if moved := sorted(row["day"] for row in rows):
        raise DaysMoved(data={"days": [clock.day_of_number(day).isoformat() for day in moved]})


async def close(number: int, *, actor: Actor, now: datetime) -> Closing:
    """Freeze a month's figures; MonthNotOver, DaysNotReconciled, MonthClosed. Machines close nothing."""
    require(actor, Permission.PERIOD_CLOSE)
    require_second_person(actor, first_user_id=0)
    first, last = first_of(number), last_of(number)
    if last >= clock.local_day(now):
        raise MonthNotOver
    as_of = now - SETTLED

    async def freeze() -> None:
        seen = await month(number, centre_id=actor.centre_id)
        if seen.closing is not None:
            raise MonthClosed
        if seen.waiting:
            raise DaysNotReconciled(data={"days": [each.day.isoformat() for each in seen.waiting]})
        scope = Scope(centre_id=actor.centre_id, day_from=first, day_to=last, as_of=as_of)
        text = msgspec.json.encode(await _snapshot(scope), order="sorted").decode()
        await ClosedMonth.create(
            centre_id=actor.centre_id, month=number, as_of=as_of, at=now, made_by=actor.name, snapshot=text
        )
        await audit.write(
            "month.closed",
            actor=actor,
            now=now,
            about=("period", str(number)),
            detail={"sha256": sha256(text.encode()).hexdigest()},
        )

    try:
        await database.unit(freeze)
    except IntegrityError:  # somebody else closed it at this moment
        raise MonthClosed from None
    made = await closing(number, centre_id=actor.centre_id)
    assert made is not None  # noqa: S101 -- just closed
    return made


async def closing(number: int, *, centre_id: int) -> Closing | None:
    """How a month was closed."""
    kept = await ClosedMonth.filter(centre_id=centre_id, month=number).first()
    return None if kept is None else _closing(kept)


async def closings(*, centre_id: int) -> list[Closing]:
    """Every closed month, the newest first."""
    return [_closing(each) for each in await ClosedMonth.filter(centre_id=centre_id).order_by("-month")]


async def differing(*, limit: int) -> list[str]:
    """Closed months, the newest first, that are not what the entries say of their instant."""
    wrong = []
    for kept in await ClosedMonth.all().order_by("-id").limit(limit):
        scope = Scope(
            centre_id=kept.centre_id,
            day_from=first_of(kept.month),
            day_to=last_of(kept.month),
            as_of=kept.as_of,
        )
        fresh, frozen = await _snapshot(scope), _closing(kept).snapshot
        if (fresh.days, fresh.total) != (frozen.days, frozen.total):
            wrong.append(f"centre {kept.centre_id}, month {kept.month}")
    return wrong


async def _snapshot(scope: Scope) -> Snapshot:
    whole = await bridge.of(scope)
    return Snapshot(
        days=tuple(await figures.by(scope, Grain.DAY)),
        total=await figures.total(scope),
        bridge={str(term): fen for term, fen in whole.fen.items()},
    )


def _closing(kept: ClosedMonth) -> Closing:
    return Closing(
        month=kept.month,
        as_of=kept.as_of,
        at=kept.at,
        by=kept.made_by,
        snapshot=msgspec.json.decode(kept.snapshot, type=Snapshot),
        sha256=sha256(kept.snapshot.encode()).hexdigest(),
    )
