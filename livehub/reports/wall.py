"""The big screen's figures, read once for every screen that watches."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts import chain
from livehub.inbox.models import MessageStatus
from livehub.kit import clock
from livehub.orders import reconciled
from livehub.reports import figures, leverage
from livehub.reports.basis import Basis
from livehub.reports.figures import Figures, Grain, Scope
from livehub.reports.leverage import Counts, Funds
from livehub.settlement import case_queries
from livehub.vouchers.leverage import Leverage

STEP_MINUTES = 5
CURVE_STEPS = 36  # three hours
ON_TIME = timedelta(minutes=10)
RANKS = 4


class Point(Struct, frozen=True):
    """Five minutes of payments: gross sales (G2), since a minute knows no refund."""

    at: datetime
    g2_fen: int
    orders: int
    drop: str  # name of a template dropped in these minutes, or ''


class Feed(Struct, frozen=True):
    """One platform's pushes."""

    platform: str
    lag_seconds: float | None  # of the oldest that waits, else of the newest that was booked
    waiting: int
    parked: int


class Board(Struct, frozen=True, kw_only=True):
    """Everything on the wall, sums only."""

    centre: str
    as_of: datetime
    day: date
    today: Figures
    towns: list[Figures]
    products: list[Figures]
    streamers: list[Figures]
    on_air: frozenset[str]  # public ids of streamers on air
    live_count: int
    late: int
    on_time: int
    on_time_of: int
    double_bookings: int
    cases: int  # of integrity, that wait for somebody
    pulled: Leverage
    funds: Funds
    vouchers: Counts
    curve: list[Point]
    feeds: list[Feed]
    chain_links: int
    chain_waiting: int
    unreconciled: int  # shops that are not reconciled with their platform for over a day
    unreconciled_since: datetime | None  # the earliest of them


async def board(*, centre_id: int, now: datetime) -> Board:
    """The wall of one centre at an instant."""
    day = clock.local_day(now)
    midnight = clock.at_local(day)
    scope = Scope(centre_id=centre_id, day_from=day, day_to=day)
    centre = await database.fetch_one("SELECT name FROM centre WHERE id = $1", centre_id)
    shows = await _shows(centre_id, now=now)
    unreconciled = await reconciled.late(centre_id=centre_id, bureaus=None, now=now)
    return Board(
        centre=centre["name"] if centre else "",
        as_of=now,
        day=day,
        today=await figures.total(scope),
        towns=await figures.by(scope, Grain.TOWN, basis=Basis.G3, limit=RANKS),
        products=await figures.by(scope, Grain.PRODUCT, basis=Basis.G3, limit=RANKS),
        streamers=await figures.by(scope, Grain.STREAMER, basis=Basis.G3, limit=RANKS),
        on_air=shows.streamers,
        live_count=len(shows.streamers),
        late=shows.late,
        on_time=shows.on_time,
        on_time_of=shows.on_time_of,
        double_bookings=await _double_bookings(),
        cases=await case_queries.open_count(centre_id),
        pulled=await leverage.of(centre_id=centre_id),
        funds=await leverage.funds(centre_id=centre_id),
        vouchers=await leverage.counts(centre_id=centre_id, since=midnight, now=now),
        curve=await curve(centre_id=centre_id, now=now),
        feeds=await feeds(centre_id=centre_id, now=now),
        chain_links=sum(head.seq for head in await chain.heads()),
        chain_waiting=await chain.tail_size(),
        unreconciled=len(unreconciled),
        unreconciled_since=unreconciled[0][1] if unreconciled else None,
    )


class _Shows(Struct, frozen=True):
    """How the broadcasts go."""

    streamers: frozenset[str]
    late: int
    on_time: int
    on_time_of: int


async def _shows(centre_id: int, *, now: datetime) -> _Shows:
    at = clock.to_ms(now)
    live = await database.fetch(
        "SELECT t.public_id AS public_id FROM broadcast b JOIN streamer t ON t.id = b.streamer_id"
        " WHERE b.centre_id = $1 AND b.state = 'live'",
        centre_id,
    )
    late = await database.fetch_one(
        "SELECT count(*) AS n FROM broadcast b JOIN booking k ON k.id = b.booking_id WHERE b.centre_id = $1"
        " AND b.state IN ('planned', 'checked') AND k.state IN ('approved', 'checked_in')"
        " AND b.planned_start_at < $2 AND b.planned_end_at > $2",
        centre_id,
        at,
    )
    punctual = await database.fetch_one(
        "SELECT count(*) AS n, coalesce(sum(CASE WHEN abs(b.started_at - b.planned_start_at) <= $3"
        " THEN 1 ELSE 0 END), 0) AS on_time FROM broadcast b WHERE b.centre_id = $1 AND b.started_at >= $2",
        centre_id,
        at - 90 * 86_400_000,
        ON_TIME // timedelta(milliseconds=1),
    )
    return _Shows(
        frozenset(row["public_id"] for row in live),
        int(late["n"]) if late else 0,
        int(punctual["on_time"]) if punctual else 0,
        int(punctual["n"]) if punctual else 0,
    )


