"""The limit: a bare Sanic route that reads the body and echoes it as JSON, and does nothing else."""

from __future__ import annotations

from typing import Any

from sanic import Request, Sanic
from sanic.response import HTTPResponse, json

from livehub.bench import wire
from livehub.settings import Settings


def create_app(settings: Settings) -> Sanic[Any, Any]:
    """Any POST is echoed; the server's settings are livehub's own."""
    app: Sanic[Any, Any] = Sanic("bare", configure_logging=False)
    app.config.update(
        {
            "AUTO_EXTEND": False,
            "ACCESS_LOG": False,
            "MOTD": False,
            "KEEP_ALIVE_TIMEOUT": 75,
            "REQUEST_MAX_SIZE": settings.body_limit,
            "GRACEFUL_SHUTDOWN_TIMEOUT": 1.0,
        }
    )
    app.add_route(_echo, "/<path:path>", methods=["POST"])
    app.add_route(_ready, "/readyz")
    return app


async def _echo(request: Request, path: str) -> HTTPResponse:  # noqa: ARG001 -- Sanic passes it
    return json(request.form if request.content_type.startswith(wire.FORM) else request.json)


async def _ready(_request: Request) -> HTTPResponse:
    return HTTPResponse(b"", status=200)
