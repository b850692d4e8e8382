"""What each tap of a batch gets: decided in the order of arrival, by what was read, without the database."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from livehub.inbox import recording
from livehub.kit import clock, ids, signing
from livehub.kit.errors import Detail, Invalid
from livehub.merchants.models import MerchantStatus
from livehub.platforms.contract import Event, EventType, Line, OrderSnapshot, OrderStatus
from livehub.vouchers import arithmetic, failed_codes, holdings, identity, redeem_rows, refusals
from livehub.vouchers.eligibility import Refusal, Use, judge
from livehub.vouchers.enrolments import OFFLINE
from livehub.vouchers.errors import (
    IdempotencyMismatch,
    QrStale,
    Stacking,
    TooManyFailedCodes,
    VoucherRefused,
    VoucherUnknown,
    WrongMerchant,
)
from livehub.vouchers.holdings import Holding
from livehub.vouchers.models import VoucherState
from livehub.vouchers.redeem_reads import Seen
from livehub.vouchers.taps import Redeemed, Tap


class Settling:
    """One batch: decides in the order of arrival, then writes everything at once."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.refused: Counter[refusals.Counted] = Counter()
        self.failures: Counter[str] = Counter()
        self._done: dict[str, tuple[bytes, Redeemed]] = {}
        self._used: set[int] = set()
        self._orders: set[tuple[int, str]] = set()
        self._uses: Counter[tuple[int, int]] = Counter()  # claimant, merchant

    def answer(self, tap: Tap, seen: Seen) -> Redeemed | Exception:
        """What this tap gets, given all that were answered before it."""
        if not (tap.store_id or seen.store_id):
            return Invalid(details=[Detail("store", "请选择门店")])
        known = self._done.get(tap.key)
        if known is None and seen.answer is not None:
            known = (seen.answer.body, msgspec.json.decode(seen.answer.text, type=Redeemed))
        if known is not None:
            body, redeemed = known
            return msgspec.structs.replace(redeemed, hit=True) if body == tap.body else IdempotencyMismatch()
        try:
            return self._redeem(tap, seen)
        except TooManyFailedCodes as error:
            return error
        except (VoucherRefused, VoucherUnknown) as refusal:
            round_id = seen.holding.round_id if seen.holding is not None else 0
            self.refused[refusals.key(round_id, refusal.code, now=tap.now)] += 1
            if isinstance(refusal, VoucherUnknown):
                self.failures.update(failed_codes.keys(who=tap.who, store_id=seen.store_id))
            return refusal

    def _redeem(self, tap: Tap, seen: Seen) -> Redeemed:
        self._require_few_failures(tap, seen)
        holding = seen.holding
        if holding is None or not _is_theirs(tap, seen, holding):
            raise VoucherUnknown
        if not tap.reading.fresh:
            raise QrStale
        self._require_usable(tap, seen, holding)
        taken = arithmetic.subsidy(
            order_fen=tap.order_fen,
            face_fen=holding.face_fen,
            threshold_fen=holding.threshold_fen,
            min_pay_fen=holding.min_pay_fen,
        )
        if isinstance(taken, Refusal):
            raise taken.error()
        return self._capture(tap, seen, holding, subsidy_fen=taken)

    def _require_few_failures(self, tap: Tap, seen: Seen) -> None:
        by, at = failed_codes.keys(who=tap.who, store_id=seen.store_id) if self.failures else ("", "")
        if (
            seen.failed_by + self.failures[by] >= failed_codes.LIMIT_USER
            or seen.failed_at + self.failures[at] >= failed_codes.LIMIT_STORE
        ):
            raise TooManyFailedCodes(retry_after=failed_codes.seconds_left(tap.now))

    def _require_usable(self, tap: Tap, seen: Seen, holding: Holding) -> None:
        may = seen.merchant == MerchantStatus.APPROVED and seen.enrolment == "approved"
        if not (may and seen.store_id and seen.shop_id and seen.payable_id):
            raise WrongMerchant
        refusal = holdings.why_not(holding, now=tap.now, used=holding.id in self._used)
        if refusal is not None:
            raise refusal.error()
        together = self._uses[holding.claimant_id, tap.merchant_id]
        refusal = judge(holding.rules, Use(now=tap.now, uses_in_shop_today=seen.today + together))
        if refusal is not None:
            raise refusal.error()
        if tap.receipt_no:
            if seen.stacked or (seen.shop_id, tap.receipt_no) in self._orders:
                raise Stacking
        elif seen.recent + together:
            raise Stacking("这位顾客 10 分钟内已在本店用过券；如果是另一笔订单，请填写小票号。")

    def _capture(self, tap: Tap, seen: Seen, holding: Holding, *, subsidy_fen: int) -> Redeemed:
        public_id = ids.public_id()
        redeemed = Redeemed(
            redemption=public_id,
            voucher=holding.public_id,
            template=holding.template,
            face_fen=holding.face_fen,
            threshold_fen=holding.threshold_fen,
            order_no=tap.receipt_no or public_id,
            order_fen=tap.order_fen,
            subsidy_fen=subsidy_fen,
            paid_fen=tap.order_fen - subsidy_fen,
            at=tap.now,
        )
        uses = self._uses[holding.claimant_id, tap.merchant_id] = (
            self._uses[holding.claimant_id, tap.merchant_id] + 1
        )
        self._done[tap.key] = (tap.body, redeemed)
        self._used.add(holding.id)
        self._orders.add((seen.shop_id, redeemed.order_no))
        own = _order_fact(redeemed, holding, shop_ref=seen.merchant_ref, receipt_no=tap.receipt_no)
        at = clock.to_ms(tap.now)
        self.rows.append(
            redeem_rows.row(
                holding,
                id=ids.row_id(at),
                public_id=public_id,
                order_no=redeemed.order_no,
                order_fen=tap.order_fen,
                subsidy_fen=subsidy_fen,
                platform=OFFLINE,
                shop_id=seen.shop_id,
                payable_id=seen.payable_id,
                at=at,
                booked_at=at,
                nth=seen.uses + uses,
                merchant_id=tap.merchant_id,
                store_id=seen.store_id,
                user_id=tap.actor.id if tap.actor.kind == "user" else 0,
                key=tap.key,
                body_hash=tap.body,
                answer=msgspec.json.encode(redeemed).decode(),
            )
            | recording.own_values(own, at=at)
            | {
                "was": str(holding.state),
                "read_version": holding.version,
                "bureau_id": holding.bureau_id,
                "actor_centre_id": tap.actor.centre_id,
                "actor_kind": tap.actor.kind,
                "actor_id": tap.actor.id,
                "actor_name": tap.actor.name,
                "ip": tap.actor.ip,
                "request_id": tap.actor.request_id,
                "detail": msgspec.json.encode(
                    {
                        "voucher": holding.public_id,
                        "merchant": seen.merchant_ref,
                        "order_fen": tap.order_fen,
                        "subsidy_fen": subsidy_fen,
                    }
                ).decode(),
            }
        )
        return redeemed


