"""After a class: visits, mentors, incubation; subsidy claims, spot checks, files of the archive."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DayField, DigestField, InstantField
from livehub.database.operations import CreateModels, PerDialect, append_only, check, together, unique_where
from streamers.training.after_models import IncubationStage
from streamers.training.subsidy_models import ClaimState

_RANK = "CASE {row}.stage WHEN 'candidate' THEN 0 WHEN 'admitted' THEN 1 WHEN 'incubating' THEN 2 ELSE 3 END"
_OLD, _NEW = _RANK.format(row="OLD"), _RANK.format(row="NEW")
_BACKWARD = (
    f"{_NEW} < {_OLD} OR ({_OLD} = 3 AND NEW.stage <> OLD.stage) OR NEW.extension_months < OLD.extension_months"
)
_FORWARD = PerDialect(
    postgres=[
        (
            "CREATE FUNCTION incubation_forward() RETURNS trigger LANGUAGE plpgsql AS $$"
            f" BEGIN IF ({_BACKWARD}) THEN RAISE EXCEPTION 'incubation_forward' USING ERRCODE = '23514'; END IF;"
            " RETURN NEW; END $$"
        ),
        (
            "CREATE TRIGGER incubation_forward BEFORE UPDATE ON incubation FOR EACH ROW"
            " EXECUTE FUNCTION incubation_forward()"
        ),
    ],
    sqlite=[
        f"CREATE TRIGGER incubation_forward BEFORE UPDATE ON incubation WHEN {_BACKWARD}"
        " BEGIN SELECT RAISE(ABORT, 'incubation_forward'); END"
    ],
)
# Days are YYYYMMDD: months since year 0, then the day of the month.
_MONTHS = "({{new}}{day} / 10000 * 12 + {{new}}{day} / 100 % 100{more}) * 100 + {{new}}{day} % 100"
_IN_TIME = (
    "({new}stage NOT IN ('admitted', 'incubating') OR {new}due_on IS NOT NULL) AND ({new}due_on IS NULL OR "
    + _MONTHS.format(day="due_on", more="")
    + " <= "
    + _MONTHS.format(day="admitted_on", more=" + 36 + {new}extension_months")
    + ")"
)


class Migration(migrations.Migration):
    dependencies = [("livehub", "0029_packs")]

    operations = [
        CreateModels(
            ops.CreateModel(
                name='EvidenceFile',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('public_id', fields.CharField(unique=True, max_length=16)),
                    ('cohort', fields.ForeignKeyField('livehub.Cohort', source_field='cohort_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('kind', fields.CharField(max_length=16)),
                    ('name', fields.CharField(max_length=120)),
                    ('size', fields.IntField()),
                    ('sha256', DigestField(generated=False, null=False, unique=False)),
                    ('content_sealed', fields.BinaryField()),
                    ('retain_until', DayField(generated=False, null=False, unique=False)),
                    ('by_name', fields.CharField(max_length=80)),
                    ('at', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'evidence_file', 'app': 'livehub', 'unique_together': (('cohort_id', 'sha256'),), 'pk_attr': 'id', 'table_description': '佐证材料 of a class, sealed, kept for as long as the programme asks.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='FollowUp',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('enrolment', fields.ForeignKeyField('livehub.Enrolment', source_field='enrolment_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('day', fields.IntField()),
                    ('seq', fields.IntField()),
                    ('first_stream_on', DayField(null=True, generated=False, unique=False)),
                    ('broadcasts', fields.IntField()),
                    ('elsewhere', fields.IntField()),
                    ('net_sales_fen', fields.BigIntField()),
                    ('employment', fields.CharField(max_length=16)),
                    ('note', fields.CharField(default='', max_length=200)),
                    ('contacted_by', fields.CharField(max_length=80)),
                    ('at', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'follow_up', 'app': 'livehub', 'unique_together': (('enrolment_id', 'day', 'seq'),), 'pk_attr': 'id', 'table_description': '跟踪回访 at day 30, 90 or 180 with what the data then said, the highest seq holds. Append-only.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='Mentor',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('public_id', fields.CharField(unique=True, max_length=16)),
                    ('centre', fields.ForeignKeyField('livehub.Centre', source_field='centre_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('person', fields.OneToOneField('livehub.Person', source_field='person_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('field', fields.CharField(max_length=60)),
                    ('active', fields.BooleanField(default=True)),
                ],
                options={'table': 'mentor', 'app': 'livehub', 'pk_attr': 'id', 'table_description': '导师.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='Incubation',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('public_id', fields.CharField(unique=True, max_length=16)),
                    ('centre', fields.ForeignKeyField('livehub.Centre', source_field='centre_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('bureau', fields.ForeignKeyField('livehub.Bureau', source_field='bureau_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('person', fields.ForeignKeyField('livehub.Person', source_field='person_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('mentor', fields.ForeignKeyField('livehub.Mentor', source_field='mentor_id', null=True, db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('stage', fields.CharEnumField(description='CANDIDATE: candidate\nADMITTED: admitted\nINCUBATING: incubating\nGRADUATED: graduated\nEXITED: exited', enum_type=IncubationStage, max_length=10)),
                    ('version', fields.IntField(default=1)),
                    ('admitted_on', DayField(null=True, generated=False, unique=False)),
                    ('due_on', DayField(null=True, generated=False, unique=False)),
                    ('extension_months', fields.IntField(default=0)),
                    ('ended_on', DayField(null=True, generated=False, unique=False)),
                    ('reason', fields.CharField(default='', max_length=200)),
                    ('created_at', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'incubation', 'app': 'livehub', 'indexes': [Index(fields=['centre_id', 'stage'])], 'pk_attr': 'id', 'table_description': '孵化: somebody on the way from training to a business of her own, stages go forward only.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='IncubationExtension',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('incubation', fields.ForeignKeyField('livehub.Incubation', source_field='incubation_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('months', fields.IntField()),
                    ('reason', fields.CharField(max_length=200)),
                    ('by_name', fields.CharField(max_length=80)),
                    ('at', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'incubation_extension', 'app': 'livehub', 'pk_attr': 'id', 'table_description': '延期 of an incubation. Append-only.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='MentorVisit',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('mentor', fields.ForeignKeyField('livehub.Mentor', source_field='mentor_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('incubation', fields.ForeignKeyField('livehub.Incubation', source_field='incubation_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('on_day', DayField(generated=False, null=False, unique=False)),
                    ('note', fields.CharField(max_length=500)),
                    ('by_name', fields.CharField(max_length=80)),
                    ('at', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'mentor_visit', 'app': 'livehub', 'pk_attr': 'id', 'table_description': '导师走访. Append-only.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='SpotCheck',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('enrolment', fields.ForeignKeyField('livehub.Enrolment', source_field='enrolment_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('method', fields.CharField(max_length=8)),
                    ('confirmed', fields.BooleanField()),
                    ('note', fields.CharField(default='', max_length=200)),
                    ('by_name', fields.CharField(max_length=80)),
                    ('at', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'spot_check', 'app': 'livehub', 'pk_attr': 'id', 'table_description': '抽查 of one person of a class. Append-only.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='SubsidyClaim',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('public_id', fields.CharField(unique=True, max_length=16)),
                    ('cohort', fields.OneToOneField('livehub.Cohort', source_field='cohort_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('state', fields.CharEnumField(description='DRAFT: draft\nSUBMITTED: submitted\nPUBLICISED: publicised\nAPPROVED: approved\nPAID: paid\nRETURNED: returned', enum_type=ClaimState, max_length=10)),
                    ('version', fields.IntField(default=1)),
                    ('people', fields.IntField()),
                    ('max_class', fields.IntField()),
                    ('pass_rate', fields.CharField(max_length=24)),
                    ('factor', fields.CharField(max_length=12)),
                    ('per_head_fen', fields.BigIntField()),
                    ('total_fen', fields.BigIntField()),
                    ('card', fields.CharField(default='', max_length=6)),
                    ('late_reason', fields.CharField(default='', max_length=200)),
                    ('reason', fields.CharField(default='', max_length=200)),
                    ('made_at', InstantField(generated=False, null=False, unique=False)),
                    ('submitted_by_id', fields.BigIntField(default=0)),
                    ('submitted_by', fields.CharField(default='', max_length=80)),
                    ('submitted_at', InstantField(null=True, generated=False, unique=False)),
                    ('publicised_at', InstantField(null=True, generated=False, unique=False)),
                    ('approved_by_id', fields.BigIntField(default=0)),
                    ('approved_by', fields.CharField(default='', max_length=80)),
                    ('approved_at', InstantField(null=True, generated=False, unique=False)),
                    ('paid_by', fields.CharField(default='', max_length=80)),
                    ('paid_at', InstantField(null=True, generated=False, unique=False)),
                    ('payment_ref', fields.CharField(default='', max_length=60)),
                ],
                options={'table': 'subsidy_claim', 'app': 'livehub', 'pk_attr': 'id', 'table_description': '补贴申领 of one class. people and max_class stand side by side so that the database can compare.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='SubsidyLine',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('claim', fields.ForeignKeyField('livehub.SubsidyClaim', source_field='claim_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('enrolment', fields.ForeignKeyField('livehub.Enrolment', source_field='enrolment_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('person_id', fields.BigIntField()),
                    ('occupation', fields.CharField(max_length=40)),
                    ('level', fields.IntField()),
                    ('eligible', fields.BooleanField()),
                    ('reason', fields.CharField(default='', max_length=20)),
                    ('amount_fen', fields.BigIntField()),
                    ('holds', fields.BooleanField(default=False)),
                ],
                options={'table': 'subsidy_line', 'app': 'livehub', 'unique_together': (('claim_id', 'enrolment_id'),), 'pk_attr': 'id', 'table_description': 'One person of a claim. A line that holds takes her subsidy for this occupation and level for good.'},
                bases=['Model'],
            ),
        ),
        together(
            check("follow_up", "follow_up_day", "{new}day IN (30, 90, 180) AND {new}broadcasts >= 0"),
            unique_where("incubation", "incubation_one_open", "person_id", "stage NOT IN ('graduated', 'exited')"),
            check("incubation", "incubation_in_time", _IN_TIME),
            _FORWARD,
            check(
                "subsidy_claim",
                "subsidy_claim_people",
                "{new}people BETWEEN 0 AND {new}max_class AND {new}total_fen >= 0",
            ),
            check(
                "subsidy_line",
                "subsidy_line_amount",
                "{new}amount_fen >= 0 AND ({new}eligible OR ({new}amount_fen = 0 AND NOT {new}holds))",
            ),
            unique_where("subsidy_line", "subsidy_line_one_paid", "person_id, occupation, level", "holds"),
            append_only("follow_up"),
            append_only("incubation_extension"),
            append_only("mentor_visit"),
            append_only("spot_check"),
        ),
    ]
