"""A platform tries an address by a GET when it is saved: answered to whoever can sign, and nothing is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from livehub import database
from livehub.accounts.actors import system
from livehub.kit import clock
from livehub.platforms import shops
from livehub.settings import Settings
from tests.platforms.doors import DOORS, sample
from tests.site import running
from tests.web.senders import Sender, a_sender

WECHAT = next(door for door in DOORS if door.name == "wechat_store")
KNOWN: dict[str, str] = sample("wechat_store", "wechat_store_echo")["query"]


@pytest.fixture
async def sender(db: Settings) -> AsyncIterator[Sender]:
    async with running(db) as site:
        yield await a_sender(site, WECHAT)


async def tried(sender: Sender, query: dict[str, str], *, path: str = "") -> tuple[int, str, Any]:
    async with sender.site.get(path or sender.path, params=query) as answer:
        return answer.status, await answer.text(), answer.headers


async def test_the_echo_comes_back_as_it_came_and_as_no_page(sender: Sender) -> None:
    status, body, headers = await tried(sender, KNOWN)

    assert (status, body) == (200, KNOWN["echostr"])
    assert headers["content-type"].startswith("text/plain")
    assert headers["x-content-type-options"] == "nosniff"


async def test_strangers_are_told_nothing_whatever_is_wrong(sender: Sender) -> None:
    other = f"/hooks/wechat_store/{'x' * 43}"
    asked = {
        "nothing": ({}, ""),
        "another signature": (KNOWN | {"signature": "0" * 40}, ""),
        "another nonce": (KNOWN | {"nonce": "1"}, ""),
        "no echo": (KNOWN | {"echostr": ""}, ""),
        "a page for an echo": (KNOWN | {"echostr": "<script>alert(1)</script>"}, ""),
        "an endpoint nobody knows": (KNOWN, other),
        "an endpoint nobody knows, unsigned": ({}, other),
    }

    answers = {name: await tried(sender, query, path=path) for name, (query, path) in asked.items()}

    assert {(status, body) for status, body, _ in answers.values()} == {(401, "signature refused")}
    _, _, headers = await tried(sender, {}, path=other)
    assert all(set(each) == set(headers) for _, _, each in answers.values())
    await sender.site.app.ctx.signature_failures.flush()
    counted = await database.fetch("SELECT sum(count) AS n FROM signature_failure")
    assert counted == [{"n": len(asked) + 1}]
    for table in ("inbox_delivery", "inbox_message"):
        assert await database.fetch(f"SELECT count(*) AS n FROM {table}") == [{"n": 0}]


async def test_a_closed_endpoint_and_an_ended_secret_answer_like_strangers(sender: Sender) -> None:
    actor = system("test", centre_id=sender.endpoint.centre_id)

    async def seen() -> int:
        sender.site.app.ctx.endpoints._read_at = float("-inf")  # what takes three seconds otherwise
        return (await tried(sender, KNOWN))[0]

    async def rotate() -> None:
        until = clock.now()
        await shops.rotate_secret(
            sender.endpoint.id, secret=WECHAT.other_secret, overlap_until=until, actor=actor, now=until
        )

    async def close(disabled: bool) -> None:
        await shops.set_disabled(sender.endpoint.id, disabled=disabled, actor=actor, now=clock.now())

    await database.unit(lambda: close(True))
    assert await seen() == 401
    await database.unit(lambda: close(False))
    assert await seen() == 200
    await database.unit(rotate)
    assert await seen() == 401


@pytest.mark.parametrize("platform", [door.name for door in DOORS if door.name != "wechat_store"])
async def test_platforms_that_try_no_address_know_no_get(sender: Sender, platform: str) -> None:
    key = sender.endpoint.endpoint_key

    assert (await tried(sender, KNOWN, path=f"/hooks/{platform}/{key}"))[0] == 405


async def test_a_platform_nobody_knows_has_no_address(sender: Sender) -> None:
    assert (await tried(sender, KNOWN, path="/hooks/none/x"))[0] == 404


async def test_head_is_not_answered(sender: Sender) -> None:
    async with sender.site.session.head(sender.site.url.with_path(sender.path)) as answer:
        assert answer.status == 405


async def test_another_platforms_secret_is_no_token(sender: Sender) -> None:
    """Whoever knows a secret of 抖店 could sign with it as if it were a Token."""
    other = await shops.add_endpoint(
        sender.endpoint.centre_id, platform="doudian", name="抖店", app_key="69", secret="livehubtoken",
        access_token="", api_base_url="", actor=system("test", centre_id=sender.endpoint.centre_id), now=clock.now(),
    )  # fmt: skip

    assert (await tried(sender, KNOWN, path=f"/hooks/wechat_store/{other.endpoint_key}"))[0] == 401
