"""Centres, bureaus and the people who log in: made, given roles, switched off; each step is audited.

Verbs with a password hash it before they touch the database: call them outside any transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit, logins, passwords, throttle
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.errors import (
    BadGrant,
    LastAdmin,
    LoginTaken,
    OwnAccount,
    PermissionMissing,
    SamePassword,
    WrongLogin,
)
from livehub.accounts.models import AuditEntry, Bureau, Centre, Membership, Role, User
from livehub.accounts.permissions import Permission, require
from livehub.kit import ids
from livehub.kit.errors import Detail, Invalid, NotFound

BUREAU_KINDS = ("agriculture", "commerce", "rural_revitalization", "other")


async def create_centre(
    name: str, *, city: str, actor: Actor, now: datetime, slot_minutes: int = 15
) -> Centre:
    """Open a centre on this node; only commands of our own may."""
    if actor.kind != "system":
        raise PermissionMissing
    async with database.transaction():
        centre = await Centre.create(
            public_id=ids.public_id(), name=name, city=city, slot_minutes=slot_minutes
        )
        await audit.write("centre.created", actor=actor, about=("centre", centre.public_id), now=now)
    return centre


async def create_bureau(name: str, *, kind: str, centre_id: int, actor: Actor, now: datetime) -> Bureau:
    """Register a bureau of a centre."""
    require(actor, Permission.USER_MANAGE, centre_id=centre_id)
    if kind not in BUREAU_KINDS:
        raise Invalid(details=[Detail("kind", "没有这种部门类别", "、".join(BUREAU_KINDS))])
    async with database.transaction():
        bureau = await Bureau.create(public_id=ids.public_id(), centre_id=centre_id, name=name, kind=kind)
        await audit.write(
            "bureau.created",
            actor=actor,
            about=("bureau", bureau.public_id),
            bureau_id=bureau.id,
            now=now,
            detail={"kind": kind},
        )
    return bureau


async def create_user(
    login: str,
    password: str,
    *,
    name: str,
    centre_id: int,
    actor: Actor,
    now: datetime,
    grants: Sequence[Grant] = (),
    must_change: bool = False,
) -> User:
    """Make an account with its roles; LoginTaken, WeakPassword or BadGrant when it cannot be.

    ``must_change``: the password is for the first login only.
    """
    require(actor, Permission.USER_MANAGE, centre_id=centre_id)
    spelled = logins.canonical(login)
    if not spelled:
        raise Invalid(details=[Detail("login", "账号格式不对", "2 至 40 位小写字母、数字或 . _ @ -")])
    passwords.ensure_strong(password, login=spelled)
    password_hash = await passwords.hash_password(password)

    async def work() -> User:
        user = await User.create(
            public_id=ids.public_id(),
            centre_id=centre_id,
            login=spelled,
            name=name.strip()[:40],
            password_hash=password_hash,
            created_at=now,
            must_change=must_change,
        )
        await audit.write("user.created", actor=actor, about=("user", user.public_id), now=now)
        for grant in grants:
            await _give(user, grant, actor=actor, now=now)
        return user

    try:
        return await database.unit(work)
    except IntegrityError as error:
        if await User.exists(login=spelled):
            raise LoginTaken from error
        raise


async def set_password(
    user: User, password: str, *, actor: Actor, now: datetime, must_change: bool = False
) -> None:
    """Give somebody else a new password, by an administrator; every login of the user ends."""
    _ensure_other(user, actor)
    await _store_password(user, password, actor=actor, now=now, must_change=must_change)


async def change_password(
    user: User, password: str, *, old: str, actor: Actor, now: datetime, device: str = "", keep: str = ""
) -> None:
    """Change the actor's own password, knowing the old one; every login ends but that of the token ``keep``.

    Guessing the old one is counted like guessing at the door: TooManyLogins. WrongLogin, SamePassword and
    WeakPassword leave everything as it was.
    """
    if actor.kind != "user" or actor.id != user.id:
        raise PermissionMissing
    await logins.prove(user, old, actor=actor, device=device, now=now)
    if passwords.same(password, old):
        raise SamePassword(details=[Detail("password", "与原密码相同")])
    await _store_password(user, password, actor=actor, now=now, keep=keep, proved=user.password_hash)


async def grant_role(user: User, grant: Grant, *, actor: Actor, now: datetime) -> None:
    """Give a role, in the current transaction or one of its own; harmless when it is held."""
    _ensure_other(user, actor)
    async with database.transaction():
        await _give(user, grant, actor=actor, now=now)


async def withdraw_role(user: User, grant: Grant, *, actor: Actor, now: datetime) -> None:
    """Take a role away; harmless when it is not held."""
    _ensure_other(user, actor)
    async with database.transaction():
        if grant.role is Role.ADMIN:
            await _ensure_admin_left(user)
        taken = await Membership.filter(
            user_id=user.id, role=grant.role, bureau_id=grant.bureau_id, merchant_id=grant.merchant_id
        ).delete()
        if taken:
            await _write_role("user.role_withdrawn", user, grant, actor=actor, now=now)


async def deactivate(user: User, *, actor: Actor, now: datetime, reason: str = "") -> None:
    """Switch an account off and end its logins; what it did stays. LastAdmin when nobody else is one."""
    _ensure_other(user, actor)
    async with database.transaction():
        await _ensure_admin_left(user)
        if await User.filter(id=user.id, active=True).update(active=False):
            await audit.write(
                "user.deactivated",
                actor=actor,
                about=("user", user.public_id),
                now=now,
                detail={"reason": reason} if reason else {},
            )
            await logins.log_out_everywhere(user.id, actor=actor, now=now)


async def reactivate(user: User, *, actor: Actor, now: datetime) -> None:
    """Switch an account on again."""
    _ensure_other(user, actor)
    async with database.transaction():
        if await User.filter(id=user.id, active=False).update(active=True):
            await audit.write("user.reactivated", actor=actor, about=("user", user.public_id), now=now)


async def end_logins(user: User, *, actor: Actor, now: datetime) -> int:
    """End every open login of somebody; returns how many there were."""
    require(actor, Permission.USER_MANAGE, centre_id=user.centre_id)
    return await database.unit(lambda: logins.log_out_everywhere(user.id, actor=actor, now=now))


async def unlock(user: User, *, actor: Actor, now: datetime) -> int:
    """Let somebody try again at once who mistyped too often; returns how many networks were let in again.

    An account is never locked itself: tries are counted by network, and the trail knows from where they came.
    """
    require(actor, Permission.USER_MANAGE, centre_id=user.centre_id)
    since = now - timedelta(seconds=throttle.WINDOW_SECONDS)
    refused = AuditEntry.filter(
        object_kind="user", object_id=user.public_id, result="refused", at__gte=since
    ).distinct()

    async def work() -> int:
        ips = await refused.values_list("ip", flat=True)
        freed = await throttle.unlock(user.login, ips=[str(ip) for ip in ips], now=now)
        await audit.write(
            "user.unlocked", actor=actor, about=("user", user.public_id), now=now, detail={"networks": freed}
        )
        return freed

    return await database.unit(work)


async def ensure_grant(grant: Grant, *, centre_id: int) -> None:
    """Raise BadGrant unless the role has the bureau or merchant it needs, and nothing else."""
    wants_bureau, wants_merchant = grant.role is Role.BUREAU, grant.role is Role.MERCHANT
    if wants_bureau != bool(grant.bureau_id) or wants_merchant != bool(grant.merchant_id):
        raise BadGrant
    if wants_bureau and not await Bureau.exists(id=grant.bureau_id, centre_id=centre_id):
        raise BadGrant


async def by_public_id(public_id: str, *, actor: Actor) -> User:
    """The user an administrator's page is about; NotFound for another centre's."""
    require(actor, Permission.USER_READ)
    user = await User.get_or_none(public_id=public_id)
    if user is None:
        raise NotFound
    require(actor, Permission.USER_READ, centre_id=user.centre_id)
    return user


def _ensure_other(user: User, actor: Actor) -> None:
    require(actor, Permission.USER_MANAGE, centre_id=user.centre_id)
    if actor.kind == "user" and actor.id == user.id:
        raise OwnAccount


async def _ensure_admin_left(user: User) -> None:
    """Of two administrators who take each other's rights away at once, the second finds nobody else left."""
    if not await Membership.exists(user_id=user.id, role=Role.ADMIN):
        return
    held = " FOR NO KEY UPDATE" if database.dialect() == "postgres" else ""
    await database.fetch(f"SELECT id FROM centre WHERE id = $1{held}", user.centre_id)
    others = User.filter(centre_id=user.centre_id, active=True, memberships__role=Role.ADMIN)
    if not await others.exclude(id=user.id).exists():
        raise LastAdmin


