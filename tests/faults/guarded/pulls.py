"""Guards of windows: opened once, held by one, recorded under their lease, joined without a gap."""

from __future__ import annotations

from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, Unique
from tests.orders import test_pulling

LOST = test_pulling.test_who_lost_its_window_records_nothing
ONCE = " AND page = $6"
TOKEN = " AND lease_token = $5"

GUARDS = (
    Guard(
        of="the difference that is closed as it was looked at",
        out=(
            Cut(
                "livehub.orders.differences:settle",
                "AND sync_difference.found_at = v.found_at",
                "AND v.found_at IS NOT NULL",
            ),
        ),
        race=race(test_pulling.test_a_difference_that_is_found_anew_while_it_is_closed_stays_open),
    ),
    Guard(
        of="the order in which lists ask for fetches",
        out=(Cut("livehub.orders.asking:_upsert", " ORDER BY v.shop_id, v.kind, v.ref"),),
        race=race(test_pulling.test_lists_ask_in_one_order),
    ),
    Guard(
        of="the one row of a window",
        out=(
            Unique("sync_cursor", "shop_id, kind, cadence, window_start, window_end"),
            Cut(
                "livehub.orders.cursors:open_windows",
                "ON CONFLICT (shop_id, kind, cadence, window_start, window_end) DO NOTHING",
                "",
            ),
        ),
        race=race(test_pulling.test_windows_are_opened_once_by_however_many),
    ),
    Guard(
        of="the lock of who leases windows",
        out=(Cut("livehub.orders.cursors:lease", "FOR UPDATE SKIP LOCKED"),),
        race=race(test_pulling.test_two_processes_hold_different_windows_and_do_not_wait),
    ),
    *on_both(
        Guard(
            of="the lease's token when a page is recorded",
            out=(Cut("livehub.orders.cursors:move_on", TOKEN, " AND CAST($5 AS bigint) IS NOT NULL"),),
            race=race(LOST),
        )
    ),
    *on_both(
        Guard(
            of="the page that a window stands at when one is recorded",
            out=(Cut("livehub.orders.cursors:move_on", ONCE, " AND CAST($6 AS text) IS NOT NULL"),),
            race=race(test_pulling.test_a_page_that_is_recorded_is_not_recorded_again),
        )
    ),
    *on_both(
        Guard(
            of="the lease's token when a page is postponed",
            out=(Cut("livehub.orders.cursors:postpone", TOKEN, " AND CAST($5 AS bigint) IS NOT NULL"),),
            race=race(LOST),
        )
    ),
    *on_both(
        Guard(
            of="the lease's token when a window is given back",
            out=(
                Cut(
                    "livehub.orders.cursors:release",
                    " AND lease_token = $3",
                    " AND CAST($3 AS bigint) IS NOT NULL",
                ),
            ),
            race=race(LOST),
        )
    ),
    *on_both(
        Guard(
            of="the writing that comes after the lease was checked",
            out=(
                Cut(
                    "livehub.orders.cursors:move_on",
                    "    if not moved:\n        raise LeaseLost\n",
                    "",
                ),
            ),
            race=race(LOST),
        )
    ),
    Guard(
        of="the lock of a mark",
        out=(Cut("livehub.orders.cursors:_close", "await hold_mark(held.shop_id, held.kind)", "pass"),),
        race=race(test_pulling.test_two_windows_that_close_at_once_are_both_behind_the_mark),
    ),
    *on_both(
        Guard(
            of="the joining of windows that closed out of turn",
            out=(Cut("livehub.orders.cursors:join", "    while await", "    if await"),),
            race=race(test_pulling.test_a_later_window_that_closes_first_waits_for_the_earlier_one),
        )
    ),
    *on_both(
        Guard(
            of="the instant since which the list of a window counts",
            out=(Cut("livehub.orders.cursors:lease", "coalesce(opened_at, $3)", "$3"),),
            race=race(test_pulling.test_the_heir_of_a_window_goes_on_at_its_page),
        )
    ),
)
