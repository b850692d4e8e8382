"""What went wrong on the air and its correction, recordings, and until when nothing of a show is deleted."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from livehub.database.fields import DigestField, InstantField
from livehub.database.operations import PerDialect, check, together

_ENDED = "to_timestamp(ended_at / 1000) AT TIME ZONE 'Asia/Shanghai'"
_THREE_YEARS = PerDialect(
    postgres=[
        (
            "UPDATE broadcast SET retain_until = ended_at % 1000 + 1000 * CAST(extract(epoch FROM"
            f" ({_ENDED} + interval '3 years' + CASE WHEN to_char({_ENDED}, 'MMDD') = '0229'"
            " THEN interval '1 day' ELSE interval '0' END) AT TIME ZONE 'Asia/Shanghai') AS bigint)"
            " WHERE ended_at IS NOT NULL"
        )
    ],
    sqlite=[
        (
            "UPDATE broadcast SET retain_until = ended_at % 1000 + 1000 * CAST(strftime('%s', ended_at / 1000,"
            " 'unixepoch', '+8 hours', '+3 years', '-8 hours') AS integer) WHERE ended_at IS NOT NULL"
        )
    ],
)
_KEPT = "recording_kept: a recording is deleted after its time only"
_TOO_EARLY = (
    "EXISTS (SELECT 1 FROM broadcast x WHERE x.id = OLD.broadcast_id"
    " AND (x.legal_hold OR x.retain_until IS NULL OR x.retain_until > {now}))"
)
_POSTGRES_NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
_SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS integer)"
_STAYS = "incident_stays: an incident stays as it was reported"
_REWRITTEN = (
    "NEW.broadcast_id <> OLD.broadcast_id OR NEW.at <> OLD.at OR NEW.category <> OLD.category"
    " OR NEW.text <> OLD.text OR OLD.corrected_at IS NOT NULL"
)
_GUARDS = PerDialect(
    postgres=[
        (
            "CREATE FUNCTION recording_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF {_TOO_EARLY.format(now=_POSTGRES_NOW)} THEN"
            f" RAISE EXCEPTION '{_KEPT}' USING ERRCODE = '23514'; END IF; RETURN OLD; END $$"
        ),
        "CREATE TRIGGER recording_kept BEFORE DELETE ON recording FOR EACH ROW EXECUTE FUNCTION recording_kept()",
        (
            "CREATE FUNCTION incident_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF TG_OP = 'DELETE' OR {_REWRITTEN} THEN"
            f" RAISE EXCEPTION '{_STAYS}' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$"
        ),
        (
            "CREATE TRIGGER incident_stays BEFORE UPDATE OR DELETE ON incident FOR EACH ROW"
            " EXECUTE FUNCTION incident_stays()"
        ),
    ],
    sqlite=[
        (
            "CREATE TRIGGER recording_kept BEFORE DELETE ON recording"
            f" WHEN {_TOO_EARLY.format(now=_SQLITE_NOW)} BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
        ),
        (
            f"CREATE TRIGGER incident_stays_update BEFORE UPDATE ON incident WHEN {_REWRITTEN}"
            f" BEGIN SELECT RAISE(ABORT, '{_STAYS}'); END"
        ),
        (
            "CREATE TRIGGER incident_stays_delete BEFORE DELETE ON incident"
            f" BEGIN SELECT RAISE(ABORT, '{_STAYS}'); END"
        ),
    ],
)


def _of_broadcast(*, indexed: bool) -> tuple[str, object]:
    return (
        "broadcast",
        fields.ForeignKeyField(
            "livehub.Broadcast",
            source_field="broadcast_id",
            db_index=indexed,
            db_constraint=True,
            to_field="id",
            related_name=False,
            on_delete=OnDelete.RESTRICT,
        ),
    )


class Migration(migrations.Migration):
    dependencies = [("livehub", "0021_pre_air")]

    operations = [
        ops.CreateModel(
            name="Incident",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("public_id", fields.CharField(unique=True, max_length=16)),
                _of_broadcast(indexed=True),
                ("at", InstantField(generated=False, null=False, unique=False)),
                ("category", fields.CharField(max_length=16)),
                ("text", fields.CharField(max_length=500)),
                ("reported_by", fields.CharField(max_length=80)),
                ("reported_at", InstantField(generated=False, null=False, unique=False)),
                ("correction", fields.CharField(default="", max_length=500)),
                ("corrected_by", fields.CharField(default="", max_length=80)),
                ("corrected_at", InstantField(generated=False, null=True, unique=False)),
            ],
            options={
                "table": "incident",
                "app": "livehub",
                "pk_attr": "id",
                "table_description": (
                    "播出差错: something said or done on the air that was wrong, and how it was put right."
                    " Never deleted."
                ),
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Recording",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("public_id", fields.CharField(unique=True, max_length=16)),
                _of_broadcast(indexed=False),
                ("ref", fields.CharField(max_length=200)),
                ("sha256", DigestField(generated=False, null=True, unique=False)),
                ("seconds", fields.IntField()),
                ("noted_by", fields.CharField(max_length=80)),
                ("noted_at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "recording",
                "app": "livehub",
                "unique_together": (("broadcast_id", "ref"),),
                "pk_attr": "id",
                "table_description": "回放: where a broadcast's video is kept, and what it is recognised by.",
            },
            bases=["Model"],
        ),
        together(
            _THREE_YEARS,
            _GUARDS,
            check("recording", "recording_length", "{new}seconds > 0"),
            check(
                "incident",
                "incident_corrected",
                "({new}corrected_at IS NULL AND {new}correction = '')"
                " OR ({new}corrected_at IS NOT NULL AND {new}correction <> '')",
            ),
        ),
    ]
