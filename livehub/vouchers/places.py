"""Where a claim link leads now: what its drop or its round offers; and everything a claim must know there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers import packs, validity
from livehub.vouchers.eligibility import BoundRule, Stage, bind
from livehub.vouchers.models import Account, CampaignStatus, RoundStatus, Validity
from livehub.vouchers.round_states import LOTTERY

Name = tuple[str, str]  # a link's slug, and the public id of a template or pack, '' for the only one


class Place(Struct, frozen=True, kw_only=True):
    """What a link and a public id lead to; ``offer_id`` 0: nothing, ``closed``: no longer."""

    link_id: int
    centre_id: int
    broadcast_id: int
    streamer_id: int
    platform: str
    quota: int
    offer_id: int = 0  # a template's; below zero a pack's
    drop_id: int = 0
    closed: bool = False


class Share(Struct, frozen=True, kw_only=True):
    """What a claim gives of one template: one voucher, or those of a pack."""

    template_id: int
    n: int
    face_fen: int
    threshold_fen: int
    terms: validity.Terms
    seen: str  # TERMS as they were: whoever decided by this stock can ask whether they still are


class Stock(Struct, frozen=True, kw_only=True):
    """A template or a pack as it is under lock, with its round, its campaign and its two ledger accounts."""

    offer_id: int
    shares: tuple[Share, ...]
    round_id: int
    campaign_id: int
    bureau_id: int
    left: int  # how many claims it is enough for
    rules: tuple[BoundRule, ...]
    slot_by_platform: bool
    campaign: CampaignStatus
    round: RoundStatus
    claim_from: datetime
    claim_until: datetime
    unissued_id: int
    held_id: int
    is_lottery: bool


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
        {"wanted": "text", "offer_ref": "text"},
        sorted(names),
        "SELECT v.wanted, v.offer_ref, l.id AS link_id, l.centre_id, l.broadcast_id, l.streamer_id,"
        " l.platform, l.quota, d.id AS drop_id,"
        " CASE WHEN d.pack_id > 0 THEN -d.pack_id ELSE d.template_id END AS dropped,"
        " (SELECT count(*) FROM voucher_drop c WHERE c.broadcast_id = l.broadcast_id AND c.state = 'closed')"
        " AS closed,"
        f" (SELECT count(*) FROM {packs.OFFERS} o WHERE o.round_id = l.round_id"
        " AND v.offer_ref IN ('', o.public_id)) AS fitting,"
        f" (SELECT min(o.id) FROM {packs.OFFERS} o WHERE o.round_id = l.round_id"
        " AND v.offer_ref IN ('', o.public_id)) AS offer_id"
        " FROM v JOIN claim_link l ON l.slug = v.wanted"
        " LEFT JOIN voucher_drop d ON d.broadcast_id = l.broadcast_id AND d.state = 'open'",
    )
    return {(row["wanted"], row["offer_ref"]): _place(row) for row in rows}


async def hold(offer_ids: Collection[int]) -> dict[int, Stock]:
    """Lock templates in the order of their ids and read what a claim must know of them and of their packs.

    Round and campaign are locked for reading: after waiting for the template they are read anew, so a
    round that was closed meanwhile is seen closed.
    """
    lock = " FOR UPDATE OF t FOR SHARE OF r, c" if database.dialect() == "postgres" else ""
    return await _stocks(offer_ids, lock=lock)


async def look(offer_ids: Collection[int]) -> dict[int, Stock]:
    """The same without a lock and outside any transaction: it may change at once."""
    return await _stocks(offer_ids, by_index=True)


async def _stocks(offer_ids: Collection[int], *, lock: str = "", by_index: bool = False) -> dict[int, Stock]:
    found = await packs.of_ids([-each for each in offer_ids if each < 0], by_index=by_index)
    wanted = {each for each in offer_ids if each > 0}
    wanted |= {item.template_id for pack in found.values() for item in pack.items}
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(each,) for each in sorted(wanted)],
        "SELECT t.id, t.round_id, t.face_fen, t.threshold_fen, t.quantity, t.issued, t.validity,"
        " t.validity_n, t.valid_from, t.valid_until, t.released_at, t.rules, r.campaign_id, r.mode,"
        " r.claim_from, r.claim_until, r.status AS round_status, c.status AS campaign_status, c.bureau_id,"
        f" {_account(Account.UNISSUED)} AS unissued_id, {_account(Account.HELD)} AS held_id, {TERMS} AS seen"
        f"{TEMPLATES} WHERE t.id IN (SELECT wanted FROM v) ORDER BY t.id{lock}",
        by_index=by_index,
    )
    by_id = {int(row["id"]): row for row in rows}
    return {
        each: _of_pack(found[-each], by_id) if each < 0 else _stock(by_id[each])
        for each in offer_ids
        if each > 0 or -each in found
    }


def _account(kind: Account) -> str:
    return (
        "(SELECT a.id FROM ledger_account a WHERE a.campaign_id = r.campaign_id"
        f" AND a.kind = '{kind}' AND a.round_id = r.id AND a.merchant_id = 0)"
    )


def _place(row: Mapping[str, Any]) -> Place:
    if row["broadcast_id"] is not None:
        offer_id = int(row["dropped"] or 0)
    else:
        offer_id = int(row["offer_id"] or 0) if row["fitting"] == 1 else 0
    return Place(
        link_id=int(row["link_id"]),
        centre_id=int(row["centre_id"]),
        broadcast_id=int(row["broadcast_id"] or 0),
        streamer_id=int(row["streamer_id"] or 0),
        platform=row["platform"],
        quota=int(row["quota"]),
        offer_id=offer_id,
        drop_id=int(row["drop_id"] or 0),
        closed=bool(row["closed"]),
    )


def _of_pack(pack: packs.Contents, rows: Mapping[int, Mapping[str, Any]]) -> Stock:
    """A pack is as enough as the template of which the least is left, and its rules are its own."""
    shares = [_stock(rows[item.template_id], n=item.n) for item in pack.items]
    rules = bind(pack.rules, Stage.CLAIM)
    return msgspec.structs.replace(
        shares[0],
        offer_id=-pack.id,
        shares=tuple(share for each in shares for share in each.shares),
        left=min(each.left for each in shares),
        rules=rules,
        slot_by_platform=_by_platform(rules),
    )


def _stock(row: Mapping[str, Any], *, n: int = 1) -> Stock:
    rules = bind(row["rules"], Stage.CLAIM)
    return Stock(
        offer_id=int(row["id"]),
        shares=(
            Share(
                template_id=int(row["id"]),
                n=n,
                face_fen=int(row["face_fen"]),
                threshold_fen=int(row["threshold_fen"]),
                terms=validity.Terms(
                    kind=Validity(row["validity"]),
                    n=row["validity_n"],
                    fixed_from=clock.from_ms_or_none(row["valid_from"]),
                    fixed_until=clock.from_ms_or_none(row["valid_until"]),
                    released_at=clock.from_ms_or_none(row["released_at"]),
                ),
                seen=row["seen"],
            ),
        ),
        round_id=int(row["round_id"]),
        campaign_id=int(row["campaign_id"]),
        bureau_id=int(row["bureau_id"]),
        left=(row["quantity"] - row["issued"]) // n,
        rules=rules,
        slot_by_platform=_by_platform(rules),
        campaign=CampaignStatus(row["campaign_status"]),
        round=RoundStatus(row["round_status"]),
        claim_from=clock.from_ms(row["claim_from"]),
        claim_until=clock.from_ms(row["claim_until"]),
        unissued_id=int(row["unissued_id"]),
        held_id=int(row["held_id"]),
        is_lottery=row["mode"] == LOTTERY,
    )


def _by_platform(rules: Sequence[BoundRule]) -> bool:
    return any(getattr(each.params, "by_platform", False) for each in rules)
