"""Lists of bureaus, users, tokens and audit entries, within what the reader may see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from tortoise.expressions import Q

from livehub import database
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.models import ApiToken, AuditEntry, Bureau, Centre, Membership, User
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit.paging import Page, window


class UserRow(Struct, frozen=True):
    """A user of a list, with the roles held."""

    public_id: str
    login: str
    name: str
    active: bool
    created_at: datetime
    grants: tuple[Grant, ...]


async def centre(centre_id: int) -> Centre | None:
    """One centre."""
    return await Centre.get_or_none(id=centre_id)


async def centres() -> list[Centre]:
    """The centres of this node, oldest first."""
    return await Centre.all().order_by("id")


async def bureaus(centre_id: int) -> list[Bureau]:
    """The bureaus of a centre, oldest first."""
    return await Bureau.filter(centre_id=centre_id).order_by("id")


async def users(actor: Actor, *, number: int = 1, size: int = 50, search: str = "") -> Page[UserRow]:
    """Accounts of the actor's centre by login, perhaps those whose login or name has a text in it."""
    require(actor, Permission.USER_READ)
    number, size, limit, offset = window(number=number, size=size)
    found = User.filter(centre_id=actor.centre_id)
    if search:
        found = found.filter(Q(login__icontains=search) | Q(name__icontains=search))
    rows = await found.order_by("login").limit(limit).offset(offset)
    grants = await _grants([row.id for row in rows])
    items = [
        UserRow(row.public_id, row.login, row.name, row.active, row.created_at, tuple(grants[row.id]))
        for row in rows
    ]
    return Page(items, number, size, await found.count())


async def tokens(actor: Actor) -> list[ApiToken]:
    """API tokens of the actor's centre, newest first; their plain text is nowhere."""
    require(actor, Permission.TOKEN_MANAGE)
    return await ApiToken.filter(centre_id=actor.centre_id).order_by("-id")


async def audit_entries(
    actor: Actor,
    *,
    number: int = 1,
    size: int = 50,
    action: str = "",
    object_id: str = "",
    result: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[AuditEntry]:
    """The audit trail, newest first: all of the centre, or of the actor's bureaus.

    An object's number is found by its index, kind by kind: there are a few dozen kinds.
    """
    require(actor, Permission.AUDIT_READ)
    number, size, limit, offset = window(number=number, size=size)
    wanted: dict[str, Any] = {"object_id": object_id, "result": result, "at__gte": since, "at__lt": until}
    found = AuditEntry.filter(**{name: value for name, value in wanted.items() if value})
    if object_id:
        found = found.filter(object_kind__in=await _kinds())
    if action:
        found = found.filter(action__startswith=action)
    scope = bureau_scope(actor, Permission.AUDIT_READ)
    if scope is not None:
        found = found.filter(bureau_id__in=scope)
    elif actor.kind != "system":
        found = found.filter(centre_id__in=(actor.centre_id, 0))  # 0: commands of this node, unknown logins
    rows = await found.order_by("-id").limit(limit).offset(offset)
    return Page(rows, number, size, await found.count())


async def _kinds() -> list[str]:
    """Every kind of object that the audit trail speaks of, from one to the next in its index."""
    rows = await database.fetch(
        "WITH RECURSIVE k AS (SELECT min(object_kind) AS kind FROM audit_entry UNION ALL"
        " SELECT (SELECT min(a.object_kind) FROM audit_entry a WHERE a.object_kind > k.kind) FROM k"
        " WHERE k.kind IS NOT NULL) SELECT kind FROM k WHERE kind IS NOT NULL"
    )
    return [row["kind"] for row in rows]


async def _grants(user_ids: Sequence[int]) -> defaultdict[int, list[Grant]]:
    held: defaultdict[int, list[Grant]] = defaultdict(list)
    for row in await Membership.filter(user_id__in=user_ids).order_by("id"):
        held[row.user_id].append(Grant(row.role, row.bureau_id, row.merchant_id))
    return held
