"""``livehub audit``."""

from __future__ import annotations

import click

from livehub.accounts.actors import Actor
from livehub.cli.working import Failed, example, progress, run
from livehub.kit import invariants

PACKAGES = (
    "livehub.accounts",
    "livehub.merchants",
    "livehub.platforms",
    "livehub.notices",
    "streamers",
    "rooms",
    "livehub.inbox",
    "livehub.orders",
    "livehub.vouchers",
    "livehub.settlement",
    "livehub.reports",
)


@click.command("audit", epilog=example("livehub audit"))
def command() -> None:
    """Check every invariant over the stored rows; exit code 1 and a list when one does not hold."""
    check_all()


def check_all() -> None:
    """Tell what does not hold, and that all does; Failed when something does not."""
    found = run(_check)
    for name, contradictions in found.items():
        for line in contradictions:
            click.echo(f"{name}: {line}")
    broken = [name for name, contradictions in found.items() if contradictions]
    if broken:
        raise Failed(f"{len(broken)} of {len(found)} invariants do not hold: {', '.join(broken)}")
    click.echo(f"all {len(found)} invariants hold")


async def _check(_: Actor) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with progress() as shown:
        every = invariants.discover(PACKAGES)
        bar = shown.add_task("checking", total=len(every))
        for each in every:
            shown.update(bar, description=each.name)
            found[each.name] = await each.check()
            shown.advance(bar)
    return found
