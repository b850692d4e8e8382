"""``python -m livehub.sandbox --port 8100``: the imitation platforms as a process of their own."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from livehub.sandbox.server import running


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m livehub.sandbox",
        description="The imitation platforms of livehub. No login: keep it on loopback.",
        epilog="example: python -m livehub.sandbox --port 8100",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100, help="0 takes a free one")
    asked = parser.parse_args()
    asyncio.run(_serve(asked.host, asked.port))


async def _serve(host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with running(host=host, port=port) as box:
        sys.stdout.write(f"sandbox: {box.base_url}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    main()
