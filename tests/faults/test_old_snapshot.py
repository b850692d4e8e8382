"""Somebody leaves a transaction open: dead rows pile up, the inbox is as quick as before, and an alarm rings."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import asyncpg
import pytest
from msgspec import Struct

from livehub.settings import Settings
from tests.faults.alarms import alarm
from tests.faults.installation import Installation, installed, seconds
from tests.faults.twin import buckets_of_twin

pytestmark = [pytest.mark.faults, pytest.mark.long, pytest.mark.postgres]

DEAD = 100_000  # messages that were settled meanwhile, as many as a busy day's
LOOK_SECONDS = 6.0  # longer than from one look at the whole queue to the next
READ_EACH = 3000  # entries of the index that a lease may read on the average
SLOWER_SECONDS = 0.005
TOLD_WITHIN_SECONDS = 3.0  # figures are kept for two


@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_a_forgotten_transaction_does_not_slow_the_inbox(settings: Settings, twin: Settings) -> None:
    hangs = alarm("TransactionHangs")
    async with installed(settings) as installation:
        async with installation.under_load(per_second=100, claims_per_second=20) as load:
            before = await load.steady(2)
            calm = await leases(installation, for_seconds=2)
            async with a_forgotten_transaction(settings):
                began = monotonic()
                await settle_many(settings)
                await asyncio.sleep(seconds(0, long=300))
                beside = await leases(installation, for_seconds=LOOK_SECONDS)
                told, age = await hangs.told(installation.serving), monotonic() - began
            await load.reaches(before)

        buckets = await installation.reckon()
    print(f"calm {calm}, beside {DEAD} dead {beside}", file=sys.stderr)
    assert beside.entries < READ_EACH
    assert beside.seconds < 3 * calm.seconds + SLOWER_SECONDS
    assert age - TOLD_WITHIN_SECONDS < told <= age
    assert hangs.rings_at(told) == (age > 60)
    assert buckets == await buckets_of_twin(twin, installation.recorder)


@asynccontextmanager
async def a_forgotten_transaction(settings: Settings) -> AsyncIterator[None]:
    """Somebody looked, perhaps wrote a little, and went to lunch."""
    somebody = await asyncpg.connect(settings.database)
    try:
        async with somebody.transaction(isolation="repeatable_read"):
            await somebody.fetch("SELECT count(*), pg_current_xact_id()::text FROM inbox_message")
            yield
    finally:
        await somebody.close()


async def settle_many(settings: Settings) -> None:
    """What a day of messages leaves in the indexes of the queue, in a few seconds: received, leased, settled."""
    connection = await asyncpg.connect(settings.database)
    async with connection.transaction():
        await connection.execute(WAITING, DEAD)
        await connection.execute(
            "UPDATE inbox_message SET status = 'processing', lease_until = next_attempt_at + 2000"
            " WHERE native_type = 'settled'"
        )
        await connection.execute("UPDATE inbox_message SET status = 'ignored' WHERE native_type = 'settled'")
    await connection.close()


WAITING = (
    "INSERT INTO inbox_message (delivery_id, centre_id, platform, endpoint_id, shop_ref, digest, native_type,"
    " native_id, source, position, fact, order_key, provider_ts, received_at, status, reason, attempts,"
    " next_attempt_at, lease_until, lease_token, last_error)"
    " SELECT 0, 1, 'standard_webhooks', 1, 's', decode(md5(n::text), 'hex'), 'settled', n::text, 'own', 0, '', '',"
    " 0, 0, 'received', '', 0, (extract(epoch from statement_timestamp()) * 1000)::bigint, 0, 0, ''"
    " FROM generate_series(1, $1::int) n"
)


class Leases(Struct, frozen=True):
    """What taking from the inbox costs on the average."""

    seconds: float
    entries: float  # of the queue's index that are read


async def leases(installation: Installation, *, for_seconds: float) -> Leases:
    """As they are for so long."""
    figure = installation.serving.figure
    connection = await asyncpg.connect(installation.settings.database)
    count, took = (
        await figure("livehub_intake_lease_seconds_count"),
        await figure("livehub_intake_lease_seconds_sum"),
    )
    scans, read = await connection.fetchrow(SCANS)
    await asyncio.sleep(for_seconds)
    scans, read = [
        now - then for now, then in zip(await connection.fetchrow(SCANS), (scans, read), strict=True)
    ]
    count = await figure("livehub_intake_lease_seconds_count") - count
    took = await figure("livehub_intake_lease_seconds_sum") - took
    await connection.close()
    return Leases(took / count, read / scans)


SCANS = "SELECT idx_scan, idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'inbox_message_due'"
