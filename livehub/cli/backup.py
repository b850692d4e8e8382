"""``livehub backup``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from livehub.cli.working import example, quiet_settings, spinning
from livehub.database import backup as copying
from livehub.kit import clock


@click.command("backup", epilog=example("livehub backup --to /backups/monday.db"))
@click.option(
    "--to", "path", type=click.Path(path_type=Path), help="A new file; else below the data directory."
)
def command(*, path: Path | None) -> None:
    """Write a consistent copy of the database while it is in use, and print its SHA-256.

    The keys are not in it: keep them apart, without them everything sealed stays sealed.
    """
    settings = quiet_settings()
    target = path or copying.default_path(settings, now=clock.now())
    with spinning("copying"):
        digest = asyncio.run(copying.backup(settings, target))
    click.echo(f"{digest}  {target}")
