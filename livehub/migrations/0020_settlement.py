"""Settlement of what merchants are owed: batches, their lines and files, and what is held back."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DayField, DigestField, InstantField
from livehub.database.operations import CreateModels, PerDialect, append_only, check, together, unique_where
from livehub.settlement.models import BatchState

# The lines of a batch are what its file says: they come and go while it is a draft, and none changes.
_DRAFT = "(SELECT b.state FROM settlement_batch b WHERE b.id = {row}.batch_id) = 'draft'"
_FIXED = PerDialect(
    postgres=[
        (
            "CREATE FUNCTION settlement_line_fixed() RETURNS trigger LANGUAGE plpgsql AS $$"
            " DECLARE wanted bigint; BEGIN"
            " IF TG_OP = 'UPDATE' THEN RAISE EXCEPTION 'settlement_line_fixed: a line never changes' USING ERRCODE = '23514'; END IF;"
            " IF TG_OP = 'DELETE' THEN wanted := OLD.batch_id; ELSE wanted := NEW.batch_id; END IF;"
            " IF (SELECT state FROM settlement_batch WHERE id = wanted) IS DISTINCT FROM 'draft'"
            " THEN RAISE EXCEPTION 'settlement_line_fixed: its batch was sent' USING ERRCODE = '23514'; END IF;"
            " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
        ),
        (
            "CREATE TRIGGER settlement_line_fixed BEFORE INSERT OR UPDATE OR DELETE ON settlement_line"
            " FOR EACH ROW EXECUTE FUNCTION settlement_line_fixed()"
        ),
    ],
    sqlite=[
        (
            "CREATE TRIGGER settlement_line_fixed_insert BEFORE INSERT ON settlement_line BEGIN"
            " SELECT RAISE(ABORT, 'settlement_line_fixed: its batch was sent')"
            f" WHERE {_DRAFT.format(row='NEW')} IS NOT 1; END"
        ),
        (
            "CREATE TRIGGER settlement_line_fixed_delete BEFORE DELETE ON settlement_line BEGIN"
            " SELECT RAISE(ABORT, 'settlement_line_fixed: its batch was sent')"
            f" WHERE {_DRAFT.format(row='OLD')} IS NOT 1; END"
        ),
        (
            "CREATE TRIGGER settlement_line_fixed_update BEFORE UPDATE ON settlement_line BEGIN"
            " SELECT RAISE(ABORT, 'settlement_line_fixed: a line never changes'); END"
        ),
    ],
)


class Migration(migrations.Migration):
    dependencies = [("livehub", "0019_reconciliation")]

    operations = [
        CreateModels(
            ops.CreateModel(
                name="SettlementBatch",
                fields=[
                    ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ("public_id", fields.CharField(unique=True, max_length=16)),
                    ("centre_id", fields.BigIntField()),
                    ("number", fields.IntField()),
                    ("campaign_id", fields.BigIntField()),
                    ("merchant_id", fields.BigIntField(default=0)),
                    ("shop_id", fields.BigIntField(default=0)),
                    ("day", DayField(generated=False, null=False, unique=False)),
                    (
                        "state",
                        fields.CharEnumField(
                            description="DRAFT: draft\nSUBMITTED: submitted\nDISPUTED: disputed\nCONFIRMED: confirmed\nPAID: paid",
                            enum_type=BatchState,
                            max_length=10,
                        ),
                    ),
                    ("version", fields.IntField(default=0)),
                    ("redeemed_fen", fields.BigIntField(default=0)),
                    ("recovered_fen", fields.BigIntField(default=0)),
                    ("late_fen", fields.BigIntField(default=0)),
                    ("carried_in_fen", fields.BigIntField(default=0)),
                    ("net_fen", fields.BigIntField(default=0)),
                    ("pay_fen", fields.BigIntField(default=0)),
                    ("sha256", DigestField(generated=False, null=True, unique=False)),
                    ("made_at", InstantField(generated=False, null=False, unique=False)),
                    ("submitted_by_id", fields.BigIntField(default=0)),
                    ("submitted_by", fields.CharField(default="", max_length=80)),
                    ("submitted_at", InstantField(generated=False, null=True, unique=False)),
                    ("confirmed_by", fields.CharField(default="", max_length=80)),
                    ("confirmed_at", InstantField(generated=False, null=True, unique=False)),
                    ("reason", fields.CharField(default="", max_length=200)),
                    ("answer", fields.CharField(default="", max_length=200)),
                    ("disputed_by", fields.CharField(default="", max_length=80)),
                    ("disputed_at", InstantField(generated=False, null=True, unique=False)),
                    ("paid_by", fields.CharField(default="", max_length=80)),
                    ("paid_at", InstantField(generated=False, null=True, unique=False)),
                    ("payment_ref", fields.CharField(default="", max_length=60)),
                ],
                options={
                    "table": "settlement_batch",
                    "app": "livehub",
                    "unique_together": (
                        ("campaign_id", "merchant_id", "shop_id", "day"),
                        ("centre_id", "number"),
                    ),
                    "indexes": [Index(fields=["merchant_id", "state"])],
                    "pk_attr": "id",
                    "table_description": "结算批次: what one merchant is owed by one campaign, up to the end of one day.",
                },
                bases=["Model"],
            ),
            ops.CreateModel(
                name="SettlementLine",
                fields=[
                    ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ("batch_id", fields.BigIntField(db_index=True)),
                    ("redemption_id", fields.BigIntField()),
                    ("refund_id", fields.BigIntField(default=0)),
                    ("amount_fen", fields.BigIntField()),
                    ("late", fields.BooleanField(default=False)),
                ],
                options={
                    "table": "settlement_line",
                    "app": "livehub",
                    "unique_together": (("redemption_id", "refund_id"),),
                    "pk_attr": "id",
                    "table_description": "结算明细: a redemption (positive) or one clawback of it (negative), in exactly one batch.",
                },
                bases=["Model"],
            ),
            ops.CreateModel(
                name="SettlementFile",
                fields=[
                    ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ("batch_id", fields.BigIntField()),
                    ("version", fields.IntField()),
                    ("name", fields.CharField(max_length=120)),
                    ("sha256", DigestField(generated=False, null=False, unique=False)),
                    ("body", fields.BinaryField(unique=False)),
                    ("made_at", InstantField(generated=False, null=False, unique=False)),
                    ("made_by", fields.CharField(max_length=80)),
                ],
                options={
                    "table": "settlement_file",
                    "app": "livehub",
                    "unique_together": (("batch_id", "version"),),
                    "pk_attr": "id",
                    "table_description": "结算文件: the bytes that were submitted, and their SHA-256. Append-only.",
                },
                bases=["Model"],
            ),
            ops.CreateModel(
                name="SettlementHold",
                fields=[
                    ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ("public_id", fields.CharField(unique=True, max_length=16)),
                    ("centre_id", fields.BigIntField(db_index=True)),
                    ("merchant_id", fields.BigIntField(default=0)),
                    ("redemption_id", fields.BigIntField(default=0)),
                    ("reason", fields.CharField(max_length=200)),
                    ("placed_by_id", fields.BigIntField()),
                    ("placed_by", fields.CharField(max_length=80)),
                    ("placed_at", InstantField(generated=False, null=False, unique=False)),
                    ("lifted_by", fields.CharField(default="", max_length=80)),
                    ("lifted_at", InstantField(generated=False, null=True, unique=False)),
                ],
                options={
                    "table": "settlement_hold",
                    "app": "livehub",
                    "pk_attr": "id",
                    "table_description": "暂缓结算: a merchant, or one redemption, is left out of batches until somebody lifts it.",
                },
                bases=["Model"],
            ),
        ),
        together(
            check(
                "settlement_batch",
                "settlement_batch_amounts",
                "{new}redeemed_fen >= 0 AND {new}recovered_fen BETWEEN 0 AND {new}redeemed_fen AND {new}late_fen >= 0"
                " AND {new}net_fen >= 0 AND {new}pay_fen >= 0 AND {new}net_fen <= {new}carried_in_fen + {new}late_fen"
                " AND {new}pay_fen = {new}redeemed_fen - {new}recovered_fen - {new}net_fen",
            ),
            check(
                "settlement_batch",
                "settlement_batch_steps",
                "({new}state = 'draft' OR ({new}version > 0 AND {new}sha256 IS NOT NULL AND {new}submitted_at IS NOT NULL))"
                " AND ({new}state <> 'paid' OR {new}paid_at IS NOT NULL)",
            ),
            check(
                "settlement_line",
                "settlement_line_sign",
                "({new}refund_id = 0 AND {new}amount_fen > 0 AND NOT {new}late)"
                " OR ({new}refund_id > 0 AND {new}amount_fen < 0)",
            ),
            _FIXED,
            append_only("settlement_file"),
            unique_where(
                "settlement_hold", "settlement_hold_one", "merchant_id, redemption_id", "lifted_at IS NULL"
            ),
            check(
                "settlement_hold",
                "settlement_hold_of_one",
                "({new}merchant_id > 0) <> ({new}redemption_id > 0)",
            ),
        ),
    ]
