"""What is kept of vouchers after their use and after their time: refunds, rollovers, sweeps, late orders."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import InstantField


class RoundRollover(Model):
    """滚存: what a round leaves goes into a later one of its campaign, once."""

    id = fields.BigIntField(primary_key=True)
    source_id = fields.BigIntField(unique=True)
    target_id = fields.BigIntField(db_index=True)
    amount_fen = fields.BigIntField(default=0)
    rolled_at = InstantField(null=True)

    class Meta:
        table = "round_rollover"


class ExpirySweep(Model):
    """Up to when a template's vouchers were looked at by the sweep: it need not look at them again."""

    id = fields.BigIntField(primary_key=True)
    template_id = fields.BigIntField(unique=True)
    until = InstantField()

    class Meta:
        table = "expiry_sweep"


class LateRedemption(Model):
    """迟到核销: an order that was told after the money of its voucher was free. It moves nothing."""

    id = fields.BigIntField(primary_key=True)
    voucher_id = fields.BigIntField()
    campaign_id = fields.BigIntField(db_index=True)
    platform = fields.CharField(max_length=32)
    shop_id = fields.BigIntField()
    order_no = fields.CharField(max_length=64)
    order_fen = fields.BigIntField()
    subsidy_fen = fields.BigIntField()
    paid_at = InstantField()
    seen_at = InstantField()

    class Meta:
        table = "late_redemption"
        unique_together = (("voucher_id", "platform", "shop_id", "order_no"),)


class RedemptionRefund(Model):
    """核销退款: one refund of a redeemed order, split between shopper and bureau. Append-only."""

    id = fields.BigIntField(primary_key=True)
    redemption = fields.ForeignKeyField(
        "livehub.Redemption", on_delete=fields.RESTRICT, related_name=False
    )  # found by its unique columns
    refund_no = fields.CharField(max_length=80)
    voucher_id = fields.BigIntField(db_index=True)
    campaign_id = fields.BigIntField(db_index=True)
    refund_fen = fields.BigIntField()  # of the order, cash and subsidy
    cash_fen = fields.BigIntField()  # what goes back to the shopper
    clawback_fen = fields.BigIntField()  # what goes back to the bureau
    restored = fields.BooleanField()  # the voucher can be used again
    fate = fields.CharField(max_length=8)  # of the voucher, and why: refund_reads.Fate
    source = fields.CharField(max_length=8)  # till | desk | api | platform
    reason = fields.CharField(max_length=80, default="")
    at = InstantField()

    class Meta:
        table = "redemption_refund"
        unique_together = (("redemption_id", "refund_no"),)
