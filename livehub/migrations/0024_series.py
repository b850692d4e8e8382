"""Series of bookings, which occurrence each booking is, and those that could not be had."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from livehub.database.fields import InstantField
from livehub.database.operations import check, together


def _key(name: str, model: str, *, indexed: bool = False) -> tuple[str, object]:
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
    dependencies = [("livehub", "0023_plans")]

    operations = [
        ops.CreateModel(
            name="Series",
            fields=[
                _id(),
                ("public_id", fields.CharField(unique=True, max_length=16)),
                _key("centre", "Centre", indexed=True),
                _key("room", "Room"),
                _key("bureau", "Bureau"),
                ("parent_id", fields.BigIntField(default=0)),
                ("title", fields.CharField(max_length=60)),
                ("dtstart", fields.CharField(max_length=16)),
                ("zone", fields.CharField(max_length=40)),
                ("rrule", fields.CharField(max_length=200)),
                ("rdates", fields.TextField(default="", unique=False)),
                ("exdates", fields.TextField(default="", unique=False)),
                ("minutes", fields.IntField()),
                ("created_by_id", fields.BigIntField()),
                ("created_at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "series",
                "app": "livehub",
                "pk_attr": "id",
                "table_description": "系列排期: a rule on the wall clock, from which bookings were made.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RejectedOccurrence",
            fields=[
                _id(),
                _key("series", "Series"),
                ("recurrence_id", fields.CharField(max_length=16)),
                ("code", fields.CharField(max_length=32)),
                ("detail", fields.CharField(max_length=200)),
            ],
            options={
                "table": "rejected_occurrence",
                "app": "livehub",
                "unique_together": (("series_id", "recurrence_id"),),
                "pk_attr": "id",
                "table_description": "One time of a series that could not be had, and why.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SeriesBooking",
            fields=[
                _id(),
                _key("series", "Series"),
                ("booking_id", fields.BigIntField(unique=True)),
                ("recurrence_id", fields.CharField(max_length=16)),
            ],
            options={
                "table": "series_booking",
                "app": "livehub",
                "unique_together": (("series_id", "recurrence_id"),),
                "pk_attr": "id",
                "table_description": "Which occurrence of a series a booking is.",
            },
            bases=["Model"],
        ),
        together(
            check("series", "series_length", "{new}minutes > 0"),
            check("rejected_occurrence", "rejected_occurrence_reason", "{new}code <> ''"),
        ),
    ]
