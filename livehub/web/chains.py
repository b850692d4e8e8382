"""The audit chains that a reader may verify, by the names they are asked for with."""

from __future__ import annotations

from msgspec import Struct

from livehub.accounts import queries
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit.errors import Detail, Invalid


class Chain(Struct, frozen=True):
    """A chain that the reader may verify."""

    bureau_id: int
    key: str
    name: str


async def chains_of(actor: Actor) -> list[Chain]:
    """The chains that somebody may verify: of her bureaus, or of all and the centre's own."""
    scope = bureau_scope(actor, Permission.AUDIT_READ)
    bureaus = [
        Chain(each.id, each.public_id, each.name)
        for each in await queries.bureaus(actor.centre_id)
        if scope is None or each.id in scope
    ]
    return [*([Chain(0, "centre", "中心")] if scope is None else []), *bureaus]


async def chain_of(key: str, *, actor: Actor) -> int:
    """A chain's bureau by its key; Invalid names the field."""
    for each in await chains_of(actor):
        if each.key == key:
            return each.bureau_id
    raise Invalid(details=[Detail("chain", "没有这条哈希链", "选择一条")])
