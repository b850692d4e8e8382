"""What clashes with a wished time, and the nearest times that clash with nothing. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from livehub.kit import clock

SUGGESTIONS = 3
SEARCH_DAYS = 7  # how far from the wished start a suggestion may lie

_MINUTE = timedelta(minutes=1)


class Span(Struct, frozen=True, order=True):
    """The time [starts_at, ends_at)."""

    starts_at: datetime
    ends_at: datetime


class Wanted(Struct, frozen=True, order=True):
    """One resource for one span; sorted, this is the order in which claims are written."""

    kind: str  # room | person | equipment
    resource_id: int
    starts_at: datetime
    ends_at: datetime


class Taken(Struct, frozen=True, order=True):
    """A span of a resource that is taken, as far as everybody may know of it."""

    kind: str
    resource_id: int
    starts_at: datetime
    ends_at: datetime
    bureau: str = ""
    closed: str = ""  # the reason of a closure, which is nobody's booking


class Hours(Struct, frozen=True, order=True):
    """When a room is open on one day of the week, in minutes after its local midnight."""

    weekday: int  # 0 is Monday
    opens_minute: int
    closes_minute: int  # may exceed 24 h


class Frame(Struct, frozen=True, kw_only=True):
    """What a room asks of a time, besides being free."""

    slot_minutes: int = 15
    opens_minute: int = 480  # after local midnight
    closes_minute: int = 1560  # may exceed 24 h; binds the core time, not the buffers
    setup_min: int = 30
    turnover_min: int = 30
    min_minutes: int = 30
    max_minutes: int = 360
    min_lead_h: int = 0
    max_advance_d: int = 180
    zone: ZoneInfo = clock.SHANGHAI
    weekly: tuple[Hours, ...] = ()  # in place of the daily hours, where the week has hours of its own

    def hours_on(self, day: date) -> tuple[tuple[int, int], ...]:
        """When it is open on a local day, as (opens, closes); empty when it is closed."""
        if not self.weekly:
            return ((self.opens_minute, self.closes_minute),)
        return tuple(
            (each.opens_minute, each.closes_minute) for each in self.weekly if each.weekday == day.weekday()
        )


class Fault(Struct, frozen=True):
    """One rule of a frame that a time breaks; ``expected`` is what would be right."""

    rule: str  # slot_alignment | duration | opening_hours | past | lead | too_far
    field: str
    expected: int | tuple[int, int] | tuple[tuple[int, int], ...] | datetime


def overlap(one: Span | Wanted | Taken, other: Span | Wanted | Taken) -> bool:
    """Whether two half-open spans share an instant: touching is not overlapping."""
    return one.starts_at < other.ends_at and other.starts_at < one.ends_at


def find(wanted: Iterable[Wanted], existing: Sequence[Taken]) -> list[Taken]:
    """What of the existing stands in the way of the wanted, in order of kind and time."""
    clashing = {
        taken
        for each in wanted
        for taken in existing
        if (taken.kind, taken.resource_id) == (each.kind, each.resource_id) and overlap(each, taken)
    }
    return sorted(clashing)


def faults(core: Span, *, frame: Frame, now: datetime) -> list[Fault]:
    """Every rule of the frame that the core time breaks."""
    found: list[Fault] = []
    minutes = int((core.ends_at - core.starts_at) / _MINUTE)
    if not _aligned(core.starts_at, frame):
        found.append(Fault("slot_alignment", "starts_at", frame.slot_minutes))
    if minutes % frame.slot_minutes:
        found.append(Fault("slot_alignment", "minutes", frame.slot_minutes))
    if not frame.min_minutes <= minutes <= frame.max_minutes:
        found.append(Fault("duration", "minutes", (frame.min_minutes, frame.max_minutes)))
    elif not _open(core, frame):
        day = core.starts_at.astimezone(frame.zone).date()
        found.append(Fault("opening_hours", "starts_at", frame.hours_on(day)))
    if core.starts_at < now:
        found.append(Fault("past", "starts_at", now))
    elif core.starts_at < now + timedelta(hours=frame.min_lead_h):
        found.append(Fault("lead", "starts_at", frame.min_lead_h))
    elif core.starts_at > now + timedelta(days=frame.max_advance_d):
        found.append(Fault("too_far", "starts_at", frame.max_advance_d))
    return found


def suggest(
    core: Span, *, frame: Frame, room: Sequence[Span], people: Sequence[Span], now: datetime
) -> list[Span]:
    """The free times of the same length whose starts are nearest to the wished one, in order of time.

    ``room`` is when the room is claimed, buffers included; ``people`` when any of the wanted persons is.
    """
    room_busy, people_busy = _Busy(room), _Busy(people)
    length = core.ends_at - core.starts_at
    chosen: list[Span] = []
    for start in _outwards(core.starts_at, frame):
        option = Span(start, start + length)
        with_buffers = buffered(option, frame=frame)
        if room_busy.at(with_buffers) or people_busy.at(option) or faults(option, frame=frame, now=now):
            continue
        chosen.append(option)
        if len(chosen) == SUGGESTIONS:
            break
    return sorted(chosen)


def buffered(core: Span, *, frame: Frame) -> Span:
    """The time a room is taken for: setting up before, clearing away after."""
    return Span(core.starts_at - frame.setup_min * _MINUTE, core.ends_at + frame.turnover_min * _MINUTE)


class _Busy:
    """Spans merged into a timeline that is asked many times."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._starts: list[datetime] = []
        self._ends: list[datetime] = []
        for span in sorted(spans):
            if self._ends and span.starts_at <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], span.ends_at)
            else:
                self._starts.append(span.starts_at)
                self._ends.append(span.ends_at)

    def at(self, span: Span) -> bool:
        """Whether any of the span is taken."""
        first_ending_later = bisect_right(self._ends, span.starts_at)
        return first_ending_later < len(self._starts) and self._starts[first_ending_later] < span.ends_at


