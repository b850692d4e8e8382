"""Public names into rows and back: which bureau, template or store a caller means."""

from __future__ import annotations

from livehub.accounts import queries
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.vouchers import packs
from livehub.vouchers.models import Drop, Round
from rooms import queries as rooms
from streamers import queries as streamers


async def bureaus(centre_id: int) -> dict[int, str]:
    """The public ids of a centre's bureaus by row id."""
    return {each.id: each.public_id for each in await queries.bureaus(centre_id)}


async def bureau_id(public_id: str, *, actor: Actor, permission: Permission) -> int:
    """The bureau a caller acts for: the one named, or the caller's only one.

    NotFound for one the caller has nothing to do with; Invalid when nothing is named and it is not clear.
    """
    scope = bureau_scope(actor, permission)
    if not public_id:
        if scope is None or len(scope) != 1:
            raise Invalid(details=[Detail("bureau", "必须提供", "部门公开编号，见 GET /me")])
        return next(iter(scope))
    for number, name in (await bureaus(actor.centre_id)).items():
        if name == public_id and (scope is None or number in scope):
            return number
    raise NotFound


def row_number(text: str) -> int:
    """The row id a path names as text; NotFound for what cannot be one."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound
    return int(text)


async def round_of(public_id: str, *, actor: Actor) -> tuple[int, str]:
    """(row id, campaign's public id) of a round of a campaign the actor may work on; NotFound else."""
    found = await Round.get_or_none(public_id=public_id).select_related("campaign")
    if found is None:
        raise NotFound
    campaign = found.campaign
    require(actor, Permission.CAMPAIGN_DRAFT, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id)
    return int(found.id), str(campaign.public_id)


async def template_id(public_id: str, *, actor: Actor) -> int:
    """The row id of the template that a template's or a pack's public id stands for; NotFound else."""
    found = await packs.template_of(public_id)
    if found is None or found[1] != actor.centre_id:
        raise NotFound
    return found[0]


async def broadcast_id(public_id: str, *, actor: Actor) -> int:
    """The row id of a broadcast the actor may see; NotFound else."""
    return (await rooms.broadcast(public_id, actor=actor)).id


async def drop_id(public_id: str, *, actor: Actor) -> int:
    """The row id of a drop of a broadcast of the actor's centre; NotFound else."""
    found = await Drop.get_or_none(public_id=public_id).select_related("broadcast")
    if found is None or found.broadcast.centre_id != actor.centre_id:
        raise NotFound
    return int(found.id)


async def streamer_id(public_id: str, *, actor: Actor) -> int:
    """The row id of a streamer of the actor's centre; NotFound else."""
    return (await streamers.streamer(public_id, actor=actor)).id
