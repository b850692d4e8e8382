"""The tests of killed processes notice when what they rely on is taken out: the tests of the tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from livehub.settings import Settings
from tests.faults import sabotage
from tests.faults import test_bad_lines as bad_lines
from tests.faults import test_inherited as inherited
from tests.faults import test_processes_killed as killed
from tests.faults.cables import SILENT

pytestmark = [pytest.mark.faults, pytest.mark.long]

Test = Callable[[Settings, Settings], Awaitable[None]]


def alone(test: Callable[[Settings], Awaitable[None]]) -> Test:
    """A test that needs no twin."""
    return lambda settings, _: test(settings)


NOTICED: dict[str, tuple[Test, str]] = {  # by which test, and in which words
    "the lease's token and status": (
        killed.test_jobs_that_slept_through_their_lease_are_fenced_off,
        "never fenced off",
    ),
    "the attempt counted before the work": (
        alone(killed.test_an_order_that_ends_its_process_is_parked_and_harms_no_other),
        "not so within 60 s",
    ),
    "the one transaction of a batch": (killed.test_jobs_die_at_every_point_of_a_batch, "'orders'"),
    "the commit before the answer": (
        alone(killed.test_web_workers_are_killed_under_load),
        "first extra item: 'O",
    ),
    "a lane of its own for each endpoint": (
        partial(bad_lines.test_a_platform_that_is_hard_to_reach_keeps_no_other_waiting, manner=SILENT),
        r"< 2\.5|not so within 5 s",  # whichever of the two has the lane
    ),
    "what the dead held, freed by their heirs": (
        inherited.test_the_figures_are_behind_for_a_moment_only,
        "not so within 5.0 s",
    ),
    "the desk that closes after the last answer": (
        alone(killed.test_an_end_under_load_answers_what_was_begun),
        r"\['503'\]",
    ),
}


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
@pytest.mark.parametrize("guard", sabotage.GUARDS)
async def test_it_is_noticed_without(
    settings: Settings, twin: Settings, guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sabotage.WITHOUT, guard)
    test, words = NOTICED[guard]

    with pytest.raises(AssertionError, match=words):
        await test(settings, twin)
