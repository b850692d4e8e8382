"""Guards of what packages share: what is counted in windows, and what is sealed anew beside its writers."""

from __future__ import annotations

from tests.faults.guarded.vouchers import LINK_LOCK, TEMPLATE_LOCK, UNDER_LOCK
from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut
from tests.kit import test_outbox, test_resealing
from tests.vouchers import test_claim_views, test_limits

WHOLE_LOOK = Cut("livehub.kit.heads:Head._begin", "return 0", "return self._at")
HEAD = Cut("livehub.kit.heads:Head._begin", "return self._at", "return 0")
NETWORK = test_limits.test_two_desks_give_a_network_no_more_than_its_limit

GUARDS = (
    *on_both(
        Guard(
            of="the limit of a network, within a batch",
            out=(
                Cut(
                    "livehub.vouchers.claim_deciding:Settling._give", "self.by_network[network] += 1", "pass"
                ),
            ),
            race=race(NETWORK),
        )
    ),
    *on_both(
        Guard(
            of="the limit of a network, from batch to batch under lock",
            out=(
                Cut(
                    "livehub.vouchers.claim_networks:add",
                    "await limits.add(given, seconds=LIMIT.seconds, now=now)",
                    "pass",
                ),
            ),
            meets=(UNDER_LOCK,),
            race=race(NETWORK),
        )
    ),
    Guard(
        of="the template's lock, for what a network took at two desks",
        out=(TEMPLATE_LOCK,),
        behind=(LINK_LOCK,),
        meets=(UNDER_LOCK,),
        race=race(test_claim_views.test_a_network_seen_for_the_first_time_at_two_desks_keeps_its_limit),
    ),
    *on_both(
        Guard(
            of="the look from the beginning of the facts",
            out=(WHOLE_LOOK,),
            race=race(test_outbox.test_a_fact_that_becomes_visible_late_is_heard_all_the_same),
        )
    ),
    Guard(
        of="the head of the facts",
        out=(HEAD,),
        race=race(test_outbox.test_the_dead_before_the_head_are_not_read_again_and_again),
    ),
    Guard(
        of="the rows that are sealed anew",
        out=(Cut("livehub.kit.resealing:_held", " FOR NO KEY UPDATE OF t SKIP LOCKED", ""),),
        race=race(test_resealing.test_what_is_changed_meanwhile_is_not_undone),
    ),
)
