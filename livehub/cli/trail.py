"""``livehub trail``."""

from __future__ import annotations

import click
import msgspec

from livehub.accounts import chain
from livehub.accounts.actors import Actor
from livehub.cli.working import example, run


@click.command("trail", epilog=example("livehub trail > trail.jsonl"))
@click.option(
    "--after", default=0, metavar="ID", help="Only entries with a greater id: what a last export ended with."
)
def command(after: int) -> None:
    """Write the audit trail as JSON lines, oldest first, each with its link of the chain where it has one."""

    async def export(_: Actor) -> None:
        async for entry in chain.trail(after=after):
            click.echo(msgspec.json.encode(entry).decode())

    run(export)
