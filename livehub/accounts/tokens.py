"""API tokens: a machine's key with one role, shown once and stored as a hash."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts import audit, users
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.errors import BadGrant
from livehub.accounts.models import ApiToken, Role
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids, sealing
from livehub.kit.errors import NotFound

PREFIX = "lh_"
_ACTOR = """
    SELECT id, name, centre_id, role, bureau_id, merchant_id FROM api_token
    WHERE token_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
"""


async def create(
    name: str,
    grant: Grant,
    *,
    actor: Actor,
    now: datetime,
    expires_at: datetime | None = None,
    centre_id: int | None = None,
) -> tuple[str, ApiToken]:
    """Make a token for one grant: its plain text, which is shown only now, and its row.

    ``centre_id`` is for the system's own actors; anybody else makes tokens of the own centre.
    """
    centre_id = actor.centre_id if centre_id is None else centre_id
    require(actor, Permission.TOKEN_MANAGE, centre_id=centre_id)
    if grant.role is Role.ADMIN:
        raise BadGrant("管理员角色不能授予令牌。")
    await users.ensure_grant(grant, centre_id=centre_id)
    plain = PREFIX + ids.token()
    async with database.transaction():
        token = await ApiToken.create(
            public_id=ids.public_id(),
            centre_id=centre_id,
            name=name.strip()[:80],
            token_hash=sealing.token_hash(plain),
            role=grant.role,
            bureau_id=grant.bureau_id,
            merchant_id=grant.merchant_id,
            created_by_id=actor.id if actor.kind == "user" else 0,
            created_at=now,
            expires_at=expires_at,
        )
        await audit.write(
            "token.created",
            actor=actor,
            about=("token", token.public_id),
            bureau_id=grant.bureau_id,
            now=now,
            detail={"name": token.name, "role": str(grant.role), "merchant": grant.merchant_id},
        )
    return plain, token


async def actor_of_token(plain: str, *, now: datetime, ip: str = "", request_id: str = "") -> Actor | None:
    """Whom a token stands for; None when it is unknown, revoked or expired."""
    if not plain.startswith(PREFIX):
        return None
    row = await database.fetch_one(_ACTOR, sealing.token_hash(plain), clock.to_ms(now))
    if row is None:
        return None
    return Actor(
        kind="token",
        id=row["id"],
        name=row["name"],
        centre_id=row["centre_id"],
        grants=(Grant(Role(row["role"]), row["bureau_id"], row["merchant_id"]),),
        ip=ip[:45],
        request_id=request_id,
    )


async def revoke(public_id: str, *, actor: Actor, now: datetime) -> None:
    """End a token at once; harmless when it has been revoked."""
    require(actor, Permission.TOKEN_MANAGE)
    async with database.transaction():
        token = await ApiToken.get_or_none(public_id=public_id)
        if token is None:
            raise NotFound
        require(actor, Permission.TOKEN_MANAGE, centre_id=token.centre_id)
        if await ApiToken.filter(id=token.id, revoked_at=None).update(revoked_at=now):
            await audit.write(
                "token.revoked",
                actor=actor,
                about=("token", token.public_id),
                bureau_id=token.bureau_id,
                now=now,
            )
