"""What came of training: who went live, who still streams, and what they sold, down to the broadcasts.

A day of training is a calendar day in Asia/Shanghai, and day n after graduating is the n-th one that begins
with the day of graduation: the first 30 days are [graduation, + 30 days), days 61 to 90 end with + 90 days.
A broadcast is on the day it went on air. What she practised for a certificate is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.reports import training_periods
from livehub.reports.basis import G2_SQL
from livehub.reports.broadcasts import ON_AIR_MS, SOLD
from rooms.models import BroadcastState
from streamers.training import rates
from streamers.training.models import Cohort, CohortState, Enrolment
from streamers.training.rates import Counts, Hours, Trainee

FIRST_MINUTES = 30  # a first stream is at least so long
FIRST_DAYS, SALES_DAYS, LATE_FROM_DAYS = 30, 90, 60
MOST_COHORTS = 200  # of one report, the latest
_BEGUN = (CohortState.RUNNING, CohortState.EXAMINING, CohortState.CLOSED, CohortState.ARCHIVED)
_MINUTE_MS = 60_000

_HERS = (
    " JOIN broadcast b ON b.streamer_id = v.streamer_id AND b.started_at >= v.since"
    f" AND b.state IN ('{BroadcastState.ENDED}', '{BroadcastState.REVIEWED}') AND NOT EXISTS"
    " (SELECT 1 FROM practice_stream x JOIN enrolment e ON e.id = x.enrolment_id"
    " WHERE x.broadcast_id = b.id AND e.person_id = v.person_id)"
)
_FIRST = (
    f"SELECT v.enrolment_id, min(b.started_at) AS at FROM v{_HERS}"
    f" AND {ON_AIR_MS} >= {FIRST_MINUTES * _MINUTE_MS} GROUP BY v.enrolment_id"
)
_SHOWS = (
    "SELECT v.enrolment_id, b.id, b.public_id, b.title, b.bureau_id, u.name AS bureau, m.name AS room,"
    f" b.started_at, {ON_AIR_MS} AS on_air_ms,"
    f" {SOLD.format(G2_SQL)} AS g2_fen, {SOLD.format('r.refund_done')} AS refund_fen,"
    f" {SOLD.format('r.orders')} AS orders FROM v{_HERS} AND b.started_at < v.until"
    " JOIN room m ON m.id = b.room_id JOIN bureau u ON u.id = b.bureau_id ORDER BY b.started_at, b.id"
)
_COLUMNS = dict.fromkeys(("enrolment_id", "person_id", "streamer_id", "since", "until"), "bigint")


class Show(Struct, frozen=True, kw_only=True):
    """One broadcast of a graduate. The sales of another bureau's show are not told to a bureau's reader."""

    broadcast: str
    bureau_id: int
    title: str
    room: str
    bureau: str
    day: date
    started_at: datetime
    minutes: int
    g2_fen: int
    refund_fen: int
    orders: int
    is_told: bool

    @property
    def net_fen(self) -> int:
        """Paid minus refunded, on the basis G3."""
        return self.g2_fen - self.refund_fen


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one graduate until now."""

    who: Trainee
    graduated_on: date
    first_stream_on: date | None
    shows: tuple[Show, ...]  # of the first SALES_DAYS days
    today: date

    @property
    def is_due(self) -> bool:
        """Whether her day SALES_DAYS is over."""
        return self.today >= self.graduated_on + timedelta(days=SALES_DAYS)

    @property
    def is_first_due(self) -> bool:
        """Whether her day FIRST_DAYS is over."""
        return self.today >= self.graduated_on + timedelta(days=FIRST_DAYS)

    @property
    def went_live(self) -> bool:
        """Whether her first stream was within FIRST_DAYS days."""
        return self.first_stream_on is not None and self.first_stream_on < self.graduated_on + timedelta(
            days=FIRST_DAYS
        )

    @property
    def late_shows(self) -> tuple[Show, ...]:
        """Of the days 61 to 90."""
        since = self.graduated_on + timedelta(days=LATE_FROM_DAYS)
        return tuple(each for each in self.shows if each.day >= since)

    @property
    def is_retained(self) -> bool | None:
        """Whether she still streamed in days 61 to 90; None: not due."""
        return bool(self.late_shows) if self.is_due else None

    @property
    def still_sells(self) -> bool | None:
        """Whether what she streamed in days 61 to 90 sold anything; None: not due."""
        return any(each.net_fen > 0 for each in self.late_shows) if self.is_due else None

    @property
    def net_sales_fen(self) -> int:
        """net_sales_90, as far as the reader may see the shows."""
        return sum(each.net_fen for each in self.shows if each.is_told)

    @property
    def untold(self) -> int:
        """Shows whose sales belong to another bureau's books."""
        return sum(not each.is_told for each in self.shows)


