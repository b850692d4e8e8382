"""The hash chain over each bureau's audit entries, which shows any later change, insertion or loss.

A link's hash covers the hash before it and every column of its entry. Links are numbered in the order
in which they were made: an entry whose transaction was slow gets its number late, never a gap. On
PostgreSQL an entry waits until no older transaction of this database is still writing, so an entry can
come late by a few ids only, and those are looked through each time. On SQLite writers come one by one.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts.models import AuditEntry
from livehub.kit import clock

GENESIS = bytes(32)
LATE_IDS = 2000  # how far behind the newest linked id an entry that committed late is still looked for
PAGE = 1000
_LOCK = 0x6C68636861696E  # "lhchain"

_ENTRY = (
    "id",
    *("at", "centre_id", "bureau_id", "actor_kind", "actor_id", "actor_name", "action", "object_kind"),
    *("object_id", "result", "ip", "request_id", "detail"),
)
_SELECTED = ", ".join(f"e.{name}" for name in _ENTRY)
_SETTLED = {
    "sqlite": "",
    "postgres": " AND age(e.xmin) > COALESCE((SELECT MAX(age(backend_xid)) FROM pg_stat_activity"
    " WHERE datname = current_database()), 0)",
}
_UNLINKED = "NOT EXISTS (SELECT 1 FROM audit_link AS l WHERE l.entry_id = e.id)"
_LINK_COLUMNS = {"bureau_id": "bigint", "seq": "bigint", "entry_id": "bigint", "hash": "bytea"}


class Head(Struct, frozen=True):
    """The end of one bureau's chain: what an anchor in a second place has to say."""

    bureau_id: int
    seq: int
    hash: str


class Checked(Struct, frozen=True):
    """How many links of a stretch are as they must be, and what is wrong with the next one."""

    links: int
    wrong: list[str]


class Link(Struct, frozen=True, kw_only=True):
    """One link with the bytes of its entry: its hash is ``follow`` of the hash before and these bytes."""

    seq: int
    hash: str
    entry_id: int
    actor_kind: str
    action: str
    payload: bytes


async def chain_tail(now: datetime, *, limit: int = 500) -> int:  # noqa: ARG001 -- as every job is called
    """Link entries that have no link yet; returns how many. Of two processes at a time one does nothing."""
    async with database.transaction():
        if not await _alone():
            return 0
        entries = await _waiting(limit)
        heads = await _heads(sorted({entry["bureau_id"] for entry in entries}))
        links = list(_links(entries, heads))
        await database.with_rows(
            _LINK_COLUMNS,
            links,
            "INSERT INTO audit_link (bureau_id, seq, entry_id, hash)"
            " SELECT bureau_id, seq, entry_id, hash FROM v",
        )
    return len(links)


async def verify(bureau_id: int) -> list[str]:
    """What is wrong with a bureau's chain, in a sentence each; nothing when it is whole."""
    return (await check(bureau_id)).wrong


async def check(bureau_id: int, *, first: int = 1, last: int | None = None) -> Checked:
    """Compare a stretch of a bureau's chain with its entries, from the hash before it as it is stored."""
    before, expected = await _hash_before(bureau_id, first), first
    if before is None:
        return Checked(0, [f"bureau {bureau_id}: link {first - 1} is missing"])
    while rows := await _page(bureau_id, after=expected - 1):
        for row in rows:
            if last is not None and row["seq"] > last:
                return Checked(expected - first, [])
            if row["seq"] != expected:
                return Checked(expected - first, [f"bureau {bureau_id}: link {expected} is missing"])
            if row["id"] is None:
                return Checked(
                    expected - first, [f"bureau {bureau_id}: the entry of link {expected} is missing"]
                )
            before = _next(before, row)
            if bytes(row["hash"]) != before or row["bureau_id"] != bureau_id:
                return Checked(
                    expected - first,
                    [f"bureau {bureau_id}: entry {row['id']} of link {expected} was changed"],
                )
            expected += 1
    missing = last is not None and expected <= last
    return Checked(expected - first, [f"bureau {bureau_id}: link {expected} is missing"] if missing else [])


async def _hash_before(bureau_id: int, seq: int) -> bytes | None:
    if seq == 1:
        return GENESIS
    row = await database.fetch_one(
        "SELECT hash FROM audit_link WHERE bureau_id = $1 AND seq = $2", bureau_id, seq - 1
    )
    return bytes(row["hash"]) if row else None


async def trail(*, after: int = 0) -> AsyncIterator[dict[str, Any]]:
    """Every entry of this node by id, its instant with its offset, and its link where it has one."""
    while True:
        rows = await database.fetch(
            f"SELECT {_SELECTED}, l.seq, l.hash FROM audit_entry AS e LEFT JOIN audit_link AS l"
            f" ON l.entry_id = e.id WHERE e.id > $1 ORDER BY e.id LIMIT {PAGE}",
            after,
        )
        for row in rows:
            at = clock.local(clock.from_ms(row["at"])).isoformat(timespec="milliseconds")
            linked = bytes(row["hash"]).hex() if row["hash"] is not None else None
            yield {**row, "at": at, "detail": msgspec.json.decode(row["detail"]), "hash": linked}
            after = row["id"]
        if not rows:
            return


async def links(bureau_id: int, *, first: int, last: int) -> AsyncIterator[list[Link]]:
    """A stretch of a bureau's chain, page by page."""
    while first <= last:
        rows = [row for row in await _page(bureau_id, after=first - 1) if row["seq"] <= last]
        yield [
            Link(
                seq=row["seq"],
                hash=bytes(row["hash"]).hex(),
                entry_id=row["id"],
                actor_kind=row["actor_kind"],
                action=row["action"],
                payload=payload(row),
            )
            for row in rows
        ]
        if not rows:
            return
        first = rows[-1]["seq"] + 1


