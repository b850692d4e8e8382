"""What a batch of claims reads and writes: a row for each voucher, in a fixed order of tables, hot rows last.

The first row of a claim has its key, its slot and what is counted once; a pack's others have none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers import answers, hot
from livehub.vouchers.eligibility import DropNow

COLUMNS = {
    "id": "bigint",
    "public_id": "text",
    "code_index": "bytea",
    "code_sealed": "bytea",
    "template_id": "bigint",
    "campaign_id": "bigint",
    "round_id": "bigint",
    "claimant_id": "bigint",
    "person_key": "bytea",
    "platform": "text",
    "n": "int",
    "link_id": "bigint",
    "drop_id": "bigint",
    "offer_id": "bigint",  # by which the slot is taken: its template's, or below zero its pack's
    "counted_link": "bigint",  # link_id and drop_id in one row of each claim, else 0
    "counted_drop": "bigint",
    "broadcast_id": "bigint",
    "streamer_id": "bigint",
    "at": "bigint",
    "valid_from": "bigint",
    "valid_until": "bigint",
    "state": "text",
    "face_fen": "bigint",
    "unissued_id": "bigint",
    "held_id": "bigint",
    "key": "text",
    "body_hash": "bytea",
    "answer": "text",
}

STEPS = (
    hot.insert(
        "answers",
        "idempotency_record",
        {"kind": "'claim'", "key": "key", "body_hash": "body_hash", "answer": "answer", "created_at": "at"},
        where="key <> ''",
    ),
    hot.insert(  # unique: the person limit
        "slots",
        "claim_slot",
        {
            "round_id": "round_id",
            "template_id": "offer_id",
            "platform": "platform",
            "person_key": "person_key",
            "n": "n",
        },
        where="n > 0",
    ),
    hot.insert(
        "vouchers",
        "voucher",
        {
            **{
                name: name
                for name in COLUMNS
                if name not in {"person_key", "platform", "n", "at", "face_fen", "unissued_id", "held_id"}
                and name not in {"key", "body_hash", "answer", "offer_id", "counted_link", "counted_drop"}
            },
            "claimed_at": "at",
            "version": "1",
        },
    ),
    hot.insert(
        "entries",
        "ledger_entry",
        {
            "at": "at",
            "campaign_id": "campaign_id",
            "debit_id": "unissued_id",
            "credit_id": "held_id",
            "amount_fen": "face_fen",
            "kind": "'claim'",
            "voucher_id": "id",
            "redemption_id": "0",
        },
    ),
    hot.count("stock", "voucher_template", "issued", per="template_id"),
    hot.count("drops", "voucher_drop", "claimed", per="counted_drop"),
    hot.count("links", "claim_link", "claims", per="counted_link"),
    hot.move("money", [("unissued_id", "held_id", "face_fen")]),
)

_TAKEN = (
    "COALESCE((SELECT max(s.n) FROM claim_slot s WHERE s.round_id = v.round_id"
    " AND s.template_id = v.offer_id AND s.platform = v.platform AND s.person_key = v.person_key), 0)"
)

AUDITED = {"centre_id": "bigint", "bureau_id": "bigint", "ip": "text", "request_id": "text", "detail": "text"}
AUDIT = hot.insert(
    "audited",
    "audit_entry",
    {
        "at": "at",
        "centre_id": "centre_id",
        "bureau_id": "bureau_id",
        "actor_kind": "'claimant'",
        "actor_id": "claimant_id",
        "actor_name": "''",
        "action": "'voucher.claimed'",
        "object_kind": "'voucher'",
        "object_id": "public_id",
        "result": "'ok'",
        "ip": "ip",
        "request_id": "request_id",
        "detail": "detail",
    },
)


class Question(Struct, frozen=True, kw_only=True):
    """One claim's references; with ``offer_id`` 0 only its key is looked up."""

    key: str
    offer_id: int = 0
    round_id: int = 0
    platform: str = ""
    person_key: bytes = b""
    link_id: int = 0
    drop_id: int = 0


