"""How streamers do in a period (M8): their broadcasts, hours, punctuality, sales an hour, links, and rank.

A period is half-open days; a broadcast is in it by its business day, and counts once it has ended. What it
sold is G3 on the session axis, so a refund counts with its broadcast whenever it succeeded. Rooms that sell
nothing count for hours and punctuality and are left out of every rate of sales. Of two people in front of the
camera the anchor has it all: no shares are agreed anywhere. A bureau's reader sees her bureau's broadcasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid
from livehub.reports import broadcasts
from livehub.reports.basis import G2_SQL
from livehub.reports.broadcasts import ON_AIR_MS, SOLD
from livehub.reports.ranking import Part, Place, places
from livehub.vouchers.models import VoucherState
from rooms.models import BroadcastState
from streamers import queries as streamers
from streamers.queries import StreamerView

USUAL_DAYS, MOST_DAYS = 30, 366
YEARS = range(2000, 2200)
ON_TIME = timedelta(minutes=10)
ACTIVE_DAYS, ACTIVE_HOURS = 30, 30
HOUR_MS = 3_600_000

_ENDED = f"b.state IN ('{BroadcastState.ENDED}', '{BroadcastState.REVIEWED}') AND b.started_at IS NOT NULL"
_SHOWS = (
    "SELECT b.id, b.public_id, b.title, b.business_day, b.planned_start_at, b.started_at, m.name AS room,"
    f" m.theme, m.commerce_allowed AS sells, u.name AS bureau, {ON_AIR_MS} AS live_ms,"
    f" {SOLD.format(G2_SQL)} AS g2_fen, {SOLD.format('r.refund_done')} AS refund_fen,"
    f" {SOLD.format('r.orders')} AS orders, EXISTS (SELECT 1 FROM crew_assignment w"
    " WHERE w.booking_id = b.booking_id AND w.role = 'co_anchor' AND w.state <> 'declined') AS has_co_anchor"
    " FROM broadcast b JOIN room m ON m.id = b.room_id JOIN bureau u ON u.id = b.bureau_id"
    f" WHERE b.streamer_id = $1 AND b.business_day >= $2 AND b.business_day < $3 AND {_ENDED}"
)
_PARTS = (
    "SELECT b.streamer_id, m.theme, count(*) AS n, sum({on_air}) AS live_ms, sum({sold}) AS g3_fen"
    " FROM broadcast b JOIN room m ON m.id = b.room_id WHERE b.centre_id = $1 AND b.business_day >= $2"
    f" AND b.business_day < $3 AND {_ENDED} AND m.commerce_allowed"
).format(on_air=ON_AIR_MS, sold=SOLD.format(f"{G2_SQL} - r.refund_done"))
_LINKS = (
    "SELECT k.slug, k.platform, coalesce(b.public_id, '') AS broadcast, coalesce(b.title, '') AS title,"
    " count(*) AS claimed,"
    f" sum(CASE WHEN x.state = '{VoucherState.REDEEMED}' THEN 1 ELSE 0 END) AS redeemed"
    " FROM claim_link k {how} WHERE k.streamer_id = $1 AND x.claimed_at >= $2 AND x.claimed_at < $3{within}"
    " GROUP BY k.slug, k.platform, b.public_id, b.title"
)
_OF_SHOWS = (
    "JOIN broadcast b ON b.id = k.broadcast_id"
    " JOIN voucher x ON x.broadcast_id = k.broadcast_id AND x.link_id = k.id"
)
_OF_ROUNDS = (
    "LEFT JOIN broadcast b ON b.id = k.broadcast_id JOIN campaign_round n ON n.id = k.round_id"
    " JOIN campaign c ON c.id = n.campaign_id JOIN voucher_template t ON t.round_id = n.id"
    " JOIN voucher x ON x.template_id = t.id AND x.link_id = k.id"
)


class Period(Struct, frozen=True):
    """Half-open days."""

    since: date
    until: date


class Show(Struct, frozen=True, kw_only=True):
    """One broadcast that ended; amounts in fen."""

    broadcast: str
    title: str
    room: str
    theme: str
    bureau: str
    day: date
    planned_start_at: datetime
    started_at: datetime
    live_ms: int
    g2_fen: int
    refund_fen: int
    orders: int
    pending: int  # orders of its shops and days that nobody has read in full
    sells: bool
    has_co_anchor: bool

    @property
    def g3_fen(self) -> int:
        """Net sales."""
        return self.g2_fen - self.refund_fen

    @property
    def is_on_time(self) -> bool:
        """Whether it began within ten minutes of its plan, before or after."""
        return abs(self.started_at - self.planned_start_at) <= ON_TIME


class LinkRow(Struct, frozen=True, kw_only=True):
    """What was claimed in the period on one of her links."""

    slug: str
    platform: str
    broadcast: str
    title: str
    claimed: int
    redeemed: int  # of the claimed


class Performance(Struct, frozen=True, kw_only=True):
    """One streamer's period."""

    who: StreamerView
    period: Period
    as_of: datetime
    shows: tuple[Show, ...]
    links: tuple[LinkRow, ...]
    places: tuple[Place, ...]  # one for each theme in which she sold
    live_ms_30d: int  # of the last ACTIVE_DAYS days, whatever the period
    is_narrowed: bool  # only one bureau's broadcasts

    @property
    def live_ms(self) -> int:
        """On air, breaks left out."""
        return sum(each.live_ms for each in self.shows)

    @property
    def on_time(self) -> int:
        """Broadcasts that began on time."""
        return sum(each.is_on_time for each in self.shows)

    @property
    def selling(self) -> tuple[Show, ...]:
        """The broadcasts that were to sell."""
        return tuple(each for each in self.shows if each.sells)

    @property
    def selling_ms(self) -> int:
        """What sales an hour are divided by."""
        return sum(each.live_ms for each in self.selling)

    @property
    def g2_fen(self) -> int:
        """Gross sales of the selling broadcasts."""
        return sum(each.g2_fen for each in self.selling)

    @property
    def refund_fen(self) -> int:
        """What succeeded of their refunds."""
        return sum(each.refund_fen for each in self.selling)

    @property
    def g3_fen(self) -> int:
        """Net sales of the selling broadcasts."""
        return self.g2_fen - self.refund_fen

    @property
    def fen_per_hour(self) -> int | None:
        """G3 for each hour on air, rounded; None: nothing sold on air."""
        return per_hour(self.g3_fen, self.selling_ms)

    @property
    def claimed(self) -> int:
        """Vouchers claimed on her links."""
        return sum(each.claimed for each in self.links)

    @property
    def redeemed(self) -> int:
        """Of these, used."""
        return sum(each.redeemed for each in self.links)

    @property
    def co_hosted(self) -> int:
        """Broadcasts with a second person in front of the camera."""
        return sum(each.has_co_anchor for each in self.shows)

    @property
    def is_active(self) -> bool:
        """Whether she was on air long enough in the last days."""
        return self.live_ms_30d >= ACTIVE_HOURS * HOUR_MS


