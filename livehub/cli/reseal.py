"""``livehub reseal``."""

from __future__ import annotations

from collections import Counter

import click

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.cli.working import Failed, example, progress, run
from livehub.kit import clock, resealing, sealing
from livehub.wiring import SEALED

PASSES = 3  # what somebody held in one is free in the next


@click.command("reseal", epilog=example("livehub reseal --check"))
@click.option("--check", is_flag=True, help="Change nothing; only tell what each key still seals.")
def command(*, check: bool) -> None:
    """Seal by the newest key what older keys sealed, and tell what still needs which key.

    Web and jobs may run. It goes in small steps and may be ended at any time: the next run goes on. Exit
    code 1 while anything needs another key than the newest.
    """
    found = run(_count if check else _reseal)
    for name, keys in found.items():
        told = ", ".join(f"{number} by {key}" for key, number in sorted(keys.items()))
        click.echo(f"{name}: {told or 'nothing'}")
    _judge(found)


def _judge(found: dict[str, Counter[str]]) -> None:
    """Say of each key but the newest whether it may go; Failed while one may not."""
    ring = sealing.ring()
    newest, *older = ring.key_ids
    needed = {
        key: {name: keys[key] for name, keys in found.items() if keys[key]}
        for key in {*older, *(key for keys in found.values() for key in keys)} - {newest}
    }
    for key in older:
        if not needed[key]:
            click.echo(_may_go(key, is_index=key == older[-1] and not ring.is_index_apart))
    wanting = [
        f"{key}{'' if key in older else ', which is not among the keys,'} is needed by "
        + ", ".join(f"{number} of {name}" for name, number in places.items())
        for key, places in sorted(needed.items())
        if places
    ]
    if wanting:
        raise Failed("; ".join(wanting))
    click.echo(f"everything is sealed by {newest}")


def _may_go(key: str, *, is_index: bool) -> str:
    if is_index:
        return f"{key} seals nothing more, but people are recognised by it: keep it, named pepper, not {key}"
    return f"{key} seals nothing more: it may be taken out of LIVEHUB_KEYS"


async def _count(_: Actor) -> dict[str, Counter[str]]:
    return {column.name: await resealing.counts(column) for column in SEALED}


async def _reseal(actor: Actor) -> dict[str, Counter[str]]:
    older = sealing.ring().key_ids[1:]
    found: dict[str, Counter[str]] = {}
    done: Counter[str] = Counter()
    with progress() as shown:
        for column in SEALED:
            bar = shown.add_task(column.name, total=None)
            for _ in range(PASSES):
                async for number in resealing.reseal(column):
                    done[column.name] += number
                    shown.advance(bar, number)
                found[column.name] = await resealing.counts(column)
                if not any(found[column.name][key] for key in older):
                    break
    if +done:
        await _write_down(actor, done)
    return found


@database.atomic
async def _write_down(actor: Actor, done: Counter[str]) -> None:
    await audit.write(
        "keys.resealed",
        actor=actor,
        now=clock.now(),
        about=("key", sealing.ring().key_ids[0]),
        detail=dict(+done),
    )
