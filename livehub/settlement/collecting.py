"""Each morning: what merchants are owed for the days that are over becomes the lines of draft batches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, timedelta
from functools import partial

from msgspec import Struct, structs

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor, system
from livehub.accounts.permissions import Permission
from livehub.kit import clock, ids
from livehub.kit.errors import Detail
from livehub.settlement import amounts, evaluating, holding
from livehub.settlement.errors import TooEarly
from livehub.settlement.models import SettlementBatch

EARLIEST = 2010  # no calendar of ours reaches further back

# A merchant of 0 is a platform's shop.
_SHOP = "CASE WHEN r.merchant_id = 0 THEN r.shop_id ELSE 0 END"
# Recovered of a redemption whose line was settled before: the merchant owes it back, held back or not.
_LATE = (
    "r.settled_at IS NOT NULL AND f.clawback_fen > 0 AND f.at < {until}"
    " AND NOT EXISTS (SELECT 1 FROM settlement_line l WHERE l.redemption_id = r.id AND l.refund_id = f.id)"
)
_LINE = "INSERT INTO settlement_line (batch_id, redemption_id, refund_id, amount_fen, late)"
_ONCE = "ON CONFLICT (redemption_id, refund_id) DO NOTHING"


class Ran(Struct, frozen=True, kw_only=True):
    """What a run made."""

    day: date
    batches: int
    lines: int


class _Empty(Exception):
    """There is no batch to make."""


async def run_all(*, now: datetime) -> int:
    """Yesterday, in every centre; returns how many batches were made."""
    rows = await database.fetch("SELECT id FROM centre ORDER BY id")
    day = clock.local_day(now) - timedelta(days=1)
    made = 0
    for row in rows:
        made += (await run(day, actor=system("jobs.settlement", centre_id=row["id"]), now=now)).batches
    return made


async def run(day: date, *, actor: Actor, now: datetime) -> Ran:
    """Make the draft batches of a day in the actor's centre; run again, it adds nothing to them.

    The hold rules are asked about the day first, and about earlier ones of which something waits. A draft
    that was never submitted and holds nothing but what is held back is dropped. What becomes known later,
    or was held back, goes into the next day's. TooEarly before its midnight.
    """
    permissions.require(actor, Permission.SETTLEMENT_RUN)
    if day >= clock.local_day(now) or day.year < EARLIEST:
        raise TooEarly(details=[Detail("date", "不是已经结束的一天", f"昨天或更早，{EARLIEST} 年以后")])
    until = clock.to_ms(clock.at_local(day + timedelta(days=1)))
    await evaluating.merchants(actor.centre_id, day, now=now)
    for number in await _all_held(actor.centre_id):
        await database.unit(partial(_drop, number, actor=actor, now=now))
    lines = [
        await _made(partial(_collect, payee, day, until, actor=actor, now=now))
        for payee in await _payees(actor.centre_id, day, until)
    ]
    return Ran(day=day, batches=sum(each > 0 for each in lines), lines=sum(lines))


_ALL_HELD = (
    "SELECT b.id FROM settlement_batch b WHERE b.centre_id = $1 AND b.state = 'draft' AND b.version = 0"
    " AND NOT EXISTS (SELECT 1 FROM settlement_line l JOIN redemption r ON r.id = l.redemption_id"
    f" WHERE l.batch_id = b.id AND (l.late OR NOT {holding.HELD}))"
)


async def _all_held(centre_id: int) -> list[int]:
    """Drafts that nothing could be submitted of: they would keep their campaign from being settled."""
    return [row["id"] for row in await database.fetch(f"{_ALL_HELD} ORDER BY b.id", centre_id)]


async def _drop(batch_id: int, *, actor: Actor, now: datetime) -> None:
    """What it held is collected anew once it is released."""
    await holding.alone(actor.centre_id)
    if not await database.fetch(f"{_ALL_HELD} AND b.id = $2", actor.centre_id, batch_id):
        return
    batch = await SettlementBatch.get(id=batch_id)
    await database.execute("DELETE FROM settlement_line WHERE batch_id = $1", batch_id)
    await database.execute("DELETE FROM settlement_batch WHERE id = $1", batch_id)
    await audit.write(
        "settlement.dropped",
        actor=actor,
        now=now,
        about=("settlement", batch.public_id),
        bureau_id=await bureau_of(batch),
        detail={"number": batch.number, "day": batch.day.isoformat()},
    )


async def _payees(centre_id: int, day: date, until: int) -> list[Mapping[str, int]]:
    """Campaign, merchant and shop to whom something is owed, and who have no batch of that day."""
    payee = f"c.id AS campaign_id, r.merchant_id, {_SHOP} AS shop_id"
    return list(
        await database.fetch(
            f"SELECT p.* FROM (SELECT {payee} FROM campaign c JOIN redemption r ON r.campaign_id = c.id"
            f" WHERE c.centre_id = $1 AND {holding.COLLECTABLE.format(until='$2')}"
            f" UNION SELECT {payee} FROM campaign c JOIN redemption_refund f ON f.campaign_id = c.id"
            f" JOIN redemption r ON r.id = f.redemption_id"
            f" WHERE c.centre_id = $1 AND {_LATE.format(until='$2')}) p"
            " WHERE NOT EXISTS (SELECT 1 FROM settlement_batch b WHERE b.campaign_id = p.campaign_id"
            " AND b.merchant_id = p.merchant_id AND b.shop_id = p.shop_id AND b.day = $3)"
            " ORDER BY p.campaign_id, p.merchant_id, p.shop_id",
            centre_id,
            until,
            clock.day_number(day),
        )
    )


async def _made(work: Callable[[], Awaitable[int]]) -> int:
    try:
        return await database.unit(work)
    except _Empty:
        return 0


async def _collect(payee: Mapping[str, int], day: date, until: int, *, actor: Actor, now: datetime) -> int:
    """One batch and its lines, in the current transaction; returns how many."""
    await holding.alone(actor.centre_id)
    made = await database.fetch(
        "INSERT INTO settlement_batch (public_id, centre_id, number, campaign_id, merchant_id, shop_id, day,"
        " state, version, redeemed_fen, recovered_fen, late_fen, carried_in_fen, net_fen, pay_fen, made_at,"
        " submitted_by_id, submitted_by, confirmed_by, reason, answer, disputed_by, paid_by, payment_ref)"
        " SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), coalesce(max(b.number), 0) + 1, CAST($3 AS BIGINT),"
        " CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS INT), 'draft', 0, 0, 0, 0, 0, 0, 0,"
        " CAST($7 AS BIGINT),"
        " 0, '', '', '', '', '', '', '' FROM settlement_batch b WHERE b.centre_id = $2"
        " ON CONFLICT (campaign_id, merchant_id, shop_id, day) DO NOTHING RETURNING id",
        ids.public_id(),
        actor.centre_id,
        payee["campaign_id"],
        payee["merchant_id"],
        payee["shop_id"],
        clock.day_number(day),
        clock.to_ms(now),
    )
    if not made:  # another run was first
        raise _Empty
    batch = await SettlementBatch.get(id=made[0]["id"])
    lines = await _lines(batch, until)
    if not lines:
        raise _Empty
    found = await amounts.of(batch)
    await SettlementBatch.filter(id=batch.id).update(**structs.asdict(found))
    await audit.write(
        "settlement.collected",
        actor=actor,
        now=now,
        about=("settlement", batch.public_id),
        bureau_id=await bureau_of(batch),
        detail={"number": batch.number, "day": day.isoformat(), "lines": lines, **structs.asdict(found)},
    )
    return lines


async def _lines(batch: SettlementBatch, until: int) -> int:
    payee = (batch.campaign_id, batch.merchant_id, batch.shop_id)
    mine = f"r.campaign_id = $2 AND r.merchant_id = $3 AND {_SHOP} = $4"
    used = await database.fetch(
        f"{_LINE} SELECT CAST($1 AS BIGINT), r.id, 0, r.subsidy_fen, false FROM redemption r"
        f" WHERE {mine} AND {holding.COLLECTABLE.format(until='$5')} ORDER BY r.at, r.id"
        f" {_ONCE} RETURNING id",
        batch.id,
        *payee,
        until,
    )
    late = await database.fetch(
        f"{_LINE} SELECT CAST($1 AS BIGINT), r.id, f.id, -f.clawback_fen, true FROM redemption_refund f"
        f" JOIN redemption r ON r.id = f.redemption_id WHERE f.campaign_id = $2 AND {mine}"
        f" AND {_LATE.format(until='$5')} ORDER BY f.id {_ONCE} RETURNING id",
        batch.id,
        *payee,
        until,
    )
    return len(used) + len(late) + await take_early_refunds(batch.id)


async def take_early_refunds(batch_id: int) -> int:
    """Refunds of the batch's own redemptions, made before they were settled, stand beside them."""
    rows = await database.fetch(
        f"{_LINE} SELECT l.batch_id, r.id, f.id, -f.clawback_fen, false FROM settlement_line l"
        " JOIN redemption r ON r.id = l.redemption_id AND r.settled_at IS NULL"
        " JOIN redemption_refund f ON f.redemption_id = r.id AND f.clawback_fen > 0"
        f" WHERE l.batch_id = $1 AND l.refund_id = 0 ORDER BY f.id {_ONCE} RETURNING id",
        batch_id,
    )
    return len(rows)


async def bureau_of(batch: SettlementBatch) -> int:
    """Whose money it is."""
    row = await database.fetch_one("SELECT bureau_id FROM campaign WHERE id = $1", batch.campaign_id)
    return int(row["bureau_id"]) if row else 0