async def _double_bookings() -> int:
    row = await database.fetch_one(
        "SELECT count(*) AS n FROM resource_claim a JOIN resource_claim b ON a.kind = b.kind"
        " AND a.resource_id = b.resource_id AND a.id < b.id AND a.starts_at < b.ends_at"
        " AND b.starts_at < a.ends_at WHERE a.active AND b.active"
    )
    return int(row["n"]) if row else 0


async def curve(*, centre_id: int, now: datetime, broadcast_id: int | None = None) -> list[Point]:
    """The last three hours by five minutes, oldest first; empty steps are kept so that time runs evenly."""
    last = clock.to_ms(now) // 60_000 // STEP_MINUTES
    first = last - CURVE_STEPS + 1
    narrowed = "" if broadcast_id is None else f" AND broadcast_id = {int(broadcast_id)}"
    rows = await database.fetch(
        f"SELECT minute / {STEP_MINUTES} AS step, sum(g2) AS g2, sum(orders) AS orders FROM rollup_minute"
        f" WHERE centre_id = $1 AND minute >= $2{narrowed} GROUP BY minute / {STEP_MINUTES}",
        centre_id,
        first * STEP_MINUTES,
    )
    paid = {int(row["step"]): (int(row["g2"]), int(row["orders"])) for row in rows}
    drops = await database.fetch(
        "SELECT d.opens_at AS opens_at, coalesce(k.name, t.name) AS name FROM voucher_drop d"
        " JOIN voucher_template t ON t.id = d.template_id LEFT JOIN voucher_pack k ON k.id = d.pack_id"
        " JOIN broadcast b ON b.id = d.broadcast_id"
        " WHERE b.centre_id = $1 AND d.state <> 'planned' AND d.opens_at >= $2",
        centre_id,
        first * STEP_MINUTES * 60_000,
    )
    named = {row["opens_at"] // 60_000 // STEP_MINUTES: row["name"] for row in drops}
    return [
        Point(clock.from_ms(step * STEP_MINUTES * 60_000), *paid.get(step, (0, 0)), named.get(step, ""))
        for step in range(first, last + 1)
    ]


async def feeds(*, centre_id: int, now: datetime) -> list[Feed]:
    """Every platform that has an endpoint, with what waits and how late it is."""
    at = clock.to_ms(now)
    platforms = await database.fetch(
        "SELECT DISTINCT platform FROM endpoint WHERE centre_id = $1 ORDER BY platform", centre_id
    )
    waiting = await database.fetch(
        "SELECT platform, count(*) AS n, min(received_at) AS oldest FROM inbox_message"
        f" WHERE status IN ('{MessageStatus.RECEIVED}', '{MessageStatus.PROCESSING}') AND centre_id = $1"
        " GROUP BY platform",
        centre_id,
    )
    parked = await database.fetch(
        f"SELECT platform, count(*) AS n FROM inbox_message WHERE status IN ('{MessageStatus.PARKED}',"
        f" '{MessageStatus.DEAD}') AND centre_id = $1 GROUP BY platform",
        centre_id,
    )
    late = {row["platform"]: (row["n"], (at - row["oldest"]) / 1000) for row in waiting}
    stuck = {row["platform"]: row["n"] for row in parked}
    found = []
    for row in platforms:
        name = row["platform"]
        count, lag = late.get(name, (0, None))
        found.append(Feed(name, lag if lag is not None else await _last_lag(name), count, stuck.get(name, 0)))
    return found


async def _last_lag(platform: str) -> float | None:
    row = await database.fetch_one(
        "SELECT processed_at - received_at AS lag FROM inbox_message WHERE platform = $1"
        f" AND status IN ('{MessageStatus.APPLIED}', '{MessageStatus.STALE}') ORDER BY id DESC LIMIT 1",
        platform,
    )
    return max(0.0, row["lag"] / 1000) if row else None
