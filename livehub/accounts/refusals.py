"""Accesses that were refused, written down in a transaction of their own: the refused one is gone."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.errors import OutOfScope, OwnAccount, PermissionMissing, SecondPersonNeeded
from livehub.kit.errors import LivehubError

NOTED = (PermissionMissing, OutOfScope, OwnAccount, SecondPersonNeeded)


async def note(error: LivehubError, *, actor: Actor, asked: str, now: datetime) -> bool:
    """Audit a refusal by rights; other errors are left alone. ``asked`` names the handler, not the URL.

    Call it outside any transaction, where errors become answers.
    """
    if not isinstance(error, NOTED):
        return False

    async def work() -> None:
        await audit.write(
            "access.refused",
            actor=actor,
            now=now,
            result="refused",
            detail={"asked": asked, "why": type(error).__name__, **error.data},
        )

    await database.unit(work)
    return True
