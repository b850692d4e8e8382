"""A desk's browser of an own, empty profile: wide, with a login's cookie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, async_playwright

from livehub.web.doors import SESSION
from tests.browser.phone import CHROMIUM
from tests.site import Site


@asynccontextmanager
async def desktop(
    site: Site,
    *,
    session: str = "",
    width: int = 1440,
    height: int = 900,
    scripts: bool = True,
    dark: bool = False,
) -> AsyncIterator[Page]:
    """A page as somebody at a desk sees it; what the console calls an error fails the test."""
    errors: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            locale="zh-CN",
            base_url=str(site.url),
        )
        if session:
            secure = str(site.url).replace("http:", "https:")  # Chromium wants it of a __Host- cookie
            await context.add_cookies([{"name": SESSION, "value": session, "url": secure, "secure": True}])
        page = await context.new_page()
        page.on("console", lambda message: errors.append(message.text) if _is_ours(message) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        await browser.close()
    assert errors == []


def _is_ours(message) -> bool:
    return message.type == "error" and not message.text.startswith("Failed to load resource")
