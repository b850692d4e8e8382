"""Who takes part in a campaign, who may still be asked, and what a merchant could take part in."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock
from livehub.merchants.models import MerchantStatus
from livehub.vouchers.enrolments import MAY_JOIN

_MAY_JOIN = "('" + "', '".join(MAY_JOIN) + "')"


class Enrolled(Struct, frozen=True, kw_only=True):
    """A merchant's part in a campaign, the last step with who took it."""

    row_id: int  # of the merchant
    merchant: str
    name: str
    town: str
    merchant_state: str  # of the merchant at the centre
    state: str
    asked_by: str  # '' when the bureau took it in unasked
    asked_at: datetime | None
    decided_by: str
    decided_at: datetime | None
    reason: str


class Candidate(Struct, frozen=True, kw_only=True):
    """A merchant of the centre that has no part in the campaign yet."""

    row_id: int
    merchant: str
    name: str
    town: str


class Joinable(Struct, frozen=True, kw_only=True):
    """A campaign that a merchant takes part in, or could ask to."""

    row_id: int
    id: str
    name: str
    issuer: str
    state: str
    enrolment: str  # '' for none
    reason: str
    joinable: bool  # by its own state


async def of_campaign(campaign_id: int) -> list[Enrolled]:
    """Its merchants: who asks first, the others by name."""
    rows = await database.fetch(
        "SELECT m.id AS row_id, m.public_id AS merchant, m.name, m.town, m.status AS merchant_state,"
        " e.status AS state, e.asked_by, e.asked_at, e.decided_by, e.decided_at, e.reason"
        " FROM merchant_enrolment e JOIN merchant m ON m.id = e.merchant_id WHERE e.campaign_id = $1"
        " ORDER BY CASE e.status WHEN 'pending' THEN 0 ELSE 1 END, m.name, m.id",
        campaign_id,
    )
    return [
        Enrolled(
            **{
                **row,
                "asked_at": clock.from_ms_or_none(row["asked_at"]),
                "decided_at": clock.from_ms_or_none(row["decided_at"]),
            }
        )
        for row in rows
    ]


async def candidates(campaign_id: int) -> list[Candidate]:
    """The approved merchants of its centre that have no part in it, by name."""
    rows = await database.fetch(
        "SELECT m.id AS row_id, m.public_id AS merchant, m.name, m.town FROM merchant m"
        " JOIN campaign c ON c.centre_id = m.centre_id"
        f" WHERE c.id = $1 AND m.status = '{MerchantStatus.APPROVED}' AND NOT EXISTS (SELECT 1"
        " FROM merchant_enrolment e WHERE e.campaign_id = c.id AND e.merchant_id = m.id)"
        " ORDER BY m.name, m.id",
        campaign_id,
    )
    return [Candidate(**row) for row in rows]


async def joinable(merchant_id: int) -> list[Joinable]:
    """The campaigns of its centre that it has a part in or can ask for, the newest first."""
    rows = await database.fetch(
        "SELECT c.id AS row_id, c.public_id AS id, c.name, c.issuer_name AS issuer, c.status AS state,"
        f" coalesce(e.status, '') AS enrolment, coalesce(e.reason, '') AS reason, c.status IN {_MAY_JOIN}"
        " AS joinable FROM merchant m JOIN campaign c ON c.centre_id = m.centre_id"
        " LEFT JOIN merchant_enrolment e ON e.campaign_id = c.id AND e.merchant_id = m.id"
        f" WHERE m.id = $1 AND (c.status IN {_MAY_JOIN} OR e.id IS NOT NULL) ORDER BY c.id DESC LIMIT 100",
        merchant_id,
    )
    return [Joinable(**row | {"joinable": bool(row["joinable"])}) for row in rows]


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
