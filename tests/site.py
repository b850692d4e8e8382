"""The real web application on a free port, and a browser-like client that talks to it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from sanic import Sanic
from sanic.router import Router
from tortoise.backends.base.executor import EXECUTOR_CACHE
from yarl import URL

from livehub import process
from livehub.app import create_app
from livehub.serving import listen, serving
from livehub.settings import Settings


class Site:
    """A running application: ``await site.get("/desk")``; it follows no redirects and keeps cookies."""

    def __init__(self, app: Sanic[Any, Any], url: URL) -> None:
        self.app = app
        self.url = url
        self.session = self.browser()

    def browser(self, **more: Any) -> aiohttp.ClientSession:
        """Another browser with cookies of its own; close it yourself (``async with site.browser() as b``)."""
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=self.url)
        return aiohttp.ClientSession(base_url=self.url, cookie_jar=jar, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.session.get(path, **{"allow_redirects": False, **more})

    def post(self, path: str, **more: Any) -> Any:
        return self.session.post(path, **{"allow_redirects": False, **more})

    async def text(self, path: str, **more: Any) -> str:
        """The body of a GET that must succeed."""
        async with self.get(path, **more) as answer:
            assert answer.status == 200, (path, answer.status, await answer.text())
            return await answer.text()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Site]:
    """Serve the application in this loop; it opens the database itself, and closes it at the end."""
    Sanic.test_mode = True
    EXECUTOR_CACHE.clear()  # Tortoise keeps one engine's SQL by the connection's name
    await process.stop()
    app = create_app(settings, name=f"livehub-{uuid.uuid4().hex[:8]}")
    app.config.TOUCHUP = False
    sock = listen("127.0.0.1", 0)
    try:
        async with serving(app, sock=sock):
            site = Site(app, URL(f"http://127.0.0.1:{sock.getsockname()[1]}"))
            try:
                yield site
            finally:
                await site.session.close()
    finally:
        _forget(app)


def _forget(app: Sanic[Any, Any]) -> None:
    """A process of ours has one application, and Sanic and its blueprints keep it: thousands fill the memory."""
    for blueprint in app.blueprints.values():
        blueprint._apps.discard(app)
        blueprint.routes.clear()
    Sanic.unregister_app(app)
    Router.get.cache_clear()
    Router.find_route_by_view_name.cache_clear()
