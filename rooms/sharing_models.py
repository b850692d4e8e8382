"""How bureaus share rooms: opening rules, equipment, closures, quotas, the waiting list, handing over."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Bureau, Centre
from livehub.database.fields import DayField, InstantField
from rooms.models import Booking, Room


class QuotaWindow(StrEnum):
    """How long a quota's limit is for; windows are of business days, a week is an ISO week."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class QuotaUnit(StrEnum):
    """What a quota counts."""

    BOOKINGS = "bookings"
    MINUTES = "minutes"


class WaitState(StrEnum):
    """The life of an entry of the waiting list."""

    WAITING = "waiting"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class OpenRule(Model):
    """开放时间 of a room on one day of the week, a room without any is open daily, as its own fields say."""

    id = fields.BigIntField(primary_key=True)
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField(
        "livehub.Room", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    room_id: int
    weekday = fields.IntField()  # 0 is Monday
    opens_minute = fields.IntField()  # after local midnight
    closes_minute = fields.IntField()  # may exceed 24 h

    class Meta:
        table = "open_rule"


class Equipment(Model):
    """设备: one unit that can be in one place at a time."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    kind = fields.CharField(max_length=20)  # camera | light | microphone | ... in the centre's own words
    name = fields.CharField(max_length=40)
    serial = fields.CharField(max_length=40)
    active = fields.BooleanField(default=True)

    class Meta:
        table = "equipment"
        unique_together = (("centre_id", "serial"),)


class BookingEquipment(Model):
    """A unit that a booking takes along."""

    id = fields.BigIntField(primary_key=True)
    booking: fields.ForeignKeyRelation[Booking] = fields.ForeignKeyField(
        "livehub.Booking", on_delete=fields.RESTRICT, related_name="equipment", db_index=True
    )
    booking_id: int
    equipment: fields.ForeignKeyRelation[Equipment] = fields.ForeignKeyField(
        "livehub.Equipment", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    equipment_id: int

    class Meta:
        table = "booking_equipment"
        unique_together = (("booking_id", "equipment_id"),)


class Closure(Model):
    """封场: rooms that are nobody's for a time."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    start_at = InstantField()
    end_at = InstantField()
    reason = fields.CharField(max_length=200)
    mode = fields.CharField(max_length=8)  # normal | force
    created_by_id = fields.BigIntField()
    created_at = InstantField()
    lifted_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "closure"
        indexes = (("centre_id", "end_at"),)


class ClosureRoom(Model):
    """One of the rooms of a closure."""

    id = fields.BigIntField(primary_key=True)
    closure: fields.ForeignKeyRelation[Closure] = fields.ForeignKeyField(
        "livehub.Closure", on_delete=fields.RESTRICT, related_name="rooms", db_index=True
    )
    closure_id: int
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField(
        "livehub.Room", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    room_id: int

    class Meta:
        table = "closure_room"
        unique_together = (("closure_id", "room_id"),)


class Quota(Model):
    """额度: at most so much of some rooms for a bureau in a day, week or month."""

    id = fields.BigIntField(primary_key=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    bureau: fields.ForeignKeyRelation[Bureau] = fields.ForeignKeyField(
        "livehub.Bureau", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    bureau_id: int
    theme = fields.CharField(max_length=24, default="")  # '' with no rooms of its own: the whole centre
    window = fields.CharEnumField(QuotaWindow, max_length=8)
    unit = fields.CharEnumField(QuotaUnit, max_length=8)
    limit = fields.IntField()
    prime_only = fields.BooleanField(default=False)
    since_day = DayField()  # windows that began earlier are not judged by it
    active = fields.BooleanField(default=True)

    class Meta:
        table = "quota"


class QuotaRoom(Model):
    """One of the rooms of a quota that is for certain rooms."""

    id = fields.BigIntField(primary_key=True)
    quota: fields.ForeignKeyRelation[Quota] = fields.ForeignKeyField(
        "livehub.Quota", on_delete=fields.RESTRICT, related_name="rooms", db_index=True
    )
    quota_id: int
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField(
        "livehub.Room", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    room_id: int

    class Meta:
        table = "quota_room"
        unique_together = (("quota_id", "room_id"),)


class WaitlistEntry(Model):
    """候补: a bureau that wants a time somebody else holds, entries are served by their ids."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    bureau: fields.ForeignKeyRelation[Bureau] = fields.ForeignKeyField(
        "livehub.Bureau", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    bureau_id: int
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField(
        "livehub.Room", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    room_id: int
    start_at = InstantField()
    end_at = InstantField()
    wish = fields.TextField()  # the whole of it, as JSON
    state = fields.CharEnumField(WaitState, max_length=10)
    booking: fields.ForeignKeyNullableRelation[Booking] = fields.ForeignKeyField(
        "livehub.Booking", on_delete=fields.RESTRICT, related_name=False, null=True, db_index=True
    )
    booking_id: int | None
    offer_until: datetime | None = InstantField(null=True)
    created_by_id = fields.BigIntField()
    created_at = InstantField()

    class Meta:
        table = "waitlist_entry"
        indexes = (("room_id", "start_at"), ("centre_id", "state"))


class Handover(Model):
    """交接: what the crew that leaves a room found and left, once for each booking."""

    id = fields.BigIntField(primary_key=True)
    booking: fields.OneToOneRelation[Booking] = fields.OneToOneField(
        "livehub.Booking", on_delete=fields.RESTRICT, related_name=False
    )
    booking_id: int
    missing = fields.CharField(max_length=200, default="")  # the items of the list that were not in order
    note = fields.CharField(max_length=200, default="")
    out_by = fields.CharField(max_length=40)
    in_by = fields.CharField(max_length=40)
    noted_by_id = fields.BigIntField()
    noted_at = InstantField()

    class Meta:
        table = "handover"
