"""The one HTTP client for calls to configured platforms: time-outs, size limits, no redirects."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from msgspec import Struct

MAX_REPLY = 4 * 1024 * 1024  # bytes
CONNECT_SECONDS = 3.0
SILENCE_SECONDS = 4.0  # without a byte: a line that died tells nobody, and its call holds a place meanwhile


class OutgoingFailed(Exception):
    """The call got no usable answer: unreachable, too slow, too large."""


class Answer(Struct, frozen=True):
    """Status, headers (lower case) and body of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """An aiohttp session with our limits; open it in the process's start, close it at its stop."""

    def __init__(self, *, timeout_seconds: float = 8.0, connections: int = 32) -> None:
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_seconds, connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
        )
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        url: str,
        *,
        method: str = "GET",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send one request; OutgoingFailed when no complete answer came back."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, connector=aiohttp.TCPConnector(limit=self._connections)
            )
        try:
            async with self._session.request(
                method, url, params=query, headers=headers, data=body or None, allow_redirects=False
            ) as response:
                return Answer(
                    response.status,
                    {name.lower(): value for name, value in response.headers.items()},
                    await _limited(response),
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OutgoingFailed(
                _told(error)
            ) from None  # its own words may hold the query, and a token in it

    async def close(self) -> None:
        """Close the connections; harmless when called twice."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(65536):
        size += len(chunk)
        if size > MAX_REPLY:
            raise OutgoingFailed(f"reply larger than {MAX_REPLY} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _told(error: Exception) -> str:
    """What went wrong, without the address: the log and the database keep it."""
    match error:
        case aiohttp.ClientResponseError():
            return f"{type(error).__name__}: {error.status} {error.message[:100]}"
        case aiohttp.ClientConnectorError():
            return f"{type(error).__name__}: {error.host}:{error.port} {error.strerror or ''}".rstrip()
        case _:
            return type(error).__name__
