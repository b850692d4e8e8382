"""Refunds of redemptions: one row each, and what they sum up to beside the redemption."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from livehub.database.fields import InstantField
from livehub.database.operations import AddNumber, PerDialect, append_only, check, together

# One trigger is replaced by one: SQLite asks each of them for each redemption.
_FORGET = PerDialect(
    postgres=["ALTER TABLE redemption DROP CONSTRAINT IF EXISTS redemption_amounts"],
    sqlite=[f"DROP TRIGGER IF EXISTS redemption_amounts_{verb}" for verb in ("insert", "update")],
)


class Migration(migrations.Migration):
    dependencies = [("livehub", "0014_repairs")]

    operations = [
        AddNumber("Redemption", "refunded_fen", fields.BigIntField(default=0), table="redemption"),
        AddNumber("Redemption", "recovered_fen", fields.BigIntField(default=0), table="redemption"),
        ops.AddField("Redemption", "settled_at", InstantField(null=True)),
        ops.CreateModel(
            name="RedemptionRefund",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "redemption",
                    fields.ForeignKeyField(
                        "livehub.Redemption",
                        source_field="redemption_id",
                        db_index=False,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("refund_no", fields.CharField(max_length=80)),
                ("voucher_id", fields.BigIntField(db_index=True)),
                ("campaign_id", fields.BigIntField(db_index=True)),
                ("refund_fen", fields.BigIntField()),
                ("cash_fen", fields.BigIntField()),
                ("clawback_fen", fields.BigIntField()),
                ("restored", fields.BooleanField()),
                ("fate", fields.CharField(max_length=8)),
                ("source", fields.CharField(max_length=8)),
                ("reason", fields.CharField(max_length=80, default="")),
                ("at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "redemption_refund",
                "app": "livehub",
                "unique_together": (("redemption_id", "refund_no"),),
                "pk_attr": "id",
                "table_description": "核销退款: one refund of a redeemed order, split between shopper and bureau. Append-only.",
            },
            bases=["Model"],
        ),
        together(
            _FORGET,
            check(
                "redemption",
                "redemption_amounts",
                "{new}subsidy_fen > 0 AND {new}paid_fen = {new}order_fen - {new}subsidy_fen AND {new}paid_fen > 0"
                " AND {new}refunded_fen BETWEEN 0 AND {new}order_fen"
                " AND {new}recovered_fen BETWEEN 0 AND {new}subsidy_fen",
            ),
            check(
                "redemption_refund",
                "redemption_refund_amounts",
                "{new}refund_fen > 0 AND {new}cash_fen >= 0 AND {new}clawback_fen >= 0"
                " AND {new}refund_fen = {new}cash_fen + {new}clawback_fen",
            ),
            append_only("redemption_refund"),
        ),
    ]