class Summary(Struct, frozen=True, kw_only=True):
    """The funnel of one class or of many, and its rates."""

    counts: Counts = Counts()
    hours: Hours = Hours()
    live_in_30: int = 0
    not_due_30: int = 0
    due_90: int = 0
    not_due_90: int = 0
    retained: int = 0
    still_sell: int = 0
    net_sales_fen: int = 0
    broadcasts: int = 0
    untold: int = 0

    @property
    def first_stream_rate(self) -> Fraction | None:
        """Of graduates, who went live within 30 days."""
        return Fraction(self.live_in_30, self.counts.graduated) if self.counts.graduated else None

    @property
    def retention(self) -> Fraction | None:
        """Of graduates whose day 90 is over, who streamed in days 61 to 90."""
        return Fraction(self.retained, self.due_90) if self.due_90 else None


class OfCohort(Struct, frozen=True, kw_only=True):
    """One class of a report."""

    row: Cohort  # with its programme and bureau
    summary: Summary


class Report(Struct, frozen=True, kw_only=True):
    """All classes that ended in a period."""

    cohorts: list[OfCohort]
    total: Summary
    is_cut: bool
    as_of: datetime


async def report(*, bureau: str = "", period: str = "", actor: Actor, now: datetime) -> Report:
    """The classes that end in a period, of a bureau or of all, the latest first.

    ``period``: 2026, 2026-Q1 or 2026-03, '' is all; Invalid for others. ``bureau``: a public id.
    """
    require(actor, Permission.TRAINING_READ)
    require(actor, Permission.SALES_READ)
    asked = Cohort.filter(centre_id=actor.centre_id, state__in=_BEGUN)
    scope = bureau_scope(actor, Permission.TRAINING_READ)
    if scope is not None:
        asked = asked.filter(programme__bureau_id__in=scope)
    if bureau:
        asked = asked.filter(programme__bureau__public_id=bureau)
    if period:
        first, last = training_periods.days(period)
        asked = asked.filter(ends_on__gte=clock.day_number(first), ends_on__lte=clock.day_number(last))
    rows = await asked.order_by("-ends_on", "-id").limit(MOST_COHORTS + 1).select_related("programme__bureau")
    kept = rows[:MOST_COHORTS]
    people = await rates.trainees([each.id for each in kept])
    hours = await rates.hours(kept, now=now)
    found = await outcomes(people, actor=actor, now=now)
    return Report(
        cohorts=[
            OfCohort(
                row=each,
                summary=_summary(
                    [one for one in people if one.cohort_id == each.id],
                    [one for one in found if one.who.cohort_id == each.id],
                    hours[each.id],
                ),
            )
            for each in kept
        ],
        total=_summary(people, found, rates.together(hours)),
        is_cut=len(rows) > MOST_COHORTS,
        as_of=now,
    )


async def of_cohort(public_id: str, *, actor: Actor, now: datetime) -> tuple[OfCohort, list[Outcome]]:
    """One class and each of its graduates; NotFound when the reader has none of that id."""
    row = await Cohort.get_or_none(public_id=public_id).select_related("programme__bureau")
    if row is None:
        raise NotFound
    _require(actor, row)
    people = await rates.trainees([row.id])
    hours = await rates.hours([row], now=now)
    found = await outcomes(people, actor=actor, now=now)
    return OfCohort(row=row, summary=_summary(people, found, hours[row.id])), found


