"""Our scripts, styles and icons: read once, served from memory under a URL made of their content."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct
from sanic import Request, Sanic
from sanic.exceptions import NotFound
from sanic.response import HTTPResponse

ROOT = Path(__file__).parent / "static"
PREFIX = "/static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_SMALL = 800  # bytes below which gzip does not pay


class Asset(Struct, frozen=True):
    """One file, ready to be sent."""

    body: bytes
    gzipped: bytes
    content_type: str


class Shelf(Struct, frozen=True):
    """All files and the one hash over them: modules import each other by relative addresses."""

    version: str
    files: dict[str, Asset]


@cache
def shelf() -> Shelf:
    """Every file below static/, hashed together."""
    files: dict[str, Asset] = {}
    digest = hashlib.sha256()
    for path in sorted(p for p in ROOT.rglob("*") if p.suffix in _TYPES):
        name, body = path.relative_to(ROOT).as_posix(), path.read_bytes()
        digest.update(f"{name}:{len(body)}:".encode() + body)
        small = len(body) < _SMALL
        files[name] = Asset(body, b"" if small else gzip.compress(body, 9, mtime=0), _TYPES[path.suffix])
    return Shelf(digest.hexdigest()[:12], files)


def url(name: str) -> str:
    """The address of a file; KeyError when there is none, so that a wrong name fails in tests."""
    found = shelf()
    if name not in found.files:
        raise KeyError(name)
    return f"{PREFIX}/{found.version}/{name}"


def install(app: Sanic[Any, Any]) -> None:
    """Answer /static/<version>/<file> and /favicon.ico."""
    shelf()  # read before the first request
    app.add_route(_serve, f"{PREFIX}/<version:str>/<name:path>", methods=["GET", "HEAD"], name="static_file")
    app.add_route(_favicon, "/favicon.ico", methods=["GET", "HEAD"], name="favicon")


async def _serve(request: Request, version: str, name: str) -> HTTPResponse:
    asset = shelf().files.get(name)
    if asset is None:
        raise NotFound
    # A page of the release before may still ask for its own version: it gets today's file, unremembered.
    fresh = version == shelf().version
    return _answer(request, asset, "public, max-age=31536000, immutable" if fresh else "no-cache")


async def _favicon(request: Request) -> HTTPResponse:
    return _answer(request, shelf().files["icon.svg"], "public, max-age=86400")


def _answer(request: Request, asset: Asset, caching: str) -> HTTPResponse:
    headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
    body = asset.body
    if asset.gzipped and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = asset.gzipped
    return HTTPResponse(body, headers=headers, content_type=asset.content_type)
