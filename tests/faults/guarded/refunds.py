"""Guards of what comes after a use: refunds once and within the order, sweeps, rollovers and returns once."""

from __future__ import annotations

from tests.faults.guarding import Guard, race
from tests.faults.removing import Cut, CutText, Unique
from tests.vouchers import test_ends, test_refund_matching, test_refund_races

REFUND_LOCK = Cut("livehub.vouchers.refund_reads:hold", '" FOR NO KEY UPDATE" if', '"" if')
FATE_LOCKS = Cut("livehub.vouchers.refund_reads:decide", 'f"{template} FOR SHARE OF n, c" if', '"" if')
STILL_OPEN = CutText("livehub.vouchers.expiry:_EXPIRE", r" AND state IN \('issued', 'locked'\)")

GUARDS = (
    Guard(
        of="the voucher's lock, for two full refunds",
        out=(REFUND_LOCK, FATE_LOCKS),
        race=race(test_refund_races.test_two_full_refunds_at_once_are_one),
    ),
    Guard(
        of="the voucher's lock, for parts of one order",
        out=(REFUND_LOCK, FATE_LOCKS),
        race=race(test_refund_races.test_two_parts_at_once_take_no_more_than_there_is),
    ),
    Guard(
        of="the number of a refund",
        out=(REFUND_LOCK, FATE_LOCKS, Unique("redemption_refund", "redemption_id, refund_no")),
        race=race(test_refund_races.test_one_number_told_twice_at_once_is_one_refund, keys=("k1", "k2")),
    ),
    Guard(
        of="the key of a refund",
        out=(
            Unique("idempotency_record", "kind, key"),
            Cut("livehub.vouchers.refunds:_remember", " ON CONFLICT (kind, key) DO NOTHING"),
        ),
        behind=(REFUND_LOCK, FATE_LOCKS),  # the template's makes them come one after the other
        race=race(test_refund_races.test_one_key_for_two_redemptions_at_once_counts_for_one),
    ),
    Guard(
        of="the order's lock while it is matched",
        out=(Cut("livehub.orders.refunds:of", " FOR SHARE"),),
        race=race(test_refund_matching.test_a_refund_that_comes_while_its_order_is_matched_is_not_lost),
    ),
    Guard(
        of="the state of a voucher that is swept twice",
        out=(STILL_OPEN,),
        race=race(test_ends.test_two_sweeps_at_once_free_each_voucher_once),
    ),
    Guard(
        of="the state of a voucher that is used while it is swept",
        out=(STILL_OPEN,),
        race=race(test_ends.test_a_sweep_leaves_what_is_used_at_that_moment),
    ),
    Guard(
        of="the round's lock, for two that finish it",
        out=(
            Cut(
                "livehub.vouchers.round_ends:_finish",
                'await locks.hold("campaign_round", [round_id])',
                "pass",
            ),
        ),
        race=race(test_ends.test_two_that_finish_a_round_at_once_finish_it_once),
    ),
    Guard(
        of="the locks of a round that takes what another left",
        out=(
            Cut(
                "livehub.vouchers.rollovers:_hold",
                'await locks.hold("voucher_template", [row["id"] for row in rows])',
                "pass",
                also=(('await locks.hold("campaign_round", [source_id, target_id])', "pass"),),
            ),
        ),
        race=race(test_ends.test_a_round_that_is_closed_while_another_rolls_into_it_keeps_no_unissued_money),
    ),
    Guard(
        of="the one round that takes what another left",
        out=(
            Unique("round_rollover", "source_id"),
            Cut("livehub.vouchers.rollover_plans:plan", " ON CONFLICT (source_id) DO NOTHING"),
        ),
        race=race(test_ends.test_only_a_finished_round_rolls_into_a_later_one_of_its_campaign),
    ),
    Guard(
        of="the locks of a campaign whose rest returns",
        out=(
            Cut(
                "livehub.vouchers.campaign_ends:_return",
                'await locks.hold("campaign_round", [each.id for each in rounds_of])',
                "pass",
                also=(('await locks.hold("campaign", [campaign_id])', "pass"),),
            ),
        ),
        race=race(test_ends.test_two_returns_at_once_return_once),
    ),
    Guard(
        of="the one row of an order that is told too late",
        out=(
            Unique("late_redemption", "voucher_id, platform, shop_id, order_no"),
            Cut(
                "livehub.vouchers.matching:_note_late",
                " ON CONFLICT (voucher_id, platform, shop_id, order_no) DO NOTHING",
            ),
        ),
        race=race(test_ends.test_an_order_in_time_that_is_told_after_the_sweep_moves_nothing),
    ),
)
