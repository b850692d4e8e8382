"""The audit trail as people read it: searched, page by page, and one entry with its place in the chain.

Bureau officers read what concerns their bureau; managers and auditors all of their centre, with tries to log
in under names that nobody has.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.models import AuditEntry, AuditLink, Bureau, Centre
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page, window

COUNTED = 10_000  # beyond that a list says "or more"


class Search(Struct, frozen=True, kw_only=True):
    """What is asked of the trail; what is empty does not narrow."""

    who: str = ""  # a part of the name
    action: str = ""  # how the verb begins: "login."
    object_kind: str = ""
    object_id: str = ""
    result: str = ""
    since: datetime | None = None
    until: datetime | None = None  # exclusive


class Place(Struct, frozen=True):
    """Where an entry stands in its bureau's chain."""

    seq: int
    hash: str
    before: str  # the hash of the link before; of zeros for the first


async def entries(actor: Actor, search: Search, *, number: int = 1, size: int = 50) -> Page[AuditEntry]:
    """The entries that fit, newest first; ``total`` stops at COUNTED."""
    found = await _found(actor, search)
    number, size, limit, offset = window(number=number, size=size)
    rows = await found.order_by("-id").limit(limit).offset(offset)
    total = offset + len(rows)
    if number > 1 or len(rows) == limit:
        total = len(await found.limit(COUNTED).values_list("id", flat=True))
    return Page(rows, number, size, total)


async def first(actor: Actor, search: Search, *, limit: int) -> list[AuditEntry]:
    """So many of the newest entries that fit, for a file."""
    return await (await _found(actor, search)).order_by("-id").limit(limit)


async def entry(entry_id: int, *, actor: Actor) -> AuditEntry:
    """One entry; NotFound where there is none that the actor may read."""
    require(actor, Permission.AUDIT_READ)
    if entry_id >= 2**63:
        raise NotFound
    found = await (await _within(actor, AuditEntry.filter(id=entry_id))).first()
    if found is None:
        raise NotFound
    return found


async def place_of(entry: AuditEntry) -> Place | None:
    """An entry's link; None while it waits for one, a second or so."""
    link = await AuditLink.get_or_none(entry_id=entry.id)
    if link is None:
        return None
    before = await AuditLink.get_or_none(bureau_id=link.bureau_id, seq=link.seq - 1)
    return Place(link.seq, bytes(link.hash).hex(), (bytes(before.hash) if before else bytes(32)).hex())


async def _found(actor: Actor, search: Search) -> QuerySet[AuditEntry]:
    """An object's number is found by its index, kind by kind: there are a few dozen kinds."""
    require(actor, Permission.AUDIT_READ)
    wanted: dict[str, Any] = {
        "object_id": search.object_id,
        "object_kind": search.object_kind,
        "result": search.result,
        "at__gte": search.since,
        "at__lt": search.until,
        "actor_name__icontains": search.who,
        "action__startswith": search.action,
    }
    found = AuditEntry.filter(**{name: value for name, value in wanted.items() if value})
    if search.object_id and not search.object_kind:
        found = found.filter(object_kind__in=await _kinds())
    return await _within(actor, found)


async def _within(actor: Actor, found: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
    """What jobs of this node did has no centre: its bureau tells whose it is, where there are several."""
    scope = bureau_scope(actor, Permission.AUDIT_READ)
    if scope is not None:
        return found.filter(bureau_id__in=scope)
    if actor.kind == "system":
        return found
    nobodys = Q(centre_id=0)
    if await Centre.all().count() > 1:
        ours = await Bureau.filter(centre_id=actor.centre_id).values_list("id", flat=True)
        nobodys &= Q(bureau_id__in=ours) | Q(bureau_id=0, action__startswith="login.")
    return found.filter(Q(centre_id=actor.centre_id) | nobodys)


async def _kinds() -> Sequence[str]:
    """Every kind of object that the audit trail speaks of, from one to the next in its index."""
    rows = await database.fetch(
        "WITH RECURSIVE k AS (SELECT min(object_kind) AS kind FROM audit_entry UNION ALL"
        " SELECT (SELECT min(a.object_kind) FROM audit_entry a WHERE a.object_kind > k.kind) FROM k"
        " WHERE k.kind IS NOT NULL) SELECT kind FROM k WHERE kind IS NOT NULL"
    )
    return [row["kind"] for row in rows]
