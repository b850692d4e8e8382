"""Which windows are due: recent ones join without a gap, whatever the clock and however long nobody looked."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from livehub.kit import clock
from livehub.orders import windows
from livehub.orders.pull_models import Cadence
from livehub.orders.windows import DAY_MS, OVERLAP_MS, SETTLE_MS, STEP_MS, Planned
from livehub.platforms.contract import FetchKind, Reach

REACH = Reach(span_ms=DAY_MS, back_ms=90 * DAY_MS)
SINCE = clock.to_ms(datetime.fromisoformat("2026-03-02T09:03:00+08:00"))  # a Monday


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


def due(now: datetime, *, kind: FetchKind = FetchKind.ORDER, **planned: int) -> list[Planned]:
    known = {Cadence(name): until for name, until in planned.items()}
    return windows.due(kind, REACH, planned=known, since=SINCE, now=now)


def spans(found: list[Planned], cadence: Cadence) -> list[tuple[str, str]]:
    return [
        (clock.local(clock.from_ms(each.start)).strftime("%m-%d %H:%M"), clock.local(clock.from_ms(each.end)).strftime("%m-%d %H:%M"))
        for each in found
        if each.cadence is cadence
    ]  # fmt: skip


def test_the_first_window_begins_before_the_shop_was_registered() -> None:
    assert spans(due(at("2026-03-02T09:25")), Cadence.RECENT) == [("03-02 08:40", "03-02 09:20")]


def test_every_ten_minutes_the_last_half_hour_is_due_once() -> None:
    planned = clock.to_ms(at("2026-03-02T12:00"))

    assert (
        due(at("2026-03-02T12:11"), recent=planned) == []
    )  # what is younger than two minutes may be on its way
    assert spans(due(at("2026-03-02T12:12"), recent=planned), Cadence.RECENT) == [
        ("03-02 11:40", "03-02 12:10")
    ]


def test_after_an_outage_everything_missed_is_due_in_windows_the_platform_allows() -> None:
    planned = clock.to_ms(at("2026-03-02T12:00"))

    found = spans(due(at("2026-03-04T18:05"), recent=planned), Cadence.RECENT)

    assert found == [
        ("03-02 11:40", "03-03 11:40"), ("03-03 11:40", "03-04 11:40"), ("03-04 11:40", "03-04 18:00"),
    ]  # fmt: skip


def test_what_the_platform_lists_no_more_is_said_and_not_skipped() -> None:
    planned = clock.to_ms(at("2026-03-02T12:00"))

    found = [each for each in due(at("2026-07-01T00:05"), recent=planned) if each.cadence is Cadence.RECENT]

    assert [each.is_too_old for each in found[:2]] == [True, False]
    assert found[0].start == planned - OVERLAP_MS
    assert found[0].end == found[1].start
    assert not any(each.is_too_old for each in found[1:])


def test_yesterday_is_due_half_an_hour_after_midnight_and_once() -> None:
    midnight = clock.to_ms(at("2026-03-04T00:00"))

    assert spans(due(at("2026-03-04T00:29")), Cadence.DAILY) == []
    assert spans(due(at("2026-03-04T00:30")), Cadence.DAILY) == [("03-03 00:00", "03-04 00:00")]
    assert spans(due(at("2026-03-04T23:00"), daily=midnight), Cadence.DAILY) == []


def test_on_monday_the_after_sales_of_thirty_days_are_due_and_no_orders() -> None:
    now = at("2026-04-20T02:00")

    found = spans(due(now, kind=FetchKind.REFUND), Cadence.WEEKLY)

    assert (len(found), found[0], found[-1]) == (
        30,
        ("03-21 00:00", "03-22 00:00"),
        ("04-19 00:00", "04-20 00:00"),
    )
    assert spans(due(now), Cadence.WEEKLY) == []
    assert spans(due(at("2026-04-20T01:59"), kind=FetchKind.REFUND), Cadence.WEEKLY) == []
    assert (
        spans(
            due(at("2026-04-26T23:00"), kind=FetchKind.REFUND, weekly=clock.to_ms(at("2026-04-20T00:00"))),
            Cadence.WEEKLY,
        )
        == []
    )


@settings(deadline=None)
@given(st.lists(st.integers(1, 60 * 24 * 100), min_size=1, max_size=8), st.integers(DAY_MS // 8, 8 * DAY_MS))
def test_windows_join_whenever_anybody_looks(waits: list[int], span_ms: int) -> None:
    reach = Reach(span_ms=span_ms, back_ms=90 * DAY_MS)
    now = clock.from_ms(SINCE)
    planned: dict[Cadence, int] = {}
    found: list[Planned] = []
    for minutes in waits:
        now += timedelta(minutes=minutes)
        new = [
            each
            for each in windows.due(FetchKind.ORDER, reach, planned=planned, since=SINCE, now=now)
            if each.cadence is Cadence.RECENT
        ]
        found += new
        planned = {Cadence.RECENT: new[-1].end} if new else planned

    until = found[0].start if found else 0  # nothing before the first was promised
    for each in found:
        assert each.start <= until
        until = max(until, each.end)
    assert all(each.end - each.start <= span_ms or each.is_too_old for each in found)
    if found:
        assert clock.to_ms(now) - SETTLE_MS - STEP_MS < until <= clock.to_ms(now) - SETTLE_MS
