"""Guards of the inbox: each message once, in one worker's hands, and nothing booked by who lost it."""

from __future__ import annotations

from tests.faults.guarded.kit import HEAD, WHOLE_LOOK
from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, Unique
from tests.inbox import test_leases, test_queue, test_receiving
from tests.orders import test_intake, test_races

LATE = test_leases.test_a_worker_that_woke_too_late_books_nothing
POISON = test_intake.test_only_the_message_that_kills_its_worker_is_parked
ROOM_KNOWN = test_races.test_an_order_booked_while_its_room_becomes_known_still_finds_it
SHOP_ADDED = test_races.test_a_message_parked_while_its_shop_is_added_is_opened_again

GUARDS = (
    Guard(
        of="the digest of a message",
        out=(
            Unique("inbox_message", "digest"),
            Cut("livehub.inbox.layout:insert_message", " ON CONFLICT (digest) DO NOTHING"),
        ),
        race=race(test_receiving.test_a_fact_of_our_own_told_at_two_places_is_one_message),
    ),
    Guard(
        of="the order in which messages are inserted",
        out=(Cut("livehub.inbox.receiving:store", "messages.sort(key=_digest_of)", "pass"),),
        race=race(test_receiving.test_two_workers_with_the_same_messages_do_not_wait_in_a_ring),
    ),
    Guard(
        of="the lock of who leases messages",
        out=(Cut("livehub.inbox.queue:due", "FOR UPDATE SKIP LOCKED"),),
        race=race(test_leases.test_two_workers_hold_different_messages_and_do_not_wait),
    ),
    Guard(
        of="a lease in force",
        out=(Cut("livehub.inbox.queue:take_back_expired", " AND lease_until < {database_now()}"),),
        race=race(test_leases.test_a_lease_in_force_is_left_alone),
    ),
    *on_both(
        Guard(
            of="the look from the beginning of the queue",
            out=(WHOLE_LOOK,),
            race=race(test_queue.test_what_becomes_visible_late_is_found_all_the_same),
        )
    ),
    Guard(
        of="the head of the queue",
        out=(HEAD,),
        race=race(test_queue.test_the_dead_at_the_head_are_not_read_again_and_again),
    ),
    Guard(
        of="the lease's token when outcomes are written",
        out=(Cut("livehub.inbox.queue:settle", " AND inbox_message.lease_token = v.token"),),
        race=race(LATE),
    ),
    Guard(
        of="the status when outcomes are written",
        out=(
            Cut(
                "livehub.inbox.queue:settle",
                " AND inbox_message.status = '{MessageStatus.PROCESSING}'",
            ),
        ),
        race=race(test_leases.test_what_is_settled_is_not_settled_again),
    ),
    Guard(
        of="the lease's token when messages are given back",
        out=(Cut("livehub.inbox.queue:release", " AND inbox_message.lease_token = v.token"),),
        race=race(test_leases.test_who_lost_the_lease_gives_nothing_back),
    ),
    Guard(
        of="the attempt counted before the work",
        out=(Cut("livehub.inbox.queue:_take", "attempts = attempts + 1", "attempts = attempts"),),
        race=race(POISON),
    ),
    Guard(
        of="the attempt counted when a message is processed alone",
        out=(Cut("livehub.inbox.queue:begin", "attempts = attempts + 1", "attempts = attempts"),),
        race=race(POISON),
    ),
    Guard(
        of="the lease's token when a message is processed alone",
        out=(
            Cut(
                "livehub.inbox.queue:begin",
                " AND lease_token = $2",
                " AND CAST($2 AS bigint) IS NOT NULL",
            ),
        ),
        race=race(test_intake.test_a_worker_that_slept_over_its_lease_counts_no_attempt),
    ),
    Guard(
        of="the state of a message that is replayed",
        out=(
            Cut(
                "livehub.inbox.queue:replay",
                " AND status IN ('{MessageStatus.PARKED}', '{MessageStatus.DEAD}')",
            ),
        ),
        race=race(test_leases.test_a_message_is_put_back_once_by_two_who_replay_it),
    ),
    Guard(
        of="a room, waiting for those who read without it",
        out=(Cut("livehub.orders.reattribution:on_account_bound", "await barrier.outwait()", "pass"),),
        race=race(ROOM_KNOWN),
    ),
    Guard(
        of="a show's start, waiting for those who read without it",
        out=(Cut("livehub.orders.reattribution:on_broadcast_started", "await barrier.outwait()", "pass"),),
        race=race(test_races.test_an_order_booked_while_its_show_goes_on_air_still_finds_it),
    ),
    Guard(
        of="a show's end, waiting for those who read without it",
        out=(Cut("livehub.orders.reattribution:on_broadcast_ended", "await barrier.outwait()", "pass"),),
        race=race(test_races.test_an_order_booked_while_the_shows_end_becomes_known_is_not_its),
    ),
    Guard(
        of="a product's mapping, waiting for those who read without it",
        out=(Cut("livehub.orders.reattribution:on_product_mapped", "await barrier.outwait()", "pass"),),
        race=race(test_races.test_an_order_booked_while_its_product_is_mapped_still_finds_it),
    ),
    Guard(
        of="intake's place behind the barrier, for a room",
        out=(Cut("livehub.orders.intake:apply", "await barrier.enter()", "pass"),),
        race=race(ROOM_KNOWN),
    ),
    Guard(
        of="a new shop, waiting for those who read without it",
        out=(Cut("livehub.inbox.reopening:on_shop_added", "await barrier.outwait()", "pass"),),
        race=race(SHOP_ADDED),
    ),
    Guard(
        of="intake's place behind the barrier, for a shop",
        out=(Cut("livehub.orders.intake:apply", "await barrier.enter()", "pass"),),
        race=race(SHOP_ADDED),
    ),
)
