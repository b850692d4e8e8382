"""Money that merchants paid back: each receipt once, noted by one person and confirmed by another."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DayField, InstantField


class RepaymentState(StrEnum):
    """The life of a repayment."""

    NOTED = "noted"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"


class SettlementRepayment(Model):
    """应退收款: what a payee of a campaign paid back of what she owed, in the ledger once confirmed."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre_id = fields.BigIntField()
    campaign_id = fields.BigIntField()
    merchant_id = fields.BigIntField(default=0)  # 0: a platform's shop
    shop_id = fields.BigIntField(default=0)  # then this one
    amount_fen = fields.BigIntField()
    reference = fields.CharField(max_length=60)  # the number of the receipt
    received_on = DayField()
    state = fields.CharEnumField(RepaymentState, max_length=10, default=RepaymentState.NOTED)
    noted_by_id = fields.BigIntField()
    noted_by = fields.CharField(max_length=80)
    noted_at = InstantField()
    decided_by_id = fields.BigIntField(default=0)  # who confirmed or withdrew it
    decided_by = fields.CharField(max_length=80, default="")
    decided_at = InstantField(null=True)
    reason = fields.CharField(max_length=200, default="")  # of a withdrawal

    class Meta:
        table = "settlement_repayment"
        indexes = (("campaign_id", "merchant_id", "shop_id"),)
