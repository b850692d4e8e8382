"""A booking that comes again and again, and the times of it that could not be had."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Bureau, Centre
from livehub.database.fields import InstantField
from rooms.models import Room


class Series(Model):
    """系列排期: a rule on the wall clock, from which bookings were made."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField(
        "livehub.Room", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    room_id: int
    bureau: fields.ForeignKeyRelation[Bureau] = fields.ForeignKeyField(
        "livehub.Bureau", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    bureau_id: int
    parent_id = fields.BigIntField(default=0)  # the series it was split from
    title = fields.CharField(max_length=60)
    dtstart = fields.CharField(max_length=16)  # local, as 2026-03-22T20:00
    zone = fields.CharField(max_length=40)
    rrule = fields.CharField(max_length=200)
    rdates = fields.TextField(default="")  # local starts by blanks
    exdates = fields.TextField(default="")
    minutes = fields.IntField()
    created_by_id = fields.BigIntField()
    created_at = InstantField()

    class Meta:
        table = "series"


class RejectedOccurrence(Model):
    """One time of a series that could not be had, and why."""

    id = fields.BigIntField(primary_key=True)
    series: fields.ForeignKeyRelation[Series] = fields.ForeignKeyField(
        "livehub.Series", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    series_id: int
    recurrence_id = fields.CharField(max_length=16)  # its local start
    code = fields.CharField(max_length=32)
    detail = fields.CharField(max_length=200)

    class Meta:
        table = "rejected_occurrence"
        unique_together = (("series_id", "recurrence_id"),)


class SeriesBooking(Model):
    """Which occurrence of a series a booking is."""

    id = fields.BigIntField(primary_key=True)
    series: fields.ForeignKeyRelation[Series] = fields.ForeignKeyField(
        "livehub.Series", on_delete=fields.RESTRICT, related_name=False, db_index=False
    )
    series_id: int
    booking_id = fields.BigIntField(unique=True)
    recurrence_id = fields.CharField(max_length=16)

    class Meta:
        table = "series_booking"
        unique_together = (("series_id", "recurrence_id"),)
