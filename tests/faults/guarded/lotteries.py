"""Guards of lotteries: one lot a person, a list that stands still, two persons, one draw, winners alone."""

from __future__ import annotations

from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, CutText, Dropped, Unique
from tests.vouchers import test_lotteries

ONE_LOT = (
    Unique("lottery_entry", "round_id, platform, person_key"),
    CutText(
        "livehub.vouchers.entries:_INSERT", r" ON CONFLICT \(round_id, platform, person_key\) DO NOTHING"
    ),
)
ROUND_SHARED = Cut("livehub.vouchers.entries:_hold", '" FOR SHARE OF r",', '"",')
ROUND_HELD = Cut(
    "livehub.vouchers.rounds:held",
    'await locks.hold("campaign_round", [round_id])',
    "pass",
    also=(('await locks.hold("voucher_template", [row["id"] for row in rows])', "pass"),),
)
DRAWN_ONCE = (
    Unique("lottery_winner", "entry_id"),
    Unique("lottery_winner", "round_id, platform, person_key"),
    Unique("lottery_winner", "round_id, place"),
)

GUARDS = (
    Guard(
        of="the one lot of a person",
        out=ONE_LOT,
        race=race(test_lotteries.test_two_transactions_that_meet_make_one_lot),
    ),
    Guard(
        of="the round's lock, for who signs up while the list is frozen",
        out=(ROUND_SHARED,),
        race=race(test_lotteries.test_who_comes_while_the_list_is_frozen_is_in_it_or_is_refused),
    ),
    Guard(
        of="the round's lock, for the list that is frozen while somebody signs up",
        out=(ROUND_SHARED,),
        race=race(test_lotteries.test_a_list_waits_for_the_batch_that_is_being_written),
    ),
    Guard(
        of="the locks of a round that is drawn",
        out=(ROUND_HELD,),
        race=race(test_lotteries.test_two_who_draw_at_once_draw_once),
    ),
    Guard(
        of="the winners, each once and each in one place",
        out=(*DRAWN_ONCE, ROUND_HELD),
        race=race(test_lotteries.test_two_who_draw_at_once_draw_once),
    ),
    *on_both(
        Guard(
            of="the instant at which the sign-up ends",
            out=(Cut("livehub.vouchers.entries:_refusal", "at >= signup.signup_until or ", ""),),
            race=race(test_lotteries.test_the_last_moment_counts_and_the_next_one_does_not),
        )
    ),
    *on_both(
        Guard(
            of="the list that is drawn from, as it was hashed",
            out=(
                Cut(
                    "livehub.vouchers.draws:_draw",
                    "if drawing.list_hash(by_id) != lot.list_hash:",
                    "if False:",
                ),
            ),
            race=race(test_lotteries.test_a_list_that_was_changed_is_not_drawn),
        )
    ),
    *on_both(
        Guard(
            of="the second person who confirms the public number",
            out=(
                Cut(
                    "livehub.vouchers.draws:confirm",
                    "permissions.require_second_person(actor, first_user_id=lot.entered_by_id)",
                    "pass",
                ),
            ),
            behind=(Dropped("lottery_draw_two_persons"),),
            race=race(test_lotteries.test_the_number_takes_two_persons_who_read_the_same),
        )
    ),
    *on_both(
        Guard(
            of="that winners alone claim",
            out=(
                Cut(
                    "livehub.vouchers.rules.only_drawn:OnlyDrawn.judge",
                    'Refusal("NOT_DRAWN") if attempt.drawn is False else None',
                    "None",
                ),
            ),
            race=race(test_lotteries.test_a_lottery_goes_from_its_announcement_to_its_vouchers),
        )
    ),
)
