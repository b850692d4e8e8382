"""What hold rules are asked about, read by index: a merchant's day, a broadcast's orders, a late order."""

from __future__ import annotations

from datetime import date, timedelta

from livehub import database
from livehub.kit import clock
from livehub.settlement import holding
from livehub.settlement.signals import Late, MerchantDay, Placed, Show, Use
from livehub.vouchers.enrolments import OFFLINE

USUAL_DAYS = 28
KEY_LETTERS = 12  # of a person's keyed hash: enough to tell two people apart, not enough to look one up
_DAY_MS = 86_400_000
_DONE = "r.state NOT IN ('authorized', 'voided')"
_UNDONE = frozenset({"closed", "fully_refunded"})


async def merchants_of(centre_id: int, day: date) -> list[tuple[int, int]]:
    """(merchant, bureau) of everybody who redeemed on a day, for whichever bureau's campaigns."""
    since, until = _bounds(day)
    rows = await database.fetch(
        "SELECT DISTINCT m.id AS merchant_id, c.bureau_id AS bureau_id FROM merchant m"
        " JOIN redemption r ON r.merchant_id = m.id AND r.at >= $2 AND r.at < $3"
        " JOIN campaign c ON c.id = r.campaign_id WHERE m.centre_id = $1 ORDER BY 1, 2",
        centre_id,
        since,
        until,
    )
    return [(int(row["merchant_id"]), int(row["bureau_id"])) for row in rows]


async def uncollected(centre_id: int, day: date) -> list[tuple[int, int, date]]:
    """(merchant, bureau, local day) of what was used up to a day, stands in no batch and is not held back."""
    _, until = _bounds(day)
    rows = await database.fetch(
        "SELECT DISTINCT r.merchant_id AS merchant_id, c.bureau_id AS bureau_id,"
        f" (CAST($2 AS BIGINT) - 1 - r.at) / {_DAY_MS} AS days_before FROM redemption r"
        f" JOIN campaign c ON c.id = r.campaign_id WHERE c.centre_id = $1 AND r.merchant_id > 0"
        f" AND {holding.COLLECTABLE.format(until='$2')}",
        centre_id,
        until,
    )
    return [
        (int(row["merchant_id"]), int(row["bureau_id"]), day - timedelta(days=int(row["days_before"])))
        for row in rows
    ]


async def merchant_day(merchant_id: int, bureau_id: int, day: date) -> MerchantDay:
    """What one merchant redeemed of one bureau's vouchers on a day, and how much on the days before."""
    since, until = _bounds(day)
    rows = await database.fetch(
        "SELECT r.id, r.at, x.claimed_at, r.order_fen, t.threshold_fen, p.person_key,"
        " EXISTS (SELECT 1 FROM merchant_phone s WHERE s.merchant_id = r.merchant_id"
        " AND s.person_key = p.person_key) AS is_staff"
        " FROM redemption r JOIN campaign c ON c.id = r.campaign_id AND c.bureau_id = $2"
        " JOIN voucher x ON x.id = r.voucher_id JOIN voucher_template t ON t.id = x.template_id"
        " JOIN claimant p ON p.id = x.claimant_id"
        f" WHERE r.merchant_id = $1 AND r.at >= $3 AND r.at < $4 AND {_DONE} ORDER BY r.at, r.id",
        merchant_id,
        bureau_id,
        since,
        until,
    )
    uses = [
        Use(
            id=row["id"],
            at=clock.from_ms(row["at"]),
            claimed_at=clock.from_ms(row["claimed_at"]),
            order_fen=row["order_fen"],
            threshold_fen=row["threshold_fen"],
            person=bytes(row["person_key"]).hex()[:KEY_LETTERS],
            is_staff=bool(row["is_staff"]),
        )
        for row in rows
    ]
    return MerchantDay(day=day, uses=tuple(uses), usual=await _usual(merchant_id, bureau_id, until=since))


async def show(broadcast_id: int) -> Show:
    """Every platform's order that belongs to a broadcast now, paid or closed unpaid.

    Vouchers of the show that were used at a till are judged with their merchant's day.
    """
    rows = await database.fetch(
        "SELECT o.id, o.buyer_key, o.status FROM (SELECT e.order_id FROM contribution_entry e"
        " WHERE e.broadcast_id = $1 GROUP BY e.order_id HAVING sum(e.orders) <> 0 OR sum(e.units) <> 0"
        " OR sum(e.placed_unpaid) <> 0 OR sum(e.placed_closed) <> 0) g"
        " JOIN sales_order o ON o.id = g.order_id AND o.platform <> $2 ORDER BY o.id",
        broadcast_id,
        OFFLINE,
    )
    return Show(
        orders=tuple(
            Placed(id=row["id"], buyer=row["buyer_key"], is_undone=row["status"] in _UNDONE) for row in rows
        )
    )


async def late(late_id: int) -> Late:
    """A late redemption that matching noted."""
    row = await database.fetch_one(
        "SELECT id, order_fen, subsidy_fen FROM late_redemption WHERE id = $1", late_id
    )
    if row is None:
        raise LookupError(f"no late redemption {late_id}")
    return Late(**row)


async def _usual(merchant_id: int, bureau_id: int, *, until: int) -> tuple[int, ...]:
    since = until - timedelta(days=USUAL_DAYS) // timedelta(milliseconds=1)
    rows = await database.fetch(
        f"SELECT (r.at - $3) / {_DAY_MS} AS day, count(*) AS n FROM redemption r"
        " JOIN campaign c ON c.id = r.campaign_id AND c.bureau_id = $2"
        f" WHERE r.merchant_id = $1 AND r.at >= $3 AND r.at < $4 AND {_DONE}"
        f" GROUP BY (r.at - $3) / {_DAY_MS} ORDER BY 1",
        merchant_id,
        bureau_id,
        since,
        until,
    )
    return tuple(int(row["n"]) for row in rows)


def _bounds(day: date) -> tuple[int, int]:
    """A local day in milliseconds, its end excluded."""
    return clock.to_ms(clock.at_local(day)), clock.to_ms(clock.at_local(day + timedelta(days=1)))
