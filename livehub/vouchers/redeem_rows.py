"""What a batch of redemptions reads and writes: one row each, in a fixed order of tables, hot rows last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers import answers, hot
from livehub.vouchers.holdings import Holding
from livehub.vouchers.models import RedemptionState, VoucherState

LIVE = "('authorized', 'captured', 'partially_refunded')"

COLUMNS = {
    "id": "bigint",
    "public_id": "text",
    "voucher_id": "bigint",
    "campaign_id": "bigint",
    "template_id": "bigint",
    "merchant_id": "bigint",
    "store_id": "bigint",
    "user_id": "bigint",
    "shop_id": "bigint",
    "platform": "text",
    "order_no": "text",
    "order_fen": "bigint",
    "subsidy_fen": "bigint",
    "paid_fen": "bigint",
    "state": "text",
    "at": "bigint",
    "message_id": "bigint",
    "booked_at": "bigint",
    "remainder_fen": "bigint",
    "held_id": "bigint",
    "payable_id": "bigint",
    "released_id": "bigint",
    "key": "text",
    "body_hash": "bytea",
    "answer": "text",
}
_OWN = tuple(COLUMNS)[: tuple(COLUMNS).index("booked_at")]
_ENTRY = {
    "at": "booked_at",
    "campaign_id": "campaign_id",
    "debit_id": "held_id",
    "voucher_id": "voucher_id",
    "redemption_id": "id",
}

STEPS = (
    hot.insert(
        "answers",
        "idempotency_record",
        {
            "kind": "'redeem'",
            "key": "key",
            "body_hash": "body_hash",
            "answer": "answer",
            "created_at": "booked_at",
        },
        where="key <> ''",
    ),
    hot.insert("redemptions", "redemption", {name: name for name in _OWN}),  # unique: one use, one order
    hot.Step(
        "vouchers",
        ("voucher_id",),
        f"UPDATE voucher SET state = '{VoucherState.REDEEMED}', locked_until = NULL, version = version + 1"
        " FROM v WHERE voucher.id = v.voucher_id",
    ),
    hot.insert(
        "entries",
        "ledger_entry",
        {**_ENTRY, "credit_id": "payable_id", "amount_fen": "subsidy_fen", "kind": "'redeem'"},
    ),
    hot.insert(
        "remainders",
        "ledger_entry",
        {**_ENTRY, "credit_id": "released_id", "amount_fen": "remainder_fen", "kind": "'remainder'"},
        where="remainder_fen > 0",
    ),
    hot.count("stock", "voucher_template", "redeemed", per="template_id"),
    hot.move(
        "money", [("held_id", "payable_id", "subsidy_fen"), ("held_id", "released_id", "remainder_fen")]
    ),
)


class Question(Struct, frozen=True, kw_only=True):
    """One redemption's references; ids are 0 where the voucher does not exist."""

    key: str
    campaign_id: int
    claimant_id: int
    merchant_id: int
    store_id: int
    receipt_no: str
    recent_since: datetime
    today_since: datetime


class Prior(Struct, frozen=True, kw_only=True):
    """What was there before the batch."""

    answer: answers.Answer | None = None
    merchant: str = ""  # status; '' when there is no such merchant
    merchant_ref: str = ""
    merchant_centre_id: int = 0
    enrolment: str = ""  # status; '' when it is not enrolled
    has_store: bool = False
    shop_id: int = 0
    payable_id: int = 0
    stacked: int = 0
    recent: int = 0
    today: int = 0


