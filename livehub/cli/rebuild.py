"""``livehub rebuild``."""

from __future__ import annotations

import sys

import click

from livehub.accounts.actors import Actor
from livehub.cli.working import example, run, spinning
from livehub.kit import clock
from livehub.orders import ledger, refolding, rollup
from livehub.orders.refolding import Refolded


@click.command("rebuild", epilog=example("livehub rebuild --from-facts"))
@click.option("--orders", is_flag=True, help="Book every order anew from its state before.")
@click.option("--from-facts", is_flag=True, help="Fold every order anew from its messages, and compare.")
@click.option("--apply", is_flag=True, help="With --from-facts: replace what differs.")
def command(*, orders: bool, from_facts: bool, apply: bool) -> None:
    """Make every bucket anew from the contribution entries, or compare all books with the messages.

    --from-facts changes nothing without --apply, and ends with status 1 where something differs. Both work
    while the service runs.
    """
    if apply and not from_facts:
        raise click.UsageError(
            "--apply belongs to --from-facts; a rebuild from the entries is always applied"
        )
    if orders and from_facts:
        raise click.UsageError("--from-facts books orders anew by itself: leave --orders out")
    if from_facts:
        _from_facts(apply=apply)
        return

    async def work(_: Actor) -> dict[str, int]:
        moved = await ledger.book_all_anew(reason="rebuild", now=clock.now()) if orders else 0
        return await rollup.rebuild(now=clock.now()) | {"moved": moved}

    with spinning("rebuilding the buckets"):
        counts = run(work)
    if orders:
        click.echo(f"{counts['moved']} orders booked otherwise than before")
    click.echo(f"{counts['buckets']} buckets summed anew, {counts['differed']} differed from their entries")


def _from_facts(*, apply: bool) -> None:
    async def work(actor: Actor) -> Refolded:
        return await refolding.refold(apply=apply, actor=actor, now=clock.now())

    with spinning("folding the messages anew"):
        found = run(work)
    click.echo(f"{found.orders} orders folded anew from their messages")
    for count, what in (
        (found.missing, "orders were not kept at all"),
        (found.orphans, "orders were gone, and only their entries left"),
        (found.words, "orders had another number, and what clerks said under it"),
        (found.states, "states were not the fold of their messages"),
        (found.contributions, "orders were booked otherwise than their states say"),
        (found.entries, "orders had entries that do not add up"),
        (found.buckets, "buckets were not the sum of their entries"),
        (found.untold, "orders have no message and are left as they are"),
        (found.waiting, "orders wait for mappings that are being told: run it again"),
    ):
        if count:
            click.echo(f"{count} {what}")
    for sentence in found.samples:
        click.echo(f"  {sentence}")
    if not found.differ:
        click.echo("nothing differs")
    elif apply:
        click.echo("what differed is replaced; the differences are entries with the reason repair")
    else:
        click.echo("nothing is changed; --apply replaces what differs")
        sys.exit(1)
