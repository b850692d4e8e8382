"""``livehub serve``."""

from __future__ import annotations

import click

from livehub import settings as knobs
from livehub import supervisor
from livehub.database import marker
from livehub.kit import logging


@click.command("serve", epilog="\b\nExample:\n  livehub serve --workers 2 --with-jobs")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Web processes.")
@click.option("--with-jobs", is_flag=True, help="Start and keep the jobs process too.")
@click.option("--no-migrate", is_flag=True, help="Leave the schema as it is.")
def command(*, workers: int, with_jobs: bool, no_migrate: bool) -> None:
    """Serve the web application until SIGTERM, restarting whatever dies."""
    settings = knobs.load()
    if workers > 1 and settings.is_sqlite:
        raise click.UsageError(
            f"SQLite has one writer, so it gets one web worker; --workers {workers} needs PostgreSQL"
            " (set LIVEHUB_DATABASE_URL)"
        )
    if settings.file is not None:
        marker.refuse_copy(settings.file)
    logging.install(style=settings.log_format, level=settings.log_level, process="supervisor")
    try:
        supervisor.serve(
            settings,
            workers=workers,
            with_jobs=with_jobs,
            migrates=not no_migrate,
            ready=lambda port: click.echo(f"livehub: http://{settings.host}:{port}"),
        )
    except supervisor.ServeFailed as error:
        raise click.ClickException(f"{error}; the log says why") from error
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise click.ClickException(f"cannot listen on {where}: {error.strerror or error}") from error
