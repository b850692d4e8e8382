"""Files that are sent piece by piece: a browser's download without the whole of it in memory."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from urllib.parse import quote

from sanic import Request

ZIP = "application/zip"
_CHUNK = 256 * 1024


async def send(
    request: Request, name: str, pieces: AsyncIterator[bytes], *, size: int, media: str = ZIP
) -> None:
    """Answer with the pieces one after the other."""
    response = await request.respond(
        content_type=media,
        headers={
            "Content-Length": str(size),
            "Content-Disposition": f"attachment; filename=report.zip; filename*=UTF-8''{quote(name)}",
            "Cache-Control": "no-store",
        },
    )
    assert response is not None  # noqa: S101 -- a fresh request has none yet
    async for data in pieces:
        await response.send(data)
    await response.eof()


async def send_made(request: Request, name: str, pieces: AsyncIterator[bytes]) -> None:
    """The same of what is only being made: on the disk first, so that a failure is told and not cut off."""
    with tempfile.TemporaryFile() as file:
        size = 0
        async for data in pieces:
            file.write(data)
            size += len(data)
        file.seek(0)

        async def parts() -> AsyncIterator[bytes]:
            while data := file.read(_CHUNK):
                yield data

        await send(request, name, parts(), size=size)
