"""``livehub token create``."""

from __future__ import annotations

from datetime import timedelta

import click

from livehub.accounts import tokens
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.models import Role
from livehub.cli import finding
from livehub.cli.working import example, run
from livehub.kit import clock


@click.group("token", epilog=example("livehub token create 市政门户 --role auditor"))
def command() -> None:
    """Keys of other systems."""


@command.command("create", epilog=example("livehub token create 市政门户 --role auditor --days 365"))
@click.argument("name")
@click.option("--role", type=click.Choice([str(role) for role in Role]), required=True)
@click.option("--centre", default="", help="Name or id; not needed where there is one only.")
@click.option("--bureau", default="", help="Name or id, for the role bureau.")
@click.option("--merchant", default="", help="Name or id, for the role merchant.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is valid; for ever when left out.")
def create(*, name: str, role: str, centre: str, bureau: str, merchant: str, days: int | None) -> None:
    """Make an API token; it is printed once and stored as a hash."""

    async def work(actor: Actor) -> str:
        home = await finding.centre(centre, actor=actor)
        now = clock.now()
        grant = Grant(
            Role(role),
            await finding.bureau_id(bureau, within=home, actor=actor),
            await finding.merchant_id(merchant, within=home),
        )
        until = now + timedelta(days=days) if days else None
        plain, _ = await tokens.create(name, grant, actor=actor, now=now, expires_at=until, centre_id=home.id)
        return plain

    click.echo(run(work))
