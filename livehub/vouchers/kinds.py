"""Templates in the words of a page: which there are, and which could be put out now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers.eligibility import Stage, bind
from livehub.vouchers.models import CampaignStatus, RoundStatus, Validity


class Kind(Struct, frozen=True, kw_only=True):
    """A template in the words of a page; its wording is the template's of the page."""

    id: str
    name: str
    face_fen: int
    threshold_fen: int
    quantity: int
    issued: int
    redeemed: int
    validity: Validity
    validity_n: int
    valid_from: datetime | None
    valid_until: datetime | None
    merchants_only: bool
    per_person: int


async def to_drop(centre_id: int) -> list[tuple[int, Kind]]:
    """(row id, template) of every template that could be put out now: open round, running campaign, stock."""
    rows = await database.fetch(
        f"{KINDS} WHERE c.centre_id = $1 AND c.status = '{CampaignStatus.RUNNING}'"
        f" AND n.status = '{RoundStatus.OPEN}' AND t.issued < t.quantity ORDER BY t.id",
        centre_id,
    )
    return [(int(row["row_id"]), kind_of(row)) for row in rows]


async def of_campaign(campaign_id: int) -> list[tuple[int, Kind]]:
    """(round's row id, template) of a campaign."""
    rows = await database.fetch(f"{KINDS} WHERE c.id = $1 ORDER BY t.id", campaign_id)
    return [(int(row["round_id"]), kind_of(row)) for row in rows]


KINDS = (
    "SELECT t.id AS row_id, t.round_id, t.public_id, t.name, t.face_fen, t.threshold_fen, t.quantity,"
    " t.issued, t.redeemed, t.validity, t.validity_n, t.valid_from, t.valid_until, t.merchants_only, t.rules,"
    " n.status AS round_status, n.claim_from, n.claim_until, c.status AS campaign_status, c.name AS campaign,"
    " c.issuer_name, c.refund_preset, u.name AS bureau FROM voucher_template t"
    " JOIN campaign_round n ON n.id = t.round_id JOIN campaign c ON c.id = n.campaign_id"
    " JOIN bureau u ON u.id = c.bureau_id"
)


def kind_of(row: Mapping[str, Any]) -> Kind:
    limits = [each.params.limit for each in bind(row["rules"], Stage.CLAIM) if each.rule.name == "per_person"]
    return Kind(
        id=row["public_id"],
        name=row["name"],
        face_fen=row["face_fen"],
        threshold_fen=row["threshold_fen"],
        quantity=row["quantity"],
        issued=row["issued"],
        redeemed=row["redeemed"],
        validity=Validity(row["validity"]),
        validity_n=row["validity_n"],
        valid_from=clock.from_ms_or_none(row["valid_from"]),
        valid_until=clock.from_ms_or_none(row["valid_until"]),
        merchants_only=bool(row["merchants_only"]),
        per_person=limits[0],
    )
