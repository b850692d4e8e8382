"""Lotteries: what is announced, who signed up, who was drawn. What was told once is not told otherwise later."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from livehub.database.fields import DigestField, InstantField
from livehub.database.operations import CreateModels, PerDialect, SameColumn, append_only, check, together
from livehub.vouchers.models import RoundStatus

_ID = ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True))

# What must stay as it is, once the column that stands before it is filled; '' from the beginning.
_TOLD = {
    "": ("round_id", "signup_from", "signup_until", "source", "source_at", "draw_at", "commitment"),
    "frozen_at": ("entries", "list_hash", "frozen_at"),
    "confirmed_at": ("randomness", "entered_by_id", "confirmed_by_id", "confirmed_at"),
    "drawn_at": ("seed", "quantity", "winners", "drawn_at"),
}


def _changed(differs: str) -> str:
    parts = []
    for since, columns in _TOLD.items():
        changed = " OR ".join(f"NEW.{each} {differs} OLD.{each}" for each in columns)
        parts.append(f"(OLD.{since} IS NOT NULL AND ({changed}))" if since else f"({changed})")
    return " OR ".join(parts)


_FINAL = PerDialect(
    postgres=[
        "CREATE FUNCTION lottery_draw_final() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF TG_OP = 'DELETE' OR {_changed('IS DISTINCT FROM')} THEN"
        " RAISE EXCEPTION 'lottery_draw_final' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER lottery_draw_final BEFORE UPDATE OR DELETE ON lottery_draw"
        " FOR EACH ROW EXECUTE FUNCTION lottery_draw_final()",
    ],
    sqlite=[
        "CREATE TRIGGER lottery_draw_final_update BEFORE UPDATE ON lottery_draw BEGIN"
        f" SELECT RAISE(ABORT, 'lottery_draw_final') WHERE {_changed('IS NOT')}; END",
        "CREATE TRIGGER lottery_draw_final_delete BEFORE DELETE ON lottery_draw BEGIN"
        " SELECT RAISE(ABORT, 'lottery_draw_final'); END",
    ],
)


class Migration(migrations.Migration):
    dependencies = [("livehub", "0032_reports")]

    operations = [
        CreateModels(
            ops.CreateModel(
                name="LotteryDraw",
                fields=[
                    _ID,
                    ("round", fields.OneToOneField("livehub.Round", source_field="round_id", db_constraint=True, to_field="id", related_name=False, on_delete=OnDelete.RESTRICT)),
                    ("signup_from", InstantField()),
                    ("signup_until", InstantField()),
                    ("source", fields.CharField(max_length=120)),
                    ("source_at", InstantField()),
                    ("draw_at", InstantField()),
                    ("commitment", DigestField()),
                    ("seed_sealed", fields.BinaryField()),
                    ("entries", fields.IntField(default=0)),
                    ("list_hash", DigestField(null=True)),
                    ("frozen_at", InstantField(null=True)),
                    ("randomness", fields.CharField(default="", max_length=200)),
                    ("entered_by_id", fields.BigIntField(default=0)),
                    ("confirmed_by_id", fields.BigIntField(default=0)),
                    ("confirmed_at", InstantField(null=True)),
                    ("seed", DigestField(null=True)),
                    ("quantity", fields.IntField(default=0)),
                    ("winners", fields.IntField(default=0)),
                    ("drawn_at", InstantField(null=True)),
                ],
                options={
                    "table": "lottery_draw",
                    "app": "livehub",
                    "pk_attr": "id",
                    "table_description": "摇号: what is announced before anybody signs up, the list's hash, the draw. Nothing told changes.",
                },
                bases=["Model"],
            ),
            ops.CreateModel(
                name="LotteryEntry",
                fields=[
                    _ID,
                    ("public_id", fields.CharField(unique=True, max_length=16)),
                    ("round_id", fields.BigIntField()),
                    ("platform", fields.CharField(default="", max_length=32)),
                    ("person_key", DigestField()),
                    ("link_id", fields.BigIntField(default=0)),
                    ("at", InstantField()),
                ],
                options={
                    "table": "lottery_entry",
                    "app": "livehub",
                    "unique_together": (("round_id", "platform", "person_key"),),
                    "pk_attr": "id",
                    "table_description": "报名: one person's lot, its public id is all that the list tells. Append-only.",
                },
                bases=["Model"],
            ),
            ops.CreateModel(
                name="LotteryWinner",
                fields=[
                    _ID,
                    ("entry_id", fields.BigIntField(unique=True)),
                    ("round_id", fields.BigIntField()),
                    ("platform", fields.CharField(default="", max_length=32)),
                    ("person_key", DigestField()),
                    ("place", fields.IntField()),
                ],
                options={
                    "table": "lottery_winner",
                    "app": "livehub",
                    "unique_together": (("round_id", "platform", "person_key"), ("round_id", "place")),
                    "pk_attr": "id",
                    "table_description": "中签: a lot that was drawn, in the order of the draw, it is what a claim asks for. Append-only.",
                },
                bases=["Model"],
            ),
        ),
        SameColumn(
            "Round",
            "status",
            fields.CharEnumField(
                description="SCHEDULED: scheduled\nSIGNUP: signup\nDRAWN: drawn\nOPEN: open\nCLOSED: closed\nFINISHED: finished\nROLLED: rolled\nRETURNED: returned",
                default=RoundStatus.SCHEDULED,
                enum_type=RoundStatus,
                max_length=12,
            ),
        ),
        together(
            append_only("lottery_entry"),
            append_only("lottery_winner"),
            _FINAL,
            check(
                "lottery_draw",
                "lottery_draw_in_order",
                "{new}signup_from < {new}signup_until AND {new}signup_until <= {new}source_at AND {new}source_at <= {new}draw_at",
            ),
            check(
                "lottery_draw",
                "lottery_draw_two_persons",
                "{new}confirmed_at IS NULL OR ({new}confirmed_by_id > 0 AND {new}entered_by_id <> 0"
                " AND {new}confirmed_by_id <> {new}entered_by_id AND {new}randomness <> '')",
            ),
            check(
                "lottery_draw",
                "lottery_draw_complete",
                "{new}drawn_at IS NULL OR ({new}frozen_at IS NOT NULL AND {new}confirmed_at IS NOT NULL AND {new}seed IS NOT NULL)",
            ),
        ),
    ]
