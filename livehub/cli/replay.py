"""``livehub replay``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from livehub.cli.working import example, progress, quiet_settings, run
from livehub.inbox import recorded
from livehub.inbox.receiving import ReceiveDesk
from livehub.inbox.recorded import Fate
from livehub.kit import clock
from livehub.settings import Settings

AT_ONCE = 64  # deliveries on their way at a time


@click.command("replay", epilog=example("livehub replay deliveries.jsonl"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(*, file: Path) -> None:
    """Take recorded deliveries once more, one JSON object a line, the way pushes go.

    A line has endpoint, headers, body (or body_base64) and optionally received_at, at which the
    signature's age is judged. Duplicates change nothing. Exit code 1 when a line was refused.
    """
    settings = quiet_settings()
    with file.open("rb") as lines:
        fates = run(lambda _: _replay(settings, lines, size=file.stat().st_size), settings=settings)
    for fate, numbers in sorted(fates.items()):
        more = " …" if len(numbers) > 10 else ""
        where = f" (lines {', '.join(map(str, numbers[:10]))}{more})" if fate in recorded.REFUSED else ""
        click.echo(f"{fate}: {len(numbers)}{where}")
    if recorded.REFUSED & fates.keys():
        sys.exit(1)


async def _replay(settings: Settings, lines: Iterable[bytes], *, size: int) -> dict[Fate, list[int]]:
    desk = ReceiveDesk(settings)
    desk.start()
    fates: dict[Fate, list[int]] = {}
    try:
        with progress() as shown:
            bar = shown.add_task("replaying", total=size)
            for numbered in _groups(lines):
                now = clock.now()
                answers = await asyncio.gather(
                    *(recorded.receive(line, desk=desk, now=now) for _, line in numbered)
                )
                for (number, line), fate in zip(numbered, answers, strict=True):
                    fates.setdefault(fate, []).append(number)
                    shown.advance(bar, len(line))
    finally:
        await desk.stop()
    return fates


def _groups(lines: Iterable[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    group: list[tuple[int, bytes]] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            group.append((number, line))
        if len(group) == AT_ONCE:
            yield group
            group = []
    if group:
        yield group
