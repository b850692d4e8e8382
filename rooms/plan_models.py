"""The week's plan as it was published, what calendars are told of it, and who subscribes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Centre
from livehub.database.fields import DigestField, InstantField


class PlanState(StrEnum):
    """Of versions that were published; the draft is what the bookings say now."""

    PUBLISHED = "published"
    SUPERSEDED = "superseded"


class PlanVersion(Model):
    """排期版本: one published version of a centre's week. Only its state ever changes, once."""

    id = fields.BigIntField(primary_key=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    centre_id: int
    week = fields.IntField()  # 202610 is the tenth ISO week of 2026
    number = fields.IntField()
    state = fields.CharField(max_length=12)  # see PlanState
    published_at = InstantField()
    published_by = fields.CharField(max_length=80)
    note = fields.CharField(max_length=200, default="")

    class Meta:
        table = "plan_version"
        unique_together = (("centre_id", "week", "number"),)


class PlanSlot(Model):
    """One booking as a version told it, copied at publishing. Append-only."""

    id = fields.BigIntField(primary_key=True)
    version: fields.ForeignKeyRelation[PlanVersion] = fields.ForeignKeyField(
        "livehub.PlanVersion", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    version_id: int
    booking = fields.CharField(max_length=16)  # public id
    kind = fields.CharField(max_length=16)
    starts_at = InstantField()
    ends_at = InstantField()
    room_id = fields.BigIntField()
    room = fields.CharField(max_length=40)
    bureau_id = fields.BigIntField()
    bureau = fields.CharField(max_length=80)
    title = fields.CharField(max_length=60)
    crew = fields.CharField(max_length=400)
    broadcast = fields.CharField(max_length=16, default="")

    class Meta:
        table = "plan_slot"
        unique_together = (("version_id", "booking"),)


class PlanEvent(Model):
    """What calendars are told of one booking: the newest of all published versions, counted by changes."""

    id = fields.BigIntField(primary_key=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    centre_id: int
    booking = fields.CharField(max_length=16, unique=True)  # public id: the event's UID
    week = fields.IntField()  # whose plan has it
    bureau_id = fields.BigIntField()
    sequence = fields.IntField(default=0)  # one more with each change of time or room, and when cancelled
    cancelled = fields.BooleanField(default=False)
    starts_at = InstantField()
    ends_at = InstantField()
    room_id = fields.BigIntField()
    room = fields.CharField(max_length=40)
    bureau = fields.CharField(max_length=80)
    title = fields.CharField(max_length=60)
    crew = fields.CharField(max_length=400)
    changed_at = InstantField()

    class Meta:
        table = "plan_event"
        indexes = (("centre_id", "ends_at"),)


class CalendarFeed(Model):
    """日历订阅: an address that is a secret, kept as its hash, changed or ended at any time."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    centre_id: int
    user_id = fields.BigIntField(db_index=True)
    bureau_id = fields.BigIntField(default=0)  # whose slots; 0: the whole centre's
    token_hash = DigestField(unique=True)
    created_at = InstantField()
    rotated_at: datetime | None = InstantField(null=True)
    revoked_at: datetime | None = InstantField(null=True)
    last_seen_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "calendar_feed"
