"""Guards of orders and figures: states locked and merged, buckets raised once, fetches coalesced."""

from __future__ import annotations

from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, CutText, Unique
from tests.orders import (
    test_assigning,
    test_auditing,
    test_by_shop,
    test_fetching,
    test_races,
)

ONE_ORDER = test_races.test_two_facts_of_one_order_at_once_are_both_kept_and_counted_once
RING = test_races.test_two_batches_in_opposite_sequence_do_not_wait_in_a_ring
WORDS = test_assigning.test_two_clerks_at_the_same_moment_are_both_kept_and_the_later_counts

STATE_LOCK = Cut("livehub.orders.ledger:_for_update", '"FOR UPDATE OF o" if', '"" if')
BUCKETS_ADD = CutText(
    "livehub.orders.rollup:_UPSERT_BUCKET", r"= rollup_bucket\.\w+ \+ excluded", "= excluded"
)

GUARDS = (
    Guard(
        of="the one row of a new order, put there empty",
        out=(
            Unique("sales_order", "shop_id, order_ref"),
            Cut("livehub.orders.ledger:lock", " ON CONFLICT (shop_id, order_ref) DO NOTHING"),
        ),
        race=race(ONE_ORDER, known=False),
    ),
    Guard(of="the lock of an order's state", out=(STATE_LOCK,), race=race(ONE_ORDER, known=True)),
    Guard(
        of="the mark that an order's voucher was told",
        out=(Cut("livehub.orders.ledger:_tell_vouchers", "order.voucher_told or not", "not"),),
        race=race(test_races.test_the_voucher_of_an_order_is_told_once),
    ),
    Guard(
        of="the order in which answered fetches are closed",
        out=(
            Cut(
                "livehub.orders.fetching:_record",
                "sorted(answers, key=lambda each: (each.job.shop_id, each.job.kind, each.job.ref))",
                "answers",
            ),
        ),
        race=race(test_fetching.test_answered_fetches_are_closed_in_one_order, backwards=True),
    ),
    Guard(
        of="the order in which fetches are wanted",
        out=(Cut("livehub.orders.fetching:_upsert", " ORDER BY v.shop_id, v.kind, v.ref"),),
        race=race(test_fetching.test_fetches_are_wanted_in_one_order),
    ),
    Guard(
        of="the adding of buckets",
        out=(BUCKETS_ADD,),
        race=race(test_races.test_two_orders_of_one_bucket_and_minute_at_once_are_both_counted),
    ),
    Guard(
        of="the adding of minutes",
        out=(
            CutText(
                "livehub.orders.rollup:_UPSERT_MINUTE", r"= rollup_minute\.\w+ \+ excluded", "= excluded"
            ),
        ),
        race=race(test_races.test_two_orders_of_one_bucket_and_minute_at_once_are_both_counted),
    ),
    Guard(
        of="the order in which new orders are inserted",
        out=(Cut("livehub.orders.ledger:lock", "for key in sorted(first)]", "for key in first]"),),
        race=race(RING, what="orders"),
    ),
    Guard(
        of="the order in which buckets are raised",
        out=(Cut("livehub.orders.rollup:book", "sorted(buckets.items())", "buckets.items()"),),
        race=race(RING, what="days"),
    ),
    Guard(
        of="the order in which minutes are raised",
        out=(Cut("livehub.orders.rollup:book", "sorted(minutes.items())", "minutes.items()"),),
        race=race(RING, what="minutes"),
    ),
    Guard(
        of="the keys by which orders are locked when many move",
        out=(Cut("livehub.orders.ledger:book_anew", "await hold(wanted)", "pass"),),
        race=race(test_races.test_orders_are_locked_by_their_keys_when_many_move),
    ),
    Guard(
        of="the locks of orders before those of buckets",
        out=(
            Cut(
                "livehub.orders.ledger:book_anew",
                "await hold(wanted)",
                "pass",
                (
                    (
                        "\n    await rollup.book(changes, now=now)",
                        "\n        await rollup.book(changes, now=now)",
                    ),
                    ("        bound = await", "        changes = []\n        bound = await"),
                ),
            ),
        ),
        race=race(test_races.test_orders_are_locked_before_buckets_when_many_move),
    ),
    Guard(
        of="the locks of minutes before those of buckets in a rebuild",
        out=(
            Cut(
                "livehub.orders.rollup:_hold_sums",
                "LOCK TABLE rollup_minute, rollup_bucket",
                "LOCK TABLE rollup_bucket, rollup_minute",
            ),
        ),
        race=race(test_races.test_a_rebuild_locks_minutes_before_buckets_as_intake_does),
    ),
    Guard(
        of="the locks of a rebuild",
        out=(
            Cut(
                "livehub.orders.rollup:_hold_sums",
                'await database.execute("LOCK TABLE rollup_minute, rollup_bucket IN EXCLUSIVE MODE")',
                "pass",
            ),
        ),
        race=race(test_races.test_a_rebuild_waits_for_what_is_being_booked),
    ),
    Guard(
        of="the lock of all sums when a day is corrected",
        out=(
            Cut(
                "livehub.orders.rollup:_hold_sums",
                'await database.execute("LOCK TABLE rollup_minute, rollup_bucket IN EXCLUSIVE MODE")',
                "pass",
            ),
        ),
        race=race(test_auditing.test_a_repair_waits_for_what_is_being_booked),
    ),
    Guard(
        of="the lock of an order that is mended",
        out=(STATE_LOCK,),
        behind=(Cut("livehub.orders.mending:mend", "await ledger.hold(wanted)", "pass"),),
        race=race(test_auditing.test_an_order_that_is_mended_while_it_is_booked_keeps_what_is_booked),
    ),
    *on_both(
        Guard(
            of="the wait of a repair for mappings that are being told",
            out=(
                Cut(
                    "livehub.orders.mending:judge",
                    "orders and not await reattribution.all_told()",
                    "False",
                ),
            ),
            race=race(test_auditing.test_what_a_listener_was_not_told_yet_is_no_fault),
        )
    ),
    Guard(
        of="the lock of an order that two clerks speak about",
        out=(STATE_LOCK,),
        behind=(Cut("livehub.orders.ledger:book_anew", "await hold(wanted)", "pass"),),
        race=race(WORDS),
    ),
    Guard(
        of="the one row of a shop and its account",
        out=(
            Unique("shop_account", "shop_id, platform, account_ref"),
            Cut("rooms.shop_accounts:bind", " ON CONFLICT (shop_id, platform, account_ref) DO NOTHING"),
        ),
        race=race(test_by_shop.test_two_clerks_who_bind_the_same_account_bind_it_once),
    ),
    Guard(
        of="the barrier before a shop's account is looked at",
        out=(Cut("livehub.orders.reattribution:on_shop_account_changed", "await barrier.outwait()", "pass"),),
        race=race(test_by_shop.test_an_order_booked_while_its_shop_is_bound_still_finds_the_show),
    ),
    Guard(
        of="the one assignment of an order",
        out=(
            Unique("order_assignment", "order_id"),
            Cut("livehub.orders.reattribution:assign", "ON CONFLICT (order_id) DO UPDATE SET", "--"),
        ),
        race=race(test_races.test_two_vouchers_of_one_order_at_the_same_moment_give_it_to_one_show),
    ),
    Guard(
        of="the lock of who leases fetches",
        out=(Cut("livehub.orders.fetching:_lease", "FOR UPDATE SKIP LOCKED"),),
        race=race(test_fetching.test_two_fetchers_hold_different_fetches_and_do_not_wait),
    ),
    Guard(
        of="the lease's token when a fetch is closed",
        out=(
            Cut(
                "livehub.orders.fetching:_close",
                " AND lease_token = $4",
                " AND CAST($4 AS bigint) IS NOT NULL",
            ),
        ),
        race=race(test_fetching.test_who_lost_its_fetch_neither_closes_nor_postpones_it),
    ),
    Guard(
        of="the lease's token when a fetch is postponed",
        out=(
            Cut(
                "livehub.orders.fetching:_postpone",
                " AND lease_token = $5",
                " AND CAST($5 AS bigint) IS NOT NULL",
            ),
        ),
        race=race(test_fetching.test_who_lost_its_fetch_neither_closes_nor_postpones_it),
    ),
    Guard(
        of="what was wanted meanwhile, when a fetch is closed",
        out=(
            Cut(
                "livehub.orders.fetching:_close",
                "CASE WHEN wanted_at = $1 THEN 'done' ELSE 'waiting' END",
                "CASE WHEN wanted_at >= $1 THEN 'done' ELSE 'waiting' END",
            ),
        ),
        race=race(test_fetching.test_what_is_asked_while_the_answer_is_on_its_way_is_asked_again),
    ),
)
