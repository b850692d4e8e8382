"""A port nobody listens on."""

from __future__ import annotations

import socket


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
