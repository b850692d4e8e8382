"""What a show brought as it was known at an instant, from the entries alone: sums, parts, curve, marks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.reports.basis import G2_SQL
from livehub.vouchers import queries as vouchers
from livehub.vouchers.models import RedemptionState
from rooms import queries as rooms

TOP = 10  # products
_DAY_MINUTES = 24 * 60


class Frame(Struct, frozen=True, kw_only=True):
    """The show a review is about, as it stood: what happens to the show later does not move the review."""

    broadcast_id: int
    centre_id: int
    starts_at_ms: int  # of the first run
    ends_at_ms: int  # of the last run
    shops: tuple[int, ...]  # whose orders that are not fetched yet may belong to it

    @property
    def first_minute(self) -> int:
        """Minutes since the epoch, as the entries count them."""
        return self.starts_at_ms // 60_000

    @property
    def last_minute(self) -> int:
        """The minute in which it ended belongs to the show."""
        return self.ends_at_ms // 60_000


class Part(Struct, frozen=True, kw_only=True):
    """Sales of one stretch of time, gross: a refund is taken off the whole."""

    g2_fen: int = 0
    orders: int = 0
    units: int = 0


class Ranked(Struct, frozen=True, kw_only=True):
    """One platform or product of the show."""

    key: str  # a platform's code or a product's public id; '-' where nothing is mapped
    label: str
    g2_fen: int
    refund_fen: int
    g3_fen: int
    orders: int  # of a product: the orders that hold it
    units: int


class Mark(Struct, frozen=True, kw_only=True):
    """What happened at a moment of the curve."""

    at_ms: int
    kind: str  # drop | cue
    title: str
    cue: str  # which kind of cue, '' for a drop
    quantity: int  # of vouchers put out


class Figures(Struct, frozen=True, kw_only=True):
    """Everything a review says: integer fen and counts. What is pending has no amount."""

    g2_fen: int
    refund_fen: int
    g3_fen: int
    orders: int
    units: int
    refunds: int
    before: Part  # paid before the first start, and told apart by room or voucher
    in_live: Part
    tail_7: Part  # paid after the end, within 7 days
    tail_30: Part  # after these, within 30 days
    later: Part
    pending: int
    claimed: int
    claimed_face_fen: int
    redeemed: int
    platforms: tuple[Ranked, ...]
    products: tuple[Ranked, ...]
    curve: tuple[tuple[int, int], ...]  # (gross fen, orders) of each minute of the show
    marks: tuple[Mark, ...]


_BOOKED = "contribution_entry r WHERE r.broadcast_id = $1 AND r.applied_at <= $2"


async def frame(
    broadcast_id: int, *, centre_id: int, bureau_id: int, since: datetime, until: datetime, as_of: datetime
) -> Frame:
    """The frame of a show that was on air from ``since`` to ``until``."""
    rows = await database.fetch(
        f"SELECT DISTINCT r.shop_id AS id FROM {_BOOKED} UNION"
        " SELECT s.id FROM shop s JOIN broadcast_account a ON a.platform = s.platform"
        " WHERE a.broadcast_id = $1 AND s.centre_id = $3 AND s.bureau_id = $4 ORDER BY id",
        broadcast_id,
        clock.to_ms(as_of),
        centre_id,
        bureau_id,
    )
    return Frame(
        broadcast_id=broadcast_id,
        centre_id=centre_id,
        starts_at_ms=clock.to_ms(since),
        ends_at_ms=clock.to_ms(until),
        shops=tuple(row["id"] for row in rows),
    )


async def known(show: Frame, *, as_of: datetime) -> Figures:
    """The show as it was known at an instant."""
    at = clock.to_ms(as_of)
    sums = await _by_part(show, at)
    claimed, claimed_face_fen, redeemed = await _vouchers(show, at)
    whole = {name: sum(row[name] for row in sums.values()) for name in _MEASURES}
    return Figures(
        g2_fen=whole["g2_fen"],
        refund_fen=whole["refund_fen"],
        g3_fen=whole["g2_fen"] - whole["refund_fen"],
        orders=whole["orders"],
        units=whole["units"],
        refunds=whole["refunds"],
        before=_part(sums.get("before")),
        in_live=_part(sums.get("in_live")),
        tail_7=_part(sums.get("tail_7")),
        tail_30=_part(sums.get("tail_30")),
        later=_part(sums.get("later")),
        pending=await _pending(show, at),
        claimed=claimed,
        claimed_face_fen=claimed_face_fen,
        redeemed=redeemed,
        platforms=await _platforms(show, at),
        products=await _products(show, at),
        curve=await _curve(show, at),
        marks=await _marks(show, at),
    )


_MEASURES = ("g2_fen", "refund_fen", "orders", "units", "refunds")


async def _by_part(show: Frame, at: int) -> dict[str, dict[str, int]]:
    """Sums by when it was paid; entries of refunds have no minute and stand under ''."""
    rows = await database.fetch(
        "SELECT CASE WHEN r.minute = 0 THEN '' WHEN r.minute < $3 THEN 'before' WHEN r.minute <= $4"
        " THEN 'in_live' WHEN r.minute <= $5 THEN 'tail_7' WHEN r.minute <= $6 THEN 'tail_30' ELSE 'later'"
        f" END AS part, sum({G2_SQL}) AS g2_fen, sum(r.refund_done) AS refund_fen, sum(r.orders) AS orders,"
        f" sum(r.units) AS units, sum(r.refunds) AS refunds FROM {_BOOKED} GROUP BY part",
        show.broadcast_id,
        at,
        show.first_minute,
        show.last_minute,
        show.last_minute + 7 * _DAY_MINUTES,
        show.last_minute + 30 * _DAY_MINUTES,
    )
    return {row["part"]: {name: int(row[name]) for name in _MEASURES} for row in rows}


def _part(sums: dict[str, int] | None) -> Part:
    if sums is None:
        return Part()
    return Part(g2_fen=sums["g2_fen"], orders=sums["orders"], units=sums["units"])


async def _pending(show: Frame, at: int) -> int:
    """Orders of the show's shops and days that nobody had read in full: they may be of the show or not."""
    shops = ", ".join(str(int(each)) for each in show.shops) or "0"
    row = await database.fetch_one(
        "SELECT coalesce(sum(r.pending), 0) AS n FROM contribution_entry r WHERE r.broadcast_id = 0"
        f" AND r.day BETWEEN $1 AND $2 AND r.applied_at <= $3 AND r.pending <> 0 AND r.shop_id IN ({shops})",
        clock.day_number(clock.local_day(clock.from_ms(show.starts_at_ms))),
        clock.day_number(clock.local_day(clock.from_ms(show.ends_at_ms))),
        at,
    )
    return int(row["n"]) if row else 0


