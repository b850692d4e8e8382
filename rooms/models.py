"""Rooms, bookings, what they occupy, and the broadcasts born from them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.accounts.models import Bureau, Centre
from livehub.database.fields import DayField, InstantField
from livehub.merchants.models import Product
from livehub.platforms.models import Shop
from streamers.models import Person, Streamer


class Theme(StrEnum):
    """主题 of a room."""

    RURAL_REVITALIZATION = "rural_revitalization"
    AGRI_SPECIALTY = "agri_specialty"
    PARTY_BUILDING = "party_building"
    CHARMING_CITY = "charming_city"


class BookingKind(StrEnum):
    """What a booking is for; only live ones have a broadcast."""

    LIVE = "live"
    REHEARSAL = "rehearsal"
    TRAINING = "training"
    EXAM = "exam"
    MAINTENANCE = "maintenance"


class BookingState(StrEnum):
    """The life of a booking; holding states have an active claim."""

    DRAFT = "draft"
    OFFERED = "offered"
    SUBMITTED = "submitted"
    FIRST_APPROVED = "first_approved"
    APPROVED = "approved"
    CHECKED_IN = "checked_in"
    COMPLETED = "completed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    DISPLACED = "displaced"
    NO_SHOW = "no_show"


class BroadcastState(StrEnum):
    """The life of a broadcast."""

    PLANNED = "planned"
    CHECKED = "checked"
    LIVE = "live"
    ENDED = "ended"
    REVIEWED = "reviewed"
    ABORTED = "aborted"


class Room(Model):
    """直播间."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    code = fields.CharField(max_length=16)
    name = fields.CharField(max_length=40)
    theme = fields.CharEnumField(Theme, max_length=24)
    kind = fields.CharField(max_length=8, default="studio")  # studio | field
    boundary_hour = fields.IntField(default=6)  # business day: studio 06:00, field 00:00
    status = fields.CharField(max_length=16, default="active")  # active | maintenance | retired
    opens_minute = fields.IntField(default=480)  # minutes after 00:00 local
    closes_minute = fields.IntField(default=1560)  # may exceed 24 h: 1560 is 02:00 of the next day
    setup_min = fields.IntField(default=30)
    turnover_min = fields.IntField(default=30)
    min_duration_min = fields.IntField(default=30)
    max_duration_min = fields.IntField(default=360)
    approvals = fields.IntField(default=1)  # 0, 1 or 2 people
    commerce_allowed = fields.BooleanField(default=True)
    hold_ttl_h = fields.IntField(default=48)
    min_lead_h = fields.IntField(default=0)  # hours between asking and the start, at least
    max_advance_d = fields.IntField(default=180)  # days between asking and the start, at most

    class Meta:
        table = "room"
        unique_together = (("centre_id", "code"),)


