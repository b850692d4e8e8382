"""我: who the caller is, and the names a caller needs for other calls."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub.accounts import queries as accounts
from livehub.accounts.models import Role
from livehub.accounts.permissions import RIGHTS, Permission
from livehub.merchants import queries as merchants
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Nothing

calls = Section("身份")


class Named(Struct, frozen=True, kw_only=True):
    """公开编号与名称。"""

    id: str
    name: str


class Right(Struct, frozen=True, kw_only=True):
    """一个角色，连同它所属的部门或商户。"""

    role: Role
    bureau: Named | None
    merchant: Named | None


class Me(Struct, frozen=True, kw_only=True):
    """调用者。"""

    kind: Annotated[str, Meta(description="user 登录的人，token 接口令牌")]
    name: str
    centre: Named
    rights: list[Right]
    permissions: list[Permission]


@calls.get("/me", summary="调用者是谁，能做什么", query=Nothing, answer=Me)
async def me(asked: Asked[Nothing, None]) -> Me:
    """Whom the token or the session stands for."""
    actor = asked.actor
    centre = await accounts.centre(actor.centre_id)
    bureaus = {each.id: each for each in await accounts.bureaus(actor.centre_id)}
    shops = await merchants.merchants_by_id({each.merchant_id for each in actor.grants if each.merchant_id})
    rights = []
    for grant in actor.grants:
        bureau, merchant = bureaus.get(grant.bureau_id), shops.get(grant.merchant_id)
        rights.append(
            Right(
                role=grant.role,
                bureau=Named(id=bureau.public_id, name=bureau.name) if bureau else None,
                merchant=Named(id=merchant.public_id, name=merchant.name) if merchant else None,
            )
        )
    allowed = {permission for grant in actor.grants for permission in RIGHTS[grant.role]}
    return Me(
        kind=actor.kind,
        name=actor.name,
        centre=Named(id=centre.public_id if centre else "", name=centre.name if centre else ""),
        rights=rights,
        permissions=sorted(allowed),
    )
