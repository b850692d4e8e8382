"""Whose money, which vouchers, who holds one, where it was used, and the ledger that must agree."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DigestField, InstantField


class CampaignStatus(StrEnum):
    """The life of a campaign."""

    DRAFT = "draft"
    APPROVED = "approved"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"
    SETTLED = "settled"


class RoundStatus(StrEnum):
    """The life of a claim window."""

    SCHEDULED = "scheduled"
    SIGNUP = "signup"  # of a lottery, until its draw
    DRAWN = "drawn"  # and published
    OPEN = "open"
    CLOSED = "closed"
    FINISHED = "finished"
    ROLLED = "rolled"
    RETURNED = "returned"


class EnrolmentStatus(StrEnum):
    """A merchant's part in a campaign."""

    PENDING = "pending"
    APPROVED = "approved"
    SUSPENDED = "suspended"
    REJECTED = "rejected"


class VoucherState(StrEnum):
    """The life of a voucher."""

    ISSUED = "issued"
    LOCKED = "locked"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REFUNDED = "refunded"


class RedemptionState(StrEnum):
    """The life of a use."""

    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    VOIDED = "voided"


class Validity(StrEnum):
    """From when to when a voucher can be used."""

    FIXED = "fixed"
    HOURS_FROM_CLAIM = "hours_from_claim"
    DAYS_FROM_CLAIM = "days_from_claim"
    DAYS_FROM_RELEASE = "days_from_release"


class Account(StrEnum):
    """The kinds of ledger accounts."""

    TREASURY = "world:treasury"
    TREASURY_RETURN = "world:treasury_return"
    AVAILABLE = "campaign:available"
    UNISSUED = "round:unissued"
    HELD = "round:held"
    RELEASED = "round:released"
    PAYABLE = "campaign:payable"
    RECEIVABLE = "campaign:receivable"
    PAID = "campaign:paid"


class Campaign(Model):
    """活动: a bureau's budget and its rules."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    bureau = fields.ForeignKeyField(
        "livehub.Bureau", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    name = fields.CharField(max_length=60)
    issuer_name = fields.CharField(max_length=60)
    purpose = fields.CharField(max_length=120, default="")
    budget_fen = fields.BigIntField()
    refund_preset = fields.CharField(max_length=16)
    min_pay_fen = fields.BigIntField(default=1)
    status = fields.CharEnumField(CampaignStatus, max_length=12, default=CampaignStatus.DRAFT)
    suspended = fields.BooleanField(default=False)
    created_by_id = fields.BigIntField()  # a user; a token's id stands below zero
    submitted_by_id = fields.BigIntField(default=0)  # the same, 0: not yet sent for the countersign
    approved_by_id = fields.BigIntField(default=0)
    approved_at = InstantField(null=True)
    version = fields.IntField(default=1)
    created_at = InstantField()

    class Meta:
        table = "campaign"


class Round(Model):
    """轮次: one claim window of a campaign."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    campaign = fields.ForeignKeyField(
        "livehub.Campaign", on_delete=fields.RESTRICT, related_name="rounds", db_index=True
    )
    seq = fields.IntField()
    mode = fields.CharField(max_length=8, default="rush")  # rush | lottery | direct
    claim_from = InstantField()
    claim_until = InstantField()
    status = fields.CharEnumField(RoundStatus, max_length=12, default=RoundStatus.SCHEDULED)

    class Meta:
        table = "campaign_round"
        unique_together = (("campaign_id", "seq"),)


