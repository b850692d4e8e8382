"""What is owed to a merchant for a day of a campaign: batch, lines, files, and what is held back."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DayField, DigestField, InstantField


class BatchState(StrEnum):
    """The life of a batch."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    DISPUTED = "disputed"
    CONFIRMED = "confirmed"
    PAID = "paid"


class SettlementBatch(Model):
    """结算批次: what one merchant is owed by one campaign, up to the end of one day.

    Redeemed less recovered is owed to her; of that, what she owes back (recovered after it was settled,
    and carried in) is netted, the rest is paid. What cannot be netted is carried to her next batch.
    """

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre_id = fields.BigIntField()
    number = fields.IntField()  # within the centre, as people name it
    campaign_id = fields.BigIntField()
    merchant_id = fields.BigIntField(default=0)  # 0: orders of a platform, whose shop has no merchant
    shop_id = fields.BigIntField(default=0)  # then this shop
    day = DayField()
    state = fields.CharEnumField(BatchState, max_length=10)
    version = fields.IntField(default=0)  # how often it was submitted
    redeemed_fen = fields.BigIntField(default=0)  # the positive lines
    recovered_fen = fields.BigIntField(default=0)  # of these redemptions, before they were settled
    late_fen = fields.BigIntField(default=0)  # recovered of redemptions that were settled before
    carried_in_fen = fields.BigIntField(default=0)  # owed back from earlier batches
    net_fen = fields.BigIntField(default=0)  # of it all, netted here
    pay_fen = fields.BigIntField(default=0)
    sha256 = DigestField(null=True)  # of the newest file
    made_at = InstantField()
    submitted_by_id = fields.BigIntField(default=0)
    submitted_by = fields.CharField(max_length=80, default="")
    submitted_at = InstantField(null=True)
    confirmed_by = fields.CharField(max_length=80, default="")
    confirmed_at = InstantField(null=True)
    reason = fields.CharField(max_length=200, default="")  # of a dispute, or of a word given for the merchant
    answer = fields.CharField(max_length=200, default="")  # to the last dispute
    disputed_by = fields.CharField(max_length=80, default="")
    disputed_at = InstantField(null=True)
    paid_by = fields.CharField(max_length=80, default="")
    paid_at = InstantField(null=True)
    payment_ref = fields.CharField(max_length=60, default="")

    class Meta:
        table = "settlement_batch"
        unique_together = (("campaign_id", "merchant_id", "shop_id", "day"), ("centre_id", "number"))
        indexes = (("merchant_id", "state"),)


class SettlementLine(Model):
    """结算明细: a redemption (positive) or one clawback of it (negative), in exactly one batch."""

    id = fields.BigIntField(primary_key=True)
    batch_id = fields.BigIntField(db_index=True)
    redemption_id = fields.BigIntField()
    refund_id = fields.BigIntField(default=0)  # 0: the redemption itself
    amount_fen = fields.BigIntField()
    late = fields.BooleanField(default=False)  # recovered after the redemption was settled: owed back

    class Meta:
        table = "settlement_line"
        unique_together = (("redemption_id", "refund_id"),)


class SettlementFile(Model):
    """结算文件: the bytes that were submitted, and their SHA-256. Append-only."""

    id = fields.BigIntField(primary_key=True)
    batch_id = fields.BigIntField()
    version = fields.IntField()
    name = fields.CharField(max_length=120)
    sha256 = DigestField()
    body = fields.BinaryField()
    made_at = InstantField()
    made_by = fields.CharField(max_length=80)

    class Meta:
        table = "settlement_file"
        unique_together = (("batch_id", "version"),)


class SettlementHold(Model):
    """暂缓结算: a merchant, or one redemption, is left out of batches until somebody lifts it."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre_id = fields.BigIntField(db_index=True)
    merchant_id = fields.BigIntField(default=0)  # one of the three
    redemption_id = fields.BigIntField(default=0)
    broadcast_id = fields.BigIntField(default=0)
    case_id = fields.BigIntField(default=0)  # 0: placed by hand, lifted by hand
    reason = fields.CharField(max_length=200)
    placed_by_id = fields.BigIntField()
    placed_by = fields.CharField(max_length=80)
    placed_at = InstantField()
    lifted_by = fields.CharField(max_length=80, default="")
    lifted_at = InstantField(null=True)

    class Meta:
        table = "settlement_hold"
