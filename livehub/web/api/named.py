"""Public names into rows and back: which bureau, template or store a caller means."""

from __future__ import annotations

from livehub.accounts import queries
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit.errors import Detail, Invalid, NotFound


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
