"""Where everybody in a class stands: hours attended, marks, practice, and what the bar says of it now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from streamers.training import rules
from streamers.training.course_models import AssessmentKind, PracticeStream, Presence
from streamers.training.models import COUNTED, Cohort, Enrolment
from streamers.training.rules import Bar, Given, Sat, Verdict

_LESSONS = (
    "SELECT id, starts_at, tenths, topic FROM lesson"
    " WHERE cohort_id = $1 AND required AND cancelled_at IS NULL AND ends_at <= $2 ORDER BY starts_at, id"
)
_PRESENT = (  # of each line the newest
    "SELECT a.lesson_id, a.enrolment_id, a.status FROM attendance a JOIN lesson l ON l.id = a.lesson_id"
    " WHERE l.cohort_id = $1 AND NOT EXISTS (SELECT 1 FROM attendance later"
    " WHERE later.lesson_id = a.lesson_id AND later.enrolment_id = a.enrolment_id AND later.seq > a.seq)"
)
_SCORES = (  # of each attempt the newest revision
    "SELECT s.enrolment_id, s.tenths, x.kind, x.id AS assessment_id FROM score s"
    " JOIN assessment x ON x.id = s.assessment_id"
    " WHERE x.cohort_id = $1 AND NOT EXISTS"
    " (SELECT 1 FROM score later WHERE later.assessment_id = s.assessment_id"
    " AND later.enrolment_id = s.enrolment_id AND later.attempt = s.attempt AND later.revision > s.revision)"
)


class Standing(Struct, frozen=True, kw_only=True):
    """One person's numbers at one instant."""

    enrolment_id: int
    given: Given
    verdict: Verdict

    @property
    def attended(self) -> Fraction:
        """Tenths of hours that count as attended, exactly."""
        return Fraction(self.given.attended)

    @property
    def rate(self) -> Fraction | None:
        """Attended of held hours, exactly; None while nothing was held."""
        return Fraction(self.given.attended) / self.given.held if self.given.held else None


async def of_cohort(
    cohort: Cohort, people: Sequence[Enrolment], *, bar: Bar, now: datetime
) -> dict[int, Standing]:
    """Everybody's standing by enrolment, in a handful of questions however many they are."""
    lessons = await database.fetch(_LESSONS, cohort.id, clock.to_ms(now))
    seen: dict[tuple[int, int], str] = {
        (row["lesson_id"], row["enrolment_id"]): row["status"]
        for row in await database.fetch(_PRESENT, cohort.id)
    }
    marks = _best(await database.fetch(_SCORES, cohort.id))
    practice: defaultdict[int, list[int]] = defaultdict(list)
    for each in await PracticeStream.filter(enrolment_id__in=[one.id for one in people]):
        practice[each.enrolment_id].append(each.verified_minutes)
    return {
        each.id: _standing(each, lessons, seen, marks.get(each.id, {}), practice[each.id], bar=bar)
        for each in people
        if each.state in COUNTED
    }


def class_rate(standings: Mapping[int, Standing]) -> Fraction | None:
    """Attendance of the class: everybody's attended hours of everybody's held hours."""
    held = sum(each.given.held for each in standings.values())
    attended = sum((Fraction(each.given.attended) for each in standings.values()), Fraction(0))
    return attended / held if held else None


def _standing(
    enrolment: Enrolment,
    lessons: Sequence[Mapping[str, Any]],
    seen: Mapping[tuple[int, int], str],
    marks: Mapping[str, int],
    minutes: Sequence[int],
    *,
    bar: Bar,
) -> Standing:
    since = enrolment.enrolled_on
    hers = [
        row
        for row in lessons
        if since is not None and clock.local_day(clock.from_ms(row["starts_at"])) >= since
    ]
    sat = [Sat(row["tenths"], seen.get((row["id"], enrolment.id), Presence.ABSENT)) for row in hers]
    given = Given(
        attended=str(rules.attended(sat, bar=bar)),
        held=sum(each.tenths for each in sat),
        theory_tenths=marks.get(AssessmentKind.THEORY),
        skill_tenths=marks.get(AssessmentKind.SKILL),
        practice_broadcasts=len(minutes),
        practice_minutes=sum(minutes),
        food_safety=any(
            row["topic"] == "food_safety" and seen.get((row["id"], enrolment.id)) in _THERE for row in hers
        ),
    )
    return Standing(enrolment_id=enrolment.id, given=given, verdict=rules.decide(given, bar=bar))


_THERE = frozenset({Presence.PRESENT, Presence.LATE, Presence.LEFT_EARLY})


def _best(rows: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, int]]:
    """The best attempt of each examination; of several of one kind the lowest counts."""
    best: dict[tuple[int, str, int], int] = {}
    for row in rows:
        key = (row["enrolment_id"], row["kind"], row["assessment_id"])
        best[key] = max(best.get(key, 0), row["tenths"])
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for (enrolment_id, kind, _), tenths in best.items():
        found[enrolment_id][kind] = min(found[enrolment_id].get(kind, tenths), tenths)
    return found
