"""Anchors of the audit chains in a second place, which the database's own administrator cannot rewrite.

Once a day the head of every chain is written to a file outside the database. A chain that was made anew, or
cut, is whole in itself, and no longer has the heads that were anchored.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts import chain
from livehub.kit import clock


class Anchor(Struct, frozen=True):
    """One chain's head at an instant, a line of an anchor file."""

    at: str
    bureau_id: int
    seq: int
    hash: str


def install(folder: Path) -> None:
    """Where this process's anchors are; called once at start."""
    _installed[:] = [folder]


async def write(now: datetime) -> int:
    """Write today's anchor file, or leave it when it is there; returns how many chains it holds."""
    folder = _installed[0]
    at = clock.local(now).isoformat(timespec="milliseconds")
    lines = [Anchor(at, head.bureau_id, head.seq, head.hash) for head in await chain.heads()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{clock.local_day(now)}.jsonl"
    draft = path.with_suffix(f".{os.getpid()}")
    with draft.open("wb") as file:
        file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # the first of a day stays: nobody anchors a past anew
    except FileExistsError:
        return 0
    finally:
        draft.unlink()
    return len(lines)


async def compare() -> list[str]:
    """Each anchored head that its chain does not have any more, in a sentence."""
    wrong = []
    for path in sorted(_installed[0].glob("*.jsonl")) if _installed else ():
        try:
            anchored = [msgspec.json.decode(line, type=Anchor) for line in path.read_bytes().splitlines()]
        except msgspec.MsgspecError:
            wrong.append(f"{path.name}: this is no anchor file")
            continue
        for anchor in anchored:
            row = await database.fetch_one(
                "SELECT hash FROM audit_link WHERE bureau_id = $1 AND seq = $2", anchor.bureau_id, anchor.seq
            )
            if row is None or bytes(row["hash"]).hex() != anchor.hash:
                wrong.append(
                    f"bureau {anchor.bureau_id}: link {anchor.seq} is not the one anchored at {anchor.at}"
                )
    return wrong


_installed: list[Path] = []
