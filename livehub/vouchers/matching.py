"""A platform's order that carries a voucher code redeems the voucher, dated by its payment, at most once."""

from __future__ import annotations

from datetime import datetime

import msgspec

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import system
from livehub.kit import clock, ids, outbox
from livehub.orders import reattribution
from livehub.orders.facts import OrderVoucherSeen
from livehub.vouchers import arithmetic, holdings, hot, ledger, redeem_rows, refund_matching, refusals
from livehub.vouchers.eligibility import Refusal
from livehub.vouchers.enrolments import OFFLINE
from livehub.vouchers.facts import LateRedemptionSeen
from livehub.vouchers.holdings import Holding
from livehub.vouchers.models import Account, VoucherState


async def on_order_voucher_seen(fact: OrderVoucherSeen, now: datetime) -> None:
    """Redeem the voucher and give the order to its broadcast; what does not fit is counted and audited."""
    index = bytes.fromhex(fact.voucher_index)
    holding = (await holdings.hold(indexes=[index])).get(index)
    if holding is None or holding.centre_id != fact.centre_id or holding.state is VoucherState.REVOKED:
        await _refuse(fact, "VOUCHER_UNKNOWN", round_id=0, bureau_id=0, now=now)
        return
    if not await _is_redeemed_by(holding, fact):
        late = _is_late(holding, fact)
        in_time = msgspec.structs.replace(holding, state=VoucherState.ISSUED) if late else holding
        judged = await _judge(in_time, fact)
        if isinstance(judged, str):
            await _refuse(fact, judged, round_id=holding.round_id, bureau_id=holding.bureau_id, now=now)
            return
        if late:
            await _note_late(holding, fact, now=now)
            return
        await _redeem(holding, fact, subsidy_fen=judged, now=now)
        await refund_matching.catch_up(
            fact.order_id, platform=fact.platform, shop_id=fact.shop_id, order_ref=fact.order_ref, now=now
        )
    if holding.broadcast_id:
        await reattribution.assign(
            fact.order_id,
            broadcast_id=holding.broadcast_id,
            streamer_id=holding.streamer_id,
            source=f"voucher {holding.public_id}",
            now=now,
        )


def _is_late(holding: Holding, fact: OrderVoucherSeen) -> bool:
    """Whether the order was paid in time, and told after the voucher's money was freed."""
    return holding.state is VoucherState.EXPIRED and clock.from_ms(fact.paid_at_ms) < holding.valid_until


async def _note_late(holding: Holding, fact: OrderVoucherSeen, *, now: datetime) -> None:
    """Keep it for somebody to decide: no money moves, for it may be promised again."""
    kept = await database.fetch(
        "INSERT INTO late_redemption (voucher_id, campaign_id, platform, shop_id, order_no, order_fen,"
        " subsidy_fen, paid_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (voucher_id, platform, shop_id, order_no) DO NOTHING RETURNING id",
        holding.id,
        holding.campaign_id,
        fact.platform,
        fact.shop_id,
        fact.order_ref,
        fact.order_fen,
        fact.subsidy_fen,
        fact.paid_at_ms,
        clock.to_ms(now),
    )
    if kept:
        await outbox.record(LateRedemptionSeen(late_id=kept[0]["id"]), now=now)
        code, round_id = "LATE_REDEMPTION", holding.round_id
        await _refuse(fact, code, round_id=round_id, bureau_id=holding.bureau_id, now=now)


async def _judge(holding: Holding, fact: OrderVoucherSeen) -> int | str:
    """The subsidy, or the reason code of the refusal."""
    refusal = holdings.why_not(holding, now=clock.from_ms(fact.paid_at_ms), used=False)
    if refusal is not None:
        return refusal.code
    if holding.merchants_only:
        return "WRONG_MERCHANT"
    if await _is_stacked(fact):
        return "STACKING"
    taken = arithmetic.subsidy(
        order_fen=fact.order_fen,
        face_fen=holding.face_fen,
        threshold_fen=holding.threshold_fen,
        min_pay_fen=holding.min_pay_fen,
    )
    if isinstance(taken, Refusal):
        return taken.code
    return taken if taken == fact.subsidy_fen else "SUBSIDY_MISMATCH"


async def _redeem(holding: Holding, fact: OrderVoucherSeen, *, subsidy_fen: int, now: datetime) -> None:
    payable = ledger.Key(holding.campaign_id, Account.PAYABLE)
    await ledger.open_accounts([payable])
    public_id = ids.public_id()
    row = redeem_rows.row(
        holding,
        id=ids.row_id(clock.to_ms(now)),
        public_id=public_id,
        order_no=fact.order_ref,
        order_fen=fact.order_fen,
        subsidy_fen=subsidy_fen,
        platform=fact.platform,
        shop_id=fact.shop_id,
        payable_id=await ledger.account_id(payable),
        at=fact.paid_at_ms,
        booked_at=clock.to_ms(now),
        message_id=fact.message_id,
    )
    await audit.write(
        "voucher.redeemed",
        actor=system("orders.matching", centre_id=fact.centre_id),
        now=now,
        about=("redemption", public_id),
        bureau_id=holding.bureau_id,
        detail={
            "voucher": holding.public_id,
            "platform": fact.platform,
            "order_ref": fact.order_ref,
            "order_fen": fact.order_fen,
            "subsidy_fen": subsidy_fen,
        },
    )
    await hot.run(redeem_rows.COLUMNS, [row], redeem_rows.STEPS)


async def _is_redeemed_by(holding: Holding, fact: OrderVoucherSeen) -> bool:
    """Whether it is, or was before a refund: an order uses its voucher once."""
    number = "public_id" if fact.platform == OFFLINE else "order_no"
    return (
        await database.fetch_one(
            f"SELECT r.id FROM redemption r WHERE r.voucher_id = $1 AND r.state IN {redeem_rows.LIVE}"
            f" AND r.platform = $2 AND r.shop_id = $3 AND r.{number} = $4"
            " UNION ALL SELECT r.id FROM redemption_refund f JOIN redemption r ON r.id = f.redemption_id"
            f" WHERE f.voucher_id = $1 AND r.platform = $2 AND r.shop_id = $3 AND r.{number} = $4",
            holding.id,
            fact.platform,
            fact.shop_id,
            fact.order_ref,
        )
        is not None
    )


async def _is_stacked(fact: OrderVoucherSeen) -> bool:
    return (
        await database.fetch_one(
            "SELECT id FROM redemption WHERE platform = $1 AND shop_id = $2"
            f" AND order_no = $3 AND state IN {redeem_rows.LIVE}",
            fact.platform,
            fact.shop_id,
            fact.order_ref,
        )
        is not None
    )


async def _refuse(fact: OrderVoucherSeen, code: str, *, round_id: int, bureau_id: int, now: datetime) -> None:
    await refusals.add({refusals.key(round_id, code, now=now): 1})
    await audit.write(
        "voucher.redeemed",
        actor=system("orders.matching", centre_id=fact.centre_id),
        now=now,
        about=("order", f"{fact.platform}:{fact.order_ref}"),
        bureau_id=bureau_id,
        result="refused",
        detail={"code": code, "order_fen": fact.order_fen, "subsidy_fen": fact.subsidy_fen},
    )
