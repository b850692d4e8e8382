"""The headers of every answer, in one place."""

from __future__ import annotations

from typing import Any

from sanic import Request, Sanic
from sanic.response import BaseHTTPResponse

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


def install(app: Sanic[Any, Any]) -> None:
    """Add the headers to every answer, and note it; what a handler set itself stays."""
    app.ctx.watch = Watch()
    app.ctx.watch.install(app)
    app.register_middleware(_add, "response")


async def _add(request: Request, response: BaseHTTPResponse) -> None:
    """The one thing that happens with every answer: a middleware more costs a tenth of a webhook."""
    untold = request.path.startswith(_UNTOLD) or request.path == "/s"
    set_already = response.headers
    for name, value in (_TOLD_TO_NOBODY if untold else HEADERS).items():
        if name not in set_already:
            set_already[name] = value
    if "cache-control" not in set_already:
        set_already["Cache-Control"] = "no-store"  # pages of a login are nobody else's
    set_already[numbering.HEADER] = request.id
    request.app.ctx.watch.note(request, response)
