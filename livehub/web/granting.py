"""Roles as they are chosen and shown: by the public names of a bureau and a merchant."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from livehub.accounts import queries as accounts
from livehub.accounts.actors import Grant, system
from livehub.accounts.models import Role
from livehub.kit.errors import Detail, Invalid
from livehub.merchants import queries as merchants


class Unit(Struct, frozen=True):
    """A bureau or a merchant that a role can be for."""

    id: int
    public_id: str
    name: str


class Units(Struct, frozen=True):
    """The bureaus and merchants of a centre, by what they are called."""

    bureaus: list[Unit]
    merchants: list[Unit]

    def name_of(self, grant: Grant) -> str:
        """Whom a role is for, empty where it is for the centre."""
        found = self.of(grant)
        return found.name if found else ""

    def of(self, grant: Grant) -> Unit | None:
        """The bureau or merchant of a role."""
        wanted, units = (
            (grant.bureau_id, self.bureaus) if grant.bureau_id else (grant.merchant_id, self.merchants)
        )
        return next((each for each in units if each.id == wanted), None)

    def grant(self, role: Role, *, bureau: str = "", merchant: str = "") -> Grant:
        """A role by the public ids of whom it is for; Invalid names the field that does not fit."""
        return Grant(
            role,
            _wanted("bureau", bureau, self.bureaus, needed=role is Role.BUREAU),
            _wanted("merchant", merchant, self.merchants, needed=role is Role.MERCHANT),
        )


async def units(centre_id: int) -> Units:
    """What roles of a centre can be for; who keeps accounts sees names, and nothing else of a merchant."""
    found = await merchants.merchants(actor=system("granting", centre_id=centre_id))
    return Units(
        [Unit(each.id, each.public_id, each.name) for each in await accounts.bureaus(centre_id)],
        [Unit(each.id, each.public_id, each.name) for each in found],
    )


def _wanted(field: str, public_id: str, units: Sequence[Unit], *, needed: bool) -> int:
    if not needed and not public_id:
        return 0
    if not needed:
        raise Invalid(details=[Detail(field, "这个角色不指定单位，请留空", "留空")])
    for each in units:
        if each.public_id == public_id:
            return each.id
    reason = "没有这个单位" if public_id else "这个角色须指定单位"
    raise Invalid(details=[Detail(field, reason, "本中心的一个单位")])
