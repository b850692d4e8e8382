"""What pages read of vouchers: a link's page, a person's vouchers, a till, a broadcast's drops, figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers import codes
from livehub.vouchers.eligibility import Stage, bind
from livehub.vouchers.models import CampaignStatus, RoundStatus, Validity, VoucherState
from livehub.vouchers.redeem_rows import LIVE
from rooms.models import BroadcastState


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


class LinkPage(Struct, frozen=True, kw_only=True):
    """What stands behind a claim link now; ``why`` is empty while vouchers can be claimed.

    Otherwise it is not_started, between (of two drops), sold_out, ended or paused.
    """

    slug: str
    centre_id: int
    broadcast_id: int
    streamer_id: int
    platform: str
    title: str
    issuer_name: str
    bureau: str
    refund_preset: str
    why: str
    left: int
    quantity: int
    opens_at: datetime | None
    closes_at: datetime | None
    kinds: list[Kind]


class Mine(Struct, frozen=True, kw_only=True):
    """One voucher as its claimant sees it; code and token only while it can be used."""

    id: str
    name: str
    issuer_name: str
    face_fen: int
    threshold_fen: int
    state: str  # a voucher's state; expired as soon as its time is over
    claimed_at: datetime
    valid_from: datetime
    valid_until: datetime
    merchants_only: bool
    code: str
    qr: str
    used_at: datetime | None
    used_at_name: str  # the merchant or shop


class DropRow(Struct, frozen=True, kw_only=True):
    """A drop of a broadcast."""

    row_id: int
    id: str
    template: str
    template_id: str
    face_fen: int
    threshold_fen: int
    quantity: int
    claimed: int
    state: str
    opens_at: datetime
    closes_at: datetime


class LinkRow(Struct, frozen=True, kw_only=True):
    """A claim link of a broadcast."""

    slug: str
    platform: str
    streamer_id: int
    clicks: int
    claims: int


class Use(Struct, frozen=True, kw_only=True):
    """A redemption as a till lists it."""

    id: str
    at: datetime
    order_fen: int
    subsidy_fen: int
    paid_fen: int
    state: str


class Till(Struct, frozen=True, kw_only=True):
    """What a merchant redeemed today, and its latest redemptions."""

    count: int
    order_fen: int
    subsidy_fen: int
    recent: list[Use]


class Figures(Struct, frozen=True, kw_only=True):
    """Counts and fen; a ratio is made at the edge and is null where its denominator is 0.

    leverage_gross = order_fen / subsidy_fen, floor = threshold_fen / face_fen, both over redemptions.
    """

    quantity: int
    claimed: int
    redeemed: int
    left: int
    order_fen: int
    subsidy_fen: int
    threshold_fen: int
    face_fen: int


async def link_page(slug: str, *, now: datetime) -> LinkPage | None:
    """What a claim link leads to; None for a slug that does not exist. Nothing is counted or locked."""
    link = await database.fetch_one(
        "SELECT l.slug, l.centre_id, l.broadcast_id, l.round_id, l.streamer_id, l.platform, l.quota,"
        " l.claims, b.title, b.state AS broadcast FROM claim_link l"
        " LEFT JOIN broadcast b ON b.id = l.broadcast_id WHERE l.slug = $1",
        slug,
    )
    if link is None:
        return None
    if link["broadcast_id"] is None:
        rows = await database.fetch(f"{_KINDS} WHERE t.round_id = $1 ORDER BY t.id", link["round_id"])
        return _page(link, rows, None, now=now)
    drop = await database.fetch_one(
        "SELECT template_id, state, quantity, claimed, opens_at, closes_at FROM voucher_drop"
        " WHERE broadcast_id = $1 ORDER BY CASE state WHEN 'open' THEN 0 WHEN 'closed' THEN 1 ELSE 2 END,"
        " opens_at DESC, id DESC LIMIT 1",
        link["broadcast_id"],
    )
    rows = await database.fetch(f"{_KINDS} WHERE t.id = $1", drop["template_id"]) if drop else []
    return _page(link, rows, drop, now=now)


async def vouchers_of(claimant_id: int, *, now: datetime, limit: int = 50) -> list[Mine]:
    """A claimant's vouchers, newest first."""
    rows = await database.fetch(
        "SELECT x.public_id, x.code_sealed, x.state, x.claimed_at, x.valid_from, x.valid_until, t.name,"
        " t.face_fen, t.threshold_fen, t.merchants_only, c.issuer_name, r.at AS used_at,"
        " coalesce(m.name, s.name, '') AS used_where FROM voucher x"
        " JOIN voucher_template t ON t.id = x.template_id JOIN campaign c ON c.id = x.campaign_id"
        f" LEFT JOIN redemption r ON r.voucher_id = x.id AND r.state IN {LIVE}"
        " LEFT JOIN merchant m ON m.id = r.merchant_id LEFT JOIN shop s ON s.id = r.shop_id"
        f" WHERE x.claimant_id = $1 ORDER BY x.claimed_at DESC, x.id DESC LIMIT {int(limit)}",
        claimant_id,
    )
    return [_mine(row, now=now) for row in rows]


