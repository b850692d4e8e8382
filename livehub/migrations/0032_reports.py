"""Reports that a bureau signs, and the pack of each: a signed content never changes."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DayField, DigestField, InstantField
from livehub.database.operations import CreateModels, PerDialect, check
from livehub.reports.models import PackState, ReportState

_FIXED = ("centre_id", "bureau_id", "kind", "since", "until", "axis", "basis", "prepared_by_id", "prepared_by")
_SIGNED = ("as_of", "content", "sha256", "signed_by_id", "signed_by", "signed_at")
_CHANGED = " OR ".join(
    [f"NEW.{name} <> OLD.{name}" for name in _FIXED]
    + [f"(OLD.state <> 'draft' AND NEW.{name} {{differs}} OLD.{name})" for name in _SIGNED]
    + ["(OLD.state <> 'draft' AND NEW.state = 'draft')"]
)
_TOLD = "bureau_report_fixed: what was signed never changes"


class Migration(migrations.Migration):
    dependencies = [("livehub", "0031_unsettled")]

    operations = [
        CreateModels(
            ops.CreateModel(
                name='BureauReport',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('public_id', fields.CharField(unique=True, max_length=16)),
                    ('centre', fields.ForeignKeyField('livehub.Centre', source_field='centre_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('bureau', fields.ForeignKeyField('livehub.Bureau', source_field='bureau_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('kind', fields.CharField(max_length=24)),
                    ('since', DayField(generated=False, null=False, unique=False)),
                    ('until', DayField(generated=False, null=False, unique=False)),
                    ('axis', fields.CharField(max_length=8)),
                    ('basis', fields.CharField(max_length=2)),
                    ('state', fields.CharEnumField(default=ReportState.DRAFT, description='DRAFT: draft\nSIGNED: signed\nSUBMITTED: submitted\nRETURNED: returned', enum_type=ReportState, max_length=10)),
                    ('prepared_by_id', fields.BigIntField()),
                    ('prepared_by', fields.CharField(max_length=80)),
                    ('prepared_at', InstantField(generated=False, null=False, unique=False)),
                    ('as_of', InstantField(null=True, generated=False, unique=False)),
                    ('content', fields.TextField(default='', unique=False)),
                    ('sha256', DigestField(null=True, generated=False, unique=False)),
                    ('signed_by_id', fields.BigIntField(default=0)),
                    ('signed_by', fields.CharField(default='', max_length=80)),
                    ('signed_at', InstantField(null=True, generated=False, unique=False)),
                    ('submitted_by', fields.CharField(default='', max_length=80)),
                    ('submitted_at', InstantField(null=True, generated=False, unique=False)),
                    ('reference', fields.CharField(default='', max_length=60)),
                    ('returned_by', fields.CharField(default='', max_length=80)),
                    ('returned_at', InstantField(null=True, generated=False, unique=False)),
                    ('reason', fields.CharField(default='', max_length=200)),
                ],
                options={'table': 'bureau_report', 'app': 'livehub', 'indexes': [Index(fields=['bureau_id', 'since'])], 'pk_attr': 'id', 'table_description': '报表: one period of a bureau in one kind of form, a draft has no content of its own yet.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='ReportPack',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('report', fields.OneToOneField('livehub.BureauReport', source_field='report_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('state', fields.CharEnumField(default=PackState.WAITING, description='WAITING: waiting\nDONE: done\nFAILED: failed', enum_type=PackState, max_length=8)),
                    ('rows', fields.IntField(default=0)),
                    ('size', fields.BigIntField(default=0)),
                    ('sha256', DigestField(null=True, generated=False, unique=False)),
                    ('error', fields.CharField(default='', max_length=500)),
                    ('attempts', fields.IntField(default=0)),
                    ('lease_until', InstantField(default=0, generated=False, null=False, unique=False)),
                    ('lease_token', fields.BigIntField(default=0)),
                    ('made_at', InstantField(null=True, generated=False, unique=False)),
                ],
                options={'table': 'report_pack', 'app': 'livehub', 'indexes': [Index(fields=['state', 'lease_until'])], 'pk_attr': 'id', 'table_description': '资料包 of a signed report: made once by the jobs process, its bytes are in its pieces.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='ReportPackPiece',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('pack', fields.ForeignKeyField('livehub.ReportPack', source_field='pack_id', db_index=False, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('number', fields.IntField()),
                    ('body', fields.BinaryField()),
                ],
                options={'table': 'report_pack_piece', 'app': 'livehub', 'unique_together': (('pack_id', 'number'),), 'pk_attr': 'id', 'table_description': 'A part of the bytes of a pack, in their order.'},
                bases=['Model'],
            ),
        ),
        check("bureau_report", "bureau_report_forward", "{new}since < {new}until"),
        check(
            "bureau_report",
            "bureau_report_signed",
            "{new}state = 'draft' OR ({new}sha256 IS NOT NULL AND {new}as_of IS NOT NULL AND {new}signed_by_id <> 0"
            " AND {new}signed_by_id <> {new}prepared_by_id)",
        ),
        PerDialect(
            postgres=[
                (
                    "CREATE FUNCTION bureau_report_fixed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                    f" IF TG_OP = 'DELETE' OR {_CHANGED.format(differs='IS DISTINCT FROM')}"
                    f" THEN RAISE EXCEPTION '{_TOLD}' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$"
                ),
                (
                    "CREATE TRIGGER bureau_report_fixed BEFORE UPDATE OR DELETE ON bureau_report"
                    " FOR EACH ROW EXECUTE FUNCTION bureau_report_fixed()"
                ),
            ],
            sqlite=[
                (
                    "CREATE TRIGGER bureau_report_fixed_update BEFORE UPDATE ON bureau_report BEGIN"
                    f" SELECT RAISE(ABORT, '{_TOLD}') WHERE {_CHANGED.format(differs='IS NOT')}; END"
                ),
                (
                    "CREATE TRIGGER bureau_report_fixed_delete BEFORE DELETE ON bureau_report BEGIN"
                    f" SELECT RAISE(ABORT, '{_TOLD}'); END"
                ),
            ],
        ),
    ]
