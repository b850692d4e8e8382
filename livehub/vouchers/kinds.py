"""Templates and packs in the words of a page: which there are, and which could be put out now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    pack: str  # public id of the pack it is given in, '': it is given by itself
    n: int  # in each pack


class Bundle(Struct, frozen=True, kw_only=True):
    """A pack in the words of a page; quantity and issued are numbers of packs."""

    id: str
    name: str
    quantity: int
    issued: int
    per_person: int
    kinds: list[Kind]

    @property
    def vouchers(self) -> int:
        """How many vouchers are in one."""
        return sum(kind.n for kind in self.kinds)

    @property
    def face_fen(self) -> int:
        """What they are worth together."""
        return sum(kind.face_fen * kind.n for kind in self.kinds)


async def to_drop(centre_id: int) -> list[tuple[int, Kind | Bundle]]:
    """(template's row id, offer) of all that could be put out now: open round, running campaign, stock.

    A pack's template is its first one, by which a drop knows it.
    """
    rows = await database.fetch(
        f"{KINDS} WHERE c.centre_id = $1 AND c.status = '{CampaignStatus.RUNNING}'"
        f" AND n.status = '{RoundStatus.OPEN}' AND n.mode = 'rush' AND t.issued < t.quantity ORDER BY t.id",
        centre_id,
    )
    by_ref = {row["public_id"]: int(row["row_id"]) for row in rows}
    return [
        (by_ref[each.kinds[0].id if isinstance(each, Bundle) else each.id], each) for each in offers(rows)
    ]


async def of_campaign(campaign_id: int) -> dict[int, list[Kind | Bundle]]:
    """What the rounds of a campaign give, by the round's row id."""
    rows = await database.fetch(f"{KINDS} WHERE c.id = $1 ORDER BY t.id", campaign_id)
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(int(row["round_id"]), []).append(row)
    return {round_id: offers(each) for round_id, each in found.items()}


def of_offer(offer: Kind | Bundle) -> list[Kind]:
    """The templates of which one claim gives vouchers."""
    return offer.kinds if isinstance(offer, Bundle) else [offer]


KINDS = (
    "SELECT t.id AS row_id, t.round_id, t.public_id, coalesce(k.public_id, '') AS pack,"
    " coalesce(k.name, '') AS pack_name, coalesce(k.rules, '{}') AS pack_rules, coalesce(i.n, 1) AS n,"
    " t.name, t.face_fen, t.threshold_fen, t.quantity,"
    " t.issued, t.redeemed, t.validity, t.validity_n, t.valid_from, t.valid_until, t.merchants_only, t.rules,"
    " n.status AS round_status, n.mode, n.claim_from, n.claim_until, c.status AS campaign_status,"
    " c.name AS campaign, c.issuer_name, c.refund_preset, u.name AS bureau FROM voucher_template t"
    " JOIN campaign_round n ON n.id = t.round_id JOIN campaign c ON c.id = n.campaign_id"
    " JOIN bureau u ON u.id = c.bureau_id LEFT JOIN voucher_pack_item i ON i.template_id = t.id"
    " LEFT JOIN voucher_pack k ON k.id = i.pack_id"
)


def offers(rows: Sequence[Mapping[str, Any]]) -> list[Kind | Bundle]:
    """What can be claimed of the templates of KINDS, in their order: each by itself, or their packs."""
    found: dict[str, Kind | Bundle] = {}
    for row in rows:
        kind = kind_of(row)
        if not kind.pack:
            found[kind.id] = kind
            continue
        bundle = found.get(kind.pack)
        if isinstance(bundle, Bundle):
            bundle.kinds.append(kind)
        else:
            found[kind.pack] = Bundle(
                id=kind.pack,
                name=row["pack_name"],
                quantity=kind.quantity // kind.n,
                issued=kind.issued // kind.n,
                per_person=_per_person(row["pack_rules"]),
                kinds=[kind],
            )
    return list(found.values())


def kind_of(row: Mapping[str, Any]) -> Kind:
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
        per_person=_per_person(row["pack_rules"] if row["pack"] else row["rules"]),
        pack=row["pack"],
        n=row["n"],
    )


def _per_person(rules: str) -> int:
    limits = [each.params.limit for each in bind(rules, Stage.CLAIM) if each.rule.name == "per_person"]
    return int(limits[0])
