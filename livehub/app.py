"""Where the web application is put together, and nowhere else."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from prometheus_client import Counter
from sanic import Sanic

from livehub import process
from livehub.connections import Crowd
from livehub.database import DatabaseUnavailable
from livehub.inbox.receiving import ReceiveDesk
from livehub.settings import Settings
from livehub.web import answers, assets, doors, headers, numbering, rendering
from livehub.web.blueprints import BLUEPRINTS
from livehub.web.shielding import Unfinished

NAME = "livehub"
REQUEST_SECONDS = 10  # for a whole request to arrive, see connections.py
DRAIN_SECONDS = 6.5  # for connections, and again for what goes on without one: below the supervisor's 15

CUT = Counter("livehub_connections_cut_total", "Connections that were ended by us", ["why"])

log = structlog.get_logger(__name__)


def create_app(settings: Settings, *, name: str = NAME) -> Sanic[Any, Any]:
    """The application: routes, answers, and what opens and closes with it. Nothing is opened yet."""
    app: Sanic[Any, Any] = Sanic(name, configure_logging=False, dumps=_dumps, request_class=numbering.Request)
    app.config.update(_config(settings))
    app.ctx.settings = settings
    app.ctx.is_migrated = False
    app.ctx.unfinished = Unfinished()
    app.ctx.crowd = Crowd(
        connections=settings.connection_limit,
        body_bytes=settings.bodies_limit,
        tell=lambda why: CUT.labels(why).inc(),
    )
    app.ctx.receive_desk = ReceiveDesk(settings)
    app.before_server_start(_open)  # first, and so what the blueprints open is closed before it
    app.after_server_stop(_close)
    headers.install(app)
    answers.install(app)
    assets.install(app)
    doors.install(app)
    for blueprint in BLUEPRINTS:
        app.blueprint(blueprint)
    app.ctx.unfinished.install(app)
    app.before_server_stop(_end_streams)
    return app


def _config(settings: Settings) -> dict[str, Any]:
    return {
        "AUTO_EXTEND": False,
        "ACCESS_LOG": False,
        "MOTD": False,
        "REQUEST_MAX_SIZE": settings.body_limit,
        "REQUEST_TIMEOUT": REQUEST_SECONDS,
        "RESPONSE_TIMEOUT": 30,  # of a handler, and between two pieces of a stream: above its heartbeat
        "KEEP_ALIVE_TIMEOUT": 75,  # above a proxy's own, so that it is never us who hang up
        "GRACEFUL_SHUTDOWN_TIMEOUT": DRAIN_SECONDS,
        "PROXIES_COUNT": settings.proxies_count or None,
        "FALLBACK_ERROR_FORMAT": "json",  # answers.py comes first; this is for its own failure
    }


def _dumps(value: Any) -> str:
    """JSON with Chinese left readable."""
    return msgspec.json.encode(value).decode()


async def _open(app: Sanic[Any, Any]) -> None:
    rendering.warm()
    try:
        await process.start(app.ctx.settings)
    except DatabaseUnavailable:
        log.warning("database_away_at_start")  # answered with 503 until it is there
    app.ctx.receive_desk.start()


async def _end_streams(app: Sanic[Any, Any]) -> None:
    app.ctx.unfinished.end_streams()


async def _close(app: Sanic[Any, Any]) -> None:
    await app.ctx.unfinished.finished(within_seconds=DRAIN_SECONDS)
    await app.ctx.receive_desk.stop()
    await process.stop()
