"""What stands behind a claim link now, and why it gives nothing when it does not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers.kinds import KINDS, Bundle, Kind, offers
from livehub.vouchers.models import CampaignStatus
from livehub.vouchers.round_states import BEFORE_CLAIMS, GIVING, LOTTERY
from rooms.models import BroadcastState


class LinkPage(Struct, frozen=True, kw_only=True):
    """What stands behind a claim link now; ``why`` is empty while vouchers can be claimed.

    Otherwise it is not_started, between (of two drops), sold_out, ended or paused.
    """

    slug: str
    row_id: int
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
    kinds: list[Kind | Bundle]
    lottery_id: int  # row id of the round where its vouchers are drawn for, 0: they are not


async def behind(slug: str, *, now: datetime) -> LinkPage | None:
    """What a claim link leads to; None for a slug that does not exist. Nothing is counted or locked."""
    link = await database.fetch_one(
        "SELECT l.id, l.slug, l.centre_id, l.broadcast_id, l.round_id, l.streamer_id, l.platform, l.quota,"
        " l.claims, b.title, b.state AS broadcast FROM claim_link l"
        " LEFT JOIN broadcast b ON b.id = l.broadcast_id WHERE l.slug = $1",
        slug,
    )
    if link is None:
        return None
    if link["broadcast_id"] is None:
        rows = await database.fetch(f"{KINDS} WHERE t.round_id = $1 ORDER BY t.id", link["round_id"])
        return _page(link, rows, None, now=now)
    drop = await database.fetch_one(
        "SELECT template_id, pack_id, state, quantity, claimed, opens_at, closes_at FROM voucher_drop"
        " WHERE broadcast_id = $1 ORDER BY CASE state WHEN 'open' THEN 0 WHEN 'closed' THEN 1 ELSE 2 END,"
        " opens_at DESC, id DESC LIMIT 1",
        link["broadcast_id"],
    )
    return _page(link, await _dropped(drop) if drop else [], drop, now=now)


async def _dropped(drop: Mapping[str, Any]) -> list[dict[str, Any]]:
    if drop["pack_id"]:
        return await database.fetch(f"{KINDS} WHERE i.pack_id = $1 ORDER BY t.id", drop["pack_id"])
    return await database.fetch(f"{KINDS} WHERE t.id = $1", drop["template_id"])


_BEFORE_ITS_END = frozenset({BroadcastState.PLANNED, BroadcastState.CHECKED, BroadcastState.LIVE})


def _page(
    link: Mapping[str, Any], rows: list[dict[str, Any]], drop: Mapping[str, Any] | None, *, now: datetime
) -> LinkPage:
    kinds = offers(rows)
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
        row_id=link["id"],
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
        lottery_id=link["round_id"] or 0 if first.get("mode") == LOTTERY else 0,
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
    if ended or first["round_status"] not in GIVING or at >= first["claim_until"]:
        return "ended"
    if campaign != CampaignStatus.RUNNING or first["round_status"] in BEFORE_CLAIMS:
        return "not_started"
    if at < first["claim_from"]:
        return "not_started"
    if needs_drop and (drop is None or drop["state"] == "planned"):
        return "not_started"
    if drop is not None and left > 0 and (drop["state"] == "closed" or at >= drop["closes_at"]):
        return "between"
    return "" if left > 0 else "sold_out"
