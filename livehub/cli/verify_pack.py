"""``livehub verify-pack``."""

from __future__ import annotations

from pathlib import Path

import click

from livehub.cli.working import Failed, example
from livehub.reports.packs import checking


@click.command("verify-pack", epilog=example("livehub verify-pack 202603.zip"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sha256", default="", help="What the system says is the SHA-256 of the file.")
def command(file: Path, sha256: str) -> None:
    """Check a report's pack with nothing but the pack; exit code 1 and a list when something is wrong.

    It needs no database and no settings: hashes, each figure from its lines, lines from their entries,
    the ledger's balances, the links of the audit chain.
    """
    found = checking.check(file)
    click.echo(f"{found.title or file.name}\nSHA-256 {found.sha256}")
    wrong = [f"{each.name}: {line}" for each in found.checks for line in each.wrong]
    if sha256 and sha256.lower() != found.sha256:
        wrong.append("the file does not have the SHA-256 that was given")
    for each in found.checks:
        click.echo(f"{'WRONG' if each.wrong else 'ok':>5}  {each.name}")
    for line in wrong:
        click.echo(f"       {line}")
    if wrong:
        raise Failed(f"{len(wrong)} things are wrong with {file.name}")
    click.echo("nothing is wrong with it")
