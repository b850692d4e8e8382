"""Claims and phones are limited by network and device, in windows that all workers share."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from livehub import database
from livehub.kit.limits import Limit
from livehub.settings import Settings
from livehub.vouchers import claim_networks, identity, latch
from livehub.vouchers.errors import TooManyPhones
from livehub.vouchers.models import Voucher
from tests.factories.vouchers import NOW, World, a_crowd, a_world
from tests.vouchers.test_claims import desks, outcome


@pytest.fixture(autouse=True)
def _open_latch(monkeypatch: pytest.MonkeyPatch) -> None:
    latch.clear()
    monkeypatch.setattr(claim_networks, "LIMIT", Limit(10, 3600))


async def claims(opened: list, world: World, people: list, address: str, *, at=NOW) -> Counter[str]:
    answers = await asyncio.gather(
        *(
            opened[n % len(opened)].claim(
                world.link.slug, claimant=each, key="k", now=at, ip=address.format(n % 250 + 1)
            )
            for n, each in enumerate(people)
        ),
        return_exceptions=True,
    )
    return Counter(map(outcome, answers))


async def test_a_network_takes_so_many_of_a_campaign_and_others_are_not_shut_out(db: Settings) -> None:
    world = await a_world()
    people = await a_crowd(world, 100)
    async with desks(db, 2) as opened:
        farm = await claims(opened, world, people[:40], "203.0.113.{}")
        town = await claims(opened, world, people[40:45], "198.51.100.{}")
        ours = await claims(opened, world, people[45:65], "127.0.0.{}")
        later = await claims(opened, world, people[65:70], "203.0.113.{}", at=NOW + timedelta(hours=1))

    assert farm == {"claimed": 10, "RISK_BLOCK": 30}
    assert (town, ours, later) == ({"claimed": 5}, {"claimed": 20}, {"claimed": 5})
    assert await Voucher.all().count() == 40


async def test_two_desks_give_a_network_no_more_than_its_limit(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_networks, "LIMIT", Limit(10, 3600))
    world = await a_world()
    people = await a_crowd(world, 30)
    async with desks(db, 2) as opened:
        together = await claims(opened, world, people, "203.0.113.{}")

    assert together == {"claimed": 10, "RISK_BLOCK": 20}


async def test_without_its_windows_nothing_is_given(db: Settings) -> None:
    world = await a_world()
    people = await a_crowd(world, 3)
    await database.execute("ALTER TABLE rate_window RENAME TO lost_window")
    async with desks(db) as opened:
        answers = await claims(opened, world, people, "203.0.113.{}")

    assert answers["claimed"] == 0
    assert await Voucher.all().count() == 0


async def verified(phone: str, world: World, *, device: str) -> identity.Session:
    await identity.send_code(
        phone, centre_id=world.bureau.centre_id, ip="203.0.113.9", channel="outbox", now=NOW
    )
    row = await database.fetch_one("SELECT max(id) AS id FROM one_time_code")
    index = identity.phone_index(phone)
    await database.execute(
        "UPDATE one_time_code SET code_mac = $1 WHERE id = $2",
        identity._mac(index, "claim", "123456"),
        row["id"],
    )
    return await identity.verify(
        phone, "123456", centre_id=world.bureau.centre_id, now=NOW, device=device, ip="203.0.113.9"
    )


async def test_a_device_verifies_so_many_phones_a_day(db: Settings) -> None:
    world = await a_world()
    for n in range(identity.PHONES_PER_DEVICE.most):
        await verified(f"1390000{n:04}", world, device="one")

    with pytest.raises(TooManyPhones):
        await verified("13900009999", world, device="one")
    sessions = await database.fetch("SELECT id FROM claimant_session")
    await verified("13900009998", world, device="another")

    assert len(sessions) == identity.PHONES_PER_DEVICE.most