async def drops_of(broadcast_id: int) -> list[DropRow]:
    """The drops of a broadcast in the order they were planned."""
    rows = await database.fetch(
        "SELECT d.id, d.public_id, t.name, t.public_id AS template_ref, t.face_fen, t.threshold_fen,"
        " d.quantity, d.claimed, d.state, d.opens_at, d.closes_at FROM voucher_drop d"
        " JOIN voucher_template t ON t.id = d.template_id WHERE d.broadcast_id = $1 ORDER BY d.id",
        broadcast_id,
    )
    return [
        DropRow(
            row_id=row["id"],
            id=row["public_id"],
            template=row["name"],
            template_id=row["template_ref"],
            face_fen=row["face_fen"],
            threshold_fen=row["threshold_fen"],
            quantity=row["quantity"],
            claimed=row["claimed"],
            state=row["state"],
            opens_at=clock.from_ms(row["opens_at"]),
            closes_at=clock.from_ms(row["closes_at"]),
        )
        for row in rows
    ]


async def links_of(broadcast_id: int) -> list[LinkRow]:
    """The claim links of a broadcast."""
    rows = await database.fetch(
        "SELECT slug, platform, streamer_id, clicks, claims FROM claim_link"
        " WHERE broadcast_id = $1 ORDER BY platform, id",
        broadcast_id,
    )
    return [
        LinkRow(
            slug=row["slug"],
            platform=row["platform"],
            streamer_id=row["streamer_id"] or 0,
            clicks=row["clicks"],
            claims=row["claims"],
        )
        for row in rows
    ]


async def kinds_to_drop(centre_id: int) -> list[tuple[int, Kind]]:
    """(row id, template) of every template that could be put out now: open round, running campaign, stock."""
    rows = await database.fetch(
        f"{_KINDS} WHERE c.centre_id = $1 AND c.status = '{CampaignStatus.RUNNING}'"
        f" AND n.status = '{RoundStatus.OPEN}' AND t.issued < t.quantity ORDER BY t.id",
        centre_id,
    )
    return [(int(row["row_id"]), _kind(row)) for row in rows]


async def kinds_of_campaign(campaign_id: int) -> list[tuple[int, Kind]]:
    """(round's row id, template) of a campaign."""
    rows = await database.fetch(f"{_KINDS} WHERE c.id = $1 ORDER BY t.id", campaign_id)
    return [(int(row["round_id"]), _kind(row)) for row in rows]


async def till(merchant_id: int, *, now: datetime, recent: int = 10) -> Till:
    """A merchant's day so far, live redemptions only, and the latest whatever became of them."""
    today = await database.fetch_one(
        "SELECT count(*) AS n, coalesce(sum(order_fen), 0) AS order_fen,"
        " coalesce(sum(subsidy_fen), 0) AS subsidy_fen FROM redemption"
        f" WHERE merchant_id = $1 AND at >= $2 AND state IN {LIVE}",
        merchant_id,
        clock.to_ms(clock.at_local(clock.local_day(now))),
    )
    rows = await database.fetch(
        "SELECT public_id, at, order_fen, subsidy_fen, paid_fen, state FROM redemption"
        f" WHERE merchant_id = $1 ORDER BY at DESC, id DESC LIMIT {int(recent)}",
        merchant_id,
    )
    return Till(
        count=int(today["n"]) if today else 0,
        order_fen=int(today["order_fen"]) if today else 0,
        subsidy_fen=int(today["subsidy_fen"]) if today else 0,
        recent=[
            Use(
                id=row["public_id"],
                at=clock.from_ms(row["at"]),
                order_fen=row["order_fen"],
                subsidy_fen=row["subsidy_fen"],
                paid_fen=row["paid_fen"],
                state=row["state"],
            )
            for row in rows
        ],
    )