class Template(Model):
    """券种: face, threshold, validity and how many there are."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    round = fields.ForeignKeyField(
        "livehub.Round", on_delete=fields.RESTRICT, related_name="templates", db_index=True
    )
    name = fields.CharField(max_length=60)
    face_fen = fields.BigIntField()
    threshold_fen = fields.BigIntField()
    quantity = fields.IntField()
    issued = fields.IntField(default=0)
    redeemed = fields.IntField(default=0)
    validity = fields.CharEnumField(Validity, max_length=20)
    validity_n = fields.IntField(default=0)  # hours or days
    valid_from = InstantField(null=True)  # of FIXED
    valid_until = InstantField(null=True)  # of FIXED, exclusive
    released_at = InstantField(null=True)
    merchants_only = fields.BooleanField(default=False)
    rules = fields.TextField(default="{}")  # rule name -> parameters, JSON

    class Meta:
        table = "voucher_template"


class Drop(Model):
    """投放: vouchers put out during a broadcast, quantity is a guarded counter."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    broadcast = fields.ForeignKeyField(
        "livehub.Broadcast", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    template = fields.ForeignKeyField(
        "livehub.Template", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    pack_id = fields.BigIntField(default=0)  # 0: none; else ``template`` is the first of the pack's
    vouchers_each = fields.IntField(default=1)  # vouchers in a claim: those of a pack
    quantity = fields.IntField()  # of claims
    claimed = fields.IntField(default=0)
    opens_at = InstantField()
    closes_at = InstantField()
    state = fields.CharField(max_length=8, default="planned")  # planned | open | closed
    cue_ref = fields.CharField(max_length=16, default="")
    opened_by = fields.CharField(max_length=80, default="")

    class Meta:
        table = "voucher_drop"


class ClaimLink(Model):
    """领券链接: public, carries attribution, never a right."""

    id = fields.BigIntField(primary_key=True)
    slug = fields.CharField(max_length=16, unique=True)
    centre = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    broadcast = fields.ForeignKeyField(
        "livehub.Broadcast", on_delete=fields.RESTRICT, related_name=False, null=True, db_index=True
    )
    round = fields.ForeignKeyField(
        "livehub.Round", on_delete=fields.RESTRICT, related_name=False, null=True, db_index=True
    )
    streamer = fields.ForeignKeyField(
        "livehub.Streamer", on_delete=fields.RESTRICT, related_name=False, null=True, db_index=True
    )
    platform = fields.CharField(max_length=32, default="")
    quota = fields.IntField(default=0)  # of claims; 0: no limit of its own
    claims = fields.IntField(default=0)
    clicks = fields.BigIntField(default=0)
    created_at = InstantField()

    class Meta:
        table = "claim_link"


class Claimant(Model):
    """消费者: the keyed hash of a verified phone, the phone itself is sealed."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    person_key = DigestField()
    phone_sealed = fields.BinaryField(null=True)
    created_at = InstantField()

    class Meta:
        table = "claimant"
        unique_together = (("centre_id", "person_key"),)


class ClaimSlot(Model):
    """The person limit: the n-th voucher of one person in one round, it stays used."""

    id = fields.BigIntField(primary_key=True)
    round_id = fields.BigIntField()
    template_id = fields.BigIntField()  # a pack's id stands below zero
    platform = fields.CharField(max_length=32, default="")
    person_key = DigestField()
    n = fields.IntField()

    class Meta:
        table = "claim_slot"
        unique_together = (("round_id", "template_id", "platform", "person_key", "n"),)


class Voucher(Model):
    """券: one person's right to a subsidy."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    code_index = DigestField(unique=True)
    code_sealed = fields.BinaryField()
    template = fields.ForeignKeyField(
        "livehub.Template", on_delete=fields.RESTRICT, related_name=False
    )  # found by voucher_of_template, in the order in which they expire
    campaign_id = fields.BigIntField()
    round_id = fields.BigIntField()
    claimant = fields.ForeignKeyField(
        "livehub.Claimant", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    link_id = fields.BigIntField(default=0)
    drop_id = fields.BigIntField(default=0)
    broadcast_id = fields.BigIntField(default=0, db_index=True)
    streamer_id = fields.BigIntField(default=0)
    claimed_at = InstantField()
    valid_from = InstantField()
    valid_until = InstantField()  # exclusive
    state = fields.CharEnumField(VoucherState, max_length=10)
    locked_until = InstantField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "voucher"


class MerchantEnrolment(Model):
    """A merchant's part in a campaign."""

    id = fields.BigIntField(primary_key=True)
    campaign = fields.ForeignKeyField(
        "livehub.Campaign", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    merchant = fields.ForeignKeyField(
        "livehub.Merchant", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    status = fields.CharEnumField(EnrolmentStatus, max_length=10, default=EnrolmentStatus.APPROVED)
    asked_by = fields.CharField(max_length=80, default="")  # '': the bureau took it in unasked
    asked_at = InstantField(null=True)
    decided_by = fields.CharField(max_length=80, default="")
    decided_at = InstantField(null=True)
    reason = fields.CharField(max_length=200, default="")  # of a rejection or suspension

    class Meta:
        table = "merchant_enrolment"
        unique_together = (("campaign_id", "merchant_id"),)


class Redemption(Model):
    """核销: one use of one voucher on one order."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    voucher = fields.ForeignKeyField(
        "livehub.Voucher", on_delete=fields.RESTRICT, related_name=False
    )  # found by redemption_one_live_per_voucher
    campaign_id = fields.BigIntField(db_index=True)
    template_id = fields.BigIntField()
    claimant_id = fields.BigIntField(default=0)
    merchant_id = fields.BigIntField(default=0)  # found by redemption_of_merchant, by time
    nth = fields.IntField(default=0)  # use of this person at this merchant, whatever became of it
    store_id = fields.BigIntField(default=0)
    user_id = fields.BigIntField(default=0)
    shop_id = fields.BigIntField(default=0)
    platform = fields.CharField(max_length=32)
    order_no = fields.CharField(max_length=64)
    order_fen = fields.BigIntField()
    subsidy_fen = fields.BigIntField()
    paid_fen = fields.BigIntField()
    state = fields.CharEnumField(RedemptionState, max_length=20)
    at = InstantField()
    message_id = fields.BigIntField(default=0)  # the inbox message that carried the code, or the offline fact
    refunded_fen = fields.BigIntField(default=0)  # of order_fen, by all its refunds
    recovered_fen = fields.BigIntField(default=0)  # of subsidy_fen, by all its refunds
    settled_at = InstantField(null=True)  # its batch was submitted: from then on a refund is owed back

    class Meta:
        table = "redemption"


class LedgerAccount(Model):
    """One account of the double-entry ledger, 0 where a dimension does not apply."""

    id = fields.BigIntField(primary_key=True)
    kind = fields.CharEnumField(Account, max_length=24)
    campaign_id = fields.BigIntField()
    round_id = fields.BigIntField(default=0)
    merchant_id = fields.BigIntField(default=0)
    balance_fen = fields.BigIntField(default=0)

    class Meta:
        table = "ledger_account"
        unique_together = (("campaign_id", "kind", "round_id", "merchant_id"),)


class LedgerEntry(Model):
    """One posting from one account to another: it balances by its shape. Append-only."""

    id = fields.BigIntField(primary_key=True)
    at = InstantField()
    campaign_id = fields.BigIntField(db_index=True)
    debit_id = fields.BigIntField()  # the account the money leaves
    credit_id = fields.BigIntField()  # the account it enters
    amount_fen = fields.BigIntField()
    kind = fields.CharField(
        max_length=20
    )  # fund | allocate | claim | redeem | remainder | expire | close ...
    voucher_id = fields.BigIntField(default=0)
    redemption_id = fields.BigIntField(default=0)

    class Meta:
        table = "ledger_entry"


class IdempotencyRecord(Model):
    """The answer first given to a key, so that its repetition is answered alike."""

    id = fields.BigIntField(primary_key=True)
    kind = fields.CharField(max_length=16)
    key = fields.CharField(max_length=80)
    body_hash = DigestField()
    answer = fields.TextField()
    created_at = InstantField()

    class Meta:
        table = "idempotency_record"
        unique_together = (("kind", "key"),)


class RefusalCount(Model):
    """How often claims were refused, by round, reason and minute."""

    id = fields.BigIntField(primary_key=True)
    round_id = fields.BigIntField()
    reason = fields.CharField(max_length=24)
    minute = InstantField()
    count = fields.IntField()

    class Meta:
        table = "refusal_count"
        unique_together = (("round_id", "reason", "minute"),)
