"""What a batch of redemptions reads and writes: one row each, in a fixed order of tables, hot rows last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from livehub import database
from livehub.inbox import recording
from livehub.vouchers import hot
from livehub.vouchers.enrolments import OFFLINE
from livehub.vouchers.holdings import Holding
from livehub.vouchers.models import RedemptionState, VoucherState

FACT = "redemption.captured"
LIVE = "('authorized', 'captured', 'partially_refunded')"

COLUMNS = {
    "id": "bigint",
    "public_id": "text",
    "voucher_id": "bigint",
    "campaign_id": "bigint",
    "template_id": "bigint",
    "claimant_id": "bigint",
    "merchant_id": "bigint",
    "nth": "int",
    "store_id": "bigint",
    "user_id": "bigint",
    "shop_id": "bigint",
    "platform": "text",
    "order_no": "text",
    "order_fen": "bigint",
    "subsidy_fen": "bigint",
    "paid_fen": "bigint",
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
    "campaign_id": "campaign_id",
    "debit_id": "held_id",
    "voucher_id": "voucher_id",
    "redemption_id": "id",
}


def _steps(same: Mapping[str, str]) -> tuple[hot.Step, ...]:
    """``same``: column -> what stands for it, in quotes or another column."""
    entry = _ENTRY | {"at": same.get("booked_at", "booked_at")}
    return (
        hot.insert(
            "answers",
            "idempotency_record",
            {
                "kind": "'redeem'",
                "key": "key",
                "body_hash": "body_hash",
                "answer": "answer",
                "created_at": same.get("booked_at", "booked_at"),
            },
            where="key <> ''",
        ),
        hot.insert(  # unique: one use, one order
            "redemptions",
            "redemption",
            {name: same.get(name, name) for name in _OWN} | {"state": f"'{RedemptionState.CAPTURED}'"},
        ),
        hot.Step(
            "vouchers",
            ("voucher_id",),
            f"UPDATE voucher SET state = '{VoucherState.REDEEMED}', locked_until = NULL,"
            " version = version + 1 FROM v WHERE voucher.id = v.voucher_id",
        ),
        hot.insert(
            "entries",
            "ledger_entry",
            {**entry, "credit_id": "payable_id", "amount_fen": "subsidy_fen", "kind": "'redeem'"},
        ),
        hot.insert(
            "remainders",
            "ledger_entry",
            {**entry, "credit_id": "released_id", "amount_fen": "remainder_fen", "kind": "'remainder'"},
            where="remainder_fen > 0",
        ),
        hot.count("stock", "voucher_template", "redeemed", per="template_id"),
        hot.move(
            "money", [("held_id", "payable_id", "subsidy_fen"), ("held_id", "released_id", "remainder_fen")]
        ),
    )


STEPS = _steps({})


# What a till's redemption brings besides: its fact for the inbox, its entry in the audit trail, and how its
# voucher was when it was read.
_SAME = {"platform": f"'{OFFLINE}'", "booked_at": "at"}
TILL_COLUMNS = {
    **{name: kind for name, kind in COLUMNS.items() if name not in _SAME},
    **recording.OWN,
    "was": "text",
    "read_version": "int",
    "bureau_id": "bigint",
    "actor_centre_id": "bigint",
    "actor_kind": "text",
    "actor_id": "bigint",
    "actor_name": "text",
    "ip": "text",
    "request_id": "text",
    "detail": "text",
}
_AUDIT = hot.insert(
    "audited",
    "audit_entry",
    {
        "at": "at",
        "centre_id": "actor_centre_id",
        "bureau_id": "bureau_id",
        "actor_kind": "actor_kind",
        "actor_id": "actor_id",
        "actor_name": "actor_name",
        "action": "'voucher.redeemed'",
        "object_kind": "'redemption'",
        "object_id": "public_id",
        "result": "'ok'",
        "ip": "ip",
        "request_id": "request_id",
        "detail": "detail",
    },
)


def _till_steps(engine: str) -> tuple[hot.Step, ...]:
    message = recording.own_columns(
        engine,
        platform=f"'{OFFLINE}'",
        native_type=f"'{FACT}'",
        native_id="public_id",
        provider_ts="at",
        received_at="at",
    )
    return hot.insert("messages", "inbox_message", message), _AUDIT, *_steps(_SAME)


# Everything a till's redemption writes, in each engine's words.
TILL_STEPS = {engine: _till_steps(engine) for engine in database.NOW_MS}


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
    at: int,
    booked_at: int,
    nth: int = 0,
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
        "claimant_id": holding.claimant_id,
        "merchant_id": merchant_id,
        "nth": nth,
        "store_id": store_id,
        "user_id": user_id,
        "shop_id": shop_id,
        "platform": platform,
        "order_no": order_no,
        "order_fen": order_fen,
        "subsidy_fen": subsidy_fen,
        "paid_fen": order_fen - subsidy_fen,
        "at": at,
        "message_id": message_id,
        "booked_at": booked_at,
        "remainder_fen": holding.face_fen - subsidy_fen,
        "held_id": holding.held_id,
        "payable_id": payable_id,
        "released_id": holding.released_id,
        "key": key,
        "body_hash": body_hash,
        "answer": answer,
    }
