"""Calls to graduates: who is due, what the data says of her, and what is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub import database
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.reports import followups as reports
from livehub.settings import Settings
from streamers.training import followups
from streamers.training.after_models import FollowUp
from streamers.training.errors import FollowUpRefused
from tests.contention import kinds, meet
from tests.factories.outcomes import a_graduated_school, sold, streamed
from tests.factories.platforms import a_shop
from tests.factories.training import LATER

GRADUATED = clock.local_day(LATER)


def midnight(days: int):
    return clock.at_local(GRADUATED + timedelta(days=days))


async def test_who_graduated_is_due_at_midnight_of_day_30_and_no_longer_once_she_was_called(
    db: Settings,
) -> None:
    school, (first, second, _) = await a_graduated_school()
    early, then = midnight(30) - timedelta(seconds=1), midnight(30)

    assert (await followups.due(school.officer, now=early)).total == 0
    with pytest.raises(FollowUpRefused):
        await reports.contacted(
            first.public_id, day=30, employment="streaming", actor=school.staff, now=early
        )
    await reports.contacted(first.public_id, day=30, employment="streaming", actor=school.staff, now=then)
    later = await followups.due(school.officer, now=midnight(90))

    assert [(each.enrolment, each.day) for each in (await followups.due(school.officer, now=then)).items] == [
        (second.public_id, 30)
    ]
    assert [(each.enrolment, each.day) for each in later.items] == [
        (second.public_id, 30), (first.public_id, 90), (second.public_id, 90),
    ]  # fmt: skip
    assert (await followups.due(school.house.officers[1], now=midnight(90))).total == 0


async def test_the_data_fills_in_what_she_streamed_and_sold_until_that_day(db: Settings) -> None:
    school, (first, _, failed) = await a_graduated_school()
    shop = await a_shop(school.house.bureaus[0])
    for number, (days, by, fen) in enumerate(((0, 0, 100), (29, 1, 20), (30, 0, 5))):
        await sold(shop, await streamed(school, first, midnight(days), by=by), f"o{number}", fen=fen)

    kept = await reports.contacted(
        first.public_id,
        day=30,
        employment="self_employed",
        note="开了店",
        actor=school.staff,
        now=midnight(31),
    )
    again = await reports.contacted(
        first.public_id, day=30, employment="employed", actor=school.staff, now=midnight(32)
    )

    assert (kept.first_stream_on, kept.broadcasts, kept.elsewhere, kept.net_sales_fen, kept.seq) == (
        GRADUATED, 2, 1, 120, 1,
    )  # fmt: skip
    assert (again.seq, again.employment) == (2, "employed")
    assert [each.seq for each in await followups.of_cohort(school.cohort.id)] == [2]
    for wrong in (
        {"enrolment": failed.public_id, "day": 30, "employment": "employed"},
        {"enrolment": first.public_id, "day": 31, "employment": "employed"},
        {"enrolment": first.public_id, "day": 30, "employment": "astronaut"},
    ):
        with pytest.raises(FollowUpRefused):
            await reports.contacted(wrong.pop("enrolment"), **wrong, actor=school.staff, now=midnight(90))
    with pytest.raises(NotFound):
        await reports.contacted("nobody", day=30, employment="employed", actor=school.staff, now=LATER)


async def test_two_who_note_one_call_at_once_are_two_lines(db: Settings) -> None:
    school, (first, *_) = await a_graduated_school(trainees=2)

    def call():
        return database.unit(
            lambda: reports.contacted(
                first.public_id, day=30, employment="employed", actor=school.staff, now=midnight(30)
            )
        )

    answers = await meet(db, "SELECT 1 FROM cohort FOR UPDATE", call, call)

    assert kinds(answers) == ["FollowUp", "FollowUp"]
    assert [each.seq for each in await FollowUp.all().order_by("seq")] == [1, 2]
