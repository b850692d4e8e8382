"""Processes are killed without warning, and the service goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys

import pytest
from msgspec.structs import replace

from jobs.models import LoopBeat
from livehub import process
from livehub import settings as knobs
from livehub.settings import Settings
from tests.faults.processes import becomes, name, serve


async def test_a_killed_worker_is_replaced_while_requests_wait(settings: Settings) -> None:
    async with serve(settings) as serving:
        (victim,) = serving.children("livehub-web")

        os.kill(victim, signal.SIGKILL)
        answered = await asyncio.gather(*(serving.status(seconds=5) for _ in range(20)))

        assert answered == [200] * 20
        assert serving.children("livehub-web") - {victim}


async def test_a_killed_jobs_process_is_replaced_and_beats_again(settings: Settings) -> None:
    async with serve(settings, "--with-jobs") as serving:
        (victim,) = await becomes(lambda: serving.children("livehub-jobs"), seconds=10)
        await process.start(settings)
        try:
            await becomes(lambda: LoopBeat.filter(name="intake", pid=victim).exists(), seconds=10)

            os.kill(victim, signal.SIGKILL)

            (heir,) = await becomes(lambda: serving.children("livehub-jobs") - {victim}, seconds=5)
            await becomes(lambda: LoopBeat.filter(name="intake", pid=heir).exists(), seconds=5)
            assert await serving.status() == 200
        finally:
            await process.stop()


async def test_two_installations_on_one_database_disturb_nobody(settings: Settings) -> None:
    async with serve(settings, "--with-jobs") as one:
        async with serve(settings, "--with-jobs") as other:
            assert await one.status() == 200
            assert await other.status() == 200
        assert await one.status() == 200


async def test_several_workers_share_the_port_and_the_figures(settings: Settings) -> None:
    if settings.is_sqlite:
        pytest.skip("SQLite gets one worker")
    async with serve(settings, "--workers", "2", "--with-jobs") as serving:
        assert len(serving.children("livehub-web")) == 2
        victim = min(serving.children("livehub-web"))

        os.kill(victim, signal.SIGKILL)
        answered = await asyncio.gather(*(serving.status(seconds=5) for _ in range(40)))

        assert answered == [200] * 40
        await becomes(lambda: len(serving.children("livehub-web") - {victim}) == 2, seconds=5)
        figures = await becomes(lambda: serving.figure("livehub_job_runs_total"), seconds=10)
        assert figures >= 1


async def test_a_dead_supervisor_leaves_neither_orphans_nor_its_port(settings: Settings) -> None:
    async with serve(settings, "--with-jobs") as serving:
        family = serving.children("livehub-")
        assert len(family) == 2

        os.kill(serving.process.pid, signal.SIGKILL)

        await becomes(lambda: not any(name(pid) for pid in family), seconds=15)
        await becomes(lambda: is_free(serving.port), seconds=5)
        async with serve(replace(settings, port=serving.port), "--with-jobs") as heir:
            assert await heir.status() == 200


async def test_sigterm_answers_what_was_begun_and_then_ends(settings: Settings) -> None:
    async with serve(settings, "--with-jobs") as serving:
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        writer.write(b"POST /hooks/doudian/unknown HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n[{")
        await writer.drain()
        await asyncio.sleep(0.2)

        serving.process.send_signal(signal.SIGTERM)
        await becomes(lambda: is_free(serving.port), seconds=5)
        writer.write(b"}]")
        answer = await asyncio.wait_for(reader.read(), 5)
        status = await asyncio.wait_for(serving.process.wait(), 15)

        writer.close()
        assert answer.startswith(b"HTTP/1.1 401")
        assert status == 0


async def test_a_second_serve_on_one_port_says_so_and_ends(settings: Settings) -> None:
    async with serve(settings) as serving:
        late = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "livehub", "serve"),
            env=knobs.environment(replace(settings, port=serving.port)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await asyncio.wait_for(late.communicate(), 20)

        assert late.returncode == 1
        assert f"cannot listen on 127.0.0.1:{serving.port}: Address already in use" in told.decode()
        assert await serving.status() == 200


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0
