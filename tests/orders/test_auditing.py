"""Damage done to the books by hand is found, mended and recorded, also while intake books."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from livehub import database
from livehub.inbox.recording import OwnFact
from livehub.kit import clock
from livehub.orders import auditing, intake, mending, rollup
from livehub.orders.auditing import Compared
from livehub.orders.models import RollupBucket, RollupRepair, SalesOrder
from livehub.platforms.models import Shop
from livehub.settings import Settings
from rooms import onair
from tests.factories.facts import record_own
from tests.factories.platforms import a_shop
from tests.factories.rooms import a_broadcast, a_house, local
from tests.orders.test_races import PAID, a_version, hand_out, order_fact, overtaking
from tests.orders.test_reattribution import a_show, booked, sell, sound

DAY = 86_400_000


async def a_shop_that_sold(*order_refs: str) -> Shop:
    shop = await a_shop((await a_house()).bureaus[1])
    for ref in order_refs:
        await sell(shop, ref, PAID)
    return shop


async def audited() -> Compared:
    """A run that looks at everything."""
    await database.execute("DELETE FROM rollup_mark")
    return await auditing.audit(now=clock.now())


async def unprotected() -> None:
    """Entries cannot be changed: whoever damages one has taken the trigger out before."""
    if database.dialect() == "sqlite":
        for verb in ("update", "delete"):
            await database.execute(f"DROP TRIGGER contribution_entry_append_only_{verb}")
    else:
        await database.execute("DROP TRIGGER contribution_entry_append_only ON contribution_entry")


DAMAGES = {
    "a bucket too high": "UPDATE rollup_bucket SET buyer_paid = buyer_paid + 7, units = units + 1",
    "a bucket lost": "DELETE FROM rollup_bucket",
    "a bucket of nobody": (
        "INSERT INTO rollup_bucket (centre_id, day, broadcast_id, shop_id, streamer_id, product_id, attribution,"
        f" {', '.join(rollup.MEASURES)}, revision) SELECT centre_id, day, 99, shop_id, 0, 0, 'A',"
        f" {', '.join(rollup.MEASURES)}, 1 FROM rollup_bucket"
    ),
    "an entry too high": "UPDATE contribution_entry SET buyer_paid = buyer_paid + 7 WHERE order_id = (SELECT min(id) FROM"
    " sales_order)",
    "an entry lost": "DELETE FROM contribution_entry WHERE order_id = (SELECT min(id) FROM sales_order)",
    "an entry twice": (
        f"INSERT INTO contribution_entry ({', '.join(rollup._ENTRY)}) SELECT {', '.join(rollup._ENTRY)}"
        " FROM contribution_entry WHERE order_id = (SELECT min(id) FROM sales_order)"
    ),
    "what is noted as booked": "UPDATE sales_order SET contribution = '[]' WHERE id = (SELECT min(id) FROM sales_order)",
    "all of an order": (
        "UPDATE sales_order SET contribution = '[]', g2_fen = 0 WHERE id = (SELECT min(id) FROM sales_order)"
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found_mended_and_recorded(db: Settings, damage: str) -> None:
    await a_shop_that_sold("o1", "o2")
    before = await rows()
    assert (await audited()).repairs == []
    await unprotected()
    await database.execute(DAMAGES[damage])

    repairs = (await audited()).repairs

    assert repairs
    assert await booked() == [(0, "U", 10_000)]
    assert await rows() == before
    assert (await audited()).repairs == []
    assert len(repairs) == await RollupRepair.all().count()
    await sound()


async def rows() -> list[dict[str, Any]]:
    keys = ", ".join((*rollup.BUCKET, *rollup.MEASURES))
    found = await database.fetch(f"SELECT {keys} FROM rollup_bucket ORDER BY {', '.join(rollup.BUCKET)}")
    return [each for each in found if any(each[m] for m in rollup.MEASURES)]


async def test_a_repair_says_what_it_was_and_what_it_became(db: Settings) -> None:
    await a_shop_that_sold("o1")
    await unprotected()
    await database.execute("UPDATE contribution_entry SET buyer_paid = 4000")
    revision = (await database.fetch("SELECT revision FROM rollup_bucket"))[0]["revision"]

    await audited()

    repair = await RollupRepair.get()
    told = [msgspec.json.decode(each)["buyer_paid"] for each in (repair.was, repair.became)]
    assert (repair.why, repair.line_ref, repair.day, told) == ("entries", "1", date(2026, 3, 2), [4000, 5000])
    entries = await database.fetch(
        "SELECT buyer_paid, reason, message_id FROM contribution_entry ORDER BY id"
    )
    assert [(each["buyer_paid"], each["reason"]) for each in entries] == [(4000, "message"), (1000, "repair")]
    await database.execute("UPDATE rollup_bucket SET buyer_paid = 1")
    await audited()
    assert (await database.fetch("SELECT revision FROM rollup_bucket"))[0]["revision"] > revision
    assert [each.why for each in await RollupRepair.all().order_by("id")] == ["entries", "bucket"]


async def test_minutes_of_a_mended_day_are_right_again(db: Settings) -> None:
    shop = await a_shop((await a_house()).bureaus[1])
    now = clock.now()
    await sell(shop, "o1", clock.to_ms(now - timedelta(minutes=5)))
    await database.execute("UPDATE rollup_minute SET g2 = 1")
    await database.execute("UPDATE rollup_bucket SET units = 9")

    await audited()

    assert await rollup.differing_minutes(now=now) == []


async def test_what_a_listener_was_not_told_yet_is_no_fault(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show = await a_broadcast(house, local(2, 20))
    account = (await database.fetch("SELECT account_ref FROM streamer_account"))[0]["account_ref"]
    await sell(shop, "o1", PAID, author=account)
    await hand_out()
    await database.unit(lambda: onair.start(show.public_id, actor=house.manager, now=local(2, 20)))

    await database.execute("UPDATE rollup_bucket SET units = units + 1")
    assert (await audited()).repairs == []
    assert await database.fetch("SELECT id FROM rollup_mark") == []  # and all of it is looked at again
    await hand_out()
    assert await booked() == [(show.id, "A", 5000)]
    assert [each.why for each in (await audited()).repairs] == ["bucket"]


async def test_a_move_that_was_never_made_is_made_up_for(db: Settings) -> None:
    house = await a_house()
    shop = await a_shop(house.bureaus[1])
    show, _, account = await a_show(house)
    await database.execute("UPDATE broadcast SET started_at = NULL")
    await sell(shop, "o1", PAID, author=account)
    await hand_out()
    await database.execute("UPDATE broadcast SET started_at = planned_start_at")  # and nobody is told

    repairs = (await audited()).repairs

    assert {each.why for each in repairs} == {"entries", "booked", "bucket"}
    assert await booked() == [(show, "A", 5000)]
    await sound()


async def test_books_are_mended_while_intake_books(db: Settings) -> None:
    shop = await a_shop_that_sold(*(f"o{n}" for n in range(5)))
    await unprotected()
    facts: list[OwnFact] = [
        order_fact(shop.centre_id, shop.shop_ref, f"more{n}", platform=shop.platform, paid=PAID + n % 3 * DAY)
        for n in range(120)
    ]
    async with database.transaction():
        await record_own(facts, now=clock.now())

    async def take_in() -> None:
        while await intake.run_once(now=clock.now(), lease_seconds=30, limit=10):
            pass

    async def damage_and_mend() -> int:
        mended = 0
        for _ in range(4):
            await database.execute(
                "UPDATE rollup_bucket SET buyer_paid = buyer_paid + 3 WHERE id = (SELECT min(id) FROM rollup_bucket)"
            )
            await database.execute(
                "UPDATE contribution_entry SET units = units + 1 WHERE id = (SELECT min(id) FROM contribution_entry)"
            )
            mended += len((await audited()).repairs)
        return mended

    working = asyncio.create_task(take_in())
    mended = await damage_and_mend()
    await working
    mended += len((await audited()).repairs)

    assert mended >= 8
    assert sum(fen for _, _, fen in await booked()) == 125 * 5000
    await sound()


async def test_a_repair_waits_for_what_is_being_booked(db: Settings) -> None:
    """A bucket that nothing speaks for is not dropped with what was just booked into it."""
    shop = await a_shop((await a_house()).bureaus[1])
    await RollupBucket.create(
        centre_id=shop.centre_id, day=20260302, broadcast_id=0, shop_id=shop.id, streamer_id=0, product_id=0,
        attribution="U", revision=1, **dict.fromkeys(rollup.MEASURES, 7),
    )  # fmt: skip

    repairs = await overtaking(
        db,
        [a_version(shop, "o1")],
        lambda: mending.mend([], days=[(shop.centre_id, 20260302)], now=clock.now()),
    )

    assert len(repairs.repairs) == 1
    assert await booked() == [(0, "U", 6000)]
    await sound()


async def test_a_run_looks_at_what_was_booked_since_the_run_before_the_last(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PICKED_DAYS", "PICKED_ORDERS"):
        monkeypatch.setattr(auditing, name, 0)
    shop = await a_shop((await a_house()).bureaus[1])
    await sell(shop, "o0", PAID)
    looked_at = [await auditing.audit(now=clock.now()) for _ in range(3)]
    assert [each.orders for each in looked_at] == [1, 1, 0]
    await unprotected()
    await database.execute("UPDATE contribution_entry SET units = 7")
    assert (await auditing.audit(now=clock.now())).repairs == []  # long ago: chance alone would find it

    for n in range(1, 4):
        await sell(shop, f"o{n}", PAID + n * DAY)
    monkeypatch.setattr(auditing, "ENTRIES", 2)
    looked_at = [await auditing.audit(now=clock.now()) for _ in range(4)]
    assert [each.days for each in looked_at] == [2, 3, 1, 0]


async def test_an_order_that_is_mended_while_it_is_booked_keeps_what_is_booked(db: Settings) -> None:
    """Else the state as it was before would be written over what came meanwhile."""
    shop = await a_shop_that_sold("o1")
    order = await SalesOrder.get()
    await database.execute("UPDATE sales_order SET contribution = '[]'")

    await overtaking(
        db,
        [a_version(shop, "o1", number=2)],
        lambda: mending.mend([order.id], days=(), now=clock.now()),
    )

    await audited()
    assert await booked() == [(0, "U", 7000)]
    await sound()
