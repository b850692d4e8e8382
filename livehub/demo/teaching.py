"""Two classes: one that ended with certificates, one that is taught; the verbs take the time as it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.demo import afterwards, cast
from livehub.kit import clock
from livehub.kit.sheets import writing
from rooms import booking, training
from rooms.models import Booking
from streamers import identity_numbers
from streamers.models import Streamer
from streamers.training import (
    attendance,
    certificates,
    cohorts,
    enrolments,
    graduation,
    importing,
    programmes,
    roster,
    scores,
    working_days,
)
from streamers.training.attendance import Mark
from streamers.training.cohorts import NewCohort
from streamers.training.course_models import AssessmentKind, Lesson, LessonKind, Presence
from streamers.training.importing import Mode
from streamers.training.lessons import NewLesson
from streamers.training.models import Cohort, Enrolment, Programme
from streamers.training.programmes import NewProgramme
from streamers.training.rules import Bar, Terms

ENDED_PEOPLE, RUNNING_PEOPLE = 22, 18
ROOM = "R3"  # the 党建 room, whose days are quiet
HOUR, MINUTES, TENTHS = 9, 180, 40
TERMS = Terms(per_head_fen=80_000, min_tenths=240, plan_parts=("audience", "goal", "outline"), lead_days=10)
BAR = Bar(min_attendance="0.80", min_theory_tenths=600, min_skill_tenths=600, require_food_safety=True)
LESSONS = (
    ("直播带货入门与平台规则", LessonKind.THEORY, ""),
    ("选品、话术与脚本", LessonKind.PRACTICE, ""),
    ("食品安全与合规", LessonKind.THEORY, "food_safety"),
    ("镜头、灯光与控场", LessonKind.PRACTICE, ""),
    ("短视频引流", LessonKind.PRACTICE, ""),
    ("模拟开播", LessonKind.PRACTICE_STREAM, ""),
)
PLAN = {
    "audience": "返乡青年、渔民转产人员",
    "goal": "结业后 30 天内能独立开播",
    "outline": "平台规则、选品、话术、食品安全、实训直播",
}


class School:
    """The centre's training as the demo shows it."""

    def __init__(
        self, *, room: str, teacher: str, streamers: Sequence[str], manager: Actor, officer: Actor
    ) -> None:
        self._room = room
        self._teacher = teacher
        self._streamers = streamers
        self._manager = manager
        self._officer = officer

    async def tell(self, *, bureau_id: int, today: date) -> None:
        """Both classes, as of the morning of today."""
        ended_from = today - timedelta(days=26)
        running_from = today - timedelta(days=5)
        begun = self._at(ended_from - timedelta(days=20), 9)
        programme = await programmes.create(
            NewProgramme(
                name="直播销售员培训",
                occupation="直播销售员",
                preset="qinzhou",
                funding="职业技能提升资金",
                level=5,
                target_people=230,
                terms=TERMS,
                bar=BAR,
            ),
            bureau_id=bureau_id,
            actor=self._manager,
            now=begun,
        )
        ended = await self._class(
            programme, "第一期", ended_from, people=ENDED_PEOPLE, first=0, also=self._streamers
        )
        await self._teach(ended, until=self._at(today, 8))
        over = self._at(ended_from + timedelta(days=12), 10)
        await self._end(ended, now=over)
        await afterwards.claim(ended.public_id, by=self._manager, now=over + timedelta(days=3))
        await afterwards.incubate(
            self._streamers[0], mentor=self._teacher, bureau_id=bureau_id, by=self._manager, now=begun
        )
        running = await self._class(
            programme, "第二期", running_from, people=RUNNING_PEOPLE, first=ENDED_PEOPLE
        )
        await self._teach(running, until=self._at(today, 8))

    async def _class(
        self,
        programme: Programme,
        name: str,
        first_day: date,
        *,
        people: int,
        first: int,
        also: Sequence[str] = (),
    ) -> Cohort:
        asked = self._at(working_days.before(first_day, 12, working=True), 9)
        cohort = await cohorts.create(
            NewCohort(
                code=f"{first_day.year}-{name}",
                name=f"{first_day.year} 年{name}",
                starts_on=first_day,
                ends_on=first_day + timedelta(days=11),
                capacity=40,
                plan=PLAN,
            ),
            programme=programme.public_id,
            actor=self._manager,
            now=asked,
        )
        for number, (title, kind, topic) in enumerate(LESSONS):
            wanted = NewLesson(
                title=title,
                kind=kind,
                topic=topic,
                starts_at=self._at(first_day + timedelta(days=number * 2), HOUR),
                minutes=MINUTES,
                tenths=TENTHS,
                instructor=self._teacher,
            )
            lesson = await training.plan(
                wanted, cohort=cohort.public_id, room=self._room, actor=self._manager, now=asked
            )
            booked = await Booking.get(id=lesson.booking_id)
            await booking.approve(booked.public_id, actor=self._manager, now=asked)
        await importing.into_cohort(
            _roster(people, first), cohort=cohort.public_id, mode=Mode.STRICT, name=f"{name}名册.xlsx",
            actor=self._manager, now=asked,
        )  # fmt: skip
        for each in also:  # who streams by now: her class leads to her shows and what they sold
            await enrolments.enrol(cohort.public_id, person=each, actor=self._manager, now=asked)
        await cohorts.apply(cohort.public_id, actor=self._manager, now=asked)
        await cohorts.approve(cohort.public_id, actor=self._officer, now=asked + timedelta(days=1))
        for step in ("open", "start"):
            await cohorts.step(cohort.public_id, step, actor=self._manager, now=self._at(first_day, 8))
        return await Cohort.get(id=cohort.id)

    async def _teach(self, cohort: Cohort, *, until: datetime) -> None:
        """Who came to what was held; somebody is late now and then, and two lose heart."""
        people = await Enrolment.filter(cohort_id=cohort.id).order_by("id")
        lessons = await Lesson.filter(cohort_id=cohort.id, ends_at__lte=clock.to_ms(until)).order_by(
            "starts_at"
        )
        for number, lesson in enumerate(lessons):
            marks = [
                Mark(enrolment=each.public_id, status=_presence(place, number))
                for place, each in enumerate(people)
            ]
            now = lesson.starts_at + timedelta(minutes=30)
            await attendance.mark(lesson.public_id, marks, actor=self._manager, now=now)
            await training.begin(lesson.public_id, actor=self._manager, now=now)

    async def _end(self, cohort: Cohort, *, now: datetime) -> None:
        people = await Enrolment.filter(cohort_id=cohort.id).order_by("id")
        for kind, name, base in (
            (AssessmentKind.THEORY, "理论考试", 640),
            (AssessmentKind.SKILL, "模拟开播", 660),
        ):
            exam = await scores.plan(
                cohort.public_id,
                kind=kind,
                name=name,
                held_on=clock.local_day(now),
                actor=self._manager,
                now=now,
            )
            marks = [
                scores.Mark(enrolment=each.public_id, tenths=(base + place * 17 % 320) if place != 5 else 520)
                for place, each in enumerate(people)
            ]
            await scores.mark(exam.public_id, marks, actor=self._manager, now=now)
        await cohorts.step(cohort.public_id, "examine", actor=self._manager, now=now)
        await graduation.confirm(cohort.public_id, actor=self._manager, now=now)
        await certificates.issue(cohort.public_id, actor=self._manager, now=now + timedelta(days=1))
        await cohorts.step(cohort.public_id, "close", actor=self._manager, now=now + timedelta(days=2))

    def _at(self, day: date, hour: int) -> datetime:
        return clock.at_local(day, hour=hour)


