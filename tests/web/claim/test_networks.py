"""Which address claims and codes are counted for: the one a trusted proxy saw, and no other."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
import time_machine

from livehub import database
from livehub.settings import Settings
from livehub.vouchers.models import Voucher
from tests.factories.vouchers import NOW, a_world
from tests.site import Site, running
from tests.web.claim.test_claim import claimed, verified
from tests.web.phones import code_sent_to, hidden, tap, visible

REFUSED = "这个网络领取过于频繁"


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


async def outcome(site: Site, slug: str, phone: str, *, forwarded: str) -> str:
    """Claim on a browser of its own, behind whatever wrote this X-Forwarded-For."""
    async with site.browser(headers={"X-Forwarded-For": forwarded}) as browser:
        page = await verified(site, slug, phone, browser=browser)
        code, key = await code_sent_to(phone[-4:]), hidden(page, "key")
        status, html, _ = await tap(
            site, f"/c/{slug}/claim", page=page, browser=browser, phone=phone, code=code, key=key
        )
        return "claimed" if status == 303 else visible(html)


async def test_the_address_that_the_proxy_saw_is_counted(db: Settings) -> None:
    async with running(msgspec.structs.replace(db, proxies_count=1, claim_network_limit=2)) as site:
        slug = (await a_world()).link.slug
        tries = {
            "203.0.113.1": "claimed",
            "203.0.113.77:4711": "claimed",
            "198.51.100.1, 203.0.113.9": REFUSED,  # what stands before the proxy's own word was said by the client
            "198.51.100.1": "claimed",
            "2001:db8::1": "claimed",
            "[2001:db8::2]:4711": "claimed",
            "2001:db8::3": REFUSED,
            "2001:db8:0:1::1": "claimed",
        }

        found = {
            forwarded: await outcome(site, slug, f"1390000{n:04}", forwarded=forwarded)
            for n, forwarded in enumerate(tries)
        }

        assert {each: REFUSED if REFUSED in said else said for each, said in found.items()} == tries
        windows = await database.fetch(
            "SELECT count FROM rate_window WHERE key LIKE 'claim:%' ORDER BY count"
        )
        assert [row["count"] for row in windows] == [1, 1, 2, 2]


async def test_without_a_proxy_nobody_chooses_an_address(db: Settings) -> None:
    async with running(msgspec.structs.replace(db, claim_network_limit=1)) as site:
        slug = (await a_world()).link.slug
        for n in range(3):
            assert await outcome(site, slug, f"1390000{n:04}", forwarded="203.0.113.1") == "claimed"

        assert await Voucher.all().count() == 3
        assert await database.fetch("SELECT id FROM rate_window WHERE key LIKE 'claim:%'") == []


async def test_codes_and_phones_are_counted_as_the_settings_say(db: Settings) -> None:
    tight = msgspec.structs.replace(db, proxies_count=1, code_address_limit=2, verify_network_limit=1)
    async with running(tight) as site:
        slug = (await a_world()).link.slug
        assert await outcome(site, slug, "13900000001", forwarded="203.0.113.1") == "claimed"
        assert "验证的手机号过多" in await outcome(
            site, slug, "13900000002", forwarded="203.0.113.2"
        )  # one a network
        assert await outcome(site, slug, "13900000003", forwarded="198.51.100.1") == "claimed"
        async with site.browser(headers={"X-Forwarded-For": "203.0.113.1"}) as browser:
            for phone, status in (("13900000004", 200), ("13900000005", 429)):
                page = await (await browser.get(f"/c/{slug}")).text()
                assert (await tap(site, f"/c/{slug}/code", page=page, browser=browser, phone=phone))[
                    0
                ] == status

    async with running(db) as site:  # and the defaults stand again where nothing is said
        where = await claimed(site, slug, "13900000006")
        assert where == f"/c/{slug}/mine?claimed=1"
