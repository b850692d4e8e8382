"""A statement's import as pages and calls wait for it: for a while; it goes on when they are answered."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from livehub.orders.statements import importing

PATIENCE_SECONDS = 15.0


async def go_on(opened: Any, statement_id: int, *, now: datetime) -> bool:
    """Whether it was finished meanwhile; ``opened``: what the application has opened."""
    task: asyncio.Future[None] = asyncio.ensure_future(
        opened.unfinished.finish(importing.go_on(statement_id, now=now))
    )
    await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
    if task.done():
        task.result()
    return task.done()
