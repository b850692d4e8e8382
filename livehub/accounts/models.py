"""Centres, bureaus, users and what they did."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from livehub.database.fields import DigestField, InstantField


class Role(StrEnum):
    """What a membership lets somebody do; the rights of each are in permissions.py."""

    BUREAU = "bureau"
    STAFF = "staff"
    MANAGER = "manager"
    FINANCE = "finance"
    AUDITOR = "auditor"
    MERCHANT = "merchant"
    ADMIN = "admin"


class Centre(Model):
    """直播消费促进中心: the tenant, several may live on one node."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    name = fields.CharField(max_length=80)
    city = fields.CharField(max_length=40)
    slot_minutes = fields.IntField(default=15)
    prime_from_minute = fields.IntField(default=1140)  # 黄金时段, minutes after local midnight
    prime_until_minute = fields.IntField(default=1380)
    offer_ttl_h = fields.IntField(default=24)  # how long a place from the waiting list is kept

    class Meta:
        table = "centre"


class Bureau(Model):
    """主管部门: owner of slots, budgets and reports."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    name = fields.CharField(max_length=80)
    kind = fields.CharField(max_length=32)  # agriculture | commerce | rural_revitalization | other

    class Meta:
        table = "bureau"


class User(Model):
    """账号: somebody who logs in."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    login = fields.CharField(max_length=40, unique=True)
    name = fields.CharField(max_length=40)
    password_hash = fields.CharField(max_length=200)
    active = fields.BooleanField(default=True)
    created_at = InstantField()
    must_change = fields.BooleanField(default=False)  # the password is one that an administrator knows

    class Meta:
        table = "user_account"


class Membership(Model):
    """One role of a user, of a bureau or a merchant where the role has one (0: none)."""

    id = fields.BigIntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "livehub.User", on_delete=fields.RESTRICT, related_name="memberships", db_index=True
    )
    user_id: int
    role = fields.CharEnumField(Role, max_length=16)
    bureau_id = fields.BigIntField(default=0)
    merchant_id = fields.BigIntField(default=0)

    class Meta:
        table = "membership"
        unique_together = (("user_id", "role", "bureau_id", "merchant_id"),)


class Session(Model):
    """One login of a user, the cookie holds a token of which only the hash is kept."""

    id = fields.BigIntField(primary_key=True)
    token_hash = DigestField(unique=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "livehub.User", on_delete=fields.CASCADE, related_name=False, db_index=True
    )
    user_id: int
    created_at = InstantField()
    seen_at = InstantField()
    expires_at = InstantField()
    ip = fields.CharField(max_length=45, default="")
    agent = fields.CharField(max_length=200, default="")

    class Meta:
        table = "session"


class SecondFactor(Model):
    """动态码: the secret that a user's authenticator shares with us, on once a first code proved it."""

    id = fields.BigIntField(primary_key=True)
    user: fields.OneToOneRelation[User] = fields.OneToOneField(
        "livehub.User", on_delete=fields.RESTRICT, related_name=False
    )
    user_id: int
    secret_sealed = fields.BinaryField()
    created_at = InstantField()
    confirmed_at: datetime | None = InstantField(null=True)
    last_step = fields.BigIntField(default=0)  # of 30 s since 1970: no code up to it opens anything again

    class Meta:
        table = "second_factor"


class RecoveryCode(Model):
    """恢复码: opens a login once where the authenticator is lost, kept as a keyed hash, gone once used."""

    id = fields.BigIntField(primary_key=True)
    user_id = fields.BigIntField(db_index=True)
    code_hash = DigestField()

    class Meta:
        table = "recovery_code"


class ApiToken(Model):
    """A machine's key to /api/v1: shown once, stored as a hash, with one role."""

    id = fields.BigIntField(primary_key=True)
    public_id = fields.CharField(max_length=16, unique=True)
    centre: fields.ForeignKeyRelation[Centre] = fields.ForeignKeyField(
        "livehub.Centre", on_delete=fields.RESTRICT, related_name=False, db_index=True
    )
    centre_id: int
    name = fields.CharField(max_length=80)
    token_hash = DigestField(unique=True)
    role = fields.CharEnumField(Role, max_length=16)
    bureau_id = fields.BigIntField(default=0)
    merchant_id = fields.BigIntField(default=0)
    created_by_id = fields.BigIntField(default=0)
    created_at = InstantField()
    expires_at = InstantField(null=True)
    revoked_at = InstantField(null=True)

    class Meta:
        table = "api_token"


class AuditEntry(Model):
    """审计记录: who did what, when, from where, with what result. Append-only."""

    id = fields.BigIntField(primary_key=True)
    at = InstantField(db_index=True)
    centre_id = fields.BigIntField(default=0)
    bureau_id = fields.BigIntField(default=0)
    actor_kind = fields.CharField(max_length=16)  # user | token | streamer | claimant | system
    actor_id = fields.BigIntField(default=0)
    actor_name = fields.CharField(max_length=80, default="")
    action = fields.CharField(max_length=64)
    object_kind = fields.CharField(max_length=32, default="")
    object_id = fields.CharField(max_length=64, default="")
    result = fields.CharField(max_length=16, default="ok")  # ok | refused | broken
    ip = fields.CharField(max_length=45, default="")
    request_id = fields.CharField(max_length=36, default="")
    detail = fields.TextField(default="{}")

    class Meta:
        table = "audit_entry"
        indexes = (("bureau_id", "id"),)


class AuditLink(Model):
    """One link of a bureau's hash chain over its audit entries."""

    id = fields.BigIntField(primary_key=True)
    bureau_id = fields.BigIntField()
    seq = fields.BigIntField()
    entry_id = fields.BigIntField(unique=True)
    hash = DigestField()

    class Meta:
        table = "audit_link"
        unique_together = (("bureau_id", "seq"),)
