"""The headers of every answer, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from sanic import Request, Sanic
from sanic.response import BaseHTTPResponse, HTTPResponse

from livehub.web import numbering
from livehub.web.watching import Watch

# 'unsafe-inline' for style attributes only: ECharts' tooltips write them, meters and lanes are made of them.
POLICY = (
    "default-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
}
# Addresses below these carry a secret or say where somebody came from.
_UNTOLD = ("/s/", "/c/")
_TOLD_TO_NOBODY = {**HEADERS, "Referrer-Policy": "no-referrer"}


class Ready(HTTPResponse):
    """An answer of a hot path: its constant headers are bytes already.

    Put together for each answer they cost as much as the signature, the parsing and the sealing of a webhook.
    """

    __slots__ = ("_constant",)

    def __init__(
        self, body: bytes, *, status: int = 200, content_type: str, untold: bool = False, location: str = ""
    ) -> None:
        """``untold``: the address says where somebody came from. ``location``: of a redirection, ours."""
        super().__init__(body, status=status, content_type=content_type)
        self._constant = _constant(content_type, untold)
        if location:
            self.headers["location"] = location

    @property
    def processed_headers(self) -> Iterator[tuple[bytes, bytes]]:
        """The constant ones as one block, then those of this answer."""
        yield self._constant
        for name, value in self.headers.items():
            yield name.encode(), str(value).encode()


@cache
def _constant(content_type: str, untold: bool) -> tuple[bytes, bytes]:  # noqa: FBT001 -- a key of the cache
    """Name and value of the first header; the others follow in the value, each on its line."""
    more = _TOLD_TO_NOBODY if untold else HEADERS
    lines = [f"{name}: {value}" for name, value in {**more, "Cache-Control": "no-store"}.items()]
    return b"Content-Type", "\r\n".join([content_type, *lines]).encode()


def install(app: Sanic[Any, Any]) -> None:
    """Add the headers to every answer, and note it; what a handler set itself stays."""
    app.ctx.watch = Watch()
    app.ctx.watch.install(app)
    app.register_middleware(_add, "response")


async def _add(request: Request, response: BaseHTTPResponse) -> None:
    """The one thing that happens with every answer: a middleware more costs a tenth of a webhook."""
    if not isinstance(response, Ready):
        _complete(request, response)
    response.headers[numbering.HEADER] = request.id
    request.app.ctx.watch.note(request, response)


def _complete(request: Request, response: BaseHTTPResponse) -> None:
    untold = request.path.startswith(_UNTOLD) or request.path == "/s"
    set_already = response.headers
    for name, value in (_TOLD_TO_NOBODY if untold else HEADERS).items():
        if name not in set_already:
            set_already[name] = value
    if "cache-control" not in set_already:
        set_already["Cache-Control"] = "no-store"  # pages of a login are nobody else's
