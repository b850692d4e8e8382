"""Windows of time whose lists are read from a platform, what was listed, and where it differs from ours."""

from __future__ import annotations

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DayField, InstantField


class Cadence(StrEnum):
    """Why a window is read."""

    RECENT = "recent"  # the last half hour, every ten minutes: these join without a gap
    DAILY = "daily"  # yesterday as a whole
    WEEKLY = "weekly"  # after-sales of thirty days
    BACKFILL = "backfill"  # somebody asked for it


class WindowStatus(StrEnum):
    """The life of a window."""

    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"  # given up; somebody tries it again or drops it
    DROPPED = "dropped"  # somebody said why it is not waited for


class DifferenceKind(StrEnum):
    """How a platform's list and ours differ."""

    MISSING = "missing"  # the list has it, and no push told of it
    AMOUNT = "amount"
    EXTRA = "extra"  # we have it, and the list has not


class DifferenceStatus(StrEnum):
    """The life of a difference."""

    OPEN = "open"
    EXPLAINED = "explained"  # by a person
    CLOSED = "closed"  # gone by itself


class SyncCursor(Model):
    """拉取窗口: one window of one list of one shop, and how far it was read."""

    id = fields.BigIntField(primary_key=True)
    shop_id = fields.BigIntField()
    endpoint_id = fields.BigIntField()
    kind = fields.CharField(max_length=8)  # order | refund
    cadence = fields.CharField(max_length=8)
    window_start = InstantField()
    window_end = InstantField()
    page = fields.CharField(max_length=500, default="")  # the next one to be asked for
    status = fields.CharEnumField(WindowStatus, max_length=8)
    pages = fields.IntField(default=0)  # recorded
    listed = fields.IntField(default=0)  # rows recorded
    asked = fields.IntField(default=0)  # of them, fetches begun
    attempts = fields.IntField(default=0)  # since the last page
    due_at = InstantField()
    lease_until = InstantField(default=0)
    lease_token = fields.BigIntField(default=0)
    last_error = fields.CharField(max_length=500, default="")
    created_at = InstantField()
    opened_at = InstantField(null=True)  # of its first page; NULL again once its rows are forgotten
    closed_at = InstantField(null=True)

    class Meta:
        table = "sync_cursor"
        unique_together = (("shop_id", "kind", "cadence", "window_start", "window_end"),)
        indexes = (("status", "endpoint_id"),)


class SyncMark(Model):
    """对账至: up to when one list of one shop was read without a gap. It never goes back."""

    id = fields.BigIntField(primary_key=True)
    shop_id = fields.BigIntField()
    kind = fields.CharField(max_length=8)
    begun_at = InstantField()  # where the first window began
    reconciled_until = InstantField()

    class Meta:
        table = "sync_mark"
        unique_together = (("shop_id", "kind"),)


class ListedItem(Model):
    """An order or after-sale as its platform listed it last."""

    id = fields.BigIntField(primary_key=True)
    shop_id = fields.BigIntField()
    kind = fields.CharField(max_length=8)
    ref = fields.CharField(max_length=64)
    order_ref = fields.CharField(max_length=64)  # '' where the list does not say
    updated_at = InstantField(null=True)  # NULL where the list does not say
    amount_fen = fields.BigIntField(null=True)  # as above
    day = DayField()  # of its update, else of the window's start
    window_id = fields.BigIntField()  # that listed it last
    last_at = InstantField()  # when

    class Meta:
        table = "listed_item"
        unique_together = (("shop_id", "kind", "ref"),)
        indexes = (("shop_id", "day"),)


class SyncDifference(Model):
    """对账差异: one order or after-sale of one day that a platform's list and ours tell differently."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre_id = fields.BigIntField()
    shop_id = fields.BigIntField()
    day = DayField()  # of the update by the platform's time
    kind = fields.CharEnumField(DifferenceKind, max_length=8)
    about = fields.CharField(max_length=8)  # order | refund
    ref = fields.CharField(max_length=64)
    order_ref = fields.CharField(max_length=64)
    ours_fen = fields.BigIntField(null=True)
    theirs_fen = fields.BigIntField(null=True)
    updated_at = InstantField(null=True)  # by the list; of an extra one by what we were told
    window_id = fields.BigIntField()
    found_at = InstantField()
    status = fields.CharEnumField(DifferenceStatus, max_length=10)
    closed_at = InstantField(null=True)  # explained, or gone
    outcome = fields.CharField(max_length=16, default="")  # why it is gone
    reason = fields.CharField(max_length=16, default="")  # a person's
    note = fields.CharField(max_length=300, default="")
    explained_by = fields.CharField(max_length=80, default="")

    class Meta:
        table = "sync_difference"
        unique_together = (("shop_id", "about", "ref", "kind", "day"),)
        indexes = (("centre_id", "status"), ("shop_id", "day"))
