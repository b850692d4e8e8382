"""Guards of rooms: no overlap, one decision, one run, one cue at a time, and two people where two must sign."""

from __future__ import annotations

from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, Dropped, Unique
from tests.rooms import (
    test_booking,
    test_closures,
    test_gate,
    test_moving,
    test_onair,
    test_quotas,
    test_races,
    test_rules,
    test_waitlist,
)

BOTH_LOCKS_OF_A_SHOW = Cut(
    "rooms.onair:_held",
    'await locks.hold("booking", {seen.booking_id})\n    await locks.hold("broadcast", {seen.id})',
    "pass",
)
TWICE_STARTED = test_races.test_a_show_started_twice_at_once_has_one_run
ALIVE = test_races.test_a_show_that_gives_a_sign_of_life_just_now_is_not_abandoned
FORWARD = test_races.test_signs_of_life_go_forward_and_bring_nothing_back

GUARDS = (
    *on_both(
        Guard(
            of="no overlap of rooms and people",
            out=(Dropped("resource_claim_no_overlap"),),
            race=race(test_booking.test_twenty_at_once_for_one_slot),
        )
    ),
    Guard(
        of="the line before rooms and people",
        out=(Cut("rooms.claims:take", "await _stand_in_line(ordered)", "pass"),),
        race=race(test_races.test_two_who_want_one_time_do_not_wait_for_each_other_in_a_ring),
    ),
    Guard(
        of="the lock of a booking that is decided on",
        out=(Cut("rooms.steps:held", 'await locks.hold("booking", {seen.id})', "pass"),),
        race=race(test_races.test_two_who_approve_at_once_decide_once),
    ),
    Guard(
        of="the second look at a hold that ran out",
        out=(Cut("rooms.steps:still", ", state__in=list(among)"),),
        race=race(test_races.test_a_booking_approved_as_its_hold_runs_out_stays),
    ),
    Guard(
        of="the lock of a hold that ran out",
        out=(Cut("rooms.steps:still", 'await locks.hold("booking", numbers)', "pass"),),
        race=race(test_races.test_a_booking_approved_as_its_hold_runs_out_stays),
    ),
    Guard(
        of="the lock of the booking of a show that starts",
        out=(Cut("rooms.onair:_held", 'await locks.hold("booking", {seen.booking_id})', "pass"),),
        race=race(test_races.test_a_show_cancelled_as_it_starts_does_not_start),
    ),
    Guard(
        of="the locks of a show that starts, with its one open run",
        out=(BOTH_LOCKS_OF_A_SHOW,),
        race=race(TWICE_STARTED),
    ),
    Guard(
        of="the one open run",
        out=(Dropped("broadcast_run_one_open"), BOTH_LOCKS_OF_A_SHOW),
        race=race(TWICE_STARTED),
    ),
    Guard(
        of="the second look at a silent show",
        out=(Cut("rooms.onair:end_abandoned", "id__in=numbers, **silent", "id__in=numbers"),),
        race=race(ALIVE),
    ),
    Guard(
        of="the lock of a silent show",
        out=(Cut("rooms.onair:end_abandoned", 'await locks.hold("broadcast", numbers)', "pass"),),
        race=race(ALIVE),
    ),
    *on_both(
        Guard(
            of="the time of a sign of life",
            out=(Cut("rooms.onair:pulse", " AND broadcast.heartbeat_at < v.at"),),
            race=race(FORWARD),
        )
    ),
    Guard(
        of="the state of a show that gives a sign of life",
        out=(Cut("rooms.onair:pulse", " AND broadcast.state = 'live'"),),
        race=race(FORWARD),
    ),
    Guard(
        of="the lock of a rundown whose cue is fired",
        out=(Cut("rooms.rundown:_cue_held", 'await locks.hold("broadcast", {seen.broadcast_id})', "pass"),),
        race=race(test_races.test_a_cue_fired_twice_at_once_is_told_once),
    ),
    Guard(
        of="the lock of a rundown that grows, with its unique positions",
        out=(Cut("rooms.rundown:_held", 'await locks.hold("broadcast", {seen.id})', "pass"),),
        race=race(test_races.test_two_cues_added_at_once_stand_one_after_the_other),
    ),
    Guard(
        of="the unique positions of a rundown",
        out=(
            Unique("cue", "broadcast_id, position"),
            Cut("rooms.rundown:_held", 'await locks.hold("broadcast", {seen.id})', "pass"),
        ),
        race=race(test_races.test_two_cues_added_at_once_stand_one_after_the_other),
    ),
    Guard(
        of="the code of a room",
        out=(Unique("room", "centre_id, code"),),
        race=race(test_races.test_a_rooms_code_is_given_once),
    ),
    *on_both(
        Guard(
            of="the one broadcast in a platform's room",
            out=(Dropped("broadcast_account_one_room"),),
            race=race(test_onair.test_a_platform_room_is_in_one_broadcast_only),
        )
    ),
    Guard(
        of="the one version of a week that is published, and its number",
        out=(
            Dropped("plan_version_one_published"),
            Unique("plan_version", "centre_id, week, number"),
            Unique("plan_event", "booking"),
        ),
        race=race(test_races.test_two_who_publish_at_once_make_one_version),
    ),
    *on_both(
        Guard(
            of="the check before a show goes on air",
            out=(Dropped("broadcast_on_air_checked"),),
            race=race(test_gate.test_the_database_lets_nothing_unchecked_on_air),
        )
    ),
    Guard(
        of="the second person who approves",
        out=(
            Cut(
                "rooms.booking:approve",
                "require_second_person(actor, first_user_id=booking.first_approved_by_id)",
                "pass",
            ),
        ),
        race=race(test_booking.test_two_person_rooms_need_two_people),
    ),
    Guard(
        of="the lock of a bureau whose quota is counted",
        out=(
            Cut("rooms.quotas:require_room_for", 'await locks.hold("bureau", {booking.bureau_id})', "pass"),
        ),
        race=race(test_quotas.test_the_last_place_is_given_once),
        slow=True,  # both wait before they count: without it the race is lost most times
    ),
    Guard(
        of="the lock of a bureau whose quota is set",
        out=(Cut("rooms.quotas:put", 'await locks.hold("bureau", {bureau_id})', "pass"),),
        race=race(test_quotas.test_a_quota_set_while_a_place_is_taken_counts_it),
    ),
    *on_both(
        Guard(
            of="the count of what a quota has left",
            out=(Cut("rooms.steps:take", "await quotas.require_room_for(booking, room=room)", "pass"),),
            race=race(test_quotas.test_the_last_place_is_given_once),
        )
    ),
    Guard(
        of="the second look at whom a closure meets",
        out=(Cut("rooms.closures:close", "met = await _met(plan, rooms=rooms)", "met = hits"),),
        race=race(test_closures.test_who_got_the_room_since_the_preview_is_seen),
    ),
    Guard(
        of="the lock of rooms that are being closed",
        out=(Cut("rooms.closures:close", 'await locks.hold("room", {each.id for each in rooms})', "pass"),),
        race=race(test_closures.test_who_got_the_room_since_the_preview_is_seen),
    ),
    Guard(
        of="the lock of an entry that is offered a time",
        out=(Cut("rooms.waitlist:_offer", 'await locks.hold("waitlist_entry", {number})', "pass"),),
        race=race(test_waitlist.test_who_leaves_the_line_is_not_offered_and_who_is_offered_does_not_leave),
    ),
    Guard(
        of="the lock of an entry that leaves the line",
        out=(Cut("rooms.waitlist:withdraw", 'await locks.hold("waitlist_entry", {entry.id})', "pass"),),
        race=race(test_waitlist.test_who_leaves_the_line_is_not_offered_and_who_is_offered_does_not_leave),
    ),
    Guard(
        of="the lock of an offer that is settled",
        out=(
            Cut(
                "rooms.waitlist:_locked",
                'await locks.hold("booking", {seen.booking_id or 0})\n'
                '    await locks.hold("waitlist_entry", {seen.id})',
                "pass",
            ),
        ),
        race=race(test_waitlist.test_an_offer_accepted_as_it_runs_out_is_settled_once),
    ),
    *on_both(
        Guard(
            of="the one place of a bureau in a line",
            out=(Dropped("waitlist_entry_one_place"),),
            race=race(test_waitlist.test_one_bureau_stands_in_one_line_once),
        )
    ),
    Guard(
        of="the locks of two bookings that are swapped",
        out=(
            Cut(
                "rooms.moving:_both",
                'await locks.hold("booking", {each.id for each in seen.values()})',
                "pass",
            ),
        ),
        race=race(test_moving.test_a_booking_moved_as_it_is_cancelled_stays_cancelled),
    ),
    Guard(
        of="the one unit of a serial number",
        out=(Unique("equipment", "centre_id, serial"),),
        race=race(test_rules.test_a_serial_number_is_given_once),
    ),
)
