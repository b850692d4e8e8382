"""First passwords that must be changed, and a second factor for who wants one."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from livehub.database.fields import DigestField, InstantField
from livehub.database.operations import AddFlag, CreateModels

_ID = ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True))


class Migration(migrations.Migration):
    dependencies = [("livehub", "0034_enrolments")]

    operations = [
        AddFlag("User", "must_change", fields.BooleanField(default=False), table="user_account"),
        CreateModels(
            ops.CreateModel(
                name="SecondFactor",
                fields=[
                    _ID,
                    ("user", fields.OneToOneField("livehub.User", source_field="user_id", db_constraint=True, to_field="id", related_name=False, on_delete=OnDelete.RESTRICT)),
                    ("secret_sealed", fields.BinaryField()),
                    ("created_at", InstantField()),
                    ("confirmed_at", InstantField(null=True)),
                    ("last_step", fields.BigIntField(default=0)),
                ],
                options={
                    "table": "second_factor",
                    "app": "livehub",
                    "pk_attr": "id",
                    "table_description": "动态码: the secret that a user's authenticator shares with us, on once a first code proved it.",
                },
                bases=["Model"],
            ),
            ops.CreateModel(
                name="RecoveryCode",
                fields=[
                    _ID,
                    ("user_id", fields.BigIntField(db_index=True)),
                    ("code_hash", DigestField()),
                ],
                options={
                    "table": "recovery_code",
                    "app": "livehub",
                    "pk_attr": "id",
                    "table_description": "恢复码: opens a login once where the authenticator is lost, kept as a keyed hash, gone once used.",
                },
                bases=["Model"],
            ),
        ),
    ]
