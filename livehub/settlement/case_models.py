"""What looked wrong, what was found behind it, and what people said and decided."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DayField, DigestField, InstantField

BY_HAND = "by_hand"  # stands where a rule's name does


class CaseState(StrEnum):
    """The life of a case."""

    OPEN = "open"
    LOOKED_AT = "looked_at"
    RELEASED = "released"
    CONFIRMED = "confirmed"


class Subject(StrEnum):
    """What a case is about."""

    MERCHANT = "merchant"
    BROADCAST = "broadcast"
    REDEMPTION = "redemption"
    VOUCHER = "voucher"


class IntegrityCase(Model):
    """核查案件: opened by a rule or a person, it holds back settlement until two people release it."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre_id = fields.BigIntField()
    bureau_id = fields.BigIntField()  # whose money it is about
    rule = fields.CharField(max_length=24)
    rule_version = fields.IntField(default=0)
    params = fields.TextField(default="{}")  # JSON: the thresholds the rule was asked with
    subject = fields.CharEnumField(Subject, max_length=10)
    subject_id = fields.BigIntField()
    day = DayField()
    signals = fields.TextField(default="[]")  # JSON: signals.CaseFigure, as they stood when it was opened
    state = fields.CharEnumField(CaseState, max_length=10, default=CaseState.OPEN)
    opened_by_id = fields.BigIntField(default=0)  # 0: a rule
    opened_by = fields.CharField(max_length=80, default="")
    opened_at = InstantField()
    looked_by_id = fields.BigIntField(default=0)
    looked_by = fields.CharField(max_length=80, default="")
    looked_at = InstantField(null=True)
    ended_by_id = fields.BigIntField(default=0)
    ended_by = fields.CharField(max_length=80, default="")
    ended_at = InstantField(null=True)

    class Meta:
        table = "integrity_case"
        unique_together = (("rule", "subject", "subject_id", "bureau_id", "day"),)
        indexes = (("centre_id", "state"), ("subject", "subject_id"))


class CaseRow(Model):
    """One redemption, order or late redemption behind a case's signals. Append-only."""

    id = fields.BigIntField(primary_key=True)
    case_id = fields.BigIntField()
    kind = fields.CharField(max_length=10)  # redemption | order | late
    row_id = fields.BigIntField()

    class Meta:
        table = "case_row"
        unique_together = (("case_id", "kind", "row_id"),)


class CaseNote(Model):
    """What somebody said to a case, and with which step. Append-only."""

    id = fields.BigIntField(primary_key=True)
    case_id = fields.BigIntField(db_index=True)
    step = fields.CharField(max_length=10)  # open | note | look | release | confirm
    text = fields.CharField(max_length=200)
    by_id = fields.BigIntField()
    by_name = fields.CharField(max_length=80)
    at = InstantField()

    class Meta:
        table = "case_note"


class MerchantPhone(Model):
    """A phone of somebody who works for a merchant: its blind index and how it is shown, never the number."""

    id = fields.BigIntField(primary_key=True)
    merchant_id = fields.BigIntField()
    person_key = DigestField()
    masked = fields.CharField(max_length=16)
    noted_by = fields.CharField(max_length=80)
    noted_at = InstantField()

    class Meta:
        table = "merchant_phone"
        unique_together = (("merchant_id", "person_key"),)
