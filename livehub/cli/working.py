"""What commands share: open the database, do the work as the system itself, show that it goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click
import uvloop
from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, TimeElapsedColumn

from livehub import process
from livehub import settings as knobs
from livehub.accounts.actors import Actor, system
from livehub.kit import logging
from livehub.settings import Settings

T = TypeVar("T")

screen = Console(stderr=True)


class Failed(click.ClickException):
    """The command could not do its work."""

    exit_code = 1


def example(text: str) -> str:
    """The end of a command's help."""
    return f"\b\nExample:\n  {text}"


def quiet_settings() -> Settings:
    """The settings, for a command that speaks for itself: the log tells only what goes wrong."""
    settings = knobs.load()
    logging.install(style=settings.log_format, level="WARNING", process="cli")
    return settings


def run(work: Callable[[Actor], Awaitable[T]], *, settings: Settings | None = None) -> T:
    """Run the work of a command on the open database, as the system's own actor."""
    given = settings or quiet_settings()

    async def whole() -> T:
        try:
            await process.start(given)
            return await work(system("cli"))
        finally:
            await process.stop()

    return uvloop.run(whole())


def progress() -> Progress:
    """A bar on standard error that is gone when the work is done; none where nobody looks."""
    return _shown(*Progress.get_default_columns(), TimeElapsedColumn())


@contextmanager
def spinning(what: str) -> Iterator[None]:
    """For long work whose end cannot be foreseen."""
    with _shown(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as shown:
        shown.add_task(what, total=None)
        yield


def _shown(*columns: str | ProgressColumn) -> Progress:
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
