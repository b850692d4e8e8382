"""The sandbox as a process of its own: it says where it is, answers, and ends when told to."""

from __future__ import annotations

import asyncio
import signal
import sys


async def test_the_process_answers_and_ends_on_sigterm(client):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "livehub.sandbox", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        async with client.get(line.decode().split()[-1] + "/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"ok": True})
    finally:
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 20)

    assert code == 0