class Known(Struct, frozen=True, kw_only=True):
    """What somebody did before: an answer to the same key, the slots she has."""

    answer: answers.Answer | None = None
    taken: int = 0


class Prior(Struct, frozen=True, kw_only=True):
    """What was there before the batch: an answer to the same key, the person's slots, the counters."""

    answer: answers.Answer | None = None
    taken: int = 0
    link_claims: int = 0
    drop: DropNow | None = None
    drop_left: int = 0
    drawn: bool | None = None  # in a lottery


async def prior(questions: Sequence[Question]) -> list[Prior]:
    """Read under the templates' locks, so that whatever another worker gave is seen; locks the links."""
    open_ones = [(i, each) for i, each in enumerate(questions) if each.offer_id]
    found = {row["i"]: row for row in await _read_open(open_ones)}
    shut = [(i, each.key) for i, each in enumerate(questions) if not each.offer_id]
    found |= {row["i"]: row for row in await _read_known(shut)}
    kept = await answers.read([row["answer_id"] for row in found.values() if row["answer_id"]])
    return [_prior(found[i], kept) for i in range(len(questions))]


async def known(questions: Sequence[Question]) -> list[Known]:
    """Read without a lock and outside any transaction: what was done stays done, more may come at once."""
    rows = await database.with_rows(
        {
            "i": "int",
            "key": "text",
            "offer_id": "bigint",
            "round_id": "bigint",
            "platform": "text",
            "person_key": "bytea",
        },
        [(i, q.key, q.offer_id, q.round_id, q.platform, q.person_key) for i, q in enumerate(questions)],
        f"SELECT v.i, {_TAKEN} AS taken, {answers.FOUND.format(kind='claim')} AS answer_id FROM v",
        by_index=True,
    )
    found = {row["i"]: row for row in rows}
    kept = await answers.read([row["answer_id"] for row in rows if row["answer_id"]])
    return [
        Known(answer=kept.get(found[i]["answer_id"] or 0), taken=found[i]["taken"])
        for i in range(len(questions))
    ]


async def _read_open(questions: Sequence[tuple[int, Question]]) -> list[dict[str, Any]]:
    lock = " ORDER BY l.id FOR UPDATE OF l" if database.dialect() == "postgres" else ""
    return await database.with_rows(
        {
            "i": "int",
            "key": "text",
            "offer_id": "bigint",
            "round_id": "bigint",
            "platform": "text",
            "person_key": "bytea",
            "link_id": "bigint",
            "drop_id": "bigint",
        },
        [
            (i, q.key, q.offer_id, q.round_id, q.platform, q.person_key, q.link_id, q.drop_id)
            for i, q in questions
        ],
        f"SELECT v.i, {answers.FOUND.format(kind='claim')} AS answer_id, l.claims AS link_claims, d.state,"
        f" d.quantity, d.claimed, d.opens_at, d.closes_at, {_TAKEN} AS taken"
        " FROM v JOIN claim_link l ON l.id = v.link_id"
        f" LEFT JOIN voucher_drop d ON d.id = v.drop_id{lock}",
    )


async def _read_known(keys: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    return await database.with_rows(
        {"i": "int", "key": "text"},
        keys,
        f"SELECT v.i, {answers.FOUND.format(kind='claim')} AS answer_id FROM v",
    )


def _prior(row: Mapping[str, Any], kept: Mapping[int, answers.Answer]) -> Prior:
    answer = kept.get(row["answer_id"] or 0)
    if row.get("link_claims") is None:
        return Prior(answer=answer)
    drop = None
    left = 0
    if row["state"] is not None:
        drop = DropNow(
            state=row["state"],
            opens_at=clock.from_ms(row["opens_at"]),
            closes_at=clock.from_ms(row["closes_at"]),
        )
        left = row["quantity"] - row["claimed"]
    return Prior(answer=answer, taken=row["taken"], link_claims=row["link_claims"], drop=drop, drop_left=left)
