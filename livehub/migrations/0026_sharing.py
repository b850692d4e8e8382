"""How bureaus share rooms: opening rules, equipment, closures, quotas, the waiting list, handing over.

A closure takes rooms where bookings take them, so a claim belongs to the one or to the other.
"""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from livehub.database.fields import DayField, InstantField
from livehub.database.operations import AddColumn, CreateModels, PerDialect, SameColumn, check, unique_where
from rooms.sharing_models import QuotaUnit, QuotaWindow, WaitState

_OVERLAP = """
    SELECT RAISE(ABORT, 'resource_claim_no_overlap') WHERE NEW.active = 1 AND EXISTS (
        SELECT 1 FROM resource_claim AS other
        WHERE other.kind = NEW.kind AND other.resource_id = NEW.resource_id AND other.active = 1
          AND other.starts_at < NEW.ends_at AND NEW.starts_at < other.ends_at {but});
"""
_BY_BOOKING, _BY_TIME = "idx_resource_cl_booking_0c055d", "idx_resource_cl_kind_5c6e54"


class Migration(migrations.Migration):
    dependencies = [("livehub", "0025_training")]

    operations = [
        CreateModels(
            ops.CreateModel(
                name='Closure',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('public_id', fields.CharField(unique=True, max_length=16)),
                    ('centre', fields.ForeignKeyField('livehub.Centre', source_field='centre_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('start_at', InstantField(generated=False, null=False, unique=False)),
                    ('end_at', InstantField(generated=False, null=False, unique=False)),
                    ('reason', fields.CharField(max_length=200)),
                    ('mode', fields.CharField(max_length=8)),
                    ('created_by_id', fields.BigIntField()),
                    ('created_at', InstantField(generated=False, null=False, unique=False)),
                    ('lifted_at', InstantField(null=True, generated=False, unique=False)),
                ],
                options={'table': 'closure', 'app': 'livehub', 'indexes': [Index(fields=['centre_id', 'end_at'])], 'pk_attr': 'id', 'table_description': "封场: rooms that are nobody's for a time."},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='ClosureRoom',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('closure', fields.ForeignKeyField('livehub.Closure', source_field='closure_id', db_index=True, db_constraint=True, to_field='id', related_name='rooms', on_delete=OnDelete.RESTRICT)),
                    ('room', fields.ForeignKeyField('livehub.Room', source_field='room_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                ],
                options={'table': 'closure_room', 'app': 'livehub', 'unique_together': (('closure_id', 'room_id'),), 'pk_attr': 'id', 'table_description': 'One of the rooms of a closure.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='Equipment',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('public_id', fields.CharField(unique=True, max_length=16)),
                    ('centre', fields.ForeignKeyField('livehub.Centre', source_field='centre_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('kind', fields.CharField(max_length=20)),
                    ('name', fields.CharField(max_length=40)),
                    ('serial', fields.CharField(max_length=40)),
                    ('active', fields.BooleanField(default=True)),
                ],
                options={'table': 'equipment', 'app': 'livehub', 'unique_together': (('centre_id', 'serial'),), 'pk_attr': 'id', 'table_description': '设备: one unit that can be in one place at a time.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='BookingEquipment',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('booking', fields.ForeignKeyField('livehub.Booking', source_field='booking_id', db_index=True, db_constraint=True, to_field='id', related_name='equipment', on_delete=OnDelete.RESTRICT)),
                    ('equipment', fields.ForeignKeyField('livehub.Equipment', source_field='equipment_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                ],
                options={'table': 'booking_equipment', 'app': 'livehub', 'unique_together': (('booking_id', 'equipment_id'),), 'pk_attr': 'id', 'table_description': 'A unit that a booking takes along.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='Handover',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('booking', fields.OneToOneField('livehub.Booking', source_field='booking_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('missing', fields.CharField(default='', max_length=200)),
                    ('note', fields.CharField(default='', max_length=200)),
                    ('out_by', fields.CharField(max_length=40)),
                    ('in_by', fields.CharField(max_length=40)),
                    ('noted_by_id', fields.BigIntField()),
                    ('noted_at', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'handover', 'app': 'livehub', 'pk_attr': 'id', 'table_description': '交接: what the crew that leaves a room found and left, once for each booking.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='OpenRule',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('room', fields.ForeignKeyField('livehub.Room', source_field='room_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('weekday', fields.IntField()),
                    ('opens_minute', fields.IntField()),
                    ('closes_minute', fields.IntField()),
                ],
                options={'table': 'open_rule', 'app': 'livehub', 'pk_attr': 'id', 'table_description': '开放时间 of a room on one day of the week, a room without any is open daily, as its own fields say.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='Quota',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('centre', fields.ForeignKeyField('livehub.Centre', source_field='centre_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('bureau', fields.ForeignKeyField('livehub.Bureau', source_field='bureau_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('theme', fields.CharField(default='', max_length=24)),
                    ('window', fields.CharEnumField(description='DAILY: daily\nWEEKLY: weekly\nMONTHLY: monthly', enum_type=QuotaWindow, max_length=8)),
                    ('unit', fields.CharEnumField(description='BOOKINGS: bookings\nMINUTES: minutes', enum_type=QuotaUnit, max_length=8)),
                    ('limit', fields.IntField()),
                    ('prime_only', fields.BooleanField(default=False)),
                    ('since_day', DayField(generated=False, null=False, unique=False)),
                    ('active', fields.BooleanField(default=True)),
                ],
                options={'table': 'quota', 'app': 'livehub', 'pk_attr': 'id', 'table_description': '额度: at most so much of some rooms for a bureau in a day, week or month.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='QuotaRoom',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('quota', fields.ForeignKeyField('livehub.Quota', source_field='quota_id', db_index=True, db_constraint=True, to_field='id', related_name='rooms', on_delete=OnDelete.RESTRICT)),
                    ('room', fields.ForeignKeyField('livehub.Room', source_field='room_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                ],
                options={'table': 'quota_room', 'app': 'livehub', 'unique_together': (('quota_id', 'room_id'),), 'pk_attr': 'id', 'table_description': 'One of the rooms of a quota that is for certain rooms.'},
                bases=['Model'],
            ),
            ops.CreateModel(
                name='WaitlistEntry',
                fields=[
                    ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                    ('public_id', fields.CharField(unique=True, max_length=16)),
                    ('centre', fields.ForeignKeyField('livehub.Centre', source_field='centre_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('bureau', fields.ForeignKeyField('livehub.Bureau', source_field='bureau_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('room', fields.ForeignKeyField('livehub.Room', source_field='room_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('start_at', InstantField(generated=False, null=False, unique=False)),
                    ('end_at', InstantField(generated=False, null=False, unique=False)),
                    ('wish', fields.TextField(unique=False)),
                    ('state', fields.CharEnumField(description='WAITING: waiting\nOFFERED: offered\nACCEPTED: accepted\nDECLINED: declined\nEXPIRED: expired\nWITHDRAWN: withdrawn', enum_type=WaitState, max_length=10)),
                    ('booking', fields.ForeignKeyField('livehub.Booking', source_field='booking_id', null=True, db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                    ('offer_until', InstantField(null=True, generated=False, unique=False)),
                    ('created_by_id', fields.BigIntField()),
                    ('created_at', InstantField(generated=False, null=False, unique=False)),
                ],
                options={'table': 'waitlist_entry', 'app': 'livehub', 'indexes': [Index(fields=['room_id', 'start_at']), Index(fields=['centre_id', 'state'])], 'pk_attr': 'id', 'table_description': '候补: a bureau that wants a time somebody else holds, entries are served by their ids.'},
                bases=['Model'],
            ),
        ),
        AddColumn("Booking", "checked_in_by_id", fields.BigIntField(default=0), table="booking", column="BIGINT NOT NULL DEFAULT 0"),
        AddColumn("Booking", "displaced_by_id", fields.BigIntField(default=0), table="booking", column="BIGINT NOT NULL DEFAULT 0"),
        AddColumn("Booking", "override_reason", fields.CharField(default="", max_length=200), table="booking", column="VARCHAR(200) NOT NULL DEFAULT ''"),
        AddColumn("Centre", "prime_from_minute", fields.IntField(default=1140), table="centre", column="INT NOT NULL DEFAULT 1140"),
        AddColumn("Centre", "prime_until_minute", fields.IntField(default=1380), table="centre", column="INT NOT NULL DEFAULT 1380"),
        AddColumn("Centre", "offer_ttl_h", fields.IntField(default=24), table="centre", column="INT NOT NULL DEFAULT 24"),
        SameColumn("ResourceClaim", "booking", fields.ForeignKeyField("livehub.Booking", source_field="booking_id", null=True, db_index=True, db_constraint=True, to_field="id", related_name=False, on_delete=OnDelete.RESTRICT)),
        AddColumn("ResourceClaim", "closure_id", fields.BigIntField(null=True, db_index=True), table="resource_claim", column="BIGINT REFERENCES closure (id) ON DELETE RESTRICT"),
        PerDialect(
            postgres=["ALTER TABLE resource_claim ALTER COLUMN booking_id DROP NOT NULL"],
            # SQLite cannot loosen a column: the table is written anew. Nothing refers to it.
            sqlite=[
                'CREATE TABLE "resource_claim_anew" ("id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,'
                ' "kind" VARCHAR(10) NOT NULL, "resource_id" BIGINT NOT NULL, "starts_at" BIGINT NOT NULL,'
                ' "ends_at" BIGINT NOT NULL, "active" INT NOT NULL,'
                ' "booking_id" BIGINT REFERENCES "booking" ("id") ON DELETE RESTRICT,'
                ' "closure_id" BIGINT REFERENCES "closure" ("id") ON DELETE RESTRICT)',
                "INSERT INTO resource_claim_anew (id, kind, resource_id, starts_at, ends_at, active, booking_id)"
                " SELECT id, kind, resource_id, starts_at, ends_at, active, booking_id FROM resource_claim",
                "DROP TABLE resource_claim",
                "ALTER TABLE resource_claim_anew RENAME TO resource_claim",
                f"CREATE INDEX {_BY_BOOKING} ON resource_claim (booking_id)",
                f"CREATE INDEX {_BY_TIME} ON resource_claim (kind, resource_id, starts_at)",
                f"CREATE TRIGGER resource_claim_no_overlap_insert BEFORE INSERT ON resource_claim"
                f" BEGIN {_OVERLAP.format(but='')} END",
                f"CREATE TRIGGER resource_claim_no_overlap_update BEFORE UPDATE ON resource_claim"
                f" BEGIN {_OVERLAP.format(but='AND other.id <> NEW.id')} END",
                *check("resource_claim", "resource_claim_forward", "{new}starts_at < {new}ends_at").statements["sqlite"],
            ],
        ),
        PerDialect(
            postgres=["CREATE INDEX resource_claim_of_closure ON resource_claim (closure_id)"],
            sqlite=["CREATE INDEX resource_claim_of_closure ON resource_claim (closure_id)"],
        ),
        check("resource_claim", "resource_claim_of_one", "({new}booking_id IS NULL) <> ({new}closure_id IS NULL)"),
        check("closure", "closure_forward", "{new}start_at < {new}end_at"),
        check("quota", "quota_not_below_zero", '{new}"limit" >= 0'),
        unique_where("waitlist_entry", "waitlist_entry_one_offer", "room_id, start_at, end_at", "state = 'offered'"),
        unique_where(
            "waitlist_entry", "waitlist_entry_one_place", "bureau_id, room_id, start_at, end_at", "state IN ('waiting', 'offered')"
        ),
    ]
