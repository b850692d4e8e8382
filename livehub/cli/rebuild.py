"""``livehub rebuild``."""

from __future__ import annotations

import click

from livehub.accounts.actors import Actor
from livehub.cli.working import example, run, spinning
from livehub.kit import clock
from livehub.orders import rollup


@click.command("rebuild", epilog=example("livehub rebuild"))
def command() -> None:
    """Make every bucket anew from the contribution entries."""

    async def work(_: Actor) -> dict[str, int]:
        return await rollup.rebuild(now=clock.now())

    with spinning("rebuilding the buckets"):
        counts = run(work)
    click.echo(f"{counts['buckets']} buckets summed anew, {counts['differed']} differed from their entries")
