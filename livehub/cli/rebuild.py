"""``livehub rebuild``."""

from __future__ import annotations

import click

from livehub.accounts.actors import Actor
from livehub.cli.working import example, run, spinning
from livehub.kit import clock
from livehub.orders import ledger, rollup


@click.command("rebuild", epilog=example("livehub rebuild"))
@click.option("--orders", is_flag=True, help="Book every order anew from its state before.")
def command(*, orders: bool) -> None:
    """Make every bucket anew from the contribution entries."""

    async def work(_: Actor) -> dict[str, int]:
        moved = await ledger.book_all_anew(reason="rebuild", now=clock.now()) if orders else 0
        return await rollup.rebuild(now=clock.now()) | {"moved": moved}

    with spinning("rebuilding the buckets"):
        counts = run(work)
    if orders:
        click.echo(f"{counts['moved']} orders booked otherwise than before")
    click.echo(f"{counts['buckets']} buckets summed anew, {counts['differed']} differed from their entries")
