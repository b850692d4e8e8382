"""What came of training: known people, known broadcasts, known sums; day edges in Asia/Shanghai."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest

from livehub import database
from livehub.kit import clock
from livehub.kit.errors import Invalid, NotFound
from livehub.reports import drill, figures, training, training_periods
from livehub.reports.basis import Basis
from livehub.reports.figures import Scope
from livehub.settings import Settings
from streamers.training import rates, standing
from streamers.training.course_models import PracticeStream
from streamers.training.models import Enrolment, EnrolmentState
from streamers.training.programmes import bar_of
from streamers.training.rates import Counts
from tests.factories.outcomes import a_graduated_school, sold, streamed
from tests.factories.platforms import a_shop
from tests.factories.training import LATER, School

GRADUATED = clock.local_day(LATER)  # 2026-03-31
SECOND = timedelta(seconds=1)


def day(number: int):
    """The instant at which the n-th day after graduating begins, the day of graduation being the first."""
    return clock.at_local(GRADUATED + timedelta(days=number - 1))


async def test_the_funnel_is_what_the_rows_say_and_every_fen_has_its_broadcast(db: Settings) -> None:
    school, (first, second, failed) = await a_graduated_school()
    shop = await a_shop(school.house.bureaus[0])
    early = await streamed(school, first, day(1), minutes=29)  # too short to be a first stream
    live = await streamed(school, first, day(31) - SECOND, minutes=30)
    late = await streamed(school, first, day(61))
    last = await streamed(school, first, day(91) - timedelta(hours=2))
    over = await streamed(school, first, day(91))
    slow = await streamed(school, second, day(31))
    nobodys = await streamed(school, failed, day(5))
    for number, (show, fen, back) in enumerate(
        ((early, 100, 0), (live, 2000, 500), (late, 30, 30), (last, 7, 0), (over, 999, 0), (slow, 50, 0),
         (nobodys, 70_000, 0))
    ):  # fmt: skip
        await sold(shop, show, f"o{number}", fen=fen, back=back)
    today = day(91)

    found = await training.report(period="2026-Q1", actor=school.officer, now=today)
    klass, people = await training.of_cohort(school.cohort.public_id, actor=school.manager, now=today)
    _, hers = await training.of_enrolment(first.public_id, actor=school.officer, now=today)

    assert found.total == found.cohorts[0].summary == klass.summary
    total = found.total
    assert total.counts == Counts(
        trained=3, enrolled=3, withdrawn=0, graduated_of_enrolled=2, graduated=2, certified=2
    )
    assert (total.counts.graduation_rate, total.counts.certificate_rate) == (Fraction(2, 3), 1)
    assert (total.live_in_30, total.not_due_30, total.first_stream_rate) == (1, 0, Fraction(1, 2))
    assert (total.due_90, total.retained, total.still_sell, total.retention) == (2, 1, 1, Fraction(1, 2))
    assert total.net_sales_fen == 100 + 1500 + 0 + 7 + 50
    assert [(each.first_stream_on, each.is_retained, each.net_sales_fen) for each in people] == [
        (GRADUATED + timedelta(days=29), True, 1607), (GRADUATED + timedelta(days=30), False, 50),
    ]  # fmt: skip
    assert [(each.broadcast, each.net_fen, each.minutes) for each in hers.shows] == [
        (early.public_id, 100, 29), (live.public_id, 1500, 30), (late.public_id, 0, 60), (last.public_id, 7, 60),
    ]  # fmt: skip
    for show in hers.shows:
        scope = Scope(centre_id=school.house.centre.id, broadcast=show.broadcast)
        lines = await drill.lines(scope, Basis.G3)
        assert (
            (await figures.total(scope)).g3_fen
            == sum(each.amount_fen for each in lines.items)
            == show.net_fen
        )
    assert await _from_raw_rows(school) == total.net_sales_fen


async def _from_raw_rows(school: School) -> int:
    """net_sales_90 of the class from entries, broadcasts and decisions, row by row."""
    shows = await database.fetch("SELECT id, streamer_id, started_at FROM broadcast")
    streamers = {
        row["person_id"]: row["id"] for row in await database.fetch("SELECT id, person_id FROM streamer")
    }
    entries = await database.fetch("SELECT * FROM contribution_entry")
    total = 0
    for who in await Enrolment.filter(cohort_id=school.cohort.id, state=EnrolmentState.GRADUATED):
        (decided,) = await database.fetch(
            "SELECT at FROM graduation_decision WHERE enrolment_id = $1", who.id
        )
        since = clock.at_local(clock.local_day(clock.from_ms(decided["at"])))
        until = since + timedelta(days=90)
        hers = {
            show["id"]
            for show in shows
            if show["streamer_id"] == streamers[who.person_id]
            and since <= clock.from_ms(show["started_at"]) < until
        }
        total += sum(
            row["buyer_paid"]
            + row["platform_disc"]
            + row["other_disc"]
            + row["voucher_subsidy"]
            - row["refund_done"]
            for row in entries
            if row["broadcast_id"] in hers
        )
    return total


async def test_who_is_not_due_is_on_neither_side_of_retention(db: Settings) -> None:
    school, (first, *_) = await a_graduated_school()
    await streamed(school, first, day(61))

    before, _ = await training.of_cohort(school.cohort.public_id, actor=school.officer, now=day(91) - SECOND)
    after, _ = await training.of_cohort(school.cohort.public_id, actor=school.officer, now=day(91))

    assert (before.summary.due_90, before.summary.not_due_90, before.summary.retention) == (0, 2, None)
    assert (after.summary.due_90, after.summary.not_due_90, after.summary.retention) == (2, 0, Fraction(1, 2))


async def test_what_was_practised_or_never_ended_is_no_stream(db: Settings) -> None:
    school, (first, second, _) = await a_graduated_school()
    practised = await streamed(school, first, day(3))
    running = await streamed(school, second, day(3))
    await database.execute("UPDATE broadcast SET state = 'live' WHERE id = $1", running.id)

    async def shows() -> list[int]:
        _, found = await training.of_cohort(school.cohort.public_id, actor=school.officer, now=day(40))
        return [len(each.shows) for each in found]

    before = await shows()
    await PracticeStream.create(
        enrolment_id=first.id, broadcast_id=practised.id, broadcast_ref=practised.public_id, on_day=GRADUATED,
        verified_minutes=60, at=LATER, by_name="阿海",
    )  # fmt: skip

    assert (before, await shows()) == ([1, 0], [0, 0])


async def test_a_bureau_is_told_no_sales_of_anothers_show(db: Settings) -> None:
    school, (first, *_) = await a_graduated_school()
    shop = await a_shop(school.house.bureaus[0])
    for by, fen in ((0, 10), (1, 2000)):
        show = await streamed(school, first, day(2 + by), by=by)
        await sold(shop, show, f"o{by}", fen=fen)

    own, others = school.house.officers[0], school.house.officers[1]
    _, (hers, _) = await training.of_cohort(school.cohort.public_id, actor=own, now=day(40))
    _, (all_of_it, _) = await training.of_cohort(school.cohort.public_id, actor=school.manager, now=day(40))

    assert (hers.net_sales_fen, hers.untold, [each.title for each in hers.shows]) == (10, 1, ["沙田沙虫", ""])
    assert (all_of_it.net_sales_fen, all_of_it.untold) == (2010, 0)
    assert (await training.report(actor=others, now=day(40))).cohorts == []
    for ask in (training.of_cohort, training.of_enrolment):
        with pytest.raises(NotFound):
            named = school.cohort.public_id if ask is training.of_cohort else first.public_id
            await ask(named, actor=others, now=day(40))


async def test_who_left_before_the_first_lesson_was_never_trained_and_who_came_later_is_apart(
    db: Settings,
) -> None:
    school, (first, second, third) = await a_graduated_school()
    begins = (await database.fetch_one("SELECT min(starts_at) AS at FROM lesson"))["at"]
    await Enrolment.filter(id=first.id).update(state=EnrolmentState.WITHDRAWN, left_at=begins)
    await Enrolment.filter(id=second.id).update(enrolled_on=clock.day_number(GRADUATED))
    await Enrolment.filter(id=third.id).update(state=EnrolmentState.WITHDRAWN, left_at=begins + 1)

    found = rates.counts(await rates.trainees([school.cohort.id]))

    assert found == Counts(
        trained=2, enrolled=1, withdrawn=1, graduated_of_enrolled=0, graduated=1, certified=1
    )
    assert (found.graduation_rate, found.pass_rate, found.certificate_rate) == (0, None, 1)


async def test_attendance_of_classes_is_that_of_everybodys_standing(db: Settings) -> None:
    school, people = await a_graduated_school(trainees=4)
    late = people[0]
    await Enrolment.filter(id=late.id).update(enrolled_on=20260305)  # after the lesson: it does not count
    people = await Enrolment.filter(cohort_id=school.cohort.id).order_by("id")
    bar = bar_of(await school.cohort.rule)

    stands = await standing.of_cohort(school.cohort, people, bar=bar, now=LATER)
    found = await rates.hours([school.cohort], now=LATER)

    assert found[school.cohort.id].rate == standing.class_rate(stands) == Fraction(5, 6)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-Q1", date(2026, 1, 1), date(2026, 3, 31)),
        ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31)),
        ("2028-02", date(2028, 2, 1), date(2028, 2, 29)),
    ],
)
def test_a_period_is_named(name: str, first: date, last: date) -> None:
    assert training_periods.days(name) == (first, last)


@pytest.mark.parametrize("name", ["", "2026-13", "1999", "2026-Q5", "26", "2026-1", "２０２６"])
def test_no_other_period_is_taken(name: str) -> None:
    with pytest.raises(Invalid):
        training_periods.days(name)
