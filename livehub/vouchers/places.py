"""Where a claim link leads now: its drop, or its round's template; and everything a claim must know there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers import validity
from livehub.vouchers.eligibility import BoundRule, Stage, bind
from livehub.vouchers.models import Account, CampaignStatus, RoundStatus, Validity

Name = tuple[str, str]  # a link's slug, and a template's public id or '' for the only one


class Place(Struct, frozen=True, kw_only=True):
    """What a link and a template id lead to; ``template_id`` 0: nothing, ``closed``: no longer."""

    link_id: int
    centre_id: int
    broadcast_id: int
    streamer_id: int
    platform: str
    quota: int
    template_id: int = 0
    drop_id: int = 0
    closed: bool = False


class Stock(Struct, frozen=True, kw_only=True):
    """A template as it is under lock, with its round, its campaign and its two ledger accounts."""

    template_id: int
    round_id: int
    campaign_id: int
    bureau_id: int
    face_fen: int
    threshold_fen: int
    left: int
    terms: validity.Terms
    rules: tuple[BoundRule, ...]
    slot_by_platform: bool
    campaign: CampaignStatus
    round: RoundStatus
    claim_from: datetime
    claim_until: datetime
    unissued_id: int
    held_id: int
    seen: str  # TERMS as they were: whoever decided by this stock can ask whether they still are


def fingerprint(*columns: str) -> str:
    """SQL for one text of several columns, the same on both engines."""
    return " || '|' || ".join(f"coalesce(CAST({each} AS text), '')" for each in columns)


# What decides a claim besides the numbers; the rules, which may hold any letter, stand last.
TERMS = fingerprint(
    "t.round_id",
    "t.face_fen",
    "t.threshold_fen",
    "t.validity",
    "t.validity_n",
    "t.valid_from",
    "t.valid_until",
    "t.released_at",
    "r.campaign_id",
    "r.claim_from",
    "r.claim_until",
    "r.status",
    "c.status",
    "c.bureau_id",
    "t.rules",
)
TEMPLATES = (
    " FROM voucher_template t JOIN campaign_round r ON r.id = t.round_id"
    " JOIN campaign c ON c.id = r.campaign_id"
)


async def find(names: Collection[Name]) -> dict[Name, Place]:
    """Where the names lead; unknown links are left out. Nothing is locked: a drop may close at once."""
    rows = await database.with_rows(
        {"wanted": "text", "template_ref": "text"},
        sorted(names),
        "SELECT v.wanted, v.template_ref, l.id AS link_id, l.centre_id, l.broadcast_id, l.streamer_id,"
        " l.platform, l.quota, d.id AS drop_id, d.template_id AS dropped,"
        " (SELECT count(*) FROM voucher_drop c WHERE c.broadcast_id = l.broadcast_id AND c.state = 'closed')"
        " AS closed,"
        " (SELECT count(*) FROM voucher_template t WHERE t.round_id = l.round_id"
        " AND v.template_ref IN ('', t.public_id)) AS fitting,"
        " (SELECT min(t.id) FROM voucher_template t WHERE t.round_id = l.round_id"
        " AND v.template_ref IN ('', t.public_id)) AS template_id"
        " FROM v JOIN claim_link l ON l.slug = v.wanted"
        " LEFT JOIN voucher_drop d ON d.broadcast_id = l.broadcast_id AND d.state = 'open'",
    )
    return {(row["wanted"], row["template_ref"]): _place(row) for row in rows}


async def hold(template_ids: Collection[int]) -> dict[int, Stock]:
    """Lock templates in the order of their ids and read what a claim must know of them.

    Round and campaign are locked for reading: after waiting for the template they are read anew, so a
    round that was closed meanwhile is seen closed.
    """
    lock = " FOR UPDATE OF t FOR SHARE OF r, c" if database.dialect() == "postgres" else ""
    return await _stocks(template_ids, lock=lock)


async def look(template_ids: Collection[int]) -> dict[int, Stock]:
    """The same without a lock and outside any transaction: it may change at once."""
    return await _stocks(template_ids, by_index=True)


async def _stocks(
    template_ids: Collection[int], *, lock: str = "", by_index: bool = False
) -> dict[int, Stock]:
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(each,) for each in sorted(template_ids)],
        "SELECT t.id, t.round_id, t.face_fen, t.threshold_fen, t.quantity, t.issued, t.validity,"
        " t.validity_n, t.valid_from, t.valid_until, t.released_at, t.rules, r.campaign_id, r.claim_from,"
        " r.claim_until, r.status AS round_status, c.status AS campaign_status, c.bureau_id,"
        f" {_account(Account.UNISSUED)} AS unissued_id, {_account(Account.HELD)} AS held_id, {TERMS} AS seen"
        f"{TEMPLATES} WHERE t.id IN (SELECT wanted FROM v) ORDER BY t.id{lock}",
        by_index=by_index,
    )
    return {int(row["id"]): _stock(row) for row in rows}


def _account(kind: Account) -> str:
    return (
        "(SELECT a.id FROM ledger_account a WHERE a.campaign_id = r.campaign_id"
        f" AND a.kind = '{kind}' AND a.round_id = r.id AND a.merchant_id = 0)"
    )


def _place(row: Mapping[str, Any]) -> Place:
    if row["broadcast_id"] is not None:
        template_id = int(row["dropped"] or 0)
    else:
        template_id = int(row["template_id"] or 0) if row["fitting"] == 1 else 0
    return Place(
        link_id=int(row["link_id"]),
        centre_id=int(row["centre_id"]),
        broadcast_id=int(row["broadcast_id"] or 0),
        streamer_id=int(row["streamer_id"] or 0),
        platform=row["platform"],
        quota=int(row["quota"]),
        template_id=template_id,
        drop_id=int(row["drop_id"] or 0),
        closed=bool(row["closed"]),
    )


def _stock(row: Mapping[str, Any]) -> Stock:
    rules = bind(row["rules"], Stage.CLAIM)
    return Stock(
        template_id=int(row["id"]),
        round_id=int(row["round_id"]),
        campaign_id=int(row["campaign_id"]),
        bureau_id=int(row["bureau_id"]),
        face_fen=int(row["face_fen"]),
        threshold_fen=int(row["threshold_fen"]),
        left=row["quantity"] - row["issued"],
        terms=validity.Terms(
            kind=Validity(row["validity"]),
            n=row["validity_n"],
            fixed_from=clock.from_ms_or_none(row["valid_from"]),
            fixed_until=clock.from_ms_or_none(row["valid_until"]),
            released_at=clock.from_ms_or_none(row["released_at"]),
        ),
        rules=rules,
        slot_by_platform=any(getattr(each.params, "by_platform", False) for each in rules),
        campaign=CampaignStatus(row["campaign_status"]),
        round=RoundStatus(row["round_status"]),
        claim_from=clock.from_ms(row["claim_from"]),
        claim_until=clock.from_ms(row["claim_until"]),
        unissued_id=int(row["unissued_id"]),
        held_id=int(row["held_id"]),
        seen=row["seen"],
    )
