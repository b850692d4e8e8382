"""What a streamer's phone shows of her day: the current broadcast, its figures, its drop and its rundown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from livehub.accounts.actors import Actor
from livehub.kit import clock
from livehub.merchants import queries as merchants
from livehub.merchants.queries import ProductView
from livehub.reports import broadcasts, figures
from livehub.vouchers import queries as vouchers
from livehub.vouchers.queries import DropRow, LinkRow
from rooms import prechecks
from rooms import queries as rooms
from rooms.prechecks import Standing
from rooms.queries import BroadcastView, CueView

AFTER_MIDNIGHT = timedelta(hours=6)  # a night's show still belongs to the day
REVIEWED_DAYS = 35  # until the last look at a show, and some days to read it
REVIEWED = 5


class Live(Struct, frozen=True, kw_only=True):
    """The figures of one broadcast."""

    g3_fen: int
    pending: int
    as_of: datetime
    orders: int
    refunded_orders: int
    claimed: int
    redeemed: int
    left: int | None  # None: no drop is open


class Screen(Struct, frozen=True, kw_only=True):
    """The part of the page that moves."""

    now: datetime
    current: BroadcastView | None
    figures: Live | None
    open_drop: DropRow | None
    planned: list[DropRow]


class Card(Struct, frozen=True, kw_only=True):
    """One block of the rundown, with its product where it has one."""

    cue: CueView
    product: ProductView | None


async def today(actor: Actor, *, now: datetime) -> list[BroadcastView]:
    """Her broadcasts of the day, the night after included."""
    midnight = clock.at_local(clock.local_day(now))
    return await rooms.broadcasts_of(
        actor.id, since=midnight, until=midnight + timedelta(days=1) + AFTER_MIDNIGHT
    )


async def reviewed(actor: Actor, *, now: datetime) -> list[BroadcastView]:
    """Her last shows that have ended, the latest first."""
    shows = await rooms.broadcasts_of(actor.id, since=now - timedelta(days=REVIEWED_DAYS), until=now)
    return [each for each in reversed(shows) if each.started_at and each.ended_at][:REVIEWED]


def current(shows: Sequence[BroadcastView], *, now: datetime) -> BroadcastView | None:
    """What is on air, else what comes next, else the last one that ended."""
    live = [each for each in shows if each.state == "live"]
    coming = [each for each in shows if each.state in ("planned", "checked") and each.planned_end_at > now]
    ended = [each for each in shows if each.started_at is not None]
    return next(iter([*live, *coming, *reversed(ended)]), None)


async def screen(show: BroadcastView | None, *, centre_id: int, now: datetime) -> Screen:
    """The figures of this moment."""
    if show is None:
        return Screen(now=now, current=None, figures=None, open_drop=None, planned=[])
    drops = await vouchers.drops_of(show.id)
    open_drop = next((each for each in drops if each.state == "open" and each.closes_at > now), None)
    counted = await vouchers.broadcast_figures(show.id)
    sold = await figures.total(figures.Scope(centre_id=centre_id, broadcast=show.public_id))
    return Screen(
        now=now,
        current=show,
        figures=Live(
            g3_fen=sold.g3_fen,
            pending=(await broadcasts.pending([show.id])).get(show.id, 0),
            as_of=now,
            orders=sold.orders,
            refunded_orders=sold.refunds,
            claimed=counted.claimed,
            redeemed=counted.redeemed,
            left=open_drop.quantity - open_drop.claimed if open_drop else None,
        ),
        open_drop=open_drop,
        planned=[each for each in drops if each.state == "planned"],
    )


async def check(show: BroadcastView | None) -> Standing | None:
    """Her checklist while it is not her turn to go on air yet."""
    if show is None or show.state not in ("planned", "checked"):
        return None
    return await prechecks.standing(show.id)


async def links(show: BroadcastView | None) -> list[LinkRow]:
    """Her claim links of a broadcast, one per platform."""
    if show is None:
        return []
    return [each for each in await vouchers.links_of(show.id) if each.streamer_id == show.streamer_id]


async def rundown(show: BroadcastView | None) -> list[Card]:
    """The planned blocks in order."""
    if show is None:
        return []
    cues = await rooms.cues(show.id)
    products = await merchants.products_by_id([each.product_id for each in cues if each.product_id])
    return [Card(cue=each, product=products.get(each.product_id or 0)) for each in cues]