def period(since: date | None, until: date | None, *, today: date) -> Period:
    """The days meant, the last 30 with today where none are; Invalid when they are no period."""
    for name, day in (("from", since), ("to", until)):
        if day is not None and day.year not in YEARS:
            raise Invalid(details=[Detail(name, "日期超出范围", f"{YEARS[0]} 到 {YEARS[-1]} 年")])
    last = until or (since + timedelta(days=USUAL_DAYS) if since else today + timedelta(days=1))
    first = since or last - timedelta(days=USUAL_DAYS)
    if not first < last <= first + timedelta(days=MOST_DAYS):
        raise Invalid(
            details=[Detail("to", "结束日要在起始日之后，最长一年", f"{first} 之后 {MOST_DAYS} 天内")]
        )
    return Period(first, last)


async def of_streamer(public_id: str, asked: Period, *, actor: Actor, now: datetime) -> Performance:
    """How a streamer of the actor's centre did; NotFound when there is none."""
    who = await streamers.streamer(public_id, actor=actor)
    require(actor, Permission.SALES_READ)
    scope = bureau_scope(actor, Permission.SALES_READ)
    found = await places_of(asked, actor=actor)
    return Performance(
        who=who,
        period=asked,
        as_of=now,
        shows=tuple(await _shows(who.id, asked, scope=scope)),
        links=tuple(await _links(who.id, asked, scope=scope)),
        places=tuple(each for each in found if each.streamer_id == who.id),
        live_ms_30d=await _live_ms(who.id, today=clock.local_day(now), scope=scope),
        is_narrowed=scope is not None,
    )


