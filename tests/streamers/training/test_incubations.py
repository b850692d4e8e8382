"""Incubation: forward only, out in time, accompanied by a mentor."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub import database, process
from livehub.accounts.actors import Actor
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound, StaleVersion
from livehub.kit.states import WrongState
from livehub.settings import Settings
from streamers.invariants import incubations as kept
from streamers.training import incubation_queries, incubations, mentors
from streamers.training.after_models import Incubation, IncubationStage
from streamers.training.errors import IncubationRefused, MentorKnown
from tests.contention import kinds, meet
from tests.factories.rooms import NOW
from tests.factories.training import School, a_person, a_school

TODAY = clock.local_day(NOW)  # 2026-03-01


async def a_candidate(school: School, *, mentor: bool = True) -> Incubation:
    named = ""
    if mentor:
        teacher = await a_person(school)
        named = (
            await mentors.appoint(teacher.public_id, field="选品", actor=school.manager, now=NOW)
        ).public_id
    who = await a_person(school)
    return await incubations.nominate(
        who.public_id, bureau_id=school.bureau.id, mentor=named, actor=school.manager, now=NOW
    )


async def test_somebody_is_admitted_accompanied_given_time_and_graduates(db: Settings) -> None:
    school = await a_school()
    found = await a_candidate(school)
    by = {"actor": school.staff, "now": NOW}

    with pytest.raises(IncubationRefused):
        await incubations.admit(found.public_id, months=37, **by)
    admitted = await incubations.admit(found.public_id, months=36, **by)
    with pytest.raises(WrongState):
        await incubations.admit(found.public_id, months=12, **by)
    with pytest.raises(StaleVersion):
        await incubations.begin(found.public_id, version=1, **by)
    await incubations.begin(found.public_id, version=admitted.version, **by)
    with pytest.raises(IncubationRefused):
        await incubations.extend(found.public_id, months=13, reason="还没盈利", **by)
    extended = await incubations.extend(found.public_id, months=12, reason="还没盈利", **by)
    for wrong in (TODAY - timedelta(days=1), TODAY + timedelta(days=1)):
        with pytest.raises(IncubationRefused):
            await incubations.visited(found.public_id, on_day=wrong, note="看账本", **by)
    await incubations.visited(found.public_id, on_day=TODAY, note="看账本", **by)
    await incubations.leave(found.public_id, into=IncubationStage.GRADUATED, reason="注册了公司", **by)
    for step in (incubations.begin, incubations.extend, incubations.leave):
        more = {
            incubations.begin: {},
            incubations.extend: {"months": 1, "reason": "再等等"},
            incubations.leave: {"into": IncubationStage.EXITED, "reason": "不做了"},
        }[step]
        with pytest.raises(WrongState):
            await step(found.public_id, **more, **by)

    whole = await incubation_queries.one(found.public_id, actor=school.officer)
    rates = await incubation_queries.rates(school.officer, now=NOW)
    assert (admitted.admitted_on, admitted.due_on, extended.due_on) == (
        date(2026, 3, 1), date(2029, 3, 1), date(2030, 3, 1),
    )  # fmt: skip
    assert (whole.row.stage, [each.note for each in whole.visits], len(whole.extensions)) == (
        IncubationStage.GRADUATED, ["看账本"], 1,
    )  # fmt: skip
    assert (rates.graduated, rates.success, rates.on_time, rates.inside) == (1, 1, 1, 0)
    assert await kept.check() == []
    await database.execute("UPDATE incubation SET extension_months = 13")
    assert len(await kept.check()) == 1


async def test_one_person_is_in_one_incubation_and_a_mentor_is_appointed_once(db: Settings) -> None:
    school = await a_school()
    who, bureau = await a_person(school), school.bureau.id

    def nominate():
        return database.unit(
            lambda: incubations.nominate(who.public_id, bureau_id=bureau, actor=school.staff, now=NOW)
        )

    answers = await meet(db, "LOCK TABLE incubation IN SHARE MODE", nominate, nominate)
    assert kinds(answers) == ["AlreadyIncubated", "Incubation"]
    await mentors.appoint(who.public_id, field="选品", actor=school.staff, now=NOW)
    with pytest.raises(MentorKnown):
        await mentors.appoint(who.public_id, field="话术", actor=school.staff, now=NOW)
    found = await Incubation.get()
    await incubations.leave(
        found.public_id, into=IncubationStage.EXITED, reason="搬家", actor=school.staff, now=NOW
    )
    again = await nominate()

    assert again.id != found.id


async def test_two_extensions_at_once_both_count(db: Settings) -> None:
    school = await a_school()
    found = await a_candidate(school)
    await incubations.admit(found.public_id, months=12, actor=school.staff, now=NOW)

    def extend():
        return database.unit(
            lambda: incubations.extend(
                found.public_id, months=6, reason="还没盈利", actor=school.staff, now=NOW
            )
        )

    await meet(db, "SELECT 1 FROM incubation FOR UPDATE", extend, extend)

    row = await Incubation.get(id=found.id)
    assert (row.extension_months, row.due_on) == (12, date(2028, 3, 1))
    assert await kept.check() == []


async def test_another_bureau_finds_no_incubation(db: Settings) -> None:
    school = await a_school()
    found = await a_candidate(school, mentor=False)
    other: Actor = school.house.officers[1]

    with pytest.raises(NotFound):
        await incubation_queries.one(found.public_id, actor=other)
    assert (await incubation_queries.listing(other)).total == 0
    assert (await incubation_queries.listing(school.officer, stage="candidate")).total == 1
    assert (await incubation_queries.listing(school.officer, stage="nothing")).total == 0


ORDER = (
    IncubationStage.CANDIDATE,
    IncubationStage.ADMITTED,
    IncubationStage.INCUBATING,
    IncubationStage.GRADUATED,
    IncubationStage.EXITED,
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["admit", "begin", "extend", "graduate", "exit"]), st.integers(0, 40)),
    max_size=12,
)


async def _play(config: Settings, steps: list[tuple[str, int]]) -> None:
    EXECUTOR_CACHE.clear()  # Tortoise keeps one engine's SQL by the connection's name
    await process.start(config)
    try:
        school = await a_school()
        found = await a_candidate(school)
        was = found.stage
        for name, months in steps:
            try:
                await _press(found.public_id, name, months, actor=school.staff)
            except LivehubError:
                continue
            now = (await Incubation.get(id=found.id)).stage
            assert ORDER.index(now) >= ORDER.index(was)
            was = now
        assert await kept.check() == []
    finally:
        await process.stop()


async def _press(public_id: str, name: str, months: int, *, actor: Actor) -> None:
    if name == "admit":
        await incubations.admit(public_id, months=months, actor=actor, now=NOW)
    elif name == "begin":
        await incubations.begin(public_id, actor=actor, now=NOW)
    elif name == "extend":
        await incubations.extend(public_id, months=months, reason="再等等", actor=actor, now=NOW)
    else:
        into = IncubationStage.GRADUATED if name == "graduate" else IncubationStage.EXITED
        await incubations.leave(public_id, into=into, reason="成了", actor=actor, now=NOW)


def test_whatever_is_pressed_stages_go_forward_and_nobody_stays_too_long(settings: Settings) -> None:
    @hypothesis_settings(max_examples=12, deadline=None, derandomize=True, database=None)
    @given(steps=STEPS)
    def examples(steps: list[tuple[str, int]]) -> None:
        asyncio.run(_play(settings, steps))

    examples()