def _is_theirs(tap: Tap, seen: Seen, holding: Holding) -> bool:
    """Whether this merchant may know that the voucher exists."""
    if holding.state is VoucherState.REVOKED or holding.centre_id != seen.merchant_centre_id:
        return False
    if tap.reading.voucher:
        return True
    phone = identity.open_phone(holding.phone_sealed) if holding.phone_sealed else ""
    return signing.matches(phone[-4:], tap.phone_tail)


def _order_fact(redeemed: Redeemed, holding: Holding, *, shop_ref: str, receipt_no: str) -> recording.OwnFact:
    """The order behind a redemption, so that sales and leverage agree.

    Each use is an order of its own: a receipt that was refunded may be rung up once more.
    """
    at = clock.to_ms(redeemed.at)
    line = Line(
        line_ref="1",
        title=f"到店消费 小票 {receipt_no}" if receipt_no else "到店消费",
        quantity=1,
        list_fen=redeemed.order_fen,
        voucher_subsidy_fen=redeemed.subsidy_fen,
        buyer_paid_fen=redeemed.paid_fen,
    )
    order = OrderSnapshot(
        status=OrderStatus.FINISHED,
        lines=(line,),
        created_at=at,
        paid_at=at,
        finished_at=at,
        updated_at=at,
        voucher_code=holding.code_index.hex(),
    )
    return recording.OwnFact(
        centre_id=holding.centre_id,
        platform=OFFLINE,
        shop_ref=shop_ref,
        order_ref=redeemed.redemption,
        native_type=redeem_rows.FACT,
        native_id=redeemed.redemption,
        event=Event(
            type=EventType.ORDER_FINISHED,
            shop_ref=shop_ref,
            order_ref=redeemed.redemption,
            status_at=at,
            created_at=at,
            paid_at=at,
            order=order,
        ),
    )