async def places_of(asked: Period, *, actor: Actor) -> list[Place]:
    """Everybody's place in each selling theme, themes by name and the best first."""
    require(actor, Permission.STREAMER_READ)
    require(actor, Permission.SALES_READ)
    scope = bureau_scope(actor, Permission.SALES_READ)
    rows = await database.fetch(
        f"{_PARTS}{_within(scope)} GROUP BY b.streamer_id, m.theme",
        actor.centre_id,
        clock.day_number(asked.since),
        clock.day_number(asked.until),
    )
    return places(
        Part(
            streamer_id=row["streamer_id"],
            theme=row["theme"],
            broadcasts=int(row["n"]),
            live_ms=int(row["live_ms"]),
            g3_fen=int(row["g3_fen"]),
        )
        for row in rows
    )


def per_hour(fen: int, live_ms: int) -> int | None:
    """Whole fen for an hour, halves to even; None where nobody was on air."""
    return round(Fraction(fen * HOUR_MS, live_ms)) if live_ms else None


async def _shows(streamer_id: int, asked: Period, *, scope: frozenset[int] | None) -> list[Show]:
    rows = await database.fetch(
        f"{_SHOWS}{_within(scope)} ORDER BY b.started_at DESC, b.id",
        streamer_id,
        clock.day_number(asked.since),
        clock.day_number(asked.until),
    )
    pending = await broadcasts.pending([row["id"] for row in rows])
    return [_show(row, pending) for row in rows]


def _show(row: Mapping[str, Any], pending: Mapping[int, int]) -> Show:
    return Show(
        broadcast=row["public_id"],
        title=row["title"],
        room=row["room"],
        theme=row["theme"],
        bureau=row["bureau"],
        day=clock.day_of_number(row["business_day"]),
        planned_start_at=clock.from_ms(row["planned_start_at"]),
        started_at=clock.from_ms(row["started_at"]),
        live_ms=int(row["live_ms"]),
        g2_fen=int(row["g2_fen"]),
        refund_fen=int(row["refund_fen"]),
        orders=int(row["orders"]),
        pending=pending.get(row["id"], 0),
        sells=bool(row["sells"]),
        has_co_anchor=bool(row["has_co_anchor"]),
    )


async def _links(streamer_id: int, asked: Period, *, scope: frozenset[int] | None) -> list[LinkRow]:
    args = (
        streamer_id,
        clock.to_ms(clock.at_local(asked.since)),
        clock.to_ms(clock.at_local(asked.until)),
    )
    found: list[LinkRow] = []
    for how, owner in ((_OF_SHOWS, "b"), (_OF_ROUNDS, "c")):
        rows = await database.fetch(_LINKS.format(how=how, within=_within(scope, owner)), *args)
        found += [
            LinkRow(**{**row, "claimed": int(row["claimed"]), "redeemed": int(row["redeemed"])})
            for row in rows
        ]
    return sorted(found, key=lambda each: (-each.claimed, each.slug))


async def _live_ms(streamer_id: int, *, today: date, scope: frozenset[int] | None) -> int:
    row = await database.fetch_one(
        f"SELECT coalesce(sum({ON_AIR_MS}), 0) AS ms FROM broadcast b WHERE b.streamer_id = $1"
        f" AND b.business_day > $2 AND b.business_day <= $3 AND {_ENDED}{_within(scope)}",
        streamer_id,
        clock.day_number(today - timedelta(days=ACTIVE_DAYS)),
        clock.day_number(today),
    )
    return int(row["ms"]) if row else 0


def _within(scope: Iterable[int] | None, owner: str = "b") -> str:
    """A further condition: only what these bureaus own."""
    if scope is None:
        return ""
    numbers: Sequence[str] = [str(int(each)) for each in sorted(scope)]
    return f" AND {owner}.bureau_id IN ({', '.join(numbers) or '0'})"
