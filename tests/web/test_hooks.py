"""The webhooks' door over real HTTP: kept once, refused without a trace, malformed but kept."""

from __future__ import annotations

import asyncio
import hashlib
import io
from typing import Any

import msgspec
import pytest

from livehub import database
from livehub.accounts.actors import system
from livehub.accounts.models import Bureau, Centre
from livehub.kit import clock
from livehub.orders import intake
from livehub.platforms import shops
from livehub.settings import Settings
from tests import site

SECRET = "11111111-2222-3333-4444-555555555555"
APP = "7000000000000000001"


def signed(body: bytes, *, secret: str = SECRET) -> dict[str, str]:
    sign = hashlib.md5(APP.encode() + body + secret.encode()).hexdigest()
    return {"app-id": APP, "event-sign": sign, "content-type": "application/json"}


def paid(order: int, *, shop: int = 900001) -> dict[str, Any]:
    data = {"p_id": order, "shop_id": shop, "order_status": 2, "pay_time": 1760000010, "pay_amount": 3980}
    return {"tag": "101", "msg_id": f"{order}:101", "data": msgspec.json.encode(data).decode()}


@pytest.fixture
async def hub(db: Settings) -> Any:
    centre = await Centre.create(public_id="c", name="中心", city="北海")
    bureau = await Bureau.create(public_id="b", centre=centre, name="农业局", kind="agriculture")
    clerk = system("test", centre_id=centre.id)

    async def make() -> Any:
        return await shops.add_endpoint(
            centre.id, platform="doudian", name="抖店", app_key=APP, secret=SECRET, access_token="tok",
            api_base_url="http://127.0.0.1:1", actor=clerk, now=clock.now(),
        )  # fmt: skip

    endpoint = await database.unit(make)
    async with site.running(db) as running:
        running.path = f"/hooks/doudian/{endpoint.endpoint_key}"
        running.bureau, running.endpoint, running.clerk = bureau, endpoint, clerk
        yield running


async def count(table: str) -> int:
    return int((await database.fetch(f"SELECT count(*) AS n FROM {table}"))[0]["n"])


async def test_a_delivery_is_kept_once_however_often_it_comes(hub: Any) -> None:
    body = msgspec.json.encode([paid(6900000000000000001), paid(6900000000000000002)])

    async def push() -> tuple[int, Any]:
        async with hub.post(hub.path, data=body, headers=signed(body)) as answer:
            return answer.status, await answer.json()

    answers = await asyncio.gather(*(push() for _ in range(30)))

    assert set(map(repr, answers)) == {repr((200, {"code": 0, "msg": "success"}))}
    assert await count("inbox_delivery") == 1
    assert await count("inbox_message") == 2
    counted = await database.fetch("SELECT deliveries, messages FROM duplicate_count")
    assert counted == [{"deliveries": 29, "messages": 58}]


@pytest.mark.parametrize("wrong", ["secret", "byte", "app", "endpoint"])
async def test_what_is_not_the_platforms_leaves_no_trace_but_a_number(hub: Any, wrong: str) -> None:
    body = msgspec.json.encode([paid(1)])
    headers = signed(body, secret="another" if wrong == "secret" else SECRET)
    if wrong == "app":
        headers["app-id"] = "7000000000000000002"
    path = "/hooks/doudian/" + "x" * 43 if wrong == "endpoint" else hub.path
    async with hub.post(path, data=body + (b" " if wrong == "byte" else b""), headers=headers) as answer:
        assert answer.status == 401

    await hub.app.ctx.signature_failures.flush()
    assert await count("inbox_delivery") == await count("inbox_message") == 0
    assert [row["count"] for row in await database.fetch("SELECT count FROM signature_failure")] == [1]


async def test_malformed_but_signed_is_kept_marked_and_acknowledged(hub: Any) -> None:
    for body in (
        b'[{"tag": "101"',
        b"\xff\xfe",
        b"[" * 300 + b"]" * 300,
        b'[{"tag":"101","msg_id":"1\x00"}]',
    ):
        async with hub.post(hub.path, data=body, headers=signed(body)) as answer:
            assert answer.status == 200

    rows = await database.fetch("SELECT status, error FROM inbox_delivery")
    assert [row["status"] for row in rows] == ["rejected"] * 4
    assert all(row["error"] for row in rows)


async def test_oversize_and_compressed_bodies_are_refused(hub: Any) -> None:
    body = b"[" + b" " * (1024 * 1024) + b"]"
    async with hub.post(hub.path, data=io.BytesIO(body), headers=signed(body)) as answer:
        assert answer.status == 413
    packed = signed(b"[]") | {"content-encoding": "gzip"}
    async with hub.post(hub.path, data=b"[]", headers=packed) as answer:
        assert answer.status == 415
    assert await count("inbox_delivery") == 0


async def test_an_unknown_shop_is_parked_and_opened_when_it_is_added(hub: Any) -> None:
    from livehub.kit import outbox  # noqa: PLC0415 -- after the process has been wired

    body = msgspec.json.encode([paid(6900000000000000001, shop=900009)])
    async with hub.post(hub.path, data=body, headers=signed(body)) as answer:
        assert answer.status == 200
    await intake.run_once(now=clock.now(), lease_seconds=30)
    parked = await database.fetch("SELECT status, reason FROM inbox_message")
    assert parked == [{"status": "parked", "reason": "shop"}]

    async def add() -> None:
        await shops.add_shop(
            hub.bureau.id, endpoint_id=hub.endpoint.id, shop_ref="900009", name="店",
            actor=hub.clerk, now=clock.now(),
        )  # fmt: skip

    await database.unit(add)
    await outbox.hand_out(now=clock.now())
    await intake.run_once(now=clock.now(), lease_seconds=30)

    assert await database.fetch("SELECT status FROM inbox_message") == [{"status": "applied"}]
    assert await database.fetch("SELECT kind, ref, status FROM fetch_job") == [
        {"kind": "order", "ref": "6900000000000000001", "status": "waiting"}
    ]
    pending = await database.fetch("SELECT pending, buyer_paid FROM rollup_bucket")
    assert pending == [{"pending": 1, "buyer_paid": 0}]


async def test_unknown_tags_are_acknowledged_and_ignored(hub: Any) -> None:
    body = msgspec.json.encode([{"tag": "999", "msg_id": "u-1", "data": "{}"}])
    async with hub.post(hub.path, data=body, headers=signed(body)) as answer:
        assert answer.status == 200
    await intake.run_once(now=clock.now(), lease_seconds=30)

    assert await database.fetch("SELECT status FROM inbox_message") == [{"status": "ignored"}]
