"""``python -m livehub.bench.peers NAME``: serve one peer with the settings of the environment."""

from __future__ import annotations

import importlib
import sys

import uvloop
from sanic.server.protocols.http_protocol import HttpProtocol

from livehub import settings as knobs
from livehub.kit import logging
from livehub.kit.lifeline import stopping
from livehub.serving import listen, serving
from livehub.settings import Settings


async def _serve(settings: Settings, name: str) -> None:
    app = importlib.import_module(f"livehub.bench.peers.{name}").create_app(settings)
    sock = listen(settings.host, settings.port)
    stop = stopping(None)
    async with serving(app, sock=sock, protocol=HttpProtocol):  # stock Sanic
        sys.stdout.write(f"{name}: http://{settings.host}:{sock.getsockname()[1]}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Serve until told to stop."""
    settings = knobs.load()
    logging.install(style="text", level="WARNING", process="peer")
    uvloop.run(_serve(settings, sys.argv[1]))


if __name__ == "__main__":
    main()