async def _vouchers(show: Frame, at: int) -> tuple[int, int, int]:
    """Vouchers of the show's links that were claimed, their face, and those used, by an instant."""
    row = await database.fetch_one(
        "SELECT count(*) AS claimed, coalesce(sum(t.face_fen), 0) AS claimed_face_fen,"
        " coalesce(sum(CASE WHEN EXISTS (SELECT 1 FROM redemption d WHERE d.voucher_id = x.id"
        f" AND d.state <> '{RedemptionState.VOIDED}' AND d.at <= $2) THEN 1 ELSE 0 END), 0) AS redeemed"
        " FROM voucher x JOIN voucher_template t ON t.id = x.template_id"
        " WHERE x.broadcast_id = $1 AND x.claimed_at <= $2",
        show.broadcast_id,
        at,
    )
    assert row is not None  # noqa: S101 -- an aggregate has one row
    return int(row["claimed"]), int(row["claimed_face_fen"]), int(row["redeemed"])


_RANKED = (
    f"sum({G2_SQL}) AS g2_fen, sum(r.refund_done) AS refund_fen, sum({G2_SQL} - r.refund_done) AS g3_fen,"
    " sum(r.units) AS units"
)
_OF_SHOW = "WHERE r.broadcast_id = $1 AND r.applied_at <= $2"


async def _platforms(show: Frame, at: int) -> tuple[Ranked, ...]:
    rows = await database.fetch(
        f"SELECT s.platform AS key, s.platform AS label, {_RANKED}, sum(r.orders) AS orders"
        f" FROM contribution_entry r JOIN shop s ON s.id = r.shop_id {_OF_SHOW}"
        " GROUP BY s.platform ORDER BY g3_fen DESC, key",
        show.broadcast_id,
        at,
    )
    return tuple(_ranked(row) for row in rows if row["g2_fen"] or row["refund_fen"])


async def _products(show: Frame, at: int) -> tuple[Ranked, ...]:
    rows = await database.fetch(
        "SELECT coalesce(p.public_id, '-') AS key, coalesce(max(p.name), '') AS label,"
        f" {_RANKED}, sum(r.orders_with) AS orders FROM contribution_entry r"
        f" LEFT JOIN product p ON p.id = r.product_id AND r.product_id <> 0 {_OF_SHOW}"
        f" GROUP BY p.public_id HAVING sum({G2_SQL}) <> 0 OR sum(r.refund_done) <> 0"
        f" ORDER BY g3_fen DESC, key LIMIT {TOP}",
        show.broadcast_id,
        at,
    )
    return tuple(_ranked(row) for row in rows)


def _ranked(row: dict[str, Any]) -> Ranked:
    numbers = ("g2_fen", "refund_fen", "g3_fen", "orders", "units")
    return Ranked(key=row["key"], label=row["label"], **{name: int(row[name]) for name in numbers})


async def _curve(show: Frame, at: int) -> tuple[tuple[int, int], ...]:
    """Each minute of the show, also those in which nobody paid."""
    rows = await database.fetch(
        f"SELECT r.minute AS minute, sum({G2_SQL}) AS g2, sum(r.orders) AS orders FROM {_BOOKED}"
        " AND r.minute BETWEEN $3 AND $4 GROUP BY r.minute",
        show.broadcast_id,
        at,
        show.first_minute,
        show.last_minute,
    )
    paid = {int(row["minute"]): (int(row["g2"]), int(row["orders"])) for row in rows}
    return tuple(paid.get(minute, (0, 0)) for minute in range(show.first_minute, show.last_minute + 1))


async def _marks(show: Frame, at: int) -> tuple[Mark, ...]:
    """Drops that were opened and cues that were fired, in time."""
    found = [
        Mark(
            at_ms=clock.to_ms(each.opens_at), kind="drop", title=each.template, cue="", quantity=each.quantity
        )
        for each in await vouchers.drops_of(show.broadcast_id)
        if each.state != "planned"
    ]
    found += [
        Mark(at_ms=clock.to_ms(each.fired_at), kind="cue", title=each.title, cue=each.kind, quantity=0)
        for each in await rooms.cues(show.broadcast_id)
        if each.fired_at is not None
    ]
    return tuple(sorted((each for each in found if each.at_ms <= at), key=_by_time))


def _by_time(mark: Mark) -> tuple[int, str, str]:
    return mark.at_ms, mark.kind, mark.title