def _outwards(wished: datetime, frame: Frame) -> Iterator[datetime]:
    """Aligned starts in order of distance from the wished one, of two equally near the later first."""
    step = frame.slot_minutes * _MINUTE
    below = wished - timedelta(minutes=_minute_of_day(wished, frame) % frame.slot_minutes)
    below -= timedelta(seconds=wished.second, microseconds=wished.microsecond)
    above = below if below == wished else below + step
    if below == wished:
        below -= step
    horizon = timedelta(days=SEARCH_DAYS)
    while min(above - wished, wished - below) <= horizon:
        if above - wished <= wished - below:
            yield above
            above += step
        else:
            yield below
            below -= step


def _aligned(instant: datetime, frame: Frame) -> bool:
    whole = instant.second == 0 and instant.microsecond == 0
    return whole and _minute_of_day(instant, frame) % frame.slot_minutes == 0


def _minute_of_day(instant: datetime, frame: Frame) -> int:
    local = instant.astimezone(frame.zone)
    return local.hour * 60 + local.minute


def _open(core: Span, frame: Frame) -> bool:
    """Whether the core time lies within the opening hours of one local day, which may end after midnight."""
    today = core.starts_at.astimezone(frame.zone).date()
    for back in range(3):  # closing lies at most two days after the day it belongs to
        day = today - timedelta(days=back)
        for opens, closes in frame.hours_on(day):
            if _at(day, opens, frame) <= core.starts_at and core.ends_at <= _at(day, closes, frame):
                return True
    return False


def _at(day: date, minute: int, frame: Frame) -> datetime:
    """The instant of a wall-clock minute of a local day; minutes past 24 h are on the next day."""
    later, minute = divmod(minute, 1440)
    on = day + timedelta(days=later)
    return datetime(on.year, on.month, on.day, minute // 60, minute % 60, tzinfo=frame.zone).astimezone(UTC)
