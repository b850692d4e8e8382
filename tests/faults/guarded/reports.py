"""Guards of what reports keep: one review of a stage, made when nothing earlier can appear any more."""

from __future__ import annotations

from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, Unique
from tests.reports import test_documents, test_periods, test_reviews

GUARDS = (
    Guard(
        of="the one review of a stage",
        out=(
            Unique("broadcast_review", "broadcast_id, run, stage"),
            Cut("livehub.reports.reviews:freeze", " ON CONFLICT (broadcast_id, run, stage) DO NOTHING"),
        ),
        race=race(test_reviews.test_two_processes_freeze_a_stage_once),
    ),
    Guard(
        of="the one closing of a month",
        out=(Unique("closed_month", "centre_id, month"),),
        race=race(test_periods.test_two_who_close_a_month_at_once_close_it_once),
    ),
    Guard(
        of="the lease of a pack that is made",
        out=(Cut("livehub.reports.packing:_take", " AND lease_until < {database.now_ms()}", ""),),
        race=race(test_documents.test_of_two_who_make_a_pack_one_does),
    ),
    *on_both(
        Guard(
            of="the token of a pack's lease",
            out=(
                Cut("livehub.reports.packing:_renew", " AND lease_token = $3", " AND lease_token + $3 > 0"),
            ),
            race=race(test_documents.test_who_lost_the_lease_of_a_pack_writes_nothing),
        )
    ),
    *on_both(
        Guard(
            of="the wait for entries that were stamped before a review's instant",
            out=(Cut("livehub.reports.reviews:_due", "stage.after - SETTLED", "stage.after"),),
            race=race(
                test_reviews.test_what_was_stamped_before_the_instant_and_committed_after_it_is_waited_for
            ),
        )
    ),
)
