"""``livehub restore``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from livehub.cli.audit import check_all
from livehub.cli.working import example, quiet_settings, screen, spinning
from livehub.database import restore as putting_back
from livehub.database.migrate import migrate


@click.command("restore", epilog=example("livehub restore /backups/monday.db"))
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--sha256", default="", help="What `livehub backup` printed: refuse a file that has another.")
def command(*, path: Path, sha256: str) -> None:
    """Put a backup into an empty database, bring it to the newest schema and check every invariant.

    It refuses a database that holds anything. The keys must be those of the time of the backup.
    """
    settings = quiet_settings()
    with spinning("restoring"):
        asyncio.run(putting_back.restore(settings, path, sha256=sha256))
        count = asyncio.run(migrate(settings, say=lambda step: screen.print(step, highlight=False)))
    click.echo(f"restored{f'; {count} migrations applied' if count else ''}; checking it now")
    check_all()