async def of_enrolment(public_id: str, *, actor: Actor, now: datetime) -> tuple[Cohort, Outcome]:
    """One graduate with her broadcasts; NotFound also for who has not graduated."""
    seen = await Enrolment.get_or_none(public_id=public_id).select_related("cohort__programme__bureau")
    if seen is None:
        raise NotFound
    row: Cohort = seen.cohort
    _require(actor, row)
    people = [each for each in await rates.trainees([row.id]) if each.enrolment_id == seen.id]
    found = await outcomes(people, actor=actor, now=now)
    if not found:
        raise NotFound("这位学员没有结业，没有结业后的数据。")
    return row, found[0]


async def outcomes(
    people: Iterable[Trainee], *, actor: Actor, now: datetime, days: int = SALES_DAYS
) -> list[Outcome]:
    """What came of those who graduated, in two questions however many they are."""
    graduates = [(each, each.graduated_on) for each in people if each.graduated_on is not None]
    wanted = [
        (
            each.enrolment_id,
            each.person_id,
            each.streamer_id,
            clock.to_ms(clock.at_local(on)),
            clock.to_ms(clock.at_local(on + timedelta(days=days))),
        )
        for each, on in graduates
        if each.streamer_id
    ]
    first = {
        row["enrolment_id"]: clock.local_day(clock.from_ms(row["at"]))
        for row in await database.with_rows(_COLUMNS, wanted, _FIRST)
    }
    shows = await _shows(wanted, scope=bureau_scope(actor, Permission.SALES_READ))
    return [
        Outcome(
            who=each,
            graduated_on=on,
            first_stream_on=first.get(each.enrolment_id),
            shows=tuple(shows[each.enrolment_id]),
            today=clock.local_day(now),
        )
        for each, on in graduates
    ]


async def _shows(
    wanted: Sequence[tuple[int, ...]], *, scope: Collection[int] | None
) -> defaultdict[int, list[Show]]:
    found: defaultdict[int, list[Show]] = defaultdict(list)
    for row in await database.with_rows(_COLUMNS, wanted, _SHOWS):
        is_told = scope is None or row["bureau_id"] in scope
        started = clock.from_ms(row["started_at"])
        found[row["enrolment_id"]].append(
            Show(
                broadcast=row["public_id"] if is_told else "",
                bureau_id=row["bureau_id"],
                title=row["title"] if is_told else "",
                room=row["room"] if is_told else "",
                bureau=row["bureau"] if is_told else "",
                day=clock.local_day(started),
                started_at=started,
                minutes=int(row["on_air_ms"]) // _MINUTE_MS,
                g2_fen=int(row["g2_fen"]) if is_told else 0,
                refund_fen=int(row["refund_fen"]) if is_told else 0,
                orders=int(row["orders"]) if is_told else 0,
                is_told=is_told,
            )
        )
    return found


def _summary(people: Sequence[Trainee], found: Sequence[Outcome], hours: Hours) -> Summary:
    return Summary(
        counts=rates.counts(people),
        hours=hours,
        live_in_30=sum(each.went_live for each in found),
        not_due_30=sum(not each.is_first_due for each in found),
        due_90=sum(each.is_due for each in found),
        not_due_90=sum(not each.is_due for each in found),
        retained=sum(each.is_retained is True for each in found),
        still_sell=sum(each.still_sells is True for each in found),
        net_sales_fen=sum(each.net_sales_fen for each in found),
        broadcasts=sum(len(each.shows) for each in found),
        untold=sum(each.untold for each in found),
    )


def _require(actor: Actor, row: Cohort) -> None:
    bureau_id = row.programme.bureau_id
    require(actor, Permission.TRAINING_READ, bureau_id=bureau_id, centre_id=row.centre_id)
    require(actor, Permission.SALES_READ, bureau_id=bureau_id, centre_id=row.centre_id)
