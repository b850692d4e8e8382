"""A phone's browser of an own, empty profile: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright

from tests.site import Site

CHROMIUM = Path("/usr/bin/chromium")
SCREENS = os.environ.get("LIVEHUB_SCREENS", "")


@asynccontextmanager
async def phone(
    *, site: Site, scripts: bool = True, dark: bool = False, cookies: dict[str, str] | None = None
) -> AsyncIterator[Page]:
    """A page of 390 by 844 points; what the console calls an error fails the test, a refusal's status does not."""
    errors: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        context = await browser.new_context(
            viewport={"width": 390, "height": 844},
            device_scale_factor=2,
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            locale="zh-CN",
            base_url=str(site.url),
        )
        if cookies:
            await context.add_cookies(
                [
                    {
                        "name": name,
                        "value": value,
                        "url": str(site.url).replace("http:", "https:"),
                        "secure": True,
                    }
                    for name, value in cookies.items()
                ]
            )
        page = await context.new_page()
        page.on("console", lambda message: errors.append(message.text) if _is_ours(message) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        await browser.close()
    assert errors == []


async def fits(page: Page) -> bool:
    """Whether nothing sticks out at the side."""
    return await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def picture(page: Page, name: str) -> None:
    """The page as a picture in docs/screens/, when pictures are asked for."""
    if SCREENS:
        await page.screenshot(path=f"{SCREENS}/{name}.png", full_page=True)


def _is_ours(message) -> bool:
    return message.type == "error" and not message.text.startswith("Failed to load resource")
