"""Published versions of a week's plan, what calendars are told of them, and who subscribes."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DigestField, InstantField
from livehub.database.operations import PerDialect, append_only, check, together, unique_where

_STAYS = "plan_version_stays: a published plan stays as it is"
_REWRITTEN = (
    "OLD.state <> 'published' OR NEW.state <> 'superseded' OR NEW.centre_id <> OLD.centre_id"
    " OR NEW.week <> OLD.week OR NEW.number <> OLD.number OR NEW.published_at <> OLD.published_at"
)
_BACK = "plan_event_rises: the sequence of an event only rises"
_GUARDS = PerDialect(
    postgres=[
        (
            "CREATE FUNCTION plan_version_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF TG_OP = 'DELETE' OR {_REWRITTEN} THEN"
            f" RAISE EXCEPTION '{_STAYS}' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$"
        ),
        (
            "CREATE TRIGGER plan_version_stays BEFORE UPDATE OR DELETE ON plan_version FOR EACH ROW"
            " EXECUTE FUNCTION plan_version_stays()"
        ),
        (
            "CREATE FUNCTION plan_event_rises() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.sequence < OLD.sequence OR NEW.booking <> OLD.booking THEN"
            f" RAISE EXCEPTION '{_BACK}' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$"
        ),
        (
            "CREATE TRIGGER plan_event_rises BEFORE UPDATE ON plan_event FOR EACH ROW"
            " EXECUTE FUNCTION plan_event_rises()"
        ),
    ],
    sqlite=[
        (
            f"CREATE TRIGGER plan_version_stays_update BEFORE UPDATE ON plan_version WHEN {_REWRITTEN}"
            f" BEGIN SELECT RAISE(ABORT, '{_STAYS}'); END"
        ),
        (
            "CREATE TRIGGER plan_version_stays_delete BEFORE DELETE ON plan_version"
            f" BEGIN SELECT RAISE(ABORT, '{_STAYS}'); END"
        ),
        (
            "CREATE TRIGGER plan_event_rises BEFORE UPDATE ON plan_event"
            " WHEN NEW.sequence < OLD.sequence OR NEW.booking <> OLD.booking"
            f" BEGIN SELECT RAISE(ABORT, '{_BACK}'); END"
        ),
    ],
)


def _key(name: str, model: str) -> tuple[str, object]:
    return (
        name,
        fields.ForeignKeyField(
            f"livehub.{model}",
            source_field=f"{name}_id",
            db_index=False,
            db_constraint=True,
            to_field="id",
            related_name=False,
            on_delete=OnDelete.RESTRICT,
        ),
    )


def _id() -> tuple[str, object]:
    return ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True))


class Migration(migrations.Migration):
    dependencies = [("livehub", "0022_records")]

    operations = [
        ops.CreateModel(
            name="PlanVersion",
            fields=[
                _id(),
                _key("centre", "Centre"),
                ("week", fields.IntField()),
                ("number", fields.IntField()),
                ("state", fields.CharField(max_length=12)),
                ("published_at", InstantField(generated=False, null=False, unique=False)),
                ("published_by", fields.CharField(max_length=80)),
                ("note", fields.CharField(default="", max_length=200)),
            ],
            options={
                "table": "plan_version",
                "app": "livehub",
                "unique_together": (("centre_id", "week", "number"),),
                "pk_attr": "id",
                "table_description": "排期版本: one published version of a centre's week. Only its state ever changes, once.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PlanSlot",
            fields=[
                _id(),
                _key("version", "PlanVersion"),
                ("booking", fields.CharField(max_length=16)),
                ("kind", fields.CharField(max_length=16)),
                ("starts_at", InstantField(generated=False, null=False, unique=False)),
                ("ends_at", InstantField(generated=False, null=False, unique=False)),
                ("room_id", fields.BigIntField()),
                ("room", fields.CharField(max_length=40)),
                ("bureau_id", fields.BigIntField()),
                ("bureau", fields.CharField(max_length=80)),
                ("title", fields.CharField(max_length=60)),
                ("crew", fields.CharField(max_length=400)),
                ("broadcast", fields.CharField(default="", max_length=16)),
            ],
            options={
                "table": "plan_slot",
                "app": "livehub",
                "unique_together": (("version_id", "booking"),),
                "pk_attr": "id",
                "table_description": "One booking as a version told it, copied at publishing. Append-only.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PlanEvent",
            fields=[
                _id(),
                _key("centre", "Centre"),
                ("booking", fields.CharField(unique=True, max_length=16)),
                ("week", fields.IntField()),
                ("bureau_id", fields.BigIntField()),
                ("sequence", fields.IntField(default=0)),
                ("cancelled", fields.BooleanField(default=False)),
                ("starts_at", InstantField(generated=False, null=False, unique=False)),
                ("ends_at", InstantField(generated=False, null=False, unique=False)),
                ("room_id", fields.BigIntField()),
                ("room", fields.CharField(max_length=40)),
                ("bureau", fields.CharField(max_length=80)),
                ("title", fields.CharField(max_length=60)),
                ("crew", fields.CharField(max_length=400)),
                ("changed_at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "plan_event",
                "app": "livehub",
                "indexes": [Index(fields=["centre_id", "ends_at"])],
                "pk_attr": "id",
                "table_description": (
                    "What calendars are told of one booking: the newest of all published versions, counted by"
                    " changes."
                ),
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CalendarFeed",
            fields=[
                _id(),
                ("public_id", fields.CharField(unique=True, max_length=16)),
                _key("centre", "Centre"),
                ("user_id", fields.BigIntField(db_index=True)),
                ("bureau_id", fields.BigIntField(default=0)),
                ("token_hash", DigestField(generated=False, null=False, unique=True)),
                ("created_at", InstantField(generated=False, null=False, unique=False)),
                ("rotated_at", InstantField(generated=False, null=True, unique=False)),
                ("revoked_at", InstantField(generated=False, null=True, unique=False)),
                ("last_seen_at", InstantField(generated=False, null=True, unique=False)),
            ],
            options={
                "table": "calendar_feed",
                "app": "livehub",
                "pk_attr": "id",
                "table_description": (
                    "日历订阅: an address that is a secret, kept as its hash, changed or ended at any time."
                ),
            },
            bases=["Model"],
        ),
        together(
            append_only("plan_slot"),
            _GUARDS,
            unique_where("plan_version", "plan_version_one_published", "centre_id, week", "state = 'published'"),
            check("plan_slot", "plan_slot_time", "{new}starts_at < {new}ends_at"),
        ),
    ]
