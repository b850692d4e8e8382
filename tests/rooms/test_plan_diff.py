"""R8 and the bytes of R9: a diff leads from one plan to the other and back, and a calendar reads what was written."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from rooms import feeds, plan_diff
from rooms.plan_diff import Slot
from rooms.plan_models import PlanEvent
from tests.factories.rooms import local


def _slot(name: str, hour: int, room: int, title: str) -> Slot:
    return Slot(
        booking=name,
        kind="live",
        starts_at=local(2, hour),
        ends_at=local(2, hour + 1),
        room_id=room,
        room=f"R{room}",
        bureau_id=1,
        bureau="商务局",
        title=title,
        crew="小林",
    )


slots = st.dictionaries(
    st.sampled_from("abcdef"),
    st.tuples(st.integers(8, 11), st.integers(1, 2), st.sampled_from(["沙虫", "大蚝"])),
).map(lambda made: plan_diff._in_order(_slot(name, *rest) for name, rest in made.items()))


@given(slots, slots)
def test_a_diff_leads_to_the_other_plan_and_back(one: list[Slot], other: list[Slot]) -> None:
    there = plan_diff.between(one, other)

    assert plan_diff.between(one, one).is_empty
    assert plan_diff.between(one, one).unchanged == len(one)
    assert plan_diff.applied(one, there) == other
    assert plan_diff.between(other, one) == plan_diff.mirrored(there)
    assert there.is_empty is (one == other)
    named = [len(there.new), len(there.moved), len(there.changed), there.unchanged]
    assert sum(named) == len(other)


texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=60)


@given(texts, texts, st.integers(0, 5), st.booleans())
def test_a_calendar_reads_what_was_written(title: str, crew: str, sequence: int, cancelled: bool) -> None:
    event = PlanEvent(
        booking="abc", sequence=sequence, cancelled=cancelled, starts_at=local(2, 20), ends_at=local(2, 22),
        room="农特直播间", bureau="商务局", title=title, crew=crew, changed_at=local(1, 9),
    )  # fmt: skip

    written = feeds.serialized([event], name="北海")
    (read,) = Calendar.from_ical(written).walk("VEVENT")

    assert (str(read["uid"]), int(read["sequence"])) == ("abc@livehub", sequence)
    assert str(read["summary"]) == feeds.without_numbers(title)
    assert str(read["status"]) == ("CANCELLED" if cancelled else "CONFIRMED")
    assert read.decoded("dtend") - read.decoded("dtstart") == timedelta(hours=2)
    assert feeds.serialized([event], name="北海") == written


def test_numbers_of_people_are_taken_out() -> None:
    said = "联系 13900001234 或 45050119900101123X，订单 1390000123499"
    assert feeds.without_numbers(said) == "联系 *** 或 ***，订单 1390000123499"
