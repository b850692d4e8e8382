"""Cases: what looked wrong, what stands behind it and what was said; holds may belong to one."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DayField, DigestField, InstantField
from livehub.database.operations import (
    AddNumber,
    CreateModels,
    DropFieldIndex,
    PerDialect,
    append_only,
    check,
    index,
    together,
    unique_where,
)
from livehub.settlement.case_models import CaseState, Subject

# Several cases may hold back one redemption: each lifts its own.
_HOLDS_ANEW = PerDialect(
    postgres=[
        "DROP INDEX settlement_hold_one",
        "ALTER TABLE settlement_hold DROP CONSTRAINT settlement_hold_of_one",
    ],
    sqlite=[
        "DROP INDEX settlement_hold_one",
        *(f"DROP TRIGGER settlement_hold_of_one_{verb}" for verb in ("insert", "update")),
    ],
)


class Migration(migrations.Migration):
    dependencies = [("livehub", "0026_sharing")]

    operations = [
        CreateModels(
            ops.CreateModel(
                name='IntegrityCase',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('public_id', fields.CharField(unique=True, max_length=16)),
                    ('centre_id', fields.BigIntField()),
                    ('bureau_id', fields.BigIntField()),
                    ('rule', fields.CharField(max_length=24)),
                    ('rule_version', fields.IntField(default=0)),
                    ('params', fields.TextField(default='{}', unique=False)),
                    ('subject', fields.CharEnumField(description='MERCHANT: merchant\nBROADCAST: broadcast\nREDEMPTION: redemption\nVOUCHER: voucher', enum_type=Subject, max_length=10)),
                    ('subject_id', fields.BigIntField()),
                    ('day', DayField(generated=False, null=False, unique=False)),
                    ('signals', fields.TextField(default='[]', unique=False)),
                    ('state', fields.CharEnumField(default=CaseState.OPEN, description='OPEN: open\nLOOKED_AT: looked_at\nRELEASED: released\nCONFIRMED: confirmed', enum_type=CaseState, max_length=10)),
                    ('opened_by_id', fields.BigIntField(default=0)),
                    ('opened_by', fields.CharField(default='', max_length=80)),
                    ('opened_at', InstantField(generated=False, null=False, unique=False)),
                    ('looked_by_id', fields.BigIntField(default=0)),
                    ('looked_by', fields.CharField(default='', max_length=80)),
                    ('looked_at', InstantField(null=True, generated=False, unique=False)),
                    ('ended_by_id', fields.BigIntField(default=0)),
                    ('ended_by', fields.CharField(default='', max_length=80)),
                    ('ended_at', InstantField(null=True, generated=False, unique=False)),
                ],
                options={'table': 'integrity_case', 'app': 'livehub', 'unique_together': (('rule', 'subject', 'subject_id', 'bureau_id', 'day'),), 'indexes': [Index(fields=['centre_id', 'state']), Index(fields=['subject', 'subject_id'])], 'pk_attr': 'id', 'table_description': '核查案件: opened by a rule or a person, it holds back settlement until two people release it.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='CaseRow',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('case_id', fields.BigIntField()),
                    ('kind', fields.CharField(max_length=10)),
                    ('row_id', fields.BigIntField()),
                ],
                options={'table': 'case_row', 'app': 'livehub', 'unique_together': (('case_id', 'kind', 'row_id'),), 'pk_attr': 'id', 'table_description': "One redemption, order or late redemption behind a case's signals. Append-only."},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='CaseNote',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('case_id', fields.BigIntField(db_index=True)),
                    ('step', fields.CharField(max_length=10)),
                    ('text', fields.CharField(max_length=200)),
                    ('by_id', fields.BigIntField()),
                    ('by_name', fields.CharField(max_length=80)),
                    ('at', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'case_note', 'app': 'livehub', 'pk_attr': 'id', 'table_description': 'What somebody said to a case, and with which step. Append-only.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='MerchantPhone',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('merchant_id', fields.BigIntField()),
                    ('person_key', DigestField(generated=False, null=False, unique=False)),
                    ('masked', fields.CharField(max_length=16)),
                    ('noted_by', fields.CharField(max_length=80)),
                    ('noted_at', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'merchant_phone', 'app': 'livehub', 'unique_together': (('merchant_id', 'person_key'),), 'pk_attr': 'id', 'table_description': 'A phone of somebody who works for a merchant: its blind index and how it is shown, never the number.'},
                bases=['Model'],
            ),
        ),
        AddNumber("SettlementHold", "broadcast_id", fields.BigIntField(default=0), table="settlement_hold"),
        AddNumber("SettlementHold", "case_id", fields.BigIntField(default=0), table="settlement_hold"),
        DropFieldIndex(
            "Redemption", "merchant_id", fields.BigIntField(default=0), index="idx_redemption_merchan_a94741"
        ),
        together(
            _HOLDS_ANEW,
            unique_where(
                "settlement_hold",
                "settlement_hold_one",
                "redemption_id, merchant_id, broadcast_id, case_id",
                "lifted_at IS NULL",
            ),
            check(
                "settlement_hold",
                "settlement_hold_of_one",
                "(CASE WHEN {new}merchant_id > 0 THEN 1 ELSE 0 END)"
                " + (CASE WHEN {new}redemption_id > 0 THEN 1 ELSE 0 END)"
                " + (CASE WHEN {new}broadcast_id > 0 THEN 1 ELSE 0 END) = 1",
            ),
            index("settlement_hold", "settlement_hold_of_case", "case_id", "case_id > 0"),
            index("redemption", "redemption_of_merchant", "merchant_id, at"),
            check(
                "integrity_case",
                "integrity_case_steps",
                "({new}state = 'open' OR {new}looked_at IS NOT NULL)"
                " AND ({new}state NOT IN ('released', 'confirmed') OR {new}ended_at IS NOT NULL)",
            ),
            check(
                "integrity_case",
                "integrity_case_two_people",
                "{new}state <> 'released' OR ({new}looked_by_id <> {new}ended_by_id"
                " AND {new}opened_by_id <> {new}ended_by_id)",
            ),
            append_only("case_row"),
            append_only("case_note"),
        ),
    ]
