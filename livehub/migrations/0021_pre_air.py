"""Papers, selection, the check before a show goes on air, and how long its traces are kept."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DayField, DigestField, InstantField
from livehub.database.operations import AddFlag, PerDialect, append_only, check, together

_REFUSED = "broadcast_on_air_checked: a broadcast goes on air after its check only"
_UNCHECKED = "NOT EXISTS (SELECT 1 FROM pre_air_check c WHERE c.broadcast_id = NEW.id AND c.passed)"
_ON_AIR_CHECKED = PerDialect(
    postgres=[
        (
            "CREATE FUNCTION broadcast_on_air_checked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF {_UNCHECKED} THEN RAISE EXCEPTION '{_REFUSED}' USING ERRCODE = '23514'; END IF;"
            " RETURN NEW; END $$"
        ),
        (
            "CREATE TRIGGER broadcast_on_air_checked BEFORE UPDATE OF state ON broadcast FOR EACH ROW"
            " WHEN (NEW.state = 'live' AND OLD.state IN ('planned', 'checked')) EXECUTE FUNCTION broadcast_on_air_checked()"
        ),
    ],
    sqlite=[
        (
            "CREATE TRIGGER broadcast_on_air_checked BEFORE UPDATE OF state ON broadcast"
            f" WHEN NEW.state = 'live' AND OLD.state IN ('planned', 'checked') AND {_UNCHECKED}"
            f" BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
        )
    ],
)


def _key(name: str, model: str, *, indexed: bool = True) -> tuple[str, object]:
    return (
        name,
        fields.ForeignKeyField(
            f"livehub.{model}",
            source_field=f"{name}_id",
            db_index=indexed,
            db_constraint=True,
            to_field="id",
            related_name=False,
            on_delete=OnDelete.RESTRICT,
        ),
    )


def _id() -> tuple[str, object]:
    return ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True))


class Migration(migrations.Migration):
    dependencies = [("livehub", "0020_settlement")]

    operations = [
        ops.AddField("Person", "born_sealed", fields.BinaryField(null=True)),
        AddFlag("Broadcast", "ai_host", fields.BooleanField(default=False), table="broadcast"),
        AddFlag("Broadcast", "legal_hold", fields.BooleanField(default=False), table="broadcast"),
        ops.AddField("Broadcast", "retain_until", InstantField(null=True)),
        ops.CreateModel(
            name="Qualification",
            fields=[
                _id(),
                ("public_id", fields.CharField(unique=True, max_length=16)),
                _key("centre", "Centre"),
                ("owner_kind", fields.CharField(max_length=10)),
                ("owner_id", fields.BigIntField()),
                ("type", fields.CharField(max_length=24)),
                ("number", fields.CharField(default="", max_length=64)),
                ("number_sealed", fields.BinaryField(null=True, unique=False)),
                ("issued_on", DayField(generated=False, null=True, unique=False)),
                ("valid_to", DayField(generated=False, null=True, unique=False)),
                ("file_name", fields.CharField(default="", max_length=120)),
                ("file_type", fields.CharField(default="", max_length=40)),
                ("file_sha256", DigestField(generated=False, null=True, unique=False)),
                ("verified_by", fields.CharField(max_length=80)),
                ("verified_at", InstantField(generated=False, null=False, unique=False)),
                ("withdrawn_at", InstantField(generated=False, null=True, unique=False)),
                ("withdrawn_reason", fields.CharField(default="", max_length=200)),
            ],
            options={
                "table": "qualification",
                "app": "livehub",
                "indexes": [Index(fields=["owner_kind", "owner_id"]), Index(fields=["centre_id", "valid_to"])],
                "pk_attr": "id",
                "table_description": (
                    "资质: one paper of a product, a merchant or a person, its file's bytes are sealed in its pieces."
                ),
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="QualificationPiece",
            fields=[
                _id(),
                _key("qualification", "Qualification", indexed=False),
                ("number", fields.IntField()),
                ("body_sealed", fields.BinaryField(unique=False)),
            ],
            options={
                "table": "qualification_piece",
                "app": "livehub",
                "unique_together": (("qualification_id", "number"),),
                "pk_attr": "id",
                "table_description": "A part of the bytes of a paper's file, packed and sealed.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SelectionReview",
            fields=[
                _id(),
                _key("product", "Product"),
                ("meeting_on", DayField(generated=False, null=False, unique=False)),
                ("decision", fields.CharField(max_length=12)),
                ("valid_to", DayField(generated=False, null=True, unique=False)),
                ("reasons", fields.CharField(default="", max_length=200)),
                ("decided_by", fields.CharField(max_length=80)),
                ("at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "selection_review",
                "app": "livehub",
                "pk_attr": "id",
                "table_description": "选品: what a meeting decided on a product, the newest meeting counts. Append-only.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PreAirCheck",
            fields=[
                _id(),
                _key("broadcast", "Broadcast"),
                ("subject", DigestField(generated=False, null=False, unique=False)),
                ("items", fields.CharField(max_length=200)),
                ("role", fields.CharField(max_length=8)),
                ("signer_kind", fields.CharField(max_length=10)),
                ("signer_id", fields.BigIntField()),
                ("signed_by", fields.CharField(max_length=80)),
                ("passed", fields.BooleanField()),
                ("at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "pre_air_check",
                "app": "livehub",
                "pk_attr": "id",
                "table_description": (
                    "开播前检查: one signature under a checklist, the one that completes it has passed. Append-only."
                ),
            },
            bases=["Model"],
        ),
        together(
            append_only("selection_review"),
            append_only("pre_air_check"),
            check(
                "qualification",
                "qualification_days",
                "{new}issued_on IS NULL OR {new}valid_to IS NULL OR {new}issued_on <= {new}valid_to",
            ),
            check(
                "qualification",
                "qualification_withdrawn",
                "{new}withdrawn_at IS NULL OR {new}withdrawn_reason <> ''",
            ),
            _ON_AIR_CHECKED,
        ),
    ]
