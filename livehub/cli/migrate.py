"""``livehub migrate``."""

from __future__ import annotations

import asyncio

import click

from livehub.cli.working import example, quiet_settings, screen, spinning
from livehub.database.migrate import migrate


@click.command("migrate", epilog=example("livehub migrate"))
def command() -> None:
    """Bring the database to the newest schema; a SQLite file is copied first."""
    settings = quiet_settings()
    with spinning("migrating"):
        count = asyncio.run(migrate(settings, say=lambda step: screen.print(step, highlight=False)))
    click.echo(f"{count} migrations applied" if count else "the schema is current")
