"""Claim links: public, without meaning, carrying where a claim came from and never a right to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock, ids
from livehub.kit.errors import NotFound
from livehub.kit.sums import Sums
from livehub.vouchers.errors import DirectOnly
from livehub.vouchers.models import Campaign, ClaimLink, Round
from livehub.vouchers.rounds import DIRECT
from rooms.facts import BookingApproved

_COLUMNS = {
    "slug": "text",
    "centre_id": "bigint",
    "broadcast_id": "bigint",
    "streamer_id": "bigint",
    "platform": "text",
    "created_at": "bigint",
}
FLUSH_SECONDS = 2.0


@database.atomic
async def create(
    round_id: int,
    *,
    actor: Actor,
    now: datetime,
    streamer_id: int | None = None,
    platform: str = "",
    quota: int = 0,
) -> ClaimLink:
    """A link that gives a round's vouchers directly, without a broadcast; quota 0: no limit of its own.

    DirectOnly for a round that gives to a roster's households and to nobody else.
    """
    found = await Round.get_or_none(id=round_id)
    if found is None:
        raise NotFound
    if found.mode == DIRECT:
        raise DirectOnly
    campaign = await Campaign.get(id=found.campaign_id)
    permissions.require(
        actor, Permission.CAMPAIGN_DRAFT, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    link = await ClaimLink.create(
        slug=ids.slug(),
        centre_id=campaign.centre_id,
        round_id=round_id,
        streamer_id=streamer_id,
        platform=platform,
        quota=quota,
        created_at=now,
    )
    await audit.write(
        "link.created", actor=actor, now=now, about=("claim_link", link.slug), bureau_id=campaign.bureau_id
    )
    return link


async def on_booking_approved(fact: BookingApproved, now: datetime) -> None:
    """One link for each anchor and platform of a firm live booking; saying it twice changes nothing."""
    if not fact.broadcast_id:
        return
    rows = await database.fetch(
        "SELECT DISTINCT b.streamer_id, coalesce(a.platform, '') AS platform FROM broadcast b"
        " LEFT JOIN broadcast_account a ON a.broadcast_id = b.id WHERE b.id = $1"
        " ORDER BY b.streamer_id, platform",
        fact.broadcast_id,
    )
    at = clock.to_ms(now)
    await database.with_rows(
        _COLUMNS,
        [
            (ids.slug(), fact.centre_id, fact.broadcast_id, row["streamer_id"], row["platform"], at)
            for row in rows
        ],
        f"INSERT INTO claim_link ({', '.join(_COLUMNS)}, quota, claims, clicks)"
        f" SELECT {', '.join(_COLUMNS)}, 0, 0, 0 FROM v WHERE true"
        " ON CONFLICT (broadcast_id, streamer_id, platform) WHERE broadcast_id IS NOT NULL DO NOTHING",
    )


def clicks() -> Sums[str]:
    """Opened links by slug, counted in memory: a page costs no commit."""
    return Sums("link-clicks", lambda counts: database.unit(lambda: _add(counts)), seconds=FLUSH_SECONDS)


async def _add(counts: Mapping[str, int]) -> None:
    if database.dialect() == "postgres":  # in the order of ids, as claims lock them
        await database.with_rows(
            {"slug": "text"},
            [(slug,) for slug in counts],
            "SELECT l.id FROM v JOIN claim_link l ON l.slug = v.slug ORDER BY l.id FOR UPDATE OF l",
        )
    await database.with_rows(
        {"slug": "text", "n": "bigint"},
        sorted(counts.items()),
        "UPDATE claim_link SET clicks = clicks + v.n FROM v WHERE claim_link.slug = v.slug",
    )