async def figures(*, centre_id: int, bureaus: frozenset[int] | None = None, campaign_id: int = 0) -> Figures:
    """Vouchers and leverage of a centre, of some bureaus' campaigns, or of one campaign."""
    where = "c.centre_id = $1 AND ($2 = 0 OR c.id = $2)"
    if bureaus is not None:
        where += f" AND c.bureau_id IN ({', '.join(str(int(each)) for each in sorted(bureaus)) or '0'})"
    stock = await database.fetch_one(
        "SELECT coalesce(sum(t.quantity), 0) AS quantity, coalesce(sum(t.issued), 0) AS claimed,"
        " coalesce(sum(t.redeemed), 0) AS redeemed, coalesce(sum(CASE WHEN n.status"
        f" IN ('{RoundStatus.SCHEDULED}', '{RoundStatus.OPEN}') THEN t.quantity - t.issued ELSE 0 END), 0)"
        " AS still FROM voucher_template t JOIN campaign_round n ON n.id = t.round_id"
        f" JOIN campaign c ON c.id = n.campaign_id WHERE {where}",
        centre_id,
        campaign_id,
    )
    used = await _used(f"JOIN campaign c ON c.id = r.campaign_id WHERE {where}", centre_id, campaign_id)
    return _figures(stock or {}, used)


async def broadcast_figures(broadcast_id: int) -> Figures:
    """Vouchers put out in a broadcast, claimed by its links, and what their use pulled."""
    stock = await database.fetch_one(
        "SELECT coalesce(sum(CASE WHEN d.state = 'planned' THEN 0 ELSE d.quantity END), 0) AS quantity,"
        " coalesce(sum(d.claimed), 0) AS claimed, coalesce(sum(CASE WHEN d.state = 'open'"
        " THEN d.quantity - d.claimed ELSE 0 END), 0) AS still FROM voucher_drop d WHERE d.broadcast_id = $1",
        broadcast_id,
    )
    used = await _used("JOIN voucher x ON x.id = r.voucher_id WHERE x.broadcast_id = $1", broadcast_id)
    return _figures({**(stock or {}), "redeemed": used["n"]}, used)


_BEFORE_ITS_END = frozenset({BroadcastState.PLANNED, BroadcastState.CHECKED, BroadcastState.LIVE})

_KINDS = (
    "SELECT t.id AS row_id, t.round_id, t.public_id, t.name, t.face_fen, t.threshold_fen, t.quantity,"
    " t.issued, t.redeemed, t.validity, t.validity_n, t.valid_from, t.valid_until, t.merchants_only, t.rules,"
    " n.status AS round_status, n.claim_from, n.claim_until, c.status AS campaign_status, c.name AS campaign,"
    " c.issuer_name, c.refund_preset, u.name AS bureau FROM voucher_template t"
    " JOIN campaign_round n ON n.id = t.round_id JOIN campaign c ON c.id = n.campaign_id"
    " JOIN bureau u ON u.id = c.bureau_id"
)


async def _used(rest: str, *args: int) -> dict[str, Any]:
    row = await database.fetch_one(
        "SELECT count(*) AS n, coalesce(sum(r.order_fen), 0) AS order_fen,"
        " coalesce(sum(r.subsidy_fen), 0) AS subsidy_fen, coalesce(sum(k.threshold_fen), 0) AS threshold_fen,"
        " coalesce(sum(k.face_fen), 0) AS face_fen FROM redemption r"
        f" JOIN voucher_template k ON k.id = r.template_id {rest} AND r.state IN {LIVE}",
        *args,
    )
    return row or {}


def _figures(stock: Mapping[str, Any], used: Mapping[str, Any]) -> Figures:
    return Figures(
        quantity=int(stock.get("quantity", 0)),
        claimed=int(stock.get("claimed", 0)),
        redeemed=int(stock.get("redeemed", 0)),
        left=int(stock.get("still", 0)),
        order_fen=int(used.get("order_fen", 0)),
        subsidy_fen=int(used.get("subsidy_fen", 0)),
        threshold_fen=int(used.get("threshold_fen", 0)),
        face_fen=int(used.get("face_fen", 0)),
    )


