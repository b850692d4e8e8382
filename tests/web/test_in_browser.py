"""Our scripts in a real browser under the real policy: the wall moves, the chart draws, a double tap sends once."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect
from sanic import Request
from sanic.response import HTTPResponse

from livehub.web import rendering, sse
from livehub.web.claim.words import Ticket
from livehub.web.reading import Form
from tests.web.boards import a_board, an_empty_board
from tests.web.serving import App, served

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")


@asynccontextmanager
async def browsing(
    url: str, *, scripts: bool = True, width: int = 1920, height: int = 1080
) -> AsyncIterator[Page]:
    """A page of an own, empty profile; whatever the console calls an error fails the test."""
    errors: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page(
            viewport={"width": width, "height": height}, java_script_enabled=scripts
        )
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(url)
        yield page
        await browser.close()
    assert errors == []


def address(client) -> str:
    return str(client._base_url).rstrip("/") + "/"


async def test_the_wall_follows_its_stream_and_draws_its_chart() -> None:
    board = an_empty_board()

    async def load() -> str:
        return rendering.fragment("wall_board.html", **board)

    shared = sse.Shared(load, every_seconds=0.05)

    def routes(app: App) -> None:
        @app.get("/wall")
        async def _wall(_: Request) -> HTTPResponse:
            return rendering.page("wall.html", stream="/wall/live", **board)

        async def anybody() -> bool:
            return True

        @app.get("/wall/live")
        async def _live(request: Request) -> None:
            await sse.stream(request, shared.watch(), may_stay=anybody)

    async with served(routes) as client, browsing(f"{address(client)}wall") as page:
        figure = page.locator("[data-live=g3] .v")
        await expect(figure).to_have_text("¥0.00")
        await expect(page.locator("[data-live=nothing]")).to_have_text("今日尚无成交")

        board.update(a_board(g3_fen=12846305))
        await expect(figure).to_have_text("¥128,463.05", timeout=1000)
        await expect(page.locator("[data-live=air]")).to_have_text("1 场直播中")
        await expect(page.locator(".plot canvas")).to_be_visible()
        await expect(page.locator("[data-live=curve] tbody tr")).to_have_count(9)
        await expect(page.locator("[data-lost]")).to_be_hidden()

        board.update(a_board(g3_fen=12846405, orders=1207))
        await expect(figure).to_have_text("¥128,464.05", timeout=1000)
        assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_without_scripts_the_wall_shows_bars_and_numbers() -> None:
    def routes(app: App) -> None:
        @app.get("/wall")
        async def _wall(_: Request) -> HTTPResponse:
            return rendering.page("wall.html", stream="/wall/live", **a_board())

    async with served(routes) as client, browsing(f"{address(client)}wall", scripts=False) as page:
        await expect(page.locator(".bars")).to_be_visible()
        await page.locator(".numbers summary").click()
        await expect(page.locator("[data-live=curve] td").first).to_be_visible()


async def test_a_wall_of_sums_only_opens_nothing() -> None:
    html = rendering.fragment("wall_board.html", **{**a_board(), "drill": False})

    assert re.findall(r"<a\b", html) == []


def claiming(sent: list[dict[str, str]], *, wait_seconds: int = 0):
    def routes(app: App) -> None:
        @app.get("/c/k7m2")
        async def _claim(_: Request) -> HTTPResponse:
            return rendering.page(
                "claim/claim.html",
                slug="k7m2",
                csrf="t",
                title="开海第一网 · 农特券",
                from_words="侨港小林的直播间",
                tickets=[
                    Ticket(
                        face_fen=3000,
                        threshold_fen=20000,
                        name="北海农特消费券",
                        n=1,
                        until_words="3月12日 24:00 前有效",
                        where_words="206 家门店通用",
                    )
                ],
                left=820,
                quantity=2000,
                rules={
                    "per_person": 1,
                    "unit": "张",
                    "threshold_fen": 20000,
                    "refund": "futian",
                    "valid_words": "",
                },
                form=Form(),
                code_sent=bool(wait_seconds),
                wait_seconds=wait_seconds,
                known_phone="",
                key="k",
                is_known=False,
                pack=None,
                of_lottery=False,
                kind_id="",
                others=[],
                of_broadcast=True,
                at_limit=False,
            )

        @app.post("/c/k7m2/<verb:str>")
        async def _post(request: Request, verb: str) -> HTTPResponse:
            form = request.form or {}
            sent.append({"verb": verb, **{name: form[name][-1] for name in form}})
            return HTTPResponse(status=204)

    return routes


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_consumer_asks_for_a_code_and_claims_with_or_without_scripts(scripts: bool) -> None:
    sent: list[dict[str, str]] = []
    async with (
        served(claiming(sent)) as client,
        browsing(f"{address(client)}c/k7m2", scripts=scripts, width=390, height=844) as page,
    ):
        await page.fill("#phone", "170 0000 0012")
        async with page.expect_response("**/code"):
            await page.get_by_role("button", name="获取验证码").click()
        if scripts:
            await page.reload()  # the answer of a real handler is a new page
            await page.fill("#phone", "170 0000 0012")
        await page.fill("#code", "483920")
        async with page.expect_response("**/claim"):
            await page.press("#code", "Enter")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    assert [(one["verb"], one["phone"]) for one in sent] == [
        ("code", "170 0000 0012"),
        ("claim", "170 0000 0012"),
    ]
    assert sent[1]["code"] == "483920"


async def test_two_taps_send_one_claim() -> None:
    sent: list[dict[str, str]] = []
    async with (
        served(claiming(sent)) as client,
        browsing(f"{address(client)}c/k7m2", width=390, height=844) as page,
    ):
        await page.fill("#phone", "17000000012")
        await page.fill("#code", "483920")
        await page.locator(".go").dblclick()
        await expect(page.locator(".go")).to_have_text("正在领取…")
        await page.wait_for_timeout(300)

    assert [one["verb"] for one in sent] == ["claim"]


async def test_the_next_code_can_be_asked_for_after_the_seconds_the_server_told() -> None:
    async with (
        served(claiming([], wait_seconds=2)) as client,
        browsing(f"{address(client)}c/k7m2", width=390, height=844) as page,
    ):
        button = page.locator("[data-wait-seconds]")
        await expect(button).to_be_disabled()
        await expect(button).to_have_text("重新获取", timeout=4000)
        await expect(button).to_be_enabled()
