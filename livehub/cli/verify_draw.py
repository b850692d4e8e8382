"""``livehub verify-draw``: needs no database, no key and no network."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from livehub.cli.working import Failed, example
from livehub.vouchers import drawing
from livehub.vouchers.drawing import Proof


@click.command("verify-draw", epilog=example("livehub verify-draw draw-k3f7x2m9q4w8e5rt.json"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(file: Path) -> None:
    """Do a lottery's draw again from its published proof; exit code 1 when it does not come out the same."""
    try:
        proof = msgspec.json.decode(file.read_bytes(), type=Proof)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failed(f"{file} is no proof of a draw: {error}") from None
    faults = drawing.faults(proof)
    for fault in faults:
        click.echo(fault)
    if faults:
        raise Failed(f"the draw of round {proof.round} does not hold")
    click.echo(
        f"the draw of round {proof.round} holds: {len(proof.entries)} entries, {len(proof.winners)} winners,"
        f" list {proof.list_hash[:8]}…, drawn by {proof.source}: {proof.randomness}"
    )
