"""What the database alone decides: no overlap, no oversell, one use, no rewriting of history."""

from tortoise import migrations

from livehub.database.operations import PerDialect, append_only, check, index, together, unique_where

_OVERLAP = """
    SELECT RAISE(ABORT, 'resource_claim_no_overlap') WHERE NEW.active = 1 AND EXISTS (
        SELECT 1 FROM resource_claim AS other
        WHERE other.kind = NEW.kind AND other.resource_id = NEW.resource_id AND other.active = 1
          AND other.starts_at < NEW.ends_at AND NEW.starts_at < other.ends_at {but});
"""
_LIVE = "state IN ('authorized', 'captured', 'partially_refunded')"


class Migration(migrations.Migration):
    dependencies = [("livehub", "0001_tables")]

    operations = [
        together(
            PerDialect(
                postgres=[
                    "CREATE EXTENSION IF NOT EXISTS btree_gist",
                    "ALTER TABLE resource_claim ADD CONSTRAINT resource_claim_no_overlap EXCLUDE USING gist"
                    " (kind WITH =, resource_id WITH =, int8range(starts_at, ends_at) WITH &&) WHERE (active)",
                ],
                sqlite=[
                    f"CREATE TRIGGER resource_claim_no_overlap_insert BEFORE INSERT ON resource_claim"
                    f" BEGIN {_OVERLAP.format(but='')} END",
                    f"CREATE TRIGGER resource_claim_no_overlap_update BEFORE UPDATE ON resource_claim"
                    f" BEGIN {_OVERLAP.format(but='AND other.id <> NEW.id')} END",
                ],
            ),
            check("resource_claim", "resource_claim_forward", "{new}starts_at < {new}ends_at"),
            check("booking", "booking_forward", "{new}start_at < {new}end_at"),
            check("voucher_template", "voucher_template_stock", "{new}issued BETWEEN 0 AND {new}quantity"),
            check("voucher_template", "voucher_template_redeemed", "{new}redeemed BETWEEN 0 AND {new}issued"),
            check("voucher_template", "voucher_template_face", "{new}face_fen > 0 AND {new}threshold_fen >= {new}face_fen"),
            check("voucher_drop", "voucher_drop_stock", "{new}claimed BETWEEN 0 AND {new}quantity"),
            check("claim_link", "claim_link_quota", "{new}quota = 0 OR {new}claims <= {new}quota"),
            check("shop", "shop_evidence_floor", "{new}evidence_days >= 90"),
            check("campaign", "campaign_budget", "{new}budget_fen > 0"),
            check(
                "ledger_account",
                "ledger_account_not_below_zero",
                "{new}balance_fen >= 0 OR {new}kind IN ('world:treasury', 'campaign:receivable')",
            ),
            check("ledger_entry", "ledger_entry_amount", "{new}amount_fen > 0 AND {new}debit_id <> {new}credit_id"),
            check(
                "redemption",
                "redemption_amounts",
                "{new}subsidy_fen > 0 AND {new}paid_fen = {new}order_fen - {new}subsidy_fen AND {new}paid_fen > 0",
            ),
            unique_where("redemption", "redemption_one_live_per_voucher", "voucher_id", _LIVE),
            unique_where("redemption", "redemption_one_live_per_order", "platform, shop_id, order_no", _LIVE),
            unique_where("broadcast_run", "broadcast_run_one_open", "broadcast_id", "ended_at IS NULL"),
            unique_where("broadcast_account", "broadcast_account_one_room", "platform, room_ref", "room_ref <> ''"),
            unique_where("voucher_drop", "voucher_drop_one_open", "broadcast_id", "state = 'open'"),
            unique_where(
                "claim_link", "claim_link_one_per_channel", "broadcast_id, streamer_id, platform", "broadcast_id IS NOT NULL"
            ),
            # A voucher is written twice, and no index knows its state: its second writing stays in its page.
            PerDialect(postgres=["ALTER TABLE voucher SET (fillfactor = 85)"], sqlite=[]),
            append_only("audit_entry"),
            append_only("audit_link"),
            append_only("ledger_entry"),
            append_only("contribution_entry"),
            index("inbox_message", "inbox_message_due", "next_attempt_at, id", "status = 'received'"),
            index("inbox_message", "inbox_message_leased", "lease_until", "status = 'processing'"),
            index("inbox_message", "inbox_message_stuck", "status, reason, id", "status IN ('parked', 'dead')"),
            index("fetch_job", "fetch_job_due", "endpoint_id, due_at, id", "status = 'waiting'"),
        )
    ]