class Booking(Model):
    """排期: a claim on a room and people for a time."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField(
        "livehub.Room", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    room_id: int
    bureau: fields.ForeignKeyRelation[Bureau] = fields.ForeignKeyField(
        "livehub.Bureau", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    bureau_id: int
    kind = fields.CharEnumField(BookingKind, max_length=16)
    title = fields.CharField(max_length=60)
    start_at = InstantField()
    end_at = InstantField()
    setup_min = fields.IntField()
    turnover_min = fields.IntField()
    state = fields.CharEnumField(BookingState, max_length=16)
    hold_until: datetime | None = InstantField(null=True)
    version = fields.IntField(default=1)
    reason = fields.CharField(max_length=200, default="")  # of a rejection or cancellation
    created_by_id = fields.BigIntField()
    first_approved_by_id = fields.BigIntField(default=0)  # of two-person rooms
    approved_by_id = fields.BigIntField(default=0)
    checked_in_by_id = fields.BigIntField(default=0)
    displaced_by_id = fields.BigIntField(default=0)  # the closure that took its place
    override_reason = fields.CharField(max_length=200, default="")  # why the opening hours do not bind it
    created_at = InstantField()

    class Meta:
        table = "booking"
        indexes = (("centre_id", "start_at"), ("bureau_id", "start_at"))


class ResourceClaim(Model):
    """占用: a room, person or unit taken for [starts_at, ends_at), the database allows no overlap."""

    id = fields.BigIntField(primary_key=True)
    kind = fields.CharField(max_length=10)  # room | person | equipment
    resource_id = fields.BigIntField()
    starts_at = InstantField()
    ends_at = InstantField()
    booking: fields.ForeignKeyNullableRelation[Booking] = fields.ForeignKeyField(
        "livehub.Booking", on_delete=fields.RESTRICT, related_name=False, db_index=True, null=True
    )
    booking_id: int | None
    closure_id: int | None = fields.BigIntField(null=True, db_index=True)
    active = fields.BooleanField(default=True)

    class Meta:
        table = "resource_claim"
        indexes = (("kind", "resource_id", "starts_at"),)


class CrewAssignment(Model):
    """Who works a booking, and as what."""

    id = fields.BigIntField(primary_key=True)
    booking: fields.ForeignKeyRelation[Booking] = fields.ForeignKeyField(
        "livehub.Booking", on_delete=fields.RESTRICT, related_name="crew", db_index=True
    )
    booking_id: int
    person: fields.ForeignKeyRelation[Person] = fields.ForeignKeyField(
        "livehub.Person", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    person_id: int
    role = fields.CharField(max_length=12)  # see wishes.ROLES
    state = fields.CharField(max_length=10, default="accepted")  # invited | accepted | declined

    class Meta:
        table = "crew_assignment"
        unique_together = (("booking_id", "person_id", "role"),)


class Broadcast(Model):
    """场次: one live show, born with its live booking."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    booking: fields.OneToOneRelation[Booking] = fields.OneToOneField(
        "livehub.Booking", on_delete=fields.RESTRICT, related_name=False
    )
    booking_id: int
    room: fields.ForeignKeyRelation[Room] = fields.ForeignKeyField(
        "livehub.Room", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    room_id: int
    bureau: fields.ForeignKeyRelation[Bureau] = fields.ForeignKeyField(
        "livehub.Bureau", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    bureau_id: int
    streamer: fields.ForeignKeyRelation[Streamer] = fields.ForeignKeyField(
        "livehub.Streamer", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    streamer_id: int
    title = fields.CharField(max_length=60)
    state = fields.CharEnumField(BroadcastState, max_length=12, default=BroadcastState.PLANNED)
    business_day = DayField()
    planned_start_at = InstantField()
    planned_end_at = InstantField()
    started_at: datetime | None = InstantField(null=True)  # of the first run
    ended_at: datetime | None = InstantField(null=True)  # of the last run
    heartbeat_at: datetime | None = InstantField(null=True)
    flags = fields.CharField(max_length=60, default="")  # such as abandoned
    ai_host = fields.BooleanField(default=False)  # a made-up person streams, labelled as one all the time
    legal_hold = fields.BooleanField(default=False)  # nothing of it may be deleted, whatever its age
    retain_until: datetime | None = InstantField(null=True)  # until then nothing of it may be deleted

    class Meta:
        table = "broadcast"
        indexes = (("centre_id", "business_day"), ("centre_id", "state"))


class BroadcastRun(Model):
    """One start and stop of a broadcast."""

    id = fields.BigIntField(primary_key=True)
    broadcast: fields.ForeignKeyRelation[Broadcast] = fields.ForeignKeyField(
        "livehub.Broadcast", on_delete=fields.RESTRICT, related_name="runs", db_index=True
    )
    broadcast_id: int
    started_at = InstantField()
    ended_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "broadcast_run"


class BroadcastAccount(Model):
    """The platform account a broadcast streams on: how an order finds its broadcast."""

    id = fields.BigIntField(primary_key=True)
    broadcast: fields.ForeignKeyRelation[Broadcast] = fields.ForeignKeyField(
        "livehub.Broadcast", on_delete=fields.RESTRICT, related_name="accounts", db_index=True
    )
    broadcast_id: int
    platform = fields.CharField(max_length=32)
    account_ref = fields.CharField(max_length=64)  # the author's id on the platform
    room_ref = fields.CharField(max_length=64, default="")  # the platform's room id, known once live

    class Meta:
        table = "broadcast_account"
        unique_together = (("broadcast_id", "platform", "account_ref"),)
        indexes = (("platform", "room_ref"), ("platform", "account_ref"))


class ShopAccount(Model):
    """A shop that sells on an account: its orders that name no room and no author are looked for there."""

    id = fields.BigIntField(primary_key=True)
    shop: fields.ForeignKeyRelation[Shop] = fields.ForeignKeyField(
        "livehub.Shop", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    shop_id: int
    platform = fields.CharField(max_length=32)  # of the account: an ERP's shop may sell on any
    account_ref = fields.CharField(max_length=64)
    created_at = InstantField()

    class Meta:
        table = "shop_account"
        unique_together = (("shop_id", "platform", "account_ref"),)
        indexes = (("platform", "account_ref"),)


class Cue(Model):
    """环节: one planned block of a broadcast, a voucher cue holds the plan of its drop."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    broadcast: fields.ForeignKeyRelation[Broadcast] = fields.ForeignKeyField(
        "livehub.Broadcast", on_delete=fields.RESTRICT, related_name="cues", db_index=True
    )
    broadcast_id: int
    position = fields.IntField()
    kind = fields.CharField(max_length=12)  # see rundown.KINDS
    title = fields.CharField(max_length=60)
    planned_offset_s = fields.IntField(default=0)
    planned_s = fields.IntField(default=0)
    product: fields.ForeignKeyNullableRelation[Product] = fields.ForeignKeyField(
        "livehub.Product", on_delete=fields.RESTRICT, related_name=False, null=True
    )
    product_id: int | None
    template_ref = fields.CharField(max_length=16, default="")  # public id of the voucher template
    quantity = fields.IntField(default=0)
    window_s = fields.IntField(default=0)
    state = fields.CharField(max_length=8, default="planned")  # planned | on_air | done | skipped
    fired_at: datetime | None = InstantField(null=True)

    class Meta:
        table = "cue"
        unique_together = (("broadcast_id", "position"),)
