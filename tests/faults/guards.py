"""Every guard against a race or a wrong order: how it is taken out, and which test then fails.

The rows are in tests/faults/guarded, a file for each package. A guard is a constraint of the database, a
lock, a clause of a WHERE, an order of writing. Text is cut out of the code itself and must be there, so
that code written anew cannot leave a guard untested unnoticed. Constraints that no row takes out are
listed here with the reason; the test of the table knows the database's own catalogue.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from tests.faults import guarded
from tests.faults.guarding import Guard

GUARDS: tuple[Guard, ...] = tuple(
    guard
    for module in sorted(each.name for each in pkgutil.iter_modules(guarded.__path__))
    for guard in import_module(f"{guarded.__name__}.{module}").GUARDS
)

TARGET = "the target of an upsert that adds up: without it the statement itself fails, at the first row"
ONCE = "made once, in the transaction of the row it belongs to"
CLASS = "written under the class's lock, which has a row"
RANDOM = "random, 80 bits and more: it never meets another"

CENTRE = "written under the lock of the centre's row, which has a row of its own"

NOT_TAKEN_OUT: dict[str, str] = {
    "tortoise_migrations (app, name)": "migrations run one process at a time, under an advisory lock",
    "duplicate_count (endpoint_id, hour)": TARGET,
    "refusal_count (round_id, reason, minute)": TARGET,
    "signature_failure (platform, endpoint_id, hour)": TARGET,
    "rollup_bucket (centre_id, day, broadcast_id, shop_id, streamer_id, product_id, attribution)": TARGET,
    "rollup_minute (centre_id, minute, broadcast_id)": TARGET,
    "order_line (order_id, line_ref)": TARGET,
    "fetch_job (shop_id, kind, ref)": TARGET,
    "listed_item (shop_id, kind, ref)": TARGET,
    "sync_mark (shop_id, kind)": TARGET,
    "sync_difference (shop_id, about, ref, kind, day)": TARGET,
    "product_map (shop_id, product_ref)": TARGET,
    "loop_beat (name)": TARGET,
    "expiry_sweep (template_id)": TARGET,
    "settlement_file (batch_id, version)": CENTRE,
    "merchant_phone (merchant_id, person_key)": "without it one phone is noted twice, and nothing counts them",
    "case_row (case_id, kind, row_id)": ONCE,
    "broadcast (booking_id)": ONCE,
    "streamer (person_id)": ONCE,
    "lottery_draw (round_id)": ONCE,
    "statement_piece (statement_id, number)": ONCE,
    "settled_mark (statement_line_id, line_ref)": "written under the lock of its order, which has a row",
    "qualification_piece (qualification_id, number)": ONCE,
    "plan_slot (version_id, booking)": ONCE,
    "series_booking (booking_id)": ONCE,
    "series_booking (series_id, recurrence_id)": ONCE,
    "rejected_occurrence (series_id, recurrence_id)": ONCE,
    "calendar_feed (token_hash)": RANDOM,
    "recording (broadcast_id, ref)": "without it one replay is noted twice, and nothing is lost or freed by that",
    "certificate_counter (centre_id, year)": TARGET,
    "follow_up (enrolment_id, day, seq)": CLASS,
    "subsidy_claim (cohort_id)": CLASS,
    "subsidy_line (claim_id, enrolment_id)": CLASS,
    "evidence_file (cohort_id, sha256)": "without it one file is kept twice, and nothing is decided by that",
    "mentor (person_id)": "without it somebody is listed twice, and nothing is decided by that",
    "score (assessment_id, enrolment_id, attempt, revision)": CLASS,
    "practice_stream (enrolment_id, broadcast_id)": CLASS,
    "graduation_decision (enrolment_id, seq)": CLASS,
    "voucher_pack_item (template_id)": ONCE,
    "crew_assignment (booking_id, person_id, role)": ONCE,
    "booking_equipment (booking_id, equipment_id)": ONCE,
    "closure_room (closure_id, room_id)": ONCE,
    "quota_room (quota_id, room_id)": ONCE,
    "report_pack (report_id)": "written with the signature, under the report's lock",
    "report_pack_piece (pack_id, number)": "written by the holder of the pack's lease",
    "handover (booking_id)": "written under the booking's lock",
    "broadcast_account (broadcast_id, platform, account_ref)": "written under the broadcast's lock",
    "api_token (token_hash)": RANDOM,
    "claimant_session (token_hash)": RANDOM,
    "session (token_hash)": RANDOM,
    "streamer_link (token_hash)": RANDOM,
    "streamer_link (device_hash)": RANDOM,
    "endpoint (endpoint_key)": RANDOM,
    "certificate (verify_code)": RANDOM,
    "claim_link (slug)": RANDOM,
    "voucher (code_index)": RANDOM,
}

CALLERS = "cut where it is called"
UPSERT = "adds up, or the last one wins; its unique columns are its guard"

LOCKS_NOT_TAKEN_OUT: dict[str, str] = {
    "jobs.loops:beat": UPSERT,
    "livehub.inbox.failures:_UPSERT": UPSERT,
    "livehub.inbox.receiving:_DUPLICATES": UPSERT,
    "livehub.inbox.receiving:_STORE": "the digest's unique index is its guard, and has a row",
    "livehub.inbox.receiving:_SQLITE_MESSAGE": "the digest's unique index is its guard, and has a row",
    "livehub.merchants.registry:map_product": UPSERT,
    "rooms.prechecks:_held": "a signature counts for what it was given for, whatever came in between",
    "rooms.moving:_follow": "written under its booking's lock, which has a row",
    "rooms.records:delete": "the trigger recording_kept decides; the lock only makes its refusal a sentence",
    "rooms.records:hold": "as above",
    "livehub.orders.auditing:_note": UPSERT,
    "livehub.orders.former:restore": "the order's unique columns are its guard, and have a row",
    "livehub.orders.refolding:_make_anew": "behind the same barrier as intake, whose place there has a row",
    "livehub.orders.rollup:_bring": "written under the lock of all sums, which has a row",
    "livehub.orders.ledger:store": "lines are written under their order's lock",
    "livehub.orders.statements.matching:_INSERT_MARK": "written under the lock of its order, which has a row",
    "livehub.orders.statements.differences:_INSERT": "written under the lock of their orders, which has a row",
    "livehub.reports.documents:sign": "keeps machines out; the table refuses who prepared it, and has a statement",
    "livehub.reports.documents:_signer": "keeps machines out, and no race",
    "livehub.reports.packing:_put_back": "written like _renew, which has a row: a lost lease writes nothing",
    "livehub.reports.periods:close": "the month's unique column is its guard, and has a row",
    "livehub.orders.listings:_keep": UPSERT,
    "livehub.orders.differences:_OPEN": UPSERT,
    "livehub.kit.limits:ADD": UPSERT,
    "livehub.vouchers.refusals:ADD": UPSERT,
    "livehub.vouchers.claim_commit:_WINDOW": UPSERT,
    "livehub.vouchers.claim_commit:_postgres": "cut out of what it makes, _STATEMENT",
    "livehub.vouchers.expiry:_remember": UPSERT,
    "livehub.vouchers.expiry:_expire": "an order of locks; what decides is a clause of _EXPIRE, which has a row",
    "livehub.settlement.batches:submit": "keeps machines out; the second person is asked for by pay, which has a row",
    "livehub.settlement.repayments:note": "keeps machines out; the second person is asked for by confirm, which has a row",
    "livehub.settlement.holds:place": CENTRE,
    "livehub.settlement.holds:lift": "a second person, and no race",
    "livehub.settlement.opening:by_hand": "keeps machines out; the second person is asked for by release, which has a row",
    "livehub.settlement.cases:look": "as above",
    "livehub.settlement.merchant_phones:note": UPSERT,
    "livehub.accounts.users:_give": "its unique columns are its guard, and have a row",
    "livehub.vouchers.enrolments:enrol": "its unique columns are its guard, and have a row",
    "livehub.vouchers.enrolments:ask": "as above",
    "livehub.vouchers.enrolments:_ready": "as above",
    "livehub.database.migrate:_migrate_postgres": "a matter of two processes, each of which migrates",
    "livehub.orders.cursors:hold_mark": CALLERS,
    "livehub.inbox.barrier:enter": CALLERS,
    "livehub.inbox.barrier:outwait": CALLERS,
    "livehub.orders.ledger:hold": CALLERS,
    "livehub.vouchers.locks:hold": CALLERS,
    "streamers.training.locks:hold": CALLERS,
    "streamers.training.enrolments:held": "the class's lock, as cohorts.held takes it, which has a row",
    "streamers.training.importing:_against_cohort": "the persons' lock, as enrol takes it, which has a row",
    "rooms.claims:_stand_in_line": CALLERS,
    "rooms.locks:hold": CALLERS,
    "rooms.closures:lift": "lifting twice changes nothing; the claims' overlap has a row",
    "rooms.moving:swap": "an order of locks; each bureau is held again where it is counted",
}
