"""One web process, forked by the supervisor."""

from __future__ import annotations

import socket

import structlog
import uvloop

from livehub.app import create_app
from livehub.kit import logging
from livehub.kit.lifeline import stopping
from livehub.serving import serving
from livehub.settings import Settings
from livehub.web import numbering, rendering

log = structlog.get_logger(__name__)


def warm() -> None:
    """Do before the fork what every worker would do after it."""
    rendering.warm()


def run(settings: Settings, sock: socket.socket, lifeline: int) -> None:
    """Serve on the socket until told to stop, or until the supervisor is gone."""
    logging.install(
        style=settings.log_format, level=settings.log_level, process="web", request=numbering.current
    )
    uvloop.run(_serve(settings, sock=sock, lifeline=lifeline))


async def _serve(settings: Settings, *, sock: socket.socket, lifeline: int) -> None:
    stop = stopping(lifeline)
    async with serving(create_app(settings), sock=sock):
        log.info("web.ready")
        await stop.wait()
        log.info("web.draining")
    log.info("web.stopped")