def _page(
    link: Mapping[str, Any], rows: list[dict[str, Any]], drop: Mapping[str, Any] | None, *, now: datetime
) -> LinkPage:
    kinds = [_kind(row) for row in rows]
    first: Mapping[str, Any] = rows[0] if rows else {}
    quantity = drop["quantity"] if drop else sum(kind.quantity for kind in kinds)
    left = quantity - (drop["claimed"] if drop else sum(kind.issued for kind in kinds))
    if drop and kinds:
        left = min(left, kinds[0].quantity - kinds[0].issued)
    if link["quota"]:
        left = min(left, link["quota"] - link["claims"])
    opens_ms = first.get("claim_from")
    return LinkPage(
        slug=link["slug"],
        centre_id=link["centre_id"],
        broadcast_id=link["broadcast_id"] or 0,
        streamer_id=link["streamer_id"] or 0,
        platform=link["platform"],
        title=link["title"] or first.get("campaign", ""),
        issuer_name=first.get("issuer_name", ""),
        bureau=first.get("bureau", ""),
        refund_preset=first.get("refund_preset", ""),
        why=(
            "ended"
            if _is_over(link["broadcast"], drop, now=now)
            else _why(first, drop, left=left, now=now, needs_drop=link["broadcast_id"] is not None)
        ),
        left=max(0, left),
        quantity=quantity,
        opens_at=clock.from_ms(opens_ms) if opens_ms and not link["broadcast_id"] else None,
        closes_at=clock.from_ms(drop["closes_at"]) if drop and drop["state"] == "open" else None,
        kinds=kinds,
    )


def _is_over(broadcast: str | None, drop: Mapping[str, Any] | None, *, now: datetime) -> bool:
    """Whether a broadcast's link gives nothing any more: it went off the air and left no drop open."""
    if broadcast is None or broadcast in _BEFORE_ITS_END:
        return False
    return drop is None or drop["state"] != "open" or clock.to_ms(now) >= drop["closes_at"]


def _why(
    first: Mapping[str, Any],
    drop: Mapping[str, Any] | None,
    *,
    left: int,
    now: datetime,
    needs_drop: bool,
) -> str:
    at = clock.to_ms(now)
    if not first:
        return "not_started"
    campaign = first["campaign_status"]
    if campaign == CampaignStatus.PAUSED:
        return "paused"
    ended = campaign in (CampaignStatus.ENDED, CampaignStatus.SETTLED)
    if (
        ended
        or first["round_status"] in (RoundStatus.CLOSED, RoundStatus.FINISHED)
        or at >= first["claim_until"]
    ):
        return "ended"
    if campaign != CampaignStatus.RUNNING or first["round_status"] == RoundStatus.SCHEDULED:
        return "not_started"
    if at < first["claim_from"]:
        return "not_started"
    if needs_drop and (drop is None or drop["state"] == "planned"):
        return "not_started"
    if drop is not None and left > 0 and (drop["state"] == "closed" or at >= drop["closes_at"]):
        return "between"
    return "" if left > 0 else "sold_out"


def _kind(row: Mapping[str, Any]) -> Kind:
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
        valid_from=_instant(row["valid_from"]),
        valid_until=_instant(row["valid_until"]),
        merchants_only=bool(row["merchants_only"]),
        per_person=limits[0],
    )


def _mine(row: Mapping[str, Any], *, now: datetime) -> Mine:
    state, until = row["state"], clock.from_ms(row["valid_until"])
    if state == VoucherState.ISSUED and now >= until:
        state = str(VoucherState.EXPIRED)
    usable = state == VoucherState.ISSUED
    public_id = row["public_id"]
    return Mine(
        id=public_id,
        name=row["name"],
        issuer_name=row["issuer_name"],
        face_fen=row["face_fen"],
        threshold_fen=row["threshold_fen"],
        state=state,
        claimed_at=clock.from_ms(row["claimed_at"]),
        valid_from=clock.from_ms(row["valid_from"]),
        valid_until=until,
        merchants_only=bool(row["merchants_only"]),
        code=codes.shown(bytes(row["code_sealed"]), voucher=public_id) if usable else "",
        qr=codes.qr(public_id, now=now) if usable else "",
        used_at=_instant(row["used_at"]),
        used_at_name=row["used_where"],
    )


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else clock.from_ms(ms)
