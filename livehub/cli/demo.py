"""``livehub demo``."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from collections.abc import Awaitable
from typing import Any

import click
import msgspec

from livehub import settings as knobs
from livehub.kit import logging


@click.command("demo", epilog="\b\nExample:\n  livehub demo --days 7 --scale 0.02")
@click.option("--check", is_flag=True, help="Tell the story once, compare every figure, and end.")
@click.option("--days", type=click.IntRange(0, 365), default=28, show_default=True, help="Days of history.")
@click.option(
    "--scale", type=click.FloatRange(0, 1), default=0.02, show_default=True, help="Part of a real volume."
)
@click.option("--reset", is_flag=True, help="Begin with an empty data directory.")
def command(*, check: bool, days: int, scale: float, reset: bool) -> None:
    """Run the whole product with imitated platforms, and keep running. Its processes log warnings only."""
    settings = msgspec.structs.replace(knobs.load(), log_format="text", log_level="WARNING")
    logging.install(style=settings.log_format, level=settings.log_level, process="demo")
    story = importlib.import_module("livehub.demo.story")  # it brings the imitated platforms with it
    ended = story.run(settings, check=check, days=days, scale=scale, reset=reset, say=click.echo)
    if inspect.isawaitable(ended):
        ended = asyncio.run(_awaited(ended))
    if isinstance(ended, int):
        sys.exit(int(ended))


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work