async def prior(questions: Sequence[Question]) -> list[Prior]:
    """Read under the vouchers' and claimants' locks, so that whatever another worker did is seen.

    ``merchant_id + 0``: a person has a few vouchers, a merchant has all of its redemptions.
    """
    rows = await database.with_rows(
        {
            "i": "int",
            "key": "text",
            "campaign_id": "bigint",
            "claimant_id": "bigint",
            "merchant_id": "bigint",
            "store_id": "bigint",
            "receipt_no": "text",
            "recent_since": "bigint",
            "today_since": "bigint",
        },
        [
            (
                i,
                q.key,
                q.campaign_id,
                q.claimant_id,
                q.merchant_id,
                q.store_id,
                q.receipt_no,
                clock.to_ms(q.recent_since),
                clock.to_ms(q.today_since),
            )
            for i, q in enumerate(questions)
        ],
        f"SELECT v.i, {answers.FOUND.format(kind='redeem')} AS answer_id, m.status AS merchant,"
        " m.public_id AS merchant_ref,"
        " m.centre_id AS merchant_centre_id, e.status AS enrolment, s.id AS store_id, o.id AS shop_id,"
        " k.id AS payable_id,"
        " (SELECT count(*) FROM redemption r WHERE r.platform = 'offline' AND r.shop_id = o.id"
        f" AND r.order_no = v.receipt_no AND r.state IN {LIVE}) AS stacked,"
        " (SELECT count(*) FROM redemption r JOIN voucher x ON x.id = r.voucher_id"
        " WHERE x.claimant_id = v.claimant_id AND r.merchant_id + 0 = v.merchant_id"
        f" AND r.at > v.recent_since AND r.state IN {LIVE}) AS recent,"
        " (SELECT count(*) FROM redemption r JOIN voucher x ON x.id = r.voucher_id"
        " WHERE x.claimant_id = v.claimant_id AND r.merchant_id + 0 = v.merchant_id"
        f" AND r.at >= v.today_since AND r.state <> '{RedemptionState.VOIDED}') AS today"
        " FROM v LEFT JOIN merchant m ON m.id = v.merchant_id"
        " LEFT JOIN store s ON s.id = v.store_id AND s.merchant_id = v.merchant_id"
        " LEFT JOIN merchant_enrolment e ON e.campaign_id = v.campaign_id AND e.merchant_id = v.merchant_id"
        " LEFT JOIN shop o ON o.platform = 'offline' AND o.shop_ref = m.public_id"
        " LEFT JOIN ledger_account k ON k.campaign_id = v.campaign_id AND k.kind = 'campaign:payable'"
        " AND k.round_id = 0 AND k.merchant_id = v.merchant_id",
    )
    kept = await answers.read([row["answer_id"] for row in rows if row["answer_id"]])
    found = [Prior()] * len(questions)
    for row in rows:
        found[row["i"]] = Prior(
            answer=kept.get(row["answer_id"] or 0),
            merchant=row["merchant"] or "",
            merchant_ref=row["merchant_ref"] or "",
            merchant_centre_id=row["merchant_centre_id"] or 0,
            enrolment=row["enrolment"] or "",
            has_store=row["store_id"] is not None,
            shop_id=row["shop_id"] or 0,
            payable_id=row["payable_id"] or 0,
            stacked=row["stacked"],
            recent=row["recent"],
            today=row["today"],
        )
    return found


def row(  # noqa: PLR0913 -- the columns of a redemption
    holding: Holding,
    *,
    id: int,  # noqa: A002 -- the column's name
    public_id: str,
    order_no: str,
    order_fen: int,
    subsidy_fen: int,
    platform: str,
    shop_id: int,
    payable_id: int,
    at: datetime,
    booked_at: datetime,
    merchant_id: int = 0,
    store_id: int = 0,
    user_id: int = 0,
    message_id: int = 0,
    key: str = "",
    body_hash: bytes = b"",
    answer: str = "",
) -> dict[str, Any]:
    """One redemption as ``STEPS`` want it."""
    return {
        "id": id,
        "public_id": public_id,
        "voucher_id": holding.id,
        "campaign_id": holding.campaign_id,
        "template_id": holding.template_id,
        "merchant_id": merchant_id,
        "store_id": store_id,
        "user_id": user_id,
        "shop_id": shop_id,
        "platform": platform,
        "order_no": order_no,
        "order_fen": order_fen,
        "subsidy_fen": subsidy_fen,
        "paid_fen": order_fen - subsidy_fen,
        "state": str(RedemptionState.CAPTURED),
        "at": clock.to_ms(at),
        "message_id": message_id,
        "booked_at": clock.to_ms(booked_at),
        "remainder_fen": holding.face_fen - subsidy_fen,
        "held_id": holding.held_id,
        "payable_id": payable_id,
        "released_id": holding.released_id,
        "key": key,
        "body_hash": body_hash,
        "answer": answer,
    }
