"""One web process, started by the supervisor: ``python -m livehub.worker --socket FD --lifeline FD``."""

from __future__ import annotations

import argparse
import socket

import structlog
import uvloop

from livehub import settings as knobs
from livehub.app import create_app
from livehub.kit import logging
from livehub.kit.lifeline import stopping
from livehub.serving import serving

log = structlog.get_logger(__name__)


def main() -> None:
    """Serve on an inherited socket until told to stop, or until the supervisor is gone."""
    parser = argparse.ArgumentParser(prog="python -m livehub.worker", description=__doc__)
    parser.add_argument("--socket", type=int, required=True, help="an inherited listening socket")
    parser.add_argument("--lifeline", type=int, required=True, help="an inherited pipe; its end means stop")
    asked = parser.parse_args()
    settings = knobs.load()
    logging.install(style=settings.log_format, level=settings.log_level, process="web")
    uvloop.run(_serve(settings, sock=socket.socket(fileno=asked.socket), lifeline=asked.lifeline))


async def _serve(settings: knobs.Settings, *, sock: socket.socket, lifeline: int) -> None:
    stop = stopping(lifeline)
    async with serving(create_app(settings), sock=sock):
        log.info("web.ready")
        await stop.wait()
        log.info("web.draining")
    log.info("web.stopped")


if __name__ == "__main__":
    main()
