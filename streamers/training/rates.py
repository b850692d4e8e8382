"""Rates of whole classes: who began, who stayed, who graduated and was certified. Exact, for many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from fractions import Fraction

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from streamers.training.course_models import CertificateState, Presence
from streamers.training.models import COUNTED, Cohort, EnrolmentState, GraduationRule
from streamers.training.programmes import bar_of

_COUNTED = ", ".join(f"'{each}'" for each in sorted(COUNTED))
_FIRST = (
    "SELECT v.id, min(l.starts_at) AS at FROM v"
    " JOIN lesson l ON l.cohort_id = v.id AND l.cancelled_at IS NULL GROUP BY v.id"
)
_PEOPLE = (
    "SELECT e.id, e.public_id, e.cohort_id, e.person_id, e.state, e.enrolled_on, e.left_at, p.name, p.town,"
    " coalesce(t.id, 0) AS streamer_id, coalesce(t.public_id, '') AS streamer,"
    " (SELECT max(d.at) FROM graduation_decision d WHERE d.enrolment_id = e.id AND d.graduated)"
    " AS graduated_at,"
    " (SELECT max(c.serial) FROM certificate c WHERE c.enrolment_id = e.id"
    f" AND c.state = '{CertificateState.ISSUED}') AS serial"
    " FROM v JOIN enrolment e ON e.cohort_id = v.id JOIN person p ON p.id = e.person_id"
    " LEFT JOIN streamer t ON t.person_id = p.id WHERE e.enrolled_on IS NOT NULL ORDER BY e.id"
)
_HOURS = (  # of each line of attendance the newest
    "SELECT l.cohort_id, l.starts_at, l.tenths, e.enrolled_on,"
    f" coalesce(a.status, '{Presence.ABSENT}') AS status, count(*) AS n"
    " FROM v JOIN lesson l ON l.cohort_id = v.id AND l.required AND l.cancelled_at IS NULL"
    f" AND l.ends_at <= v.until JOIN enrolment e ON e.cohort_id = l.cohort_id AND e.state IN ({_COUNTED})"
    " AND e.enrolled_on IS NOT NULL"
    " LEFT JOIN attendance a ON a.lesson_id = l.id AND a.enrolment_id = e.id AND NOT EXISTS"
    " (SELECT 1 FROM attendance later WHERE later.lesson_id = a.lesson_id"
    " AND later.enrolment_id = a.enrolment_id AND later.seq > a.seq)"
    " GROUP BY l.cohort_id, l.id, l.starts_at, l.tenths, e.enrolled_on, coalesce(a.status, 'absent')"
)


class Trainee(Struct, frozen=True, kw_only=True):
    """Somebody who had a place in a class once its lessons had begun, and what came of it there."""

    enrolment_id: int
    enrolment: str
    cohort_id: int
    person_id: int
    name: str
    town: str
    streamer_id: int  # 0: she streams nowhere
    streamer: str
    state: EnrolmentState
    began: bool  # with the first lesson, not later
    graduated_on: date | None
    serial: str  # of the certificate that is good, '' without one


class Counts(Struct, frozen=True, kw_only=True):
    """The people of one class, or of many."""

    trained: int = 0  # had a place once lessons had begun
    enrolled: int = 0  # at the first lesson
    withdrawn: int = 0  # of these
    graduated_of_enrolled: int = 0
    graduated: int = 0  # also of those who came later
    certified: int = 0

    @property
    def graduation_rate(self) -> Fraction | None:
        """结业率: graduated of those enrolled at the first lesson; None before it."""
        return _share(self.graduated_of_enrolled, self.enrolled)

    @property
    def pass_rate(self) -> Fraction | None:
        """合格率: the same, without those who withdrew."""
        return _share(self.graduated_of_enrolled, self.enrolled - self.withdrawn)

    @property
    def certificate_rate(self) -> Fraction | None:
        """发证率: good certificates of graduates; None while nobody graduated."""
        return _share(self.certified, self.graduated)


class Hours(Struct, frozen=True, kw_only=True):
    """Tenths of hours that were attended, exactly, of those that were held, over everybody with a place."""

    attended: Fraction = Fraction(0)
    held: int = 0

    @property
    def rate(self) -> Fraction | None:
        """出勤率; None while nothing was held."""
        return self.attended / self.held if self.held else None


async def trainees(cohort_ids: Collection[int]) -> list[Trainee]:
    """Everybody who was trained in these classes, in the order of their enrolment."""
    wanted = [(each,) for each in sorted(set(cohort_ids))]
    begun = await database.with_rows({"id": "bigint"}, wanted, _FIRST)
    first = {row["id"]: clock.from_ms(row["at"]) for row in begun}
    found = []
    for row in await database.with_rows({"id": "bigint"}, wanted, _PEOPLE):
        begins = first.get(row["cohort_id"])
        left = clock.from_ms_or_none(row["left_at"])
        if begins is None or (left is not None and left <= begins):
            continue
        graduated = row["state"] == EnrolmentState.GRADUATED and row["graduated_at"] is not None
        found.append(
            Trainee(
                enrolment_id=row["id"],
                enrolment=row["public_id"],
                cohort_id=row["cohort_id"],
                person_id=row["person_id"],
                name=row["name"],
                town=row["town"],
                streamer_id=row["streamer_id"],
                streamer=row["streamer"],
                state=EnrolmentState(row["state"]),
                began=clock.day_of_number(row["enrolled_on"]) <= clock.local_day(begins),
                graduated_on=clock.local_day(clock.from_ms(row["graduated_at"])) if graduated else None,
                serial=row["serial"] or "",
            )
        )
    return found


def counts(people: Iterable[Trainee]) -> Counts:
    """The people counted."""
    found = list(people)
    began = [each for each in found if each.began]
    return Counts(
        trained=len(found),
        enrolled=len(began),
        withdrawn=sum(each.state is EnrolmentState.WITHDRAWN for each in began),
        graduated_of_enrolled=sum(each.graduated_on is not None for each in began),
        graduated=sum(each.graduated_on is not None for each in found),
        certified=sum(bool(each.serial) for each in found if each.graduated_on is not None),
    )


async def hours(cohorts: Collection[Cohort], *, now: datetime) -> dict[int, Hours]:
    """Attendance of whole classes by row id, each by its own bar."""
    rules = await GraduationRule.filter(id__in={each.rule_id for each in cohorts})
    bars = {each.id: bar_of(each) for each in rules}
    bar = {each.id: bars[each.rule_id] for each in cohorts}
    attended: defaultdict[int, Fraction] = defaultdict(Fraction)
    held: defaultdict[int, int] = defaultdict(int)
    for row in await database.with_rows(
        {"id": "bigint", "until": "bigint"}, [(each.id, clock.to_ms(now)) for each in cohorts], _HOURS
    ):
        if clock.local_day(clock.from_ms(row["starts_at"])) < clock.day_of_number(row["enrolled_on"]):
            continue  # before she came
        tenths = int(row["n"]) * row["tenths"]
        held[row["cohort_id"]] += tenths
        attended[row["cohort_id"]] += tenths * bar[row["cohort_id"]].weight(row["status"])
    return {each.id: Hours(attended=attended[each.id], held=held[each.id]) for each in cohorts}


def together(found: Mapping[int, Hours]) -> Hours:
    """Several classes as one."""
    return Hours(
        attended=sum((each.attended for each in found.values()), Fraction(0)),
        held=sum(each.held for each in found.values()),
    )


def _share(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None
