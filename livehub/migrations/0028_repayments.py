"""Money that merchants pay back: each receipt stands once, and two people stand behind what is confirmed."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DayField, InstantField
from livehub.database.operations import CreateModels, check, together, unique_where
from livehub.settlement.repayment_models import RepaymentState


class Migration(migrations.Migration):
    dependencies = [("livehub", "0027_cases")]

    operations = [
        CreateModels(
            ops.CreateModel(
                name="SettlementRepayment",
                fields=[
                    ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ("public_id", fields.CharField(unique=True, max_length=16)),
                    ("centre_id", fields.BigIntField()),
                    ("campaign_id", fields.BigIntField()),
                    ("merchant_id", fields.BigIntField(default=0)),
                    ("shop_id", fields.BigIntField(default=0)),
                    ("amount_fen", fields.BigIntField()),
                    ("reference", fields.CharField(max_length=60)),
                    ("received_on", DayField(generated=False, null=False, unique=False)),
                    (
                        "state",
                        fields.CharEnumField(
                            default=RepaymentState.NOTED,
                            description="NOTED: noted\nCONFIRMED: confirmed\nWITHDRAWN: withdrawn",
                            enum_type=RepaymentState,
                            max_length=10,
                        ),
                    ),
                    ("noted_by_id", fields.BigIntField()),
                    ("noted_by", fields.CharField(max_length=80)),
                    ("noted_at", InstantField(generated=False, null=False, unique=False)),
                    ("decided_by_id", fields.BigIntField(default=0)),
                    ("decided_by", fields.CharField(default="", max_length=80)),
                    ("decided_at", InstantField(generated=False, null=True, unique=False)),
                    ("reason", fields.CharField(default="", max_length=200)),
                ],
                options={
                    "table": "settlement_repayment",
                    "app": "livehub",
                    "indexes": [Index(fields=["campaign_id", "merchant_id", "shop_id"])],
                    "pk_attr": "id",
                    "table_description": "应退收款: what a payee of a campaign paid back of what she owed, in the ledger once confirmed.",
                },
                bases=["Model"],
            ),
        ),
        together(
            unique_where(
                "settlement_repayment",
                "settlement_repayment_one_receipt",
                "centre_id, reference",
                "state <> 'withdrawn'",
            ),
            check("settlement_repayment", "settlement_repayment_amount", "{new}amount_fen > 0"),
            check(
                "settlement_repayment",
                "settlement_repayment_two",
                "({new}state = 'noted') = ({new}decided_at IS NULL) AND ({new}state <> 'confirmed'"
                " OR ({new}decided_by_id > 0 AND {new}decided_by_id <> {new}noted_by_id))",
            ),
        ),
    ]
