"""Guards of settlement statements: each file, row and mark once, and each difference decided by one."""

from __future__ import annotations

from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, Unique
from tests.orders.statements import test_resumed, test_statement_races

GUARDS = (
    Guard(
        of="the one row of a statement for each of the platform's",
        out=(
            Unique("statement_line", "shop_id, digest"),
            Cut("livehub.orders.statements.importing:_store", " ON CONFLICT (shop_id, digest) DO NOTHING"),
        ),
        race=race(test_statement_races.test_one_file_imported_by_two_at_once_is_booked_once),
    ),
    Guard(
        of="the row that keeps the marks it has",
        out=(Cut("livehub.orders.statements.matching:mark", "if row.id in marked:", "if False:"),),
        race=race(test_resumed.test_an_import_that_goes_on_after_a_refund_leaves_what_is_marked),
    ),
    Guard(
        of="the draft that is not forgotten once it is begun",
        out=(
            Cut(
                "livehub.orders.statements.drafts:_forget",
                "f\" AND state = '{StatementState.DRAFT}' RETURNING id\"",
                "f\" AND '{StatementState.DRAFT}' <> '' RETURNING id\"",
            ),
        ),
        race=race(test_resumed.test_a_draft_that_is_begun_while_old_ones_are_forgotten_keeps_its_file),
    ),
    Guard(
        of="the lock of the orders that a statement settles",
        out=(Cut("livehub.orders.statements.matching:_for_update", '"FOR UPDATE OF o" if', '"" if'),),
        race=race(test_statement_races.test_two_statements_that_settle_one_order_at_once_see_each_other),
        slow=True,  # who is first out of the queue is chance: without it the race is lost two times in three
    ),
    Guard(
        of="the one draft of a file",
        out=(Unique("settlement_statement", "shop_id, sha256"),),
        race=race(test_statement_races.test_one_file_uploaded_by_two_at_once_is_one_draft),
    ),
    *on_both(
        Guard(
            of="the draft that is imported by one",
            out=(
                Cut(
                    "livehub.orders.statements.importing:begin",
                    "WHERE id = $4 AND state = $5",
                    "WHERE id = $4 AND $5 <> ''",
                ),
            ),
            race=race(test_statement_races.test_a_draft_is_begun_once),
        )
    ),
    *on_both(
        Guard(
            of="the difference that is explained by one",
            out=(
                Cut(
                    "livehub.orders.statements.differences:explain",
                    "AND centre_id = $6 AND state = $7",
                    "AND centre_id = $6 AND $7 <> ''",
                ),
            ),
            race=race(test_statement_races.test_a_difference_is_explained_once),
        )
    ),
)
