"""After the fault: wait until everything is worked off, then compare what was acknowledged with what is kept."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from livehub import database, process
from livehub import settings as knobs
from livehub.orders.contribution import MEASURES
from livehub.settings import Settings
from tests.faults.processes import becomes
from tests.faults.recorder import Recorder
from tests.faults.town import FACE_FEN, Town

Buckets = list[tuple[Any, ...]]


async def reckon(
    settings: Settings,
    town: Town,
    recorder: Recorder,
    *,
    drains_within: float = 60.0,
    parked: Collection[str] = (),
) -> Buckets:
    """Every promise, after the load has ended; the buckets of the shop, to be compared with a twin's.

    ``parked`` are ids of deliveries that were acknowledged and rightly not booked.
    """
    async with opened(settings):
        await becomes(is_drained, seconds=drains_within)
        await _deliveries_are_kept(recorder, parked=parked)
        await _sums_are_equal(town, recorder)
        await _claims_are_kept(town, recorder)
        await _redemptions_are_kept(town, recorder)
        found = await buckets(town)
    await audit(settings)
    return found


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[None]:
    """The database, to look into it from outside."""
    await process.start(settings)
    try:
        yield
    finally:
        await process.stop()


async def is_drained() -> bool:
    """Whether nothing waits in the inbox or the outbox."""
    row = await database.fetch_one(
        "SELECT (SELECT count(*) FROM inbox_message WHERE status IN ('received', 'processing'))"
        " + (SELECT count(*) FROM outbox_message WHERE status = 'waiting') AS n"
    )
    return row == {"n": 0}


async def _deliveries_are_kept(recorder: Recorder, *, parked: Collection[str]) -> None:
    """Once each, and booked but for those that ought to be ``parked``."""
    rows = await database.fetch("SELECT native_id, status FROM inbox_message WHERE source = 'push'")
    kept = Counter(row["native_id"] for row in rows)
    acknowledged = recorder.deliveries()
    assert acknowledged, "nothing was acknowledged at all: this proves nothing"
    assert sorted(acknowledged.keys() - kept.keys()) == []
    assert {name: times for name, times in kept.items() if times > 1} == {}
    fates = {(row["native_id"] in parked, row["status"]) for row in rows}
    assert fates <= {(False, "applied"), (False, "stale"), (True, "parked")}


async def _sums_are_equal(town: Town, recorder: Recorder) -> None:
    """Of the shop, whose every delivery was acknowledged in the end."""
    row = await database.fetch_one(
        "SELECT coalesce(sum(buyer_paid), 0) AS paid, coalesce(sum(refund_cash), 0) AS refunded,"
        " coalesce(sum(orders), 0) AS orders FROM rollup_bucket WHERE shop_id = $1",
        town.shop_id,
    )
    orders = recorder.orders().values()
    assert row is not None
    assert {name: int(value) for name, value in row.items()} == {
        "paid": sum(each.paid_fen for each in orders),
        "refunded": sum(each.refunded_fen for each in orders),
        "orders": len(orders),
    }


async def _claims_are_kept(town: Town, recorder: Recorder) -> None:
    """Everybody who was given a voucher has exactly it; the stock was given out exactly, or not used up."""
    rows = await database.fetch("SELECT public_id FROM voucher")
    kept = {row["public_id"] for row in rows}
    answered = {each.key: each.outcome for each in recorder.claims()}
    given = sum(outcome == "given" for outcome in answered.values())
    shown = {each.voucher for each in recorder.vouchers()}
    assert shown <= kept
    assert len(shown) == len(recorder.vouchers())
    assert len(kept) == given == min(town.stock, len(answered))


async def _redemptions_are_kept(town: Town, recorder: Recorder) -> None:
    """At the till those that were answered; on the shop's orders every code that came with one."""
    rows = await database.fetch(
        "SELECT r.public_id AS id, v.public_id AS voucher, r.order_no, r.shop_id, r.subsidy_fen"
        " FROM redemption r JOIN voucher v ON v.id = r.voucher_id"
    )
    at_till = sorted((row["id"], row["voucher"]) for row in rows if row["shop_id"] != town.shop_id)
    on_orders = sorted((row["order_no"], row["voucher"]) for row in rows if row["shop_id"] == town.shop_id)
    assert at_till == sorted((each.id, each.voucher) for each in recorder.redemptions())
    with_code = [each for each in recorder.orders().values() if each.voucher]
    assert on_orders == sorted((each.order, each.voucher) for each in with_code)
    assert {row["subsidy_fen"] for row in rows} <= {FACE_FEN}


async def buckets(town: Town) -> Buckets:
    """What the rollups of the shop say, without row ids and revisions."""
    rows = await database.fetch(
        f"SELECT day, attribution, {', '.join(MEASURES)} FROM rollup_bucket WHERE shop_id = $1"
        " ORDER BY day, attribution",
        town.shop_id,
    )
    return [tuple(row.values()) for row in rows]


async def audit(settings: Settings) -> None:
    """``livehub audit`` finds every invariant whole."""
    auditing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "livehub", "audit"),
        env=knobs.environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await auditing.communicate()
    assert auditing.returncode == 0, told.decode()