async def _give(user: User, grant: Grant, *, actor: Actor, now: datetime) -> None:
    await ensure_grant(grant, centre_id=user.centre_id)
    _, is_new = await Membership.get_or_create(
        user_id=user.id, role=grant.role, bureau_id=grant.bureau_id, merchant_id=grant.merchant_id
    )
    if is_new:
        await _write_role("user.role_granted", user, grant, actor=actor, now=now)


async def _write_role(action: str, user: User, grant: Grant, *, actor: Actor, now: datetime) -> None:
    await audit.write(
        action,
        actor=actor,
        about=("user", user.public_id),
        bureau_id=grant.bureau_id,
        now=now,
        detail={"role": str(grant.role), "merchant": grant.merchant_id},
    )


async def _store_password(
    user: User,
    password: str,
    *,
    actor: Actor,
    now: datetime,
    must_change: bool = False,
    keep: str = "",
    proved: str = "",
) -> None:
    """``proved``: the hash that the old one was proved against; WrongLogin where it is another by now."""
    passwords.ensure_strong(password, login=user.login)
    password_hash = await passwords.hash_password(password)

    async def work() -> None:
        of_whom = (
            User.filter(id=user.id, password_hash=proved, active=True) if proved else User.filter(id=user.id)
        )
        if not await of_whom.update(password_hash=password_hash, must_change=must_change):
            raise WrongLogin
        await audit.write("user.password_set", actor=actor, about=("user", user.public_id), now=now)
        await logins.log_out_everywhere(user.id, actor=actor, now=now, but=keep)

    await database.unit(work)
