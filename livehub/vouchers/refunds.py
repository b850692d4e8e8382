"""Refund a redeemed order, all or part of it: the shopper's share, the bureau's, perhaps the voucher."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.accounts.permissions import Permission
from livehub.inbox import recording
from livehub.kit import clock, money
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.platforms.contract import Event, EventType, RefundKind, RefundSnapshot, RefundStatus
from livehub.vouchers import hot, refund_reads, refund_rows, taps
from livehub.vouchers.enrolments import OFFLINE
from livehub.vouchers.errors import (
    AlreadyRefunded,
    IdempotencyMismatch,
    RefundByPlatform,
    RefundTooLate,
    RefundTooMuch,
)
from livehub.vouchers.models import RedemptionState
from livehub.vouchers.refund_policy import Split
from livehub.vouchers.refund_reads import Fate, Refundable

FACT = "redemption.refunded"
WINDOW = timedelta(days=30)  # in which a merchant may refund by herself
KEY_LENGTH = 56
NUMBER_LENGTH = 40
REASON_LENGTH = 80


class Refunded(Struct, frozen=True, kw_only=True):
    """What a refund was, in fen; ``hit``: it was made before, and nothing new happened."""

    redemption: str
    refund_no: str
    refund_fen: int
    cash_fen: int
    clawback_fen: int
    left_fen: int  # of the order, after it
    restored: bool
    fate: Fate
    at: datetime
    hit: bool = False


@database.atomic
async def refund(
    redemption: str,
    *,
    refund_no: str,
    refund_fen: int | None = None,
    key: str,
    source: str,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> Refunded:
    """Refund so much of the order behind a redemption (public id), or all that is left of it.

    The same key with the same body, and the same number with the same amount, are answered with what was
    done first, and ``hit``. To be run as a unit: of two that come at once the second may have to read anew.
    """
    _require_form(refund_no, refund_fen, key=key, reason=reason)
    held = await refund_reads.hold(redemption)
    if held is None:
        raise NotFound
    permissions.require(
        actor,
        Permission.REDEMPTION_REFUND,
        bureau_id=held.bureau_id,
        merchant_id=held.merchant_id,
        centre_id=held.centre_id,
    )
    named = f"{taps.who(actor)}:{key}"
    body = blake2b(f"{redemption}\0{refund_no}\0{refund_fen}".encode(), digest_size=16).digest()
    known = await _answered(named, body) or await _done(held, refund_no, refund_fen)
    if known is not None:
        return msgspec.structs.replace(known, hit=True)
    refund_fen = _allowed(held, refund_fen, actor=actor, now=now)
    await recording.record_own(_order_fact(held, held.parted(refund_fen), refund_no, now=now), now=now)
    return await book(
        held,
        refund_fen,
        refund_no=refund_no,
        source=source,
        reason=reason,
        asked=(named, body),
        actor=actor,
        now=now,
    )


async def book(
    held: Refundable,
    refund_fen: int,
    *,
    refund_no: str,
    source: str,
    reason: str = "",
    asked: tuple[str, bytes] | None = None,
    actor: Actor,
    now: datetime,
) -> Refunded:
    """Part, decide and write a refund of a redemption that this transaction holds.

    ``asked``: the key and the content by which the same answer is given again.
    """
    parted = held.parted(refund_fen)
    held = await refund_reads.decide(held, parted)
    fate = await refund_rows.fate_of(held, parted, now=now)
    await audit.write(
        "redemption.refunded",
        actor=actor,
        now=now,
        about=("redemption", held.public_id),
        bureau_id=held.bureau_id,
        detail={
            "refund_no": refund_no,
            "refund_fen": parted.refund_fen,
            "cash_fen": parted.cash_fen,
            "clawback_fen": parted.clawback_fen,
            "fate": str(fate),
            "source": source,
            "reason": reason,
        },
    )
    made = Refunded(
        redemption=held.public_id,
        refund_no=refund_no,
        refund_fen=parted.refund_fen,
        cash_fen=parted.cash_fen,
        clawback_fen=parted.clawback_fen,
        left_fen=held.left_fen - parted.refund_fen,
        restored=fate is Fate.RETURNED,
        fate=fate,
        at=now,
    )
    if asked is not None:
        await _remember(*asked, made)
    await refund_rows.write(held, parted, fate, refund_no=refund_no, source=source, reason=reason, now=now)
    return made


def _allowed(held: Refundable, refund_fen: int | None, *, actor: Actor, now: datetime) -> int:
    """How much is refunded, or the refusal."""
    if held.platform != OFFLINE:
        raise RefundByPlatform
    if held.state not in (RedemptionState.CAPTURED, RedemptionState.PARTIALLY_REFUNDED):
        raise AlreadyRefunded
    if now >= held.at + WINDOW and not actor.has(Role.MANAGER, Role.FINANCE) and actor.kind != "system":
        raise RefundTooLate
    if refund_fen is None:
        return held.left_fen
    if refund_fen > held.left_fen:
        raise RefundTooMuch(f"这一单最多还能退 {money.yuan(held.left_fen)} 元。")
    return refund_fen


def _require_form(refund_no: str, refund_fen: int | None, *, key: str, reason: str) -> None:
    details = []
    if refund_fen is not None and refund_fen <= 0:
        details.append(Detail("refund_fen", "退款金额无效", "大于零的金额"))
    if not 0 < len(refund_no) <= NUMBER_LENGTH or not refund_no.isprintable():
        details.append(Detail("refund_no", "退款单号无效", f"1 到 {NUMBER_LENGTH} 个字"))
    if not 0 < len(key) <= KEY_LENGTH or not key.isascii() or not key.isprintable():
        details.append(Detail("key", "提交编号无效，请刷新页面后重试"))
    if len(reason) > REASON_LENGTH or not (reason.isprintable() or not reason):
        details.append(Detail("reason", "退款原因无效", f"不超过 {REASON_LENGTH} 个字"))
    if details:
        raise Invalid(details=details)


async def _answered(key: str, body: bytes) -> Refunded | None:
    row = await database.fetch_one(
        "SELECT body_hash, answer FROM idempotency_record WHERE kind = 'refund' AND key = $1", key
    )
    if row is None:
        return None
    if bytes(row["body_hash"]) != body:
        raise IdempotencyMismatch
    return msgspec.json.decode(row["answer"], type=Refunded)


async def _done(held: Refundable, refund_no: str, refund_fen: int | None) -> Refunded | None:
    """The refund of this number, when it is there already."""
    row = await database.fetch_one(
        "SELECT f.refund_fen, f.cash_fen, f.clawback_fen, f.restored, f.fate, f.at,"
        " (SELECT sum(g.refund_fen) FROM redemption_refund g WHERE g.redemption_id = f.redemption_id"
        " AND g.id <= f.id) AS until_then FROM redemption_refund f"
        " WHERE f.redemption_id = $1 AND f.refund_no = $2",
        held.id,
        refund_no,
    )
    if row is None:
        return None
    if refund_fen not in (None, row["refund_fen"]):
        raise IdempotencyMismatch("这个退款单号已经登记过另一个金额，请核对。")
    return Refunded(
        redemption=held.public_id,
        refund_no=refund_no,
        refund_fen=row["refund_fen"],
        cash_fen=row["cash_fen"],
        clawback_fen=row["clawback_fen"],
        left_fen=held.order_fen - int(row["until_then"]),
        restored=bool(row["restored"]),
        fate=Fate(row["fate"]),
        at=clock.from_ms(row["at"]),
    )


async def _remember(key: str, body: bytes, made: Refunded) -> None:
    kept = await database.fetch(
        "INSERT INTO idempotency_record (kind, key, body_hash, answer, created_at)"
        " VALUES ('refund', $1, $2, $3, $4) ON CONFLICT (kind, key) DO NOTHING RETURNING id",
        key,
        body,
        msgspec.json.encode(made).decode(),
        clock.to_ms(made.at),
    )
    if not kept:
        raise hot.JustTaken


def _order_fact(held: Refundable, parted: Split, refund_no: str, *, now: datetime) -> recording.OwnFact:
    """The after-sale behind it, so that sales and leverage agree."""
    at = clock.to_ms(now)
    ref = f"{held.public_id}:{refund_no}"
    after_sale = RefundSnapshot(
        refund_ref=ref,
        line_ref="1",
        kind=RefundKind.REFUND_ONLY,
        status=RefundStatus.SUCCEEDED,
        applied_fen=parted.cash_fen,
        refunded_fen=parted.cash_fen,
        goods_fen=parted.refund_fen,
        applied_at=at,
        succeeded_at=at,
        updated_at=at,
    )
    return recording.OwnFact(
        centre_id=held.centre_id,
        platform=OFFLINE,
        shop_ref=held.shop_ref,
        order_ref=held.order_ref,
        native_type=FACT,
        native_id=ref,
        event=Event(
            type=EventType.REFUND_SUCCEEDED,
            shop_ref=held.shop_ref,
            order_ref=held.order_ref,
            refund_ref=ref,
            status_at=at,
            refunds=(after_sale,),
        ),
    )
