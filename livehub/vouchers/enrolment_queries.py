"""In which campaigns a merchant takes part."""

from __future__ import annotations

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope


class EnrolledIn(Struct, frozen=True, kw_only=True):
    """A campaign a merchant is in."""

    campaign: str  # public id
    name: str
    bureau: str
    campaign_status: str
    status: str  # of the enrolment


async def of_merchant(merchant_id: int, *, actor: Actor) -> list[EnrolledIn]:
    """The campaigns of a merchant (row id) that the actor may see, the newest first."""
    scope = bureau_scope(actor, Permission.CAMPAIGN_READ)
    numbers = ", ".join(str(int(each)) for each in sorted(scope)) or "0" if scope is not None else ""
    within = f" AND c.bureau_id IN ({numbers})" if numbers else ""
    rows = await database.fetch(
        "SELECT c.public_id AS campaign, c.name, u.name AS bureau, c.status AS campaign_status, e.status"
        " FROM merchant_enrolment e JOIN campaign c ON c.id = e.campaign_id JOIN bureau u"
        f" ON u.id = c.bureau_id WHERE e.merchant_id = $1{within} ORDER BY c.id DESC",
        merchant_id,
    )
    return [EnrolledIn(**row) for row in rows]
