"""R12: a rundown is taken exactly when its cues follow each other and the last one ends within the show."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rooms import gate, rundown
from rooms.rundown import Kind, Planned, Setting

SETTING = Setting(length_s=7200, window_limit_s=1200, commerce_allowed=True, products={})
times = st.tuples(st.integers(0, 7200), st.integers(0, 4000))
cues = st.lists(times, max_size=5).map(
    lambda pairs: [
        Planned(kind=Kind.INTERACTION, title="互动", offset_s=offset, length_s=length)
        for offset, length in pairs
    ]
)


@given(cues)
def test_offsets_that_do_not_overlap_and_end_in_time_are_taken_and_no_others(planned: list[Planned]) -> None:
    ends = [each.offset_s + each.length_s for each in planned]
    follows = all(later.offset_s >= max(ends[: number + 1]) for number, later in enumerate(planned[1:]))
    over = max(0, max(ends, default=0) - 7200)

    found = list(rundown.faults(planned, setting=SETTING))

    assert ("overlap" in gate.rules(found)) is not follows
    assert ("overrun" in gate.rules(found)) is (over > 0)
    assert rundown.overrun_s(planned, setting=SETTING) == over
    assert (found == []) is (follows and not over)


@given(cues)
def test_cues_put_in_a_row_never_overlap(planned: list[Planned]) -> None:
    placed = rundown.in_a_row(planned)

    assert "overlap" not in gate.rules(rundown.faults(placed, setting=SETTING))
    assert sum(each.length_s for each in planned) == max(
        (each.offset_s + each.length_s for each in placed), default=0
    )
