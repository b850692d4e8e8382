"""Guards of scheduled runs, of facts handed out and of messages passed on: once, by who holds the lease."""

from __future__ import annotations

from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, Unique
from tests.jobs import test_inheritance, test_runner
from tests.kit import test_limits, test_outbox

DEAD = test_runner.test_the_run_of_a_dead_process_is_taken_over_and_its_late_end_is_fenced_off
HEIRS = test_runner.test_two_heirs_of_a_dead_process_run_its_task_once

GUARDS = (
    Guard(
        of="the one run of a slot",
        out=(
            Unique("job_run", "job, due_at"),
            Cut("jobs.runner:Runner._due", " ON CONFLICT (job, due_at) DO NOTHING"),
        ),
        race=race(test_runner.test_a_slot_is_run_once_however_often_it_is_seen),
    ),
    *on_both(
        Guard(
            of="a run's token at its end",
            out=(Cut("jobs.runner:finish", "AND token = $4", "AND token >= $4"),),
            race=race(DEAD),
        )
    ),
    *on_both(
        Guard(
            of="a run's token when its lease is renewed",
            out=(Cut("jobs.runner:Runner._renew", "AND token = $3", "AND token >= $3"),),
            race=race(test_runner.test_who_lost_its_run_does_not_lengthen_the_heirs_lease),
        )
    ),
    Guard(
        of="a run's token and its lease when it is taken over, either of which lets one heir run it",
        out=(
            Cut(
                "jobs.runner:Runner._left_behind",
                'f" WHERE id = $2 AND token = $4 AND {stale} RETURNING',
                'f" WHERE id = $2 AND token <> 1 - $4 AND job = $1 RETURNING',
            ),
        ),
        race=race(HEIRS),
    ),
    *on_both(
        Guard(
            of="the renewal of a long run's lease",
            out=(Cut("jobs.runner:Runner._renew", "while True:", "while False:"),),
            race=race(test_runner.test_a_long_run_keeps_its_lease),
        )
    ),
    *on_both(
        Guard(
            of="the count of a run's attempts",
            out=(Cut("jobs.runner:Runner._left_behind", "attempts >= {MAX_ATTEMPTS}", "attempts < 0"),),
            race=race(test_runner.test_a_run_that_kills_its_process_again_and_again_is_given_up),
        )
    ),
    *on_both(
        Guard(
            of="the lock of a seat",
            out=(
                Cut(
                    "livehub.kit.leases:_is_ours", "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass"
                ),
            ),
            race=race(test_inheritance.test_a_seat_of_the_living_is_nobody_elses),
        )
    ),
    *(
        guard
        for what, where in (
            ("message", "livehub.inbox.queue:inherit"),
            ("fact", "livehub.kit.outbox:inherit"),
            ("fetch", "livehub.orders.fetching:inherit"),
        )
        for guard in on_both(
            Guard(
                of=f"the seat of who held a {what} that is inherited",
                out=(Cut(where, "BETWEEN $1 AND $2", "+ 0 * CAST($1 AS bigint) <> 0 * CAST($2 AS bigint)"),),
                race=race(
                    test_inheritance.test_the_heir_frees_what_the_dead_held_and_nothing_else, what=what
                ),
            )
        )
    ),
    Guard(
        of="the lock of who hands facts out",
        out=(Cut("livehub.kit.outbox:due", "FOR UPDATE SKIP LOCKED"),),
        race=race(test_outbox.test_two_processes_hand_each_fact_out_once),
    ),
    *on_both(
        Guard(
            of="the lease's token when a fact was heard",
            out=(
                Cut(
                    "livehub.kit.outbox:_hand_over",
                    " AND lease_token = $3",
                    " AND CAST($3 AS bigint) IS NOT NULL",
                ),
            ),
            race=race(test_outbox.test_a_process_that_slept_over_its_lease_leaves_nothing_behind),
        )
    ),
    Guard(
        of="the lease's token when a listener failed",
        out=(
            Cut(
                "livehub.kit.outbox:_postpone",
                " AND lease_token = $5",
                " AND CAST($5 AS bigint) IS NOT NULL",
            ),
        ),
        race=race(test_outbox.test_a_failure_of_who_lost_its_lease_is_nobodys_failure),
    ),
    Guard(
        of="the one transaction of a listener and the mark that it has heard",
        out=(Cut("livehub.kit.outbox:_hand_over", "async with database.transaction():", "if True:"),),
        race=race(test_outbox.test_a_listener_that_always_fails_is_given_up_and_wrote_nothing),
        engine="sqlite",
    ),
    Guard(
        of="the attempt counted before a listener is called",
        out=(Cut("livehub.kit.outbox:_take", "attempts = attempts + 1", "attempts = attempts"),),
        race=race(test_outbox.test_a_listener_that_always_fails_is_given_up_and_wrote_nothing),
    ),
    Guard(
        of="the one row of a rate window",
        out=(
            Unique("rate_window", "key, starts_at"),
            Cut(
                "livehub.kit.limits:hit",
                " ON CONFLICT (key, starts_at) DO UPDATE SET count = rate_window.count + 1",
            ),
        ),
        race=race(test_limits.test_everybody_who_counts_at_once_is_counted),
    ),
    *on_both(
        Guard(
            of="the floor of a rate window",
            out=(Cut("livehub.kit.limits:give_back", " AND count > 0"),),
            race=race(test_limits.test_no_more_is_given_back_than_was_counted),
        )
    ),
)