async def tell(
    *,
    bureau_id: int,
    room: str,
    teacher: str,
    streamers: Sequence[str],
    logins: dict[str, Actor],
    today: date,
) -> None:
    """Both classes of the demo, once."""
    people = {
        each.public_id: each.person.public_id
        for each in await Streamer.filter(public_id__in=[teacher, *streamers]).select_related("person")
    }
    school = School(
        room=room,
        teacher=people[teacher],
        streamers=[people[each] for each in streamers],
        manager=_holder(logins, Role.MANAGER),
        officer=_holder(logins, Role.BUREAU),
    )
    await school.tell(bureau_id=bureau_id, today=today)


def _holder(logins: dict[str, Actor], role: Role) -> Actor:
    return next(each for each in logins.values() if each.grants[0].role is role)


def _presence(place: int, number: int) -> Presence:
    """Two come seldom, some are late once, most are there."""
    if place in (3, 11):
        return Presence.PRESENT if number % 2 else Presence.ABSENT
    if (place + number * 3) % 13 == 0:
        return Presence.LATE
    return Presence.LEAVE if (place * 5 + number) % 41 == 0 and number != 2 else Presence.PRESENT


def _roster(count: int, first: int) -> bytes:
    """People of nowhere: their numbers are of an area that does not exist."""
    rows = []
    for number in range(first, first + count):
        year, month, day = 1978 + number % 25, 1 + number % 12, 1 + number * 7 % 28
        seventeen = f"990101{year}{month:02}{day:02}{100 + number}"
        name = cast.SURNAMES[number % len(cast.SURNAMES)] + cast.GIVEN[number * 7 % len(cast.GIVEN)]
        category = ("返乡", "脱贫户", "合作社", "大学生", "退役")[number % 5]
        town = cast.STREAMERS[number % len(cast.STREAMERS)][2]
        rows.append((name, seventeen + identity_numbers.check_letter(seventeen), "", town, category, "", ""))
    return writing.workbook([roster.TEMPLATE, *rows])
