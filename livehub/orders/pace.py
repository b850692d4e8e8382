"""How fast an endpoint is called: evenly spaced, whatever it is asked for."""

from __future__ import annotations

import asyncio
from time import monotonic

from livehub.platforms.queries import EndpointView


class Paces:
    """The paces of one process; fetches and lists of an endpoint share its own."""

    def __init__(self) -> None:
        self._next: dict[int, float] = {}

    async def wait(self, endpoint: EndpointView) -> None:
        """Return when the endpoint may be called next."""
        at = max(monotonic(), self._next.get(endpoint.id, 0.0))
        self._next[endpoint.id] = at + 1 / max(endpoint.calls_per_second, 1)
        if (pause := at - monotonic()) > 0:
            await asyncio.sleep(pause)
