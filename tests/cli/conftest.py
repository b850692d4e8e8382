"""Commands run in this process, as an operator types them."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import pytest
import structlog
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub import process
from livehub import settings as knobs
from livehub.cli import main
from livehub.settings import Settings


class Ended(NamedTuple):
    status: int
    out: str
    err: str


Livehub = Callable[..., Ended]
Ask = Callable[[Callable[[], Awaitable[Any]]], Any]


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in knobs.environment(settings).items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def livehub(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Livehub]:
    """``livehub("audit")`` -> how the command ended and what it said."""

    def run(*arguments: str, typed: str = "") -> Ended:
        EXECUTOR_CACHE.clear()
        monkeypatch.setattr(sys, "argv", ["livehub", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    quiet, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    yield run
    structlog.configure(**quiet)
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def ask(environment: Settings) -> Ask:
    """Run a coroutine on the open database, between two commands."""

    def run(question: Callable[[], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            EXECUTOR_CACHE.clear()
            await process.start(environment)
            try:
                return await question()
            finally:
                await process.stop()

        return asyncio.run(whole())

    return run
