"""Accesses that were refused, written down in a transaction of their own: the refused one is gone.

An object that is somebody else's is answered like one that does not exist, and both are written down alike:
whoever tries names until one fits leaves a trail, and so does a mistyped address.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.errors import OutOfScope, OwnAccount, PermissionMissing, SecondPersonNeeded
from livehub.kit import limits
from livehub.kit.errors import LivehubError, NotFound

NOTED = (PermissionMissing, OutOfScope, OwnAccount, SecondPersonNeeded)
# Of one actor: a program gone wrong must not fill the trail.
LIMIT = limits.declare("refusals.noted", 300, seconds=60)


async def note(
    error: LivehubError, *, actor: Actor, asked: str, now: datetime, named: Mapping[str, object] | None = None
) -> bool:
    """Audit a refusal by rights; other errors are left alone. ``asked`` names the handler, not the URL.

    ``named`` are the names in the address: an object that was not found is noted where there are any.
    Call it outside any transaction, where errors become answers.
    """
    is_probe = type(error) is NotFound and bool(named)
    if not isinstance(error, NOTED) and not is_probe:
        return False
    names = {name: str(text)[:128] for name, text in (named or {}).items()}

    async def work() -> bool:
        tries = await limits.hit(f"refused:{actor.kind}:{actor.id}", seconds=LIMIT.seconds, now=now)
        if tries > LIMIT.most + 1:
            return False
        more = {"and_more": True} if tries > LIMIT.most else {}
        await audit.write(
            "access.refused",
            actor=actor,
            about=("asked", next(iter(names.values()), "")[:64]),
            now=now,
            result="refused",
            detail={"asked": asked, "why": type(error).__name__, "named": names, **more, **error.data},
        )
        return True

    return await database.unit(work)
