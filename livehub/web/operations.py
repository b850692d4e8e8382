"""What machines ask about this process: does it live, can it serve, what are its figures."""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from sanic import Blueprint, Request, Sanic
from sanic.response import HTTPResponse, json

from livehub import database
from livehub.database.migrate import pending
from livehub.kit.errors import NotFound, Unavailable
from livehub.web.depths import Depths
from livehub.web.doors import public

bp = Blueprint("operations")

_log = structlog.get_logger(__name__)


class NotReady(Unavailable):
    """服务正在启动或升级，请稍后重试。"""

    code = "NOT_READY"


@bp.before_server_start
async def _open(app: Sanic[Any, Any]) -> None:
    app.ctx.depths = Depths(app.ctx.settings)


@bp.get("/healthz")
@public
async def alive(_request: Request) -> HTTPResponse:
    """200 as long as the process answers at all."""
    return json({"status": "alive"})


@bp.get("/readyz")
@public
async def ready(request: Request) -> HTTPResponse:
    """200 when the database answers and has the newest schema; else 503 with Retry-After."""
    with database.reserved():
        await database.ping()
        state = request.app.ctx
        if not state.is_migrated:  # once current it stays current for as long as this program runs
            if await pending(state.settings):
                raise NotReady
            state.is_migrated = True
    return json({"status": "ready"})


@bp.get("/metrics")
@public
async def metrics(request: Request) -> HTTPResponse:
    """Prometheus' figures, of all processes of this ``livehub serve``; for loopback or with the token."""
    if not _may_see(request):
        raise NotFound
    state = request.app.ctx
    with database.reserved():
        stored = await state.depths.registry()
    state.watch.write()
    figures = generate_latest(_figures()) + generate_latest(stored)
    return HTTPResponse(figures, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _may_see(request: Request) -> bool:
    token = request.app.ctx.settings.metrics_token
    if token:
        return hmac.compare_digest((request.token or "").encode(), token.encode())
    was_forwarded = any(name in request.headers for name in ("x-forwarded-for", "forwarded", "x-real-ip"))
    try:
        return not was_forwarded and ip_address(request.ip).is_loopback
    except ValueError:
        return False


def _figures() -> CollectorRegistry:
    if values.ValueClass is values.MutexValue:  # one process: nothing to be added up
        return REGISTRY
    gathered = CollectorRegistry()
    MultiProcessCollector(gathered)  # type: ignore[no-untyped-call]  # ships no types for it
    return gathered
