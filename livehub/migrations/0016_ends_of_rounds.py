"""What happens after a voucher's time: sweeps, rounds that roll over, orders that are told too late.

The index of a template's vouchers is replaced, not added to: it also knows when they expire, which never
changes, so a voucher's second writing still stays in its page.
"""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from livehub.database.fields import InstantField
from livehub.database.operations import CreateModels, DropFieldIndex, SameColumn, check, index
from livehub.vouchers.models import RoundStatus


def _id() -> tuple[str, object]:
    return ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True))


class Migration(migrations.Migration):
    dependencies = [("livehub", "0015_refunds")]

    operations = [
        CreateModels(
            ops.CreateModel(
                name="RoundRollover",
                fields=[
                    _id(),
                    ("source_id", fields.BigIntField(unique=True)),
                    ("target_id", fields.BigIntField(db_index=True)),
                    ("amount_fen", fields.BigIntField(default=0)),
                    ("rolled_at", InstantField(null=True)),
                ],
                options={
                    "table": "round_rollover",
                    "app": "livehub",
                    "pk_attr": "id",
                    "table_description": "滚存: what a round leaves goes into a later one of its campaign, once.",
                },
                bases=["Model"],
            ),
            ops.CreateModel(
                name="ExpirySweep",
                fields=[_id(), ("template_id", fields.BigIntField(unique=True)), ("until", InstantField())],
                options={
                    "table": "expiry_sweep",
                    "app": "livehub",
                    "pk_attr": "id",
                    "table_description": "Up to when a template's vouchers were looked at by the sweep: it need not look at them again.",
                },
                bases=["Model"],
            ),
            ops.CreateModel(
                name="LateRedemption",
                fields=[
                    _id(),
                    ("voucher_id", fields.BigIntField()),
                    ("campaign_id", fields.BigIntField(db_index=True)),
                    ("platform", fields.CharField(max_length=32)),
                    ("shop_id", fields.BigIntField()),
                    ("order_no", fields.CharField(max_length=64)),
                    ("order_fen", fields.BigIntField()),
                    ("subsidy_fen", fields.BigIntField()),
                    ("paid_at", InstantField()),
                    ("seen_at", InstantField()),
                ],
                options={
                    "table": "late_redemption",
                    "app": "livehub",
                    "unique_together": (("voucher_id", "platform", "shop_id", "order_no"),),
                    "pk_attr": "id",
                    "table_description": "迟到核销: an order that was told after the money of its voucher was free. It moves nothing.",
                },
                bases=["Model"],
            ),
        ),
        SameColumn(
            "Round",
            "status",
            fields.CharEnumField(
                description="SCHEDULED: scheduled\nOPEN: open\nCLOSED: closed\nFINISHED: finished\nROLLED: rolled\nRETURNED: returned",
                default=RoundStatus.SCHEDULED,
                enum_type=RoundStatus,
                max_length=12,
            ),
        ),
        check("round_rollover", "round_rollover_forward", "{new}source_id <> {new}target_id AND {new}amount_fen >= 0"),
        index("voucher", "voucher_of_template", "template_id, valid_until"),
        DropFieldIndex(
            "Voucher",
            "template",
            fields.ForeignKeyField(
                "livehub.Template",
                source_field="template_id",
                db_index=False,
                db_constraint=True,
                to_field="id",
                related_name=False,
                on_delete=OnDelete.RESTRICT,
            ),
            index="idx_voucher_templat_b2a0eb",
        ),
    ]
