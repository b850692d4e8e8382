"""``python -m jobs``: the jobs process by itself; any number of them may run."""

from __future__ import annotations

import argparse

from prometheus_client import start_http_server

from jobs import process
from livehub import settings as knobs
from livehub.database import marker


def main() -> None:
    """Work until told to stop, then finish what is in hand."""
    parser = argparse.ArgumentParser(
        prog="python -m jobs",
        description="Loops (intake, fetch, outbox, notices, audit chain) and scheduled tasks.",
        epilog="example: LIVEHUB_DATABASE_URL=postgres://… python -m jobs",
    )
    parser.parse_args()
    try:
        settings = knobs.load()
    except knobs.BadSetting as error:
        parser.error(str(error))
    if settings.file is not None:
        try:
            marker.refuse_copy(settings.file)
        except marker.WalMissing as error:
            parser.exit(1, f"jobs: {error}\n")
    if settings.jobs_metrics_port:
        start_http_server(settings.jobs_metrics_port, addr=settings.host)
    process.run(settings)


if __name__ == "__main__":
    main()
