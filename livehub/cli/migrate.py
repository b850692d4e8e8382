"""``livehub migrate``."""

from __future__ import annotations

import asyncio

import click

from livehub.cli.working import example, quiet_settings, screen, spinning
from livehub.database import marker
from livehub.database.migrate import migrate


@click.command("migrate", epilog=example("livehub migrate"))
@click.option(
    "--accept-missing-wal",
    is_flag=True,
    help="Take a SQLite file that was copied without its -wal: what was only there is lost.",
)
def command(*, accept_missing_wal: bool) -> None:
    """Bring the database to the newest schema; a SQLite file is copied first."""
    settings = quiet_settings()
    if accept_missing_wal:
        if settings.file is None:
            raise click.UsageError("--accept-missing-wal is for SQLite")
        marker.accept(settings.file)
    with spinning("migrating"):
        count = asyncio.run(migrate(settings, say=lambda step: screen.print(step, highlight=False)))
    click.echo(f"{count} migrations applied" if count else "the schema is current")
