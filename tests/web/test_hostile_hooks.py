"""What must never be sent, sent to the webhooks' door over real HTTP: nothing is lost, nothing breaks."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from livehub import database
from livehub.accounts.actors import system
from livehub.kit import clock
from livehub.platforms import shops
from livehub.platforms.contract import Covers
from livehub.settings import Settings
from tests.factories.accounts import a_bureau
from tests.platforms.doors import (
    DOORS,
    compact,
    doudian_element,
    standard_order,
    wechat_encrypted,
    wechat_message,
)
from tests.platforms.test_contract import malformed_bodies
from tests.site import running
from tests.web.senders import Sender, a_sender, fates, kept

MIB = 1024 * 1024
WITHOUT_A_TRACE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)  # one engine says it all


# Who only encrypts is tried where his orders are followed (tests/flows/test_kuaishou.py).
SIGNED = [door for door in DOORS if door.adapter.covers is not Covers.NONE]


@pytest.fixture(params=SIGNED, ids=lambda door: door.name)
async def sender(db: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Sender]:
    async with running(db) as site:
        yield await a_sender(site, request.param)


async def count(table: str) -> int:
    row = await database.fetch_one(f"SELECT count(*) AS n FROM {table}")
    assert row is not None
    return int(row["n"])


async def test_a_malformed_body_with_a_good_signature_is_kept_whole_and_acknowledged(sender: Sender) -> None:
    cases = {name: sender.door.sent(body) for name, body in malformed_bodies(sender.door.body).items()}

    answers = {name: (await sender.send(body), await kept(body)) for name, body in cases.items()}

    assert answers == dict.fromkeys(cases, (200, "rejected"))
    assert await count("inbox_message") == 0
    good = sender.door.sent(sender.door.body)
    assert await sender.send(good) == 200
    assert await kept(good) == "split"


@WITHOUT_A_TRACE
async def test_a_body_of_another_kind_is_read_by_what_it_holds(sender: Sender) -> None:
    good = sender.door.sent(sender.door.body)
    kinds = ["application/x-www-form-urlencoded", "text/plain", "application/xml", "multipart/form-data", ""]

    for number, kind in enumerate(kinds):
        headers = sender.signed(good, message_id=f"m{number}") | {"content-type": kind}
        assert await sender.send(good, headers) == 200
    form = sender.door.sent(b"tag=101&data=%7B%7D")
    headers = sender.signed(form) | {"content-type": kinds[0]}
    assert await sender.send(form, headers) == 200

    assert await kept(good) == "split"
    assert await kept(form) == "rejected"


AS_XML = (
    b"<xml><ToUserName>1</ToUserName><MsgType>event</MsgType><CreateTime>1760000011</CreateTime>"
    b"<Event>channels_ec_order_pay</Event><order_info><order_id>3</order_id></order_info></xml>"
)


def oddities(name: str) -> dict[str, tuple[bytes, list[tuple[str, str]]]]:
    """Well-formed deliveries that say something impossible, and what intake makes of each."""
    number = itertools.count()
    if name == "doudian":

        def element(text: bool = True, **data: object) -> bytes:
            return compact([doudian_element("101", msg_id=f"odd-{next(number)}", as_text=text, **data)])

        raw = b'[{"tag":"101","msg_id":"%s","data":"{\\"p_id\\":1,\\"shop_id\\":1,\\"pay_time\\":%s}"}]'
        fits = {"pay_time": 1760000010}
        return {
            "content as text": (element(**fits), [("parked", "shop")]),
            "content as an object": (element(text=False, **fits), [("parked", "shop")]),
            "wrong types": (element(pay_time={"a": 1}), [("parked", "schema")]),
            "1e400": (raw % (b"m1", b"1e400"), [("parked", "schema")]),
            "NaN": (raw % (b"m2", b"NaN"), [("parked", "schema")]),
            "milliseconds for seconds": (element(pay_time=1_760_000_010_000), [("parked", "time")]),
            "after 2038": (element(pay_time=2_200_000_000), [("parked", "time")]),
            "1970": (element(pay_time=1), [("parked", "time")]),
            "a week ahead": (element(pay_time=int(clock.now().timestamp()) + 7 * 86_400), [("parked", "time")]),
            "created a year ahead": (
                element(create_time=int(clock.now().timestamp()) + 365 * 86_400, **fits),
                [("parked", "time")],
            ),
            "a negative time": (element(pay_time=-1), [("parked", "time")]),
            "a shop that is too long": (element(shop_id="9" * 65, **fits), [("parked", "schema")]),
            "repeated keys": (sender_body("doudian"), [("parked", "shop")]),
            "a batch of nothing": (b"[]", []),
        }  # fmt: skip

    if name == "wechat_store":

        def message(event: str = "channels_ec_order_pay", *, n: int | str = 1, **changes: object) -> bytes:
            return compact(wechat_message(event, order_info={"order_id": n}) | changes)

        ahead = int(clock.now().timestamp()) + 7 * 86_400
        return {
            "a number": (message(n=1), [("parked", "shop")]),
            "a text": (message(n="2"), [("parked", "shop")]),
            "XML": (AS_XML, [("parked", "shop")]),
            "XML with a DTD": (b"<!DOCTYPE x []>" + AS_XML, []),
            "wrong types": (message(n=4, order_info={"order_id": {"a": 1}}), [("parked", "schema")]),
            "1e400": (message(n=5).replace(b'"order_id":5', b'"order_id":1e400'), []),
            "milliseconds for seconds": (message(CreateTime=1_760_000_010_000), [("parked", "time")]),
            "after 2038": (message(CreateTime=2_200_000_000), [("parked", "time")]),
            "1970": (message(CreateTime=1), [("parked", "time")]),
            "a week ahead": (message(CreateTime=ahead), [("parked", "time")]),
            "paid a week ahead": (
                message(order_info={"order_id": 6, "pay_time": ahead}), [("parked", "time")]
            ),
            "a shop that is too long": (message(ToUserName="g" * 65), [("parked", "schema")]),
            "of no interest": (message("channels_ec_coupon_receive"), [("ignored", "")]),
            "repeated keys": (sender_body("wechat_store"), [("parked", "shop")]),
        }  # fmt: skip

    def order(**changes: object) -> bytes:
        return compact(standard_order(**changes))

    def at(days: float) -> str:
        return (clock.now() + timedelta(days=days)).isoformat()

    fine = order(order_ref="fine")
    return {
        "fine": (fine, [("parked", "shop")]),
        "wrong types": (order(lines="three"), [("parked", "schema")]),
        "1e400": (fine.replace(b'"quantity":1', b'"quantity":1e400').replace(b'"quantity":2', b'"quantity":1e400'), [("parked", "schema")]),
        "another currency": (order(currency="USD"), [("parked", "currency")]),
        "money as text": (fine.replace(b'"list_fen":', b'"list_fen":"1","x":'), [("parked", "schema")]),
        "money in fractions": (fine.replace(b'"list_fen":', b'"list_fen":1.5,"x":'), [("parked", "schema")]),
        "a week ahead": (order(updated_at=at(7)), [("parked", "time")]),
        "after 2038": (order(updated_at="2040-01-01T00:00:00+08:00"), [("parked", "time")]),
        "1970": (order(updated_at="1970-01-01T00:00:01+00:00"), [("parked", "time")]),
        "paid a year ahead": (order(paid_at=at(365)), [("parked", "time")]),
        "refunded a year ahead": (order(refunds=[a_refund(at(365))]), [("parked", "time")]),
        "without a zone": (order(updated_at="2026-03-06T12:00:00"), [("parked", "schema")]),
        "seconds for a date": (order(updated_at=1_760_000_010), [("parked", "schema")]),
        "repeated keys": (sender_body("standard_webhooks"), [("parked", "shop")]),
    }  # fmt: skip


def a_refund(at: str) -> dict[str, Any]:
    return {
        "refund_ref": "r", "kind": "refund_only", "status": "succeeded", "refunded_fen": 1, "succeeded_at": at,
        "updated_at": clock.now().isoformat(),
    }  # fmt: skip


def sender_body(name: str) -> bytes:
    return next(door.repeated_key for door in DOORS if door.name == name)


async def test_what_can_be_read_but_not_booked_is_parked_for_its_reason(sender: Sender) -> None:
    cases = oddities(sender.door.name)
    found: dict[str, Any] = {}
    for number, (name, (plaintext, _)) in enumerate(cases.items()):
        before = len(await fates())
        body = sender.door.sent(plaintext)
        status = await sender.send(body, sender.signed(body, message_id=f"m{number}"))
        found[name] = (status, (await fates())[before:])

    assert found == {name: (200, fate) for name, (_, fate) in cases.items()}


OVERSIZE = {
    "declared": b"Content-Length: 1048577\r\n\r\n",
    "ten megabytes declared": b"Content-Length: 10485760\r\n\r\n",
    "more than anybody has": b"Content-Length: 99999999999999999999\r\n\r\n",
    "in one chunk": b"Transfer-Encoding: chunked\r\n\r\n100001\r\n",
    "in one endless chunk": b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
}


@WITHOUT_A_TRACE
async def test_a_body_above_the_limit_is_refused_before_it_is_taken_in(sender: Sender) -> None:
    answers = {}
    for case, head in OVERSIZE.items():
        reader, writer = await asyncio.open_connection("127.0.0.1", sender.site.url.port)
        writer.write(f"POST {sender.path} HTTP/1.1\r\nHost: x\r\n".encode() + head)  # and nothing of the body
        answers[case] = (await asyncio.wait_for(reader.read(), 5))[:12]
        writer.close()

    assert answers == dict.fromkeys(OVERSIZE, b"HTTP/1.1 413")
    assert sender.site.app.ctx.crowd.held_bytes == 0
    assert await count("inbox_delivery") == 0


@WITHOUT_A_TRACE
async def test_a_body_that_grows_in_chunks_is_cut_at_the_limit(sender: Sender) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sender.site.url.port)
    writer.write(f"POST {sender.path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    sent = most = 0
    answering = asyncio.create_task(reader.readline())
    while not answering.done() and sent < 64 * MIB:
        writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        sent += 65_536
        await asyncio.wait([answering], timeout=0.002)
        most = max(most, sender.site.app.ctx.crowd.held_bytes)
    writer.transport.abort()

    assert (await answering).startswith(b"HTTP/1.1 413")
    assert most <= MIB
    assert sent <= 4 * MIB


@WITHOUT_A_TRACE
async def test_a_compressed_body_is_refused_unopened(sender: Sender) -> None:
    bomb = sender.door.sent(gzip.compress(b" " * (64 * MIB)))

    for coding in ("gzip", "deflate", "br", "gzip, gzip"):
        assert await sender.send(bomb, sender.signed(bomb) | {"content-encoding": coding}) == 415
    assert await kept(bomb) == ""
    assert await sender.send(bomb) == 200  # without saying so it is bytes that nobody can read
    assert await kept(bomb) == "rejected"


SIGNATURES = {
    "doudian": "event-sign",
    "standard_webhooks": "webhook-signature",
    "wechat_store": "?msg_signature",
}


def forged(sender: Sender) -> dict[str, tuple[bytes, dict[str, str]]]:
    """Every way to be somebody else: body and headers."""
    good = sender.door.sent(sender.door.body)
    right = sender.signed(good)
    name = SIGNATURES[sender.door.name]
    sign = right[name]
    changed = {
        "one digit": sign[:-2] + ("A" if sign[-2] != "A" else "B") + sign[-1],
        "one character short": sign[:-1],
        "one character long": sign + "0",
        "twice": sign + sign,
        "only the beginning": sign[:8],
        "very long": sign[:3] + "A" * 6000,
        "empty": "",
        "a blank": " ",
        "not ASCII": "v1,密",
        "zeros": "0" * len(sign),
    }
    cases = {f"a signature of {what}": (good, right | {name: value}) for what, value in changed.items()}
    cases["no signature at all"] = (good, {})
    cases["another secret"] = (good, sender.signed(good, secret=sender.door.other_secret))
    cases["a lengthened body"] = (good + b"\x80" + b"\0" * 40 + good, right)
    for header in right:
        cases[f"without {header}"] = (good, {key: value for key, value in right.items() if key != header})
    if sender.door.name == "wechat_store":
        elsewhere = compact({"Encrypt": wechat_encrypted(sender.door.body, appid="wx0000000000000002")})
        cases["another app"] = (elsewhere, sender.signed(elsewhere))
        cases["nothing encrypted"] = (sender.door.body, right)
        cases["another message"] = (sender.door.sent(sender.door.unknown), right)
        cases["another nonce"] = (good, right | {"?nonce": "998878"})
        return cases
    cases["another body"] = (good + b" ", right)
    if sender.door.name == "doudian":
        cases["another app"] = (good, right | {"app-id": "7000000000000000002"})
        cases["another method"] = (good, right | {"sign-method": "hmac-sha256"})
    else:
        late = clock.now() - timedelta(minutes=6)
        cases["six minutes old"] = (good, sender.signed(good, at=late))
        cases["six minutes ahead"] = (good, sender.signed(good, at=clock.now() + timedelta(minutes=6)))
        cases["another id"] = (good, right | {"webhook-id": "msg_2"})
        cases["a newer time stamp"] = (
            good,
            sender.signed(good, at=late) | {"webhook-timestamp": str(int(clock.now().timestamp()))},
        )
    return cases


@WITHOUT_A_TRACE
async def test_a_forged_delivery_leaves_nothing_but_a_number(sender: Sender) -> None:
    cases = forged(sender)

    answers = {name: await sender.send(*case) for name, case in cases.items()}

    assert answers == dict.fromkeys(cases, 401)
    await sender.site.app.ctx.signature_failures.flush()
    assert await count("inbox_delivery") == await count("inbox_message") == 0
    assert await database.fetch("SELECT endpoint_id, sum(count) AS n FROM signature_failure GROUP BY 1") == [
        {"endpoint_id": sender.endpoint.id, "n": len(cases)}
    ]


@WITHOUT_A_TRACE
async def test_the_signature_of_another_shop_or_platform_opens_no_door(sender: Sender) -> None:
    secret = sender.door.other_secret
    good = sender.door.sent(sender.door.body)
    foreign = sender.door.sent(sender.door.body, secret=secret)
    neighbour = await shops.add_endpoint(
        sender.endpoint.centre_id, platform=sender.door.name, name="邻居", app_key="69", secret=secret,
        access_token="", api_base_url="", actor=system("test", centre_id=sender.endpoint.centre_id), now=clock.now(),
    )  # fmt: skip
    theirs = f"/hooks/{sender.door.name}/{neighbour.endpoint_key}"
    platforms = [door.name for door in DOORS if door.name != sender.door.name]

    assert await sender.send(good, sender.signed(good), path=theirs) == 401
    assert await sender.send(foreign, sender.signed(foreign, secret=secret)) == 401
    for platform in platforms:
        assert await sender.send(good, path=f"/hooks/{platform}/{sender.endpoint.endpoint_key}") == 401
    assert await count("inbox_delivery") == 0


@WITHOUT_A_TRACE
async def test_secrets_are_rotated_without_losing_a_delivery(sender: Sender) -> None:
    old = sender.door.credential.secrets[0]
    new = sender.door.other_secret
    actor = system("test", centre_id=sender.endpoint.centre_id)
    now, ends = clock.now(), clock.now() + timedelta(hours=1)

    async def rotate() -> None:
        await shops.rotate_secret(sender.endpoint.id, secret=new, overlap_until=ends, actor=actor, now=now)

    async def tried() -> dict[str, int]:
        sender.site.app.ctx.endpoints._read_at = float("-inf")  # what takes three seconds otherwise
        bodies = {
            name: (sender.door.sent(sender.door.body, secret=each), each)
            for name, each in (("old", old), ("new", new))
        }
        return {
            name: await sender.send(body, sender.signed(body, secret=each))
            for name, (body, each) in bodies.items()
        }

    assert await tried() == {"old": 200, "new": 401}
    await database.unit(rotate)
    assert await tried() == {"old": 200, "new": 200}
    await database.execute(
        "UPDATE endpoint_secret SET not_after = $1 WHERE not_after IS NOT NULL", clock.to_ms(now) - 1
    )
    assert await tried() == {"old": 401, "new": 200}
    assert await count("inbox_delivery") == 1


async def test_a_replay_in_any_dress_is_a_duplicate(sender: Sender) -> None:
    good = sender.door.sent(sender.door.body)
    right = sender.signed(good)
    messages = len(sender.door.receive(sender.door.body))
    query = {key: value for key, value in right.items() if key.startswith("?")}
    headers = {key: value for key, value in right.items() if key not in query}
    dresses = [
        right,
        query | {key.upper(): value for key, value in headers.items()},
        query | {key.title(): value for key, value in headers.items()},
        right | {"Msg-Id": "another"},
        right | {"X-Request-Id": "another", "User-Agent": "another"},
        sender.signed(good),
    ]
    if sender.door.name == "doudian":
        dresses.append(right | {"event-sign": right["event-sign"].upper()})
        dresses.append(right | {"webhook-id": "another"})

    assert [await sender.send(good, dress) for dress in dresses] == [200] * len(dresses)

    assert (await count("inbox_delivery"), await count("inbox_message")) == (1, messages)
    repeated = len(dresses) - 1
    assert await database.fetch("SELECT deliveries, messages FROM duplicate_count") == [
        {"deliveries": repeated, "messages": repeated * messages}
    ]
    assert json.loads(good)


async def test_an_element_comes_again_in_another_batch(db: Settings) -> None:
    one, two = (doudian_element("101", msg_id=f"m{n}", pay_time=1760000010) for n in (1, 2))
    async with running(db) as site:
        sender = await a_sender(site, DOORS[0], bureau=await a_bureau())

        for batch in ([one], [one, two], [two, one], [two, two], two):
            assert await sender.send(compact(batch)) == 200

    async with running(db):
        assert (await count("inbox_delivery"), await count("inbox_message")) == (2, 2)
