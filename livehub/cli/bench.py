"""``livehub bench``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
import msgspec

from livehub import settings as knobs
from livehub.bench import running
from livehub.bench.contract import Plan
from livehub.cli.working import Failed, example

POSTGRES_URL = "postgres://postgres@127.0.0.1:5432/postgres"


@click.command("bench", epilog=example("livehub bench ingest --engine postgres --json ingest.json"))
@click.argument("name", type=click.Choice(sorted(running.all_benches())))
@click.option("--engine", type=click.Choice(["sqlite", "postgres"]), default="sqlite", show_default=True)
@click.option(
    "--seconds", type=click.FloatRange(0.2, 600), default=5.0, show_default=True, help="Of load, each."
)
@click.option("--repetitions", type=click.IntRange(1, 50), default=5, show_default=True, help="Rounds.")
@click.option(
    "--json", "file", type=click.Path(path_type=Path), help="Write the JSON line to a file as well."
)
@click.option("--server", default=POSTGRES_URL, show_default=True, help="PostgreSQL to make databases on.")
@click.option("--redis", default="", help="A Redis for the peer of claims, such as redis://127.0.0.1:6379.")
@click.option("--orders", type=click.IntRange(0, 10**7), default=0, help="Rollups: so many, such as 200000.")
@click.option("--plain", is_flag=True, help="Claims: without rules and link quota.")
@click.option("--granted", is_flag=True, help="Claims: stock for everybody.")
def command(
    *,
    name: str,
    engine: str,
    seconds: float,
    repetitions: int,
    file: Path | None,
    server: str,
    redis: str,
    **of_one: Any,  # what only one benchmark asks for, by the names of the plan
) -> None:
    """Measure one hot path against its peers on this machine; the last line is JSON.

    It starts services of its own on loopback with databases of their own, and touches no others.
    """
    plan = Plan(
        engine="postgres" if engine == "postgres" else "sqlite",
        seconds=seconds,
        repetitions=repetitions,
        postgres_url=server,
        redis_url=redis,
        **of_one,
    )
    knobs.load()  # a broken environment is told before anything starts
    line = asyncio.run(running.run(name, plan, say=click.echo))
    if file is not None:
        file.write_bytes(msgspec.json.encode(line) + b"\n")
    if not line["correct"]:
        raise Failed("what was measured was not correct")
