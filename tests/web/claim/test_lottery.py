"""A lottery on the consumer's phone: signed up in two taps, known again, drawn or not, and how to check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest
import time_machine

from livehub.vouchers import drawing, lotteries
from livehub.vouchers.lottery_models import LotteryEntry
from livehub.vouchers.models import Voucher
from tests.factories.lotteries import DRAW, JOBS, OPENS, RANDOMNESS, UNTIL, Drawing, a_lottery
from tests.factories.vouchers import NOW, a_kind
from tests.site import Site
from tests.web.claim.test_claim import PHONE, page_of
from tests.web.phones import code_sent_to, hidden, tap, visible


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


async def signed_up(
    site: Site, lottery: Drawing, phone: str = PHONE, *, browser=None, **more: str
) -> tuple[int, str]:
    """Ask for a code, type it, tap 报名: the status, and the page it ends at."""
    path = f"/c/{lottery.link.slug}"
    page = await page_of(site, path, browser=browser)
    _, page, _ = await tap(site, f"{path}/code", page=page, browser=browser, phone=phone)
    code = await code_sent_to(phone[-4:])
    status, html, where = await tap(
        site, f"{path}/enter", page=page, browser=browser, phone=phone, code=code, **more
    )
    return status, await page_of(site, where, browser=browser) if status == 303 else html


async def test_two_taps_sign_up_and_she_is_known_again(client: Site) -> None:
    lottery = await a_lottery()
    before = visible(await page_of(client, f"/c/{lottery.link.slug}"))

    status, page = await signed_up(client, lottery)
    again = visible(await page_of(client, f"/c/{lottery.link.slug}"))

    entry = await LotteryEntry.get()
    assert ("名额 3 个" in before, "已报名 0 人" in before, "报名摇号" in before) == (True, True, True)
    assert status == 303
    for text in (visible(page), again):
        assert "已报名 5月22日 20:30 开奖" in text
        assert entry.public_id in text
        assert "名单哈希 报名截止后公布" in text
    assert PHONE not in page


async def test_a_second_tap_is_the_same_lot(client: Site) -> None:
    lottery = await a_lottery()
    await signed_up(client, lottery)
    path = f"/c/{lottery.link.slug}"
    mine = await page_of(client, f"{path}/mine")

    answers = [await tap(client, f"{path}/enter", page=mine) for _ in range(2)]

    assert [(status, where) for status, _, where in answers] == [(303, path)] * 2
    assert await LotteryEntry.all().count() == 1


async def test_a_wrong_code_is_said_beside_the_field(client: Site) -> None:
    lottery = await a_lottery()
    path = f"/c/{lottery.link.slug}"
    page = await page_of(client, path)

    status, html, _ = await tap(client, f"{path}/enter", page=page, phone=PHONE, code="000000")

    assert (status, "验证码不正确或已过期" in visible(html), "报名摇号" in html) == (422, True, True)


async def test_who_comes_at_the_closing_instant_is_told_so(client: Site) -> None:
    lottery = await a_lottery()
    path = f"/c/{lottery.link.slug}"
    page = await page_of(client, path)
    await tap(client, f"{path}/code", page=page, phone=PHONE)
    code = await code_sent_to(PHONE[-4:])
    await lotteries.freeze(lottery.round.id, actor=JOBS, now=UNTIL)  # while she types

    status, html, _ = await tap(client, f"{path}/enter", page=page, phone=PHONE, code=code)

    assert (status, "报名已经截止了" in visible(html), "报名已截止" in visible(html)) == (409, True, True)


async def test_after_the_draw_a_winner_claims_and_a_loser_reads_it(client: Site) -> None:
    lottery = await a_lottery(a_kind(quantity=1))
    phones = [f"1390000{number}" for number in (1111, 2222, 3333)]
    browsers = [client.browser() for _ in phones]
    path = f"/c/{lottery.link.slug}"
    for phone, browser in zip(phones, browsers, strict=True):
        assert (await signed_up(client, lottery, phone, browser=browser))[0] == 303
    with time_machine.travel(UNTIL + timedelta(seconds=1), tick=True):
        await lottery.drawn(now=DRAW)
    with time_machine.travel(DRAW + timedelta(minutes=1), tick=True):
        drawn = [visible(await page_of(client, path, browser=each)) for each in browsers]
        unknown = visible(await page_of(client, path))
    with time_machine.travel(OPENS + timedelta(minutes=1), tick=True):
        await lottery.opened()
        pages = [await page_of(client, path, browser=each) for each in browsers]
        winner = next(i for i, text in enumerate(drawn) if "您中签了" in text)
        status, _, where = await tap(
            client,
            f"{path}/claim",
            page=pages[winner],
            browser=browsers[winner],
            key=hidden(pages[winner], "key"),
        )
        loser = browsers[(winner + 1) % 3]
        refused, html, _ = await tap(
            client,
            f"{path}/claim",
            page=await page_of(client, f"{path}/mine", browser=loser),
            browser=loser,
            key="k",
        )
    for browser in browsers:
        await browser.close()

    assert sorted("您中签了" in text for text in drawn) == [False, False, True]
    assert sorted("没有中签" in text for text in drawn) == [False, True, True]
    assert "查询我的报名" in unknown
    assert (status, where) == (303, f"{path}/mine?claimed=1")
    assert (refused, "没有中签" in visible(html)) == (409, True)
    assert await Voucher.all().count() == 1


async def test_anybody_reads_how_it_is_drawn_and_does_it_again(client: Site) -> None:
    lottery = await a_lottery(a_kind(quantity=1))
    await signed_up(client, lottery)
    base = f"/rounds/{lottery.round.public_id}/draw"
    open_ = visible(await page_of(client, f"/c/{lottery.link.slug}/draw"))
    async with client.get(f"{base}/entries.txt") as early, client.get(f"{base}/proof") as too_early:
        assert (early.status, too_early.status) == (404, 404)
    await lottery.drawn()

    page = visible(await page_of(client, base))
    async with client.get(f"{base}/entries.txt") as answer:
        listed = await answer.read()
    async with client.get(f"{base}/proof") as answer:
        proof = msgspec.json.decode(await answer.read(), type=drawing.Proof)

    assert proof.commitment in open_
    assert RANDOMNESS not in open_
    for told in (proof.commitment, proof.list_hash, proof.seed, RANDOMNESS):
        assert told in page
    assert hashlib.sha256(listed).hexdigest() == proof.list_hash
    assert listed.decode().split() == proof.entries
    assert drawing.faults(proof) == []


async def test_what_is_not_public_yet_or_no_lottery_is_not_found(client: Site) -> None:
    lottery = await a_lottery(signup=False)
    other = lottery.world.link.slug

    for path in (f"/rounds/{lottery.round.public_id}/draw", f"/c/{other}/draw", "/rounds/nosuch/draw"):
        async with client.get(path) as answer:
            assert answer.status == 404, path
    page = await page_of(client, f"/c/{other}")
    status, _, _ = await tap(client, f"/c/{other}/enter", page=page)
    assert status == 404
    assert "报名还没有开始" in visible(await page_of(client, f"/c/{lottery.link.slug}"))
