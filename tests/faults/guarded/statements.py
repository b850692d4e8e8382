"""Guards of settlement statements: each file, row and mark once, and each difference decided by one."""

from __future__ import annotations

from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, CutText, Unique
from tests.orders.statements import test_importing, test_statement_races

AGAIN = test_importing.test_an_import_that_is_begun_again_settles_nothing_twice

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
        of="the one mark of a row on a line",
        out=(
            Unique("settled_mark", "statement_line_id, line_ref"),
            CutText(
                "livehub.orders.statements.matching:_INSERT_MARK",
                r" ON CONFLICT \(statement_line_id, line_ref\) DO NOTHING",
            ),
        ),
        race=race(AGAIN),
    ),
    Guard(
        of="the lock of the orders that a statement settles",
        out=(Cut("livehub.orders.statements.matching:_for_update", '"FOR UPDATE OF o" if', '"" if'),),
        race=race(test_statement_races.test_two_statements_that_settle_one_order_at_once_see_each_other),
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
