"""Statements as they were uploaded, their rows, what is settled of each order line, and every difference."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DayField, DigestField, InstantField


class StatementState(StrEnum):
    """A file is looked at first; importing goes on where it stopped until every row is in."""

    DRAFT = "draft"
    IMPORTING = "importing"
    IMPORTED = "imported"


class DifferenceState(StrEnum):
    """What does not agree is explained by somebody, or closes itself when it agrees after all."""

    OPEN = "open"
    EXPLAINED = "explained"
    CLOSED = "closed"


class SettlementStatement(Model):
    """结算单: one file of one shop, whose bytes are sealed in its pieces."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre_id = fields.BigIntField()
    shop_id = fields.BigIntField()
    source = fields.CharField(max_length=32)
    name = fields.CharField(max_length=120)
    sha256 = DigestField()
    size = fields.BigIntField()  # bytes
    encoding = fields.CharField(max_length=16)
    state = fields.CharField(max_length=12)
    rows = fields.IntField()
    skipped = fields.IntField()  # sums at the end
    wrong = fields.IntField()
    mistakes = fields.TextField()  # JSON of the first reading.Wrong
    sales_fen = fields.BigIntField()
    fee_fen = fields.BigIntField()
    commission_fen = fields.BigIntField()
    freight_fen = fields.BigIntField()
    other_fen = fields.BigIntField()
    first_day = DayField(null=True)
    last_day = DayField(null=True)
    repeated = fields.IntField()  # rows that an earlier file had already
    unknown = fields.IntField()  # rows whose order was not known when the file was looked at
    made_by = fields.CharField(max_length=80)
    made_at = InstantField()
    imported_by = fields.CharField(max_length=80, default="")
    imported_at = InstantField(null=True)

    class Meta:
        table = "settlement_statement"
        unique_together = (("shop_id", "sha256"),)
        indexes = (("centre_id", "made_at"),)


class StatementPiece(Model):
    """A part of the bytes of a statement, packed and sealed."""

    id = fields.BigIntField(primary_key=True)
    statement_id = fields.BigIntField()
    number = fields.IntField()
    body_sealed = fields.BinaryField()

    class Meta:
        table = "statement_piece"
        unique_together = (("statement_id", "number"),)


class StatementLine(Model):
    """One row of a statement, there once however many files have it. Append-only."""

    id = fields.BigIntField(primary_key=True)
    statement_id = fields.BigIntField()
    centre_id = fields.BigIntField()
    shop_id = fields.BigIntField()
    line = fields.IntField()  # of the file
    digest = DigestField()
    order_ref = fields.CharField(max_length=64)
    line_ref = fields.CharField(max_length=64)
    entry_ref = fields.CharField(max_length=64)
    settled_on = DayField()
    sales_fen = fields.BigIntField()
    fee_fen = fields.BigIntField()
    commission_fen = fields.BigIntField()
    freight_fen = fields.BigIntField()
    other_fen = fields.BigIntField()

    class Meta:
        table = "statement_line"
        unique_together = (("shop_id", "digest"),)
        indexes = (("statement_id", "line"), ("shop_id", "order_ref"))


class SettledMark(Model):
    """So much of an order line is settled by a row of a statement: G4 is their sum. Append-only."""

    id = fields.BigIntField(primary_key=True)
    statement_line_id = fields.BigIntField()
    statement_id = fields.BigIntField()
    order_id = fields.BigIntField()
    line_ref = fields.CharField(max_length=64)
    fen = fields.BigIntField()
    at = InstantField()

    class Meta:
        table = "settled_mark"
        unique_together = (("statement_line_id", "line_ref"),)
        indexes = (("order_id", "line_ref"), ("statement_id",))


class SettlementDifference(Model):
    """What a statement and the books do not agree on, of an order line or of a row nobody can match."""

    id = fields.BigIntField(primary_key=True)
    centre_id = fields.BigIntField()
    shop_id = fields.BigIntField()
    statement_id = fields.BigIntField()  # the last that had a part in it
    kind = fields.CharField(max_length=12)  # not_found | no_line | differs | twice | over
    statement_line_id = fields.BigIntField(default=0)  # of a row that is not matched
    order_id = fields.BigIntField(default=0)
    line_ref = fields.CharField(max_length=64, default="")
    net_fen = fields.BigIntField()  # what the books say: G2 less refunds
    settled_fen = fields.BigIntField()
    state = fields.CharField(max_length=12)
    opened_at = InstantField()
    reason = fields.CharField(max_length=200, default="")
    explained_by = fields.CharField(max_length=80, default="")
    explained_at = InstantField(null=True)
    closed_at = InstantField(null=True)

    class Meta:
        table = "settlement_difference"
        indexes = (("centre_id", "state"), ("statement_id",), ("order_id", "line_ref"))
