"""The answers first given to idempotency keys, found again by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from livehub import database

# The id of the record of a key. A subquery and no join: PostgreSQL would rather read all records of a
# kind once for a batch, which is right only as long as there are few.
OF_KEY = "(SELECT k.id FROM idempotency_record k WHERE k.kind = '{kind}' AND k.key = {key})"
FOUND = OF_KEY.replace("{key}", "v.key")


class Answer(Struct, frozen=True):
    """A hash of what was asked, and the answer as JSON."""

    body: bytes
    text: str


async def read(ids: Sequence[int]) -> Mapping[int, Answer]:
    """The records of these ids."""
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(each,) for each in sorted(set(ids))],
        "SELECT a.id, a.body_hash, a.answer FROM v JOIN idempotency_record a ON a.id = v.wanted",
    )
    return {int(row["id"]): Answer(bytes(row["body_hash"]), row["answer"]) for row in rows}


async def of_keys(keys: Sequence[str], *, kind: str) -> dict[str, Answer]:
    """The answers given to keys of a kind, outside any transaction; those that have none are left out."""
    rows = await database.with_rows(
        {"key": "text"},
        [(each,) for each in keys],
        f"SELECT v.key, {FOUND.format(kind=kind)} AS answer_id FROM v",
        by_index=True,
    )
    found = {row["key"]: row["answer_id"] for row in rows if row["answer_id"]}
    kept = await read(list(found.values()))
    return {key: kept[answer_id] for key, answer_id in found.items()}
