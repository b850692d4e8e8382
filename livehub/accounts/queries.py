"""Lists of bureaus, users, their logins and tokens, within what the reader may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from tortoise.expressions import Q, Subquery

from livehub.accounts import logins
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.models import ApiToken, AuditEntry, Bureau, Centre, Membership, Role, Session, User
from livehub.accounts.permissions import Permission, may, require
from livehub.kit import sealing
from livehub.kit.paging import Page, window


class UserRow(Struct, frozen=True):
    """A user of a list, with the roles held."""

    public_id: str
    login: str
    name: str
    active: bool
    must_change: bool
    created_at: datetime
    grants: tuple[Grant, ...]


class LoginRow(Struct, frozen=True):
    """A login of a user, or a try that was refused, as the trail has it."""

    at: datetime
    action: str
    result: str
    ip: str


class SessionRow(Struct, frozen=True):
    """An open login."""

    id: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    ip: str
    agent: str
    is_this: bool  # the one that asks


async def centre(centre_id: int) -> Centre | None:
    """One centre."""
    return await Centre.get_or_none(id=centre_id)


async def centres() -> list[Centre]:
    """The centres of this node, oldest first."""
    return await Centre.all().order_by("id")


async def bureaus(centre_id: int) -> list[Bureau]:
    """The bureaus of a centre, oldest first."""
    return await Bureau.filter(centre_id=centre_id).order_by("id")


async def users(
    actor: Actor,
    *,
    number: int = 1,
    size: int = 50,
    search: str = "",
    role: Role | None = None,
    bureau_id: int | None = None,
    active: bool | None = None,
) -> Page[UserRow]:
    """Accounts of the actor's centre by login; ``search`` is a text in login or name."""
    require(actor, Permission.USER_READ)
    number, size, limit, offset = window(number=number, size=size)
    found = User.filter(centre_id=actor.centre_id)
    if search:
        found = found.filter(Q(login__icontains=search) | Q(name__icontains=search))
    if active is not None:
        found = found.filter(active=active)
    held = {"role": role, "bureau_id": bureau_id}
    wanted = {name: value for name, value in held.items() if value is not None}
    if wanted:
        found = found.filter(id__in=Subquery(Membership.filter(**wanted).values("user_id")))
    rows = await found.order_by("login").limit(limit).offset(offset)
    grants = await grants_of([row.id for row in rows])
    items = [
        UserRow(
            row.public_id,
            row.login,
            row.name,
            row.active,
            row.must_change,
            row.created_at,
            tuple(grants[row.id]),
        )
        for row in rows
    ]
    return Page(items, number, size, await found.count())


async def logins_of(user: User, *, actor: Actor, limit: int = 10) -> list[LoginRow]:
    """The last logins of a user and the tries that were refused, newest first.

    From where is told to the user herself and to who may read the trail, not to who keeps the accounts.
    """
    if actor.kind != "user" or actor.id != user.id:
        require(actor, Permission.USER_READ, centre_id=user.centre_id)
    rows = (
        await AuditEntry.filter(object_kind="user", object_id=user.public_id, action__startswith="login.")
        .order_by("-id")
        .limit(limit)
    )
    sees = actor.id == user.id or may(actor, Permission.AUDIT_READ)
    return [LoginRow(row.at, row.action, row.result, row.ip if sees else "") for row in rows]


async def sessions_of(user: User, *, actor: Actor, now: datetime, token: str = "") -> list[SessionRow]:
    """The open logins of a user, the one last used first; ``token`` is the asking one's."""
    if actor.kind != "user" or actor.id != user.id:
        require(actor, Permission.USER_READ, centre_id=user.centre_id)
    rows = await Session.filter(user_id=user.id, expires_at__gt=now, seen_at__gt=now - logins.IDLE).order_by(
        "-seen_at"
    )
    mine = sealing.token_hash(token)
    sees = actor.id == user.id or may(actor, Permission.AUDIT_READ)
    return [
        SessionRow(
            row.id,
            row.created_at,
            row.seen_at,
            row.expires_at,
            row.ip if sees else "",
            row.agent,
            bytes(row.token_hash) == mine,
        )
        for row in rows
    ]


async def tokens(actor: Actor) -> list[ApiToken]:
    """API tokens of the actor's centre, newest first; their plain text is nowhere."""
    require(actor, Permission.TOKEN_MANAGE)
    return await ApiToken.filter(centre_id=actor.centre_id).order_by("-id")


async def grants_of(user_ids: Sequence[int]) -> defaultdict[int, list[Grant]]:
    """The roles of each of some users, in the order in which they were given."""
    held: defaultdict[int, list[Grant]] = defaultdict(list)
    for row in await Membership.filter(user_id__in=user_ids).order_by("id"):
        held[row.user_id].append(Grant(row.role, row.bureau_id, row.merchant_id))
    return held
