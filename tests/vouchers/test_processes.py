"""Two worker processes on one PostgreSQL give out exactly the stock, and twins get the same answer."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest

from livehub.settings import Settings
from livehub.vouchers import ledger
from livehub.vouchers.models import Account, ClaimSlot, Template, Voucher
from tests.conftest import KEYS, ROOT
from tests.factories.vouchers import a_crowd, a_kind, a_world

STOCK, CROWD = 400, 1500


async def _worker(settings: Settings, slug: str) -> asyncio.subprocess.Process:
    environ = {
        **os.environ,
        "LIVEHUB_DATABASE_URL": settings.database_url,
        "LIVEHUB_KEYS": KEYS,
        "LIVEHUB_QUEUE_LIMIT": "20000",
        "LIVEHUB_BATCH_LIMIT": "64",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.vouchers.rush",
        slug,
        cwd=ROOT,
        env=environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


@pytest.mark.postgres
@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_two_processes_give_out_exactly_the_stock(db: Settings) -> None:
    world = await a_world(a_kind(quantity=STOCK))
    await a_crowd(world, CROWD)
    workers = [await _worker(db, world.link.slug) for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(worker.communicate(b"go\n") for worker in workers))
    reports = [json.loads(out) for out, _ in said]

    vouchers = 0
    for first, second in zip(*(report["outcomes"] for report in reports), strict=True):
        if first[0] == "SOLD_OUT":
            assert second == first
        else:
            assert first[0] == second[0]
            assert {first[1], second[1]} == {False, True}
            vouchers += 1
    assert vouchers == STOCK
    assert (await Template.get(id=world.template.id)).issued == await Voucher.all().count() == STOCK
    assert await ClaimSlot.all().count() == STOCK
    assert (await ledger.balances(world.campaign.id))[Account.HELD] == STOCK * 2000
    assert [report["fallbacks"] for report in reports] == [0, 0]
