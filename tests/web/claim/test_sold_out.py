"""A link that has nothing left: who comes is told the same, whether this worker remembers that or asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
import time_machine

from livehub import database
from livehub.vouchers import latch
from livehub.vouchers.models import Voucher
from tests.factories.vouchers import NOW, World, a_kind, a_world
from tests.site import Site
from tests.web.claim.test_claim import claimed, page_of, verified
from tests.web.phones import code_sent_to, hidden, tap, visible


@pytest.fixture(autouse=True)
def _evening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(latch, "SECONDS", 60.0)
    latch.clear()
    with time_machine.travel(NOW, tick=True):
        yield
    latch.clear()


async def refusals() -> int:
    (row,) = await database.fetch("SELECT coalesce(sum(count), 0) AS n FROM refusal_count")
    return int(row["n"])


class Door:
    """A link whose only voucher is claimed, by somebody who keeps her form."""

    def __init__(self, site: Site, world: World, *, is_latched: bool) -> None:
        self.site, self.slug = site, world.link.slug
        self._is_latched = is_latched

    async def tap(self, browser: aiohttp.ClientSession, page: str, **fields: str) -> tuple[int, str]:
        if not self._is_latched:
            latch.clear()
        assert (latch.round_of((self.slug, "")) is not None) == self._is_latched
        status, html, _ = await tap(self.site, f"/c/{self.slug}/claim", page=page, browser=browser, **fields)
        return status, visible(html)


@pytest.mark.parametrize("is_latched", [False, True])
async def test_everybody_is_told_what_would_be_told_without_the_memory(
    client: Site, *, is_latched: bool
) -> None:
    kind = a_kind(quantity=1, rules={"per_person": {"limit": 2}})
    world, elsewhere = await a_world(kind), await a_world()
    door = Door(client, world, is_latched=is_latched)
    slug = door.slug
    async with AsyncExitStack() as stack:
        her, late, other, stranger = [await stack.enter_async_context(client.browser()) for _ in range(4)]
        await claimed(client, elsewhere.link.slug, "13900000003", browser=other)
        page = await verified(client, slug, "13900000001", browser=her)
        late_page = await verified(client, slug, "13900000002", browser=late)
        other_page, unknown_page = [await page_of(client, f"/c/{slug}", browser=b) for b in (other, stranger)]
        statuses = []
        for browser, form, phone in ((her, page, "13900000001"), (late, late_page, "13900000002")):
            given = {"phone": phone, "code": await code_sent_to(phone[-4:]), "key": hidden(page, "key")}
            status, _, _ = await tap(client, f"/c/{slug}/claim", page=form, browser=browser, **given)
            statuses.append(status)
        assert statuses == [303, 409]

        again = await door.tap(her, page, key=hidden(page, "key"))
        another = await door.tap(her, page, key="another")
        sold_out = await door.tap(late, late_page, key=hidden(page, "key"))
        wrong = [await door.tap(late, late_page, key=key) for key in ("", "键", "k" * 60, "k" * 300)]
        foreign = await door.tap(other, other_page, key=hidden(page, "key"))
        unknown = await door.tap(stranger, unknown_page, key=hidden(page, "key"))
        await client.app.ctx.claim_desk._refusals.flush()

    assert again[0] == 303
    assert another[0] == 409
    assert sold_out[0] == 409
    assert "这一批已领完" in sold_out[1]
    assert [status for status, _ in wrong] == [200] * 4  # the closed page says why nothing is given
    assert (foreign[0], unknown[0]) == (200, 200)
    assert "这一批已领完" in unknown[1]
    assert await Voucher.all().count() == 2  # hers, and the one elsewhere
    assert await refusals() == 3


HALVES = (
    b'--limit\r\nContent-Disposition: form-data; name="%s"\r\n'
    b"Content-Type: text/plain; charset=unicode_escape\r\n\r\n%s\r\n"
)


@pytest.mark.parametrize("is_latched", [False, True])
async def test_halves_of_letters_are_taken_for_question_marks(client: Site, *, is_latched: bool) -> None:
    world = await a_world(a_kind(quantity=1))
    slug = world.link.slug
    door = Door(client, world, is_latched=is_latched)
    async with client.browser() as first, client.browser() as late:
        page = await verified(client, slug, "13900000001", browser=first)
        late_page = await verified(client, slug, "13900000002", browser=late)
        for browser, form, phone in ((first, page, "13900000001"), (late, late_page, "13900000002")):
            given = {"phone": phone, "code": await code_sent_to(phone[-4:]), "key": hidden(form, "key")}
            await tap(client, f"/c/{slug}/claim", page=form, browser=browser, **given)
        await door.tap(late, late_page, key=hidden(late_page, "key"))
        fields = {b"csrf": hidden(late_page, "csrf").encode(), b"key": rb"a\ud800", b"template": rb"\ud800"}
        body = b"".join(HALVES % field for field in fields.items()) + b"--limit--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=limit"}
        async with late.post(f"/c/{slug}/claim", data=body, headers=headers) as answer:
            status, html = answer.status, await answer.text()

    assert status == 409
    assert "这一批已领完" in visible(html)
