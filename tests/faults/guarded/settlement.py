"""Guards of settlement: each use and each refund in one line, one payment, and no refund slips between."""

from __future__ import annotations

from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, CutText, Dropped, Unique
from tests.settlement import test_cases, test_races, test_repayments

ALONE = Cut("livehub.settlement.holding:alone", " FOR NO KEY UPDATE")
NUMBER = Unique("settlement_batch", "centre_id, number")
PAYEE = "campaign_id, merchant_id, shop_id, day"
CASE = "rule, subject, subject_id, bureau_id, day"
ONE_BATCH = (
    Unique("settlement_batch", PAYEE),
    Cut("livehub.settlement.collecting:_collect", f" ON CONFLICT ({PAYEE}) DO NOTHING"),
)
ONE_LINE = (
    Unique("settlement_line", "redemption_id, refund_id"),
    CutText("livehub.settlement.collecting:_ONCE", r"ON CONFLICT .*", " "),
)

GUARDS = (
    Guard(
        of="one batch of a merchant and a day",
        out=ONE_BATCH,
        behind=(ALONE, NUMBER, *ONE_LINE),
        race=race(test_races.test_two_runs_at_once_add_nothing_twice),
    ),
    Guard(
        of="one line of a redemption",
        out=ONE_LINE,
        behind=(ALONE, NUMBER),
        race=race(test_races.test_runs_of_two_days_at_once_take_each_use_once),
    ),
    Guard(
        of="the centre's lock, for two who pay",
        out=(ALONE,),
        race=race(test_races.test_one_batch_is_paid_once),
    ),
    Guard(
        of="the vouchers' locks of a batch that is submitted",
        out=(Cut("livehub.settlement.batches:_hold_vouchers", " ORDER BY x.id FOR NO KEY UPDATE OF x"),),
        race=race(test_races.test_a_refund_is_done_before_its_batch_is_submitted_or_finds_it_settled),
    ),
    Guard(
        of="the campaign's lock, for one that is settled while a refund comes",
        out=(
            Cut("livehub.settlement.closing:_settle", 'await locks.hold("campaign", [campaign_id])', "pass"),
        ),
        race=race(test_races.test_a_campaign_is_not_settled_while_a_refund_comes),
    ),
    Guard(
        of="the centre's lock, for two who note what was paid back",
        out=(ALONE,),
        race=race(test_repayments.test_two_who_note_at_once_note_no_more_than_is_owed),
    ),
    Guard(
        of="the centre's lock, for two who confirm what was paid back",
        out=(ALONE,),
        race=race(test_repayments.test_one_repayment_is_confirmed_once),
    ),
    *on_both(
        Guard(
            of="the one note of a receipt",
            out=(
                Dropped("settlement_repayment_one_receipt"),
                CutText("livehub.settlement.repayments:_INSERT", r"ON CONFLICT .* DO NOTHING", " "),
            ),
            race=race(test_repayments.test_one_receipt_is_noted_once),
        )
    ),
    Guard(
        of="the second person who confirms what was paid back",
        out=(
            Cut(
                "livehub.settlement.repayments:confirm",
                "permissions.require_second_person(actor, first_user_id=repayment.noted_by_id)",
                "pass",
            ),
            Dropped("settlement_repayment_two"),
        ),
        race=race(test_repayments.test_one_repayment_is_confirmed_once),
    ),
    Guard(
        of="the second person who pays",
        out=(
            Cut(
                "livehub.settlement.batches:pay",
                "permissions.require_second_person(actor, first_user_id=batch.submitted_by_id)",
                "pass",
            ),
        ),
        race=race(test_races.test_one_batch_is_paid_once),
    ),
    Guard(
        of="one case of a rule, a subject and a day",
        out=(
            Unique("integrity_case", CASE),
            Cut("livehub.settlement.opening:_insert", " ON CONFLICT ({_ONE}) DO NOTHING"),
        ),
        race=race(test_cases.test_mornings_that_meet_open_one_case),
    ),
    Guard(
        of="the centre's lock, for two who release a case",
        out=(ALONE,),
        race=race(test_cases.test_two_who_release_at_once_release_once),
    ),
    Guard(
        of="the second person who releases or confirms a case",
        out=(
            Cut(
                "livehub.settlement.cases:_require_second",
                "permissions.require_second_person(actor, first_user_id=first)",
                "pass",
            ),
        ),
        behind=(Dropped("integrity_case_two_people"),),
        race=race(test_cases.test_two_people_release_and_whoever_looked_or_opened_it_does_not),
    ),
)
