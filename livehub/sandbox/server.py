"""Serve a sandbox over HTTP: for a process of its own, or inside a test's loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from livehub.sandbox import control, kuaishou_api, platform_api, wechat_store_api
from livehub.sandbox.box import Box
from livehub.sandbox.pushing import Pace

MAX_REQUEST = 256 * 1024 * 1024  # a year's orders may be declared at once


@asynccontextmanager
async def running(*, host: str = "127.0.0.1", port: int = 0, pace: Pace | None = None) -> AsyncIterator[Box]:
    """A sandbox that answers at ``box.base_url`` until the block ends; port 0 takes a free one."""
    box = Box(pace=pace or Pace())
    app = web.Application(client_max_size=MAX_REQUEST, middlewares=[control.refusals])
    apis = (platform_api, kuaishou_api, wechat_store_api)
    app.add_routes([*control.routes(box), *(route for api in apis for route in api.routes(box))])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    try:
        await runner.setup()
        site = web.TCPSite(runner, host, port, backlog=1024)
        await site.start()
        box.base_url = f"http://{host}:{runner.addresses[0][1]}"
        yield box
    finally:
        await box.close()
        await runner.cleanup()
