"""Who is behind a cookie, and whether she was answered before: what a rush asks once nothing is left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.kit import clock, sealing
from livehub.vouchers import answers, identity
from livehub.vouchers.answers import Answer
from livehub.vouchers.identity import ClaimantRef

KEY_LENGTH = 56
Asked = tuple[str, str]  # a cookie's token, the key of a form


class Returning(Struct, frozen=True, kw_only=True):
    """A claimant, and what the key of her form was answered, None when nothing was."""

    claimant: ClaimantRef
    key: str  # as claims keep it
    answer: Answer | None


def is_key(key: str) -> bool:
    """Whether a form's key can be kept."""
    return 0 < len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()


def claim_key(claimant_id: int | str, key: str) -> str:
    """How the key of a claimant's form is kept: hers alone."""
    return f"{claimant_id}:{key}"


async def of(asked: Sequence[Asked], *, now: datetime) -> dict[Asked, Returning]:
    """Who they are, outside any transaction; cookies of nobody, or too old, are left out."""
    hashes = {token: sealing.token_hash(token) for token, _ in asked}
    tokens = {kept: token for token, kept in hashes.items()}
    rows = await database.with_rows(
        {"token_hash": "bytea", "key": "text", "now": "bigint"},
        [(hashes[token], key, clock.to_ms(now)) for token, key in asked],
        f"SELECT v.token_hash, v.key, {identity.CLAIMANT}, {_ANSWER_ID} AS answer_id"
        f" FROM v {identity.BY_COOKIE}",
        by_index=True,
    )
    kept = await answers.read([row["answer_id"] for row in rows if row["answer_id"]])
    return {
        (tokens[bytes(row["token_hash"])], row["key"]): Returning(
            claimant=(claimant := identity.of_row(row)),
            key=claim_key(claimant.id, row["key"]),
            answer=kept.get(row["answer_id"] or 0),
        )
        for row in rows
    }


_ANSWER_ID = answers.OF_KEY.format(kind="claim", key="c.id || ':' || v.key")