async def first_since(bureau_id: int, at: datetime) -> int:
    """The first link of a bureau's chain whose entry is of an instant or later; 0 when there is none."""
    return await _seq("SELECT min(l.seq)", "e.at >= $2", bureau_id, clock.to_ms(at))


async def last_until(bureau_id: int, at: datetime) -> int:
    """The last link whose entry is of an instant or earlier; 0 when there is none."""
    return await _seq("SELECT max(l.seq)", "e.at <= $2", bureau_id, clock.to_ms(at))


async def link_of(bureau_id: int, action: str, object_id: str) -> int:
    """The last link whose entry says that something was done with an object; 0 while it has no link."""
    return await _seq("SELECT max(l.seq)", "e.action = $2 AND e.object_id = $3", bureau_id, action, object_id)


async def _seq(selected: str, condition: str, *args: object) -> int:
    row = await database.fetch_one(
        f"{selected} AS seq FROM audit_link AS l JOIN audit_entry AS e ON e.id = l.entry_id"
        f" WHERE l.bureau_id = $1 AND e.bureau_id = l.bureau_id AND {condition}",
        *args,
    )
    return int(row["seq"] or 0) if row else 0


async def heads() -> list[Head]:
    """The end of every chain."""
    rows = await database.fetch(
        "SELECT l.bureau_id, l.seq, l.hash FROM audit_link AS l"
        " JOIN (SELECT bureau_id, MAX(seq) AS seq FROM audit_link GROUP BY bureau_id) AS last"
        " ON last.bureau_id = l.bureau_id AND last.seq = l.seq ORDER BY l.bureau_id"
    )
    return [Head(row["bureau_id"], row["seq"], bytes(row["hash"]).hex()) for row in rows]


async def tail_size() -> int:
    """How many entries wait for their link."""
    return await _count(f"e.id > {await _low()} AND {_UNLINKED}")


async def forgotten() -> int:
    """How many entries lie so far back without a link that they will never get one."""
    return await _count(f"e.id <= {await _low()} AND {_UNLINKED}")


async def _alone() -> bool:
    if database.dialect() == "sqlite":
        return True  # the transaction is the only writer
    row = await database.fetch_one("SELECT pg_try_advisory_xact_lock($1) AS got", _LOCK)
    return bool(row and row["got"])


async def _waiting(limit: int) -> list[dict[str, Any]]:
    return await database.fetch(
        f"SELECT {_SELECTED} FROM audit_entry AS e WHERE e.id > $1 AND {_UNLINKED}"
        f"{_SETTLED[database.dialect()]} ORDER BY e.id LIMIT {int(limit)}",
        await _low(),
    )


async def _low() -> int:
    row = await database.fetch_one("SELECT COALESCE(MAX(entry_id), 0) AS newest FROM audit_link")
    return max(0, int(row["newest"]) - LATE_IDS) if row else 0


async def _heads(bureaus: Sequence[int]) -> dict[int, tuple[int, bytes]]:
    rows = await database.with_rows(
        {"bureau_id": "bigint"},
        [(bureau,) for bureau in bureaus],
        "SELECT l.bureau_id, l.seq, l.hash FROM v JOIN audit_link AS l ON l.bureau_id = v.bureau_id"
        " WHERE l.seq = (SELECT MAX(seq) FROM audit_link WHERE bureau_id = v.bureau_id)",
    )
    return {row["bureau_id"]: (row["seq"], bytes(row["hash"])) for row in rows}


def _links(
    entries: Iterable[dict[str, Any]], heads: dict[int, tuple[int, bytes]]
) -> Iterable[tuple[int, int, int, bytes]]:
    for entry in entries:
        seq, before = heads.get(entry["bureau_id"], (0, GENESIS))
        heads[entry["bureau_id"]] = seq + 1, _next(before, entry)
        yield entry["bureau_id"], seq + 1, entry["id"], heads[entry["bureau_id"]][1]


def stored(entry: AuditEntry) -> dict[str, Any]:
    """An entry's columns as the database has them."""
    return {name: clock.to_ms(entry.at) if name == "at" else getattr(entry, name) for name in _ENTRY}


def payload(entry: dict[str, Any]) -> bytes:
    """An entry as its link covers it: the JSON of its columns in their order."""
    return msgspec.json.encode([entry[name] for name in _ENTRY])


def follow(before: bytes, payload: bytes) -> bytes:
    """The hash of a link, of the hash before it and the bytes of its entry."""
    return hashlib.sha256(before + payload).digest()


def _next(before: bytes, entry: dict[str, Any]) -> bytes:
    return follow(before, payload(entry))


async def _page(bureau_id: int, *, after: int) -> list[dict[str, Any]]:
    return await database.fetch(
        f"SELECT l.seq, l.hash, {_SELECTED} FROM audit_link AS l"
        f" LEFT JOIN audit_entry AS e ON e.id = l.entry_id"
        f" WHERE l.bureau_id = $1 AND l.seq > $2 ORDER BY l.seq LIMIT {PAGE}",
        bureau_id,
        after,
    )


async def _count(condition: str) -> int:
    row = await database.fetch_one(f"SELECT COUNT(*) AS n FROM audit_entry AS e WHERE {condition}")
    return int(row["n"]) if row else 0
