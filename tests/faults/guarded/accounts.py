"""Guards of accounts, streamers, merchants and shops: one of each name, who is first, what is not rewritten."""

from __future__ import annotations

from tests.accounts import test_audit, test_logins, test_races, test_second_factor, test_tokens, test_users
from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, CutText, Dropped, Unique
from tests.notices import test_notices
from tests.platforms import test_shops
from tests.streamers import test_links

CHANGED_MEANWHILE = test_logins.test_an_account_changed_during_the_check_opens_no_session
PAST = test_audit.test_the_database_refuses_to_change_the_past
ALONE = Cut("livehub.accounts.chain:_alone", 'bool(row and row["got"])', "True")
LINKED_ONCE = test_races.test_two_processes_link_each_entry_once

GUARDS = (
    *on_both(
        Guard(
            of="the past of the audit trail",
            out=(Dropped("audit_entry_append_only"),),
            race=race(PAST, table="audit_entry", statement="UPDATE {} SET bureau_id = 9"),
        )
    ),
    *on_both(
        Guard(
            of="the past of the audit chain",
            out=(Dropped("audit_link_append_only"),),
            race=race(PAST, table="audit_link", statement="DELETE FROM {}"),
        )
    ),
    Guard(of="the one process that links entries", out=(ALONE,), race=race(LINKED_ONCE)),
    Guard(
        of="the numbers of links",
        out=(Unique("audit_link", "bureau_id, seq"), Unique("audit_link", "entry_id"), ALONE),
        race=race(LINKED_ONCE),
    ),
    Guard(
        of="the chain's wait for slow transactions",
        out=(Cut("livehub.accounts.chain:_waiting", "{_SETTLED[database.dialect()]}"),),
        race=race(test_audit.test_an_entry_of_a_slow_transaction_is_never_passed_over),
    ),
    Guard(
        of="a login",
        out=(Unique("user_account", "login"),),
        race=race(test_races.test_a_login_is_given_once),
    ),
    Guard(
        of="a role",
        out=(Unique("membership", "user_id, role, bureau_id, merchant_id"),),
        race=race(test_races.test_a_role_given_twice_at_once_is_held_and_noted_once),
    ),
    Guard(
        of="the last administrator",
        out=(Cut("livehub.accounts.users:_ensure_admin_left", " FOR NO KEY UPDATE"),),
        race=race(test_races.test_two_administrators_who_switch_each_other_off_leave_one),
    ),
    Guard(
        of="the one second factor of a user",
        out=(Unique("second_factor", "user_id"),),
        race=race(test_races.test_a_second_factor_is_begun_once),
    ),
    *on_both(
        Guard(
            of="a code that was used",
            out=(Cut("livehub.accounts.factor_codes:use_step", ", last_step__lt=step"),),
            race=race(test_second_factor.test_a_code_opens_once),
        )
    ),
    *on_both(
        Guard(
            of="a password changed while it was checked",
            out=(
                Cut(
                    "livehub.accounts.logins:_still_valid",
                    " AND password_hash = $3",
                    " AND CAST($3 AS text) IS NOT NULL",
                ),
            ),
            race=race(CHANGED_MEANWHILE, change={"password_hash": "changed meanwhile"}),
        )
    ),
    *on_both(
        Guard(
            of="an account switched off while its password was checked",
            out=(Cut("livehub.accounts.logins:_still_valid", " AND active"),),
            race=race(CHANGED_MEANWHILE, change={"active": False}),
        )
    ),
    Guard(
        of="tries counted together",
        out=(
            Unique("rate_window", "key, starts_at"),
            Cut(
                "livehub.kit.limits:hit",
                " ON CONFLICT (key, starts_at) DO UPDATE SET count = rate_window.count + 1",
            ),
        ),
        race=race(test_logins.test_tries_at_the_same_moment_are_all_counted),
    ),
    *on_both(
        Guard(
            of="the first device of a streamer's link",
            out=(Cut("streamers.links:open_link", ", device_hash__isnull=True"),),
            race=race(test_links.test_two_devices_at_once_bind_one),
        )
    ),
    Guard(
        of="the phone of one person",
        out=(Unique("person", "phone_index"),),
        race=race(test_links.test_a_phone_number_belongs_to_one_person_and_lies_nowhere_in_the_clear),
    ),
    Guard(
        of="the streamer of an account",
        out=(Unique("streamer_account", "platform, account_ref"),),
        race=race(test_links.test_an_account_is_one_streamers),
    ),
    Guard(
        of="the one shop of a number",
        out=(Unique("shop", "platform, shop_ref"),),
        race=race(test_shops.test_a_shop_is_added_once_and_told),
    ),
    Guard(
        of="the endpoint whose secret is rotated",
        out=(Cut("livehub.platforms.shops:_held", 'if database.dialect() == "postgres":', "if False:"),),
        race=race(test_shops.test_two_rotations_at_once_leave_one_secret_without_an_end),
    ),
    Guard(
        of="the key of a message to somebody",
        out=(
            Unique("notice", "dedupe_key"),
            CutText("livehub.notices.sending:_INSERT", r" ON CONFLICT \(dedupe_key\) DO NOTHING"),
        ),
        race=race(test_notices.test_the_same_key_is_one_message),
    ),
    Guard(
        of="the lock of who passes messages on",
        out=(Cut("livehub.notices.sending:_lease", "FOR UPDATE SKIP LOCKED"),),
        race=race(test_notices.test_two_processes_pass_each_message_on_once),
    ),
    *on_both(
        Guard(
            of="the attempt under which a message is settled",
            out=(Cut("livehub.notices.sending:_settle", " AND attempts = $5", " AND attempts < $5 + 100"),),
            race=race(test_notices.test_who_was_too_slow_does_not_settle_the_takers_attempt),
        )
    ),
    Guard(
        of="the end of a token, noted once",
        out=(Cut("livehub.accounts.tokens:revoke", ", revoked_at=None"),),
        race=race(test_tokens.test_a_token_ends_when_it_expires_or_is_revoked),
        engine="sqlite",
    ),
    Guard(
        of="the end of an account, noted once",
        out=(Cut("livehub.accounts.users:deactivate", ", active=True"),),
        race=race(test_users.test_an_account_goes_off_and_on),
        engine="sqlite",
    ),
    Guard(
        of="the end of a streamer's link, noted once",
        out=(Cut("streamers.links:revoke", ", revoked_at__isnull=True"),),
        race=race(test_links.test_expired_revoked_and_unknown_links_look_alike),
        engine="sqlite",
    ),
)
