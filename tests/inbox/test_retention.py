"""The bytes of a delivery end with their time and nothing else does; what is not settled keeps them."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from jobs import schedule
from livehub import database
from livehub.accounts.errors import OutOfScope, PermissionMissing
from livehub.accounts.models import Role
from livehub.inbox import layout, receiving, retention
from livehub.inbox.invariants.kept import INVARIANT
from livehub.inbox.layout import Origin
from livehub.kit import clock
from livehub.kit.errors import Invalid
from livehub.platforms import registry, shops
from livehub.platforms.models import EVIDENCE_DAYS, Endpoint
from livehub.settings import Settings
from tests.factories.accounts import NOW, a_bureau, an_actor
from tests.factories.platforms import a_shop, an_endpoint
from tests.platforms.doors import compact, doudian_element

QUICK, USUAL, ORDER = 900001, 900002, 6900000000000000000


async def arrived(endpoint: Endpoint, body: bytes, *, days: int, status: str = "applied") -> str:
    """A delivery of so many days ago whose messages came to an end; its SHA-256."""
    arrival = receiving.read_push(
        registry.get("doudian"),
        origin=Origin(endpoint.id, endpoint.centre_id, "doudian"),
        raw=body,
        plaintext=body,
        headers={"app-id": "1"},
        now=NOW - timedelta(days=days),
    )
    (stored,) = await receiving.store([arrival])
    assert isinstance(stored, receiving.Stored)
    row = await database.fetch_one("SELECT max(id) AS id FROM inbox_delivery")
    await database.execute("UPDATE inbox_message SET status = $1 WHERE delivery_id = $2", status, row["id"])
    sha256 = await database.fetch_one("SELECT sha256 FROM inbox_delivery WHERE id = $1", row["id"])
    return bytes(sha256["sha256"]).hex()


def told(*shops_: int, number: int) -> bytes:
    return compact(
        [
            doudian_element("101", msg_id=f"{number}:{shop}", p_id=ORDER + number, shop_id=shop)
            for shop in shops_
        ]
    )


async def with_bytes() -> set[str]:
    rows = await database.fetch("SELECT sha256 FROM inbox_delivery WHERE body_sealed IS NOT NULL")
    return {bytes(row["sha256"]).hex() for row in rows}


async def test_each_delivery_keeps_its_bytes_as_long_as_its_most_patient_shop_says(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOK", 3)
    monkeypatch.setattr(retention, "BATCH", 2)
    bureau = await a_bureau()
    endpoint, other = await an_endpoint(bureau), await an_endpoint(bureau)
    quick = await a_shop(bureau, endpoint=endpoint, shop_ref=str(QUICK))
    await a_shop(bureau, endpoint=endpoint, shop_ref=str(USUAL))
    by = an_actor(Role.MANAGER, centre_id=bureau.centre_id)
    await shops.keep_evidence(quick.public_id, days=90, actor=by, now=NOW)
    gone = {
        await arrived(endpoint, told(QUICK, number=1), days=4000),
        await arrived(endpoint, told(USUAL, number=2), days=EVIDENCE_DAYS + 1, status="stale"),
        await arrived(endpoint, told(QUICK, USUAL, number=3), days=EVIDENCE_DAYS + 1, status="ignored"),
        await arrived(endpoint, b"{broken", days=EVIDENCE_DAYS + 1),
        await arrived(other, b"{broken too", days=EVIDENCE_DAYS + 1),
        await arrived(endpoint, told(QUICK, number=4), days=91),
    }
    stay = {
        await arrived(endpoint, told(QUICK, number=5), days=4000, status="parked"),
        await arrived(endpoint, told(QUICK, number=6), days=4000, status="dead"),
        await arrived(endpoint, told(QUICK, number=7), days=4000, status="received"),
        await arrived(endpoint, told(QUICK, USUAL, number=8), days=EVIDENCE_DAYS - 1),
        await arrived(endpoint, told(USUAL, number=9), days=91),
        await arrived(endpoint, b"{broken as well", days=91),
        await arrived(endpoint, told(QUICK, number=10), days=89),
    }
    before = await kept_apart_from_bytes()

    assert await retention.erase_due(now=NOW) == len(gone)

    assert await with_bytes() == stay
    assert await kept_apart_from_bytes() == before
    assert await INVARIANT.check() == []
    assert await retention.erase_due(now=NOW) == 0


async def test_what_was_erased_before_is_not_read_again(db: Settings) -> None:
    """The look goes by an index in which only those are that have their bytes."""
    await arrived(await an_endpoint(await a_bureau()), b"{broken", days=1)
    await database.execute(MANY_WITHOUT_BYTES)
    await database.execute("ANALYZE")

    look = retention._KEPT.replace("$1", "9").replace("$2", "8").replace("$3", "-1").replace("$4", "0")
    explain = "EXPLAIN QUERY PLAN" if db.is_sqlite else "EXPLAIN"
    plan = " ".join(str(row) for row in await database.fetch(f"{explain} {look} 5000"))

    assert "inbox_delivery_kept" in plan
    assert "Seq Scan on inbox_delivery" not in plan
    assert "SCAN inbox_delivery" not in plan
    assert await retention.erase_due(now=NOW) == 0


async def test_the_messages_of_a_delivery_are_found_in_an_index_without_facts_of_our_own(
    db: Settings,
) -> None:
    look = retention._KEPT.replace("$1", "9").replace("$2", "8").replace("$3", "-1").replace("$4", "0")
    explain = "EXPLAIN QUERY PLAN" if db.is_sqlite else "EXPLAIN"
    async with database.transaction():
        await database.prefer_indexes()
        plan = " ".join(str(row) for row in await database.fetch(f"{explain} {look} 5000"))

    assert plan.count("inbox_message_of_delivery") == 2
    assert "Seq Scan on inbox_message" not in plan
    assert "SCAN m" not in plan


MANY_WITHOUT_BYTES = (
    "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)"
    " INSERT INTO inbox_delivery (id, received_at, centre_id, platform, endpoint_id, source, verdict, status, error,"
    " size, sha256, body_sealed, headers, host, request_id)"
    " SELECT -n, n, 1, 'doudian', 1, 'push', 'signed', 'split', '', 0, (SELECT sha256 FROM inbox_delivery LIMIT 1),"
    " NULL, '{}', '', '' FROM n"
)


async def kept_apart_from_bytes() -> list[list[dict[str, object]]]:
    columns = ", ".join(name for name in layout.DELIVERY if name != "body_sealed")
    return [
        await database.fetch(f"SELECT {columns} FROM inbox_delivery ORDER BY id"),
        await database.fetch("SELECT * FROM inbox_message ORDER BY id"),
    ]


async def test_what_went_is_in_the_audit_trail(db: Settings) -> None:
    endpoint = await an_endpoint(await a_bureau())
    for number in range(3):
        await arrived(endpoint, told(QUICK, number=number), days=EVIDENCE_DAYS + 3 - number)
    ids = [row["id"] for row in await database.fetch("SELECT id FROM inbox_delivery ORDER BY id")]

    task = schedule.discover()["erase_evidence"]
    assert await task.run(NOW) == 3

    (entry,) = await database.fetch(
        "SELECT at, centre_id, actor_kind, actor_name, object_kind, object_id, detail FROM audit_entry"
        " WHERE action = 'evidence.erased'"
    )
    assert msgspec.json.decode(entry.pop("detail")) == {
        "deliveries": 3,
        "last": str(ids[-1]),
        "received_until": (NOW - timedelta(days=EVIDENCE_DAYS + 1)).isoformat(),
    }
    assert entry == {
        "at": clock.to_ms(NOW), "centre_id": endpoint.centre_id, "actor_kind": "system",
        "actor_name": "erase_evidence", "object_kind": "delivery", "object_id": str(ids[0]),
    }  # fmt: skip


async def test_nobody_goes_below_the_floor(db: Settings) -> None:
    bureau = await a_bureau()
    shop = await a_shop(bureau)
    assert shop.evidence_days == EVIDENCE_DAYS
    by = an_actor(Role.MANAGER, centre_id=bureau.centre_id)

    for days in (-1, 0, 89, 10**9):
        with pytest.raises(Invalid):
            await shops.keep_evidence(shop.public_id, days=days, actor=by, now=NOW)
    with pytest.raises(PermissionMissing):
        staff = an_actor(Role.STAFF, centre_id=bureau.centre_id)
        await shops.keep_evidence(shop.public_id, days=90, actor=staff, now=NOW)
    with pytest.raises(OutOfScope):
        stranger = an_actor(Role.MANAGER, centre_id=bureau.centre_id + 1)
        await shops.keep_evidence(shop.public_id, days=90, actor=stranger, now=NOW)

    changed = await shops.keep_evidence(shop.public_id, days=90, actor=by, now=NOW)
    assert changed.evidence_days == 90
    (entry,) = await database.fetch("SELECT detail FROM audit_entry WHERE action = 'shop.evidence_days_set'")
    assert msgspec.json.decode(entry["detail"]) == {"days": 90, "before": EVIDENCE_DAYS}
