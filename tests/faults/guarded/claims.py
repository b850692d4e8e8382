"""Guards of the one statement that writes claims as they were last seen, and of what SQLite is asked instead."""

from __future__ import annotations

import re

from tests.faults.guarded.vouchers import QUOTA, STOCK_CHECKS
from tests.faults.guarding import Guard, Race, race
from tests.faults.removing import CutText, Dropped, Removal, Unique
from tests.vouchers import test_claim_views, test_claims, test_limits, test_races

POSTGRES, SQLITE = "livehub.vouchers.claim_commit:_STATEMENT", "livehub.vouchers.claim_commit:_QUESTION"
LAST = test_claim_views.test_the_last_voucher_goes_to_one_of_two_desks
LAST_OF_DROP = test_claim_views.test_the_last_voucher_of_a_drop_goes_to_one_of_two_desks
LAST_OF_NETWORK = test_claim_views.test_the_last_voucher_of_a_network_goes_to_one_of_two_desks
PAUSED = test_races.test_a_claim_that_waited_while_its_campaign_was_paused_is_refused
ENDED = test_races.test_a_claim_that_waited_while_its_round_was_closed_is_refused
DROP_CHECK, LINK_CHECK = Dropped("voucher_drop_stock"), Dropped("claim_link_quota")


def without(text: str, by: str = "", *, where: str = POSTGRES) -> CutText:
    return CutText(where, re.escape(text), by)


def lock(of: str, text: str, lost: Race, *behind: Removal, by: str = "") -> Guard:
    return Guard(of=of, out=(without(text, by),), behind=behind, race=lost)


def asked(of: str, text: str, lost: Race, *behind: Removal) -> tuple[Guard, Guard]:
    """A condition, left out of both engines' statements."""
    return (
        Guard(of=of, out=(without(text, "true"),), behind=behind, race=lost),
        Guard(of=of, out=(without(text, "true", where=SQLITE),), behind=behind, race=lost, engine="sqlite"),
    )


GUARDS = (
    lock(
        "the template's lock, for the last voucher",
        " FOR UPDATE OF t FOR SHARE OF r, c",
        race(LAST),
        *STOCK_CHECKS,
    ),
    lock("the round read anew", " FOR SHARE OF r, c", race(ENDED), *STOCK_CHECKS, by=" FOR SHARE OF c"),
    lock("the campaign read anew", " FOR SHARE OF r, c", race(PAUSED), by=" FOR SHARE OF r"),
    lock("the drop's lock", " FOR UPDATE OF d", race(LAST_OF_DROP), DROP_CHECK),
    lock("the link's lock", " FOR UPDATE OF l", race(QUOTA), LINK_CHECK),
    lock("the lock of a network's window", " FOR UPDATE OF w", race(LAST_OF_NETWORK)),
    lock(
        "an answer given while a refusal waited",
        "t.issued = (SELECT s.issued FROM voucher_template s WHERE s.id = wt.id)",
        race(test_claim_views.test_a_twin_refused_for_want_of_stock_hears_what_the_other_was_given),
        by="true",
    ),
    lock(
        "a window opened while a claim waited",
        "t.issued = (SELECT s.issued FROM voucher_template s WHERE s.id = wt.id)",
        race(test_claim_views.test_a_network_seen_for_the_first_time_at_two_desks_keeps_its_limit),
        by="true",
    ),
    lock(
        "what a network took, from batch to batch",
        "FROM ww, ok WHERE ok.is_so",
        race(test_limits.test_two_desks_give_a_network_no_more_than_its_limit),
        by="FROM ww, ok WHERE false",
    ),
    lock(
        "a drop closed while a claim waited",
        "d.seen = wd.seen",
        race(test_claim_views.test_a_claim_that_waited_while_its_drop_was_closed_is_refused),
        by="true",
    ),
    lock("what a network took", "coalesce(w.count, 0) + ww.n > ww.most", race(LAST_OF_NETWORK), by="false"),
    *asked(
        "the terms",
        "t.seen = wt.seen",
        race(test_claim_views.test_a_campaign_paused_since_gives_nothing),
    ),
    *asked(
        "the stock that another desk lowered",
        "t.issued + wt.n <= t.quantity",
        race(test_claim_views.test_what_another_desk_gave_is_not_given_again),
        *STOCK_CHECKS,
    ),
    *asked(
        "the stock of a drop that another desk lowered",
        "d.claimed + wd.n <= d.quantity",
        race(test_claim_views.test_what_another_desk_gave_of_a_drop_is_not_given_again),
        DROP_CHECK,
    ),
    *asked(
        "the quota of a link that another desk lowered",
        "l.claims + wl.n <= l.quota",
        race(test_claim_views.test_what_another_desk_gave_by_a_link_is_not_given_again),
        LINK_CHECK,
    ),
    *asked(
        "a drop that is closed",
        "d.seen = wd.seen",
        race(test_claim_views.test_a_drop_closed_since_gives_nothing),
    ),
    *asked(
        "stock that came back",
        "(wt.is_short = 0 OR t.issued + wt.n = t.quantity)",
        race(test_claim_views.test_stock_that_came_back_since_is_given),
    ),
    *asked(
        "a drop that was made larger",
        "(wd.is_short = 0 OR d.claimed + wd.n = d.quantity)",
        race(test_claim_views.test_a_drop_made_larger_since_is_given),
    ),
    *asked(
        "the answer to a key of somebody who is refused",
        "NOT EXISTS (SELECT 1 FROM wk WHERE (SELECT a.id FROM idempotency_record a"
        " WHERE a.kind = 'claim' AND a.key = wk.key) IS NOT NULL)",
        race(
            test_claim_views.test_who_was_answered_is_answered_alike_after_the_stock_is_gone, is_latched=False
        ),
    ),
    Guard(
        of="the slots a person has, between batches",
        out=(Unique("claim_slot", "round_id, template_id, platform, person_key, n"),),
        race=race(test_claims.test_a_person_limit_of_two_and_a_platform_scope),
    ),
    Guard(
        of="the key answered by another batch",
        out=(Unique("idempotency_record", "kind, key"),),
        behind=(Unique("claim_slot", "round_id, template_id, platform, person_key, n"),),
        race=race(test_claims.test_same_key_same_body_is_answered_alike_and_another_body_is_refused),
    ),
)
