"""Use one voucher on one order at a merchant, once, however often it is tapped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.inbox import recording
from livehub.kit import clock, ids, signing
from livehub.kit.errors import Detail, Invalid
from livehub.kit.group_commit import GroupCommit
from livehub.merchants.models import MerchantStatus
from livehub.platforms.contract import Event, EventType, Line, OrderSnapshot, OrderStatus
from livehub.settings import Settings
from livehub.vouchers import arithmetic, codes, failed_codes, holdings, hot, identity, redeem_rows, refusals
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

KEY_LENGTH = 56
RECEIPT_LENGTH = 40
MAX_ORDER_FEN = 10**11
WITHOUT_RECEIPT = timedelta(minutes=10)  # one voucher per person and shop stands for one per order


class Redeemed(Struct, frozen=True, kw_only=True):
    """What a redemption was; ``hit``: this key was answered before, and nothing new happened."""

    redemption: str
    voucher: str
    template: str
    face_fen: int
    threshold_fen: int
    order_no: str
    order_fen: int
    subsidy_fen: int
    paid_fen: int
    at: datetime
    hit: bool = False


class Tap(Struct, frozen=True, kw_only=True):
    """One request to redeem."""

    reading: codes.Reading
    merchant_id: int
    store_id: int
    order_fen: int
    receipt_no: str
    phone_tail: str
    key: str
    body: bytes
    actor: Actor
    now: datetime

    @property
    def wanted(self) -> bytes | str:
        """The voucher, by its public id or the index of its code."""
        return self.reading.voucher or self.reading.index


class RedeemDesk:
    """This worker's door to redemptions: taps are settled in groups."""

    def __init__(self, settings: Settings) -> None:
        self._commits: GroupCommit[Tap, Redeemed] = GroupCommit(
            "redeem", _settle, queue_limit=settings.queue_limit, batch_limit=settings.batch_limit
        )

    def start(self) -> None:
        """Start settling in the running loop."""
        self._commits.start()

    async def stop(self) -> None:
        """Settle what waits, then stop."""
        await self._commits.stop()

    @property
    def fallbacks(self) -> int:
        """How many batches had to be settled item by item."""
        return self._commits.fallbacks

    async def redeem(
        self,
        text: str,
        *,
        merchant_id: int,
        store_id: int,
        order_fen: int,
        key: str,
        actor: Actor,
        now: datetime,
        receipt_no: str = "",
        phone_tail: str = "",
    ) -> Redeemed:
        """Redeem what was scanned (the rotating token) or typed (the code); VoucherRefused says why not.

        A typed code needs the last four digits of the customer's phone. The same key with the same body
        is answered with the first answer and ``hit``. VoucherUnknown is said alike of codes that do not
        exist, that are another's and that were revoked.
        """
        permissions.require(actor, Permission.VOUCHER_REDEEM, merchant_id=merchant_id)
        reading = codes.read(text, now=now) or codes.Reading()
        _require_form(reading, order_fen=order_fen, receipt_no=receipt_no, phone_tail=phone_tail, key=key)
        body = "\0".join((text.strip(), str(merchant_id), str(store_id), str(order_fen), receipt_no))
        tap = Tap(
            reading=reading,
            merchant_id=merchant_id,
            store_id=store_id,
            order_fen=order_fen,
            receipt_no=receipt_no,
            phone_tail=phone_tail,
            key=f"{_who(actor)}:{key}",
            body=blake2b(body.encode(), digest_size=16).digest(),
            actor=actor,
            now=now,
        )
        return await self._commits.submit(tap)


def _who(actor: Actor) -> str:
    """u7 or t7: users and tokens are counted apart."""
    return f"{actor.kind[0]}{actor.id}"


def _require_form(
    reading: codes.Reading, *, order_fen: int, receipt_no: str, phone_tail: str, key: str
) -> None:
    details = []
    if not 0 < order_fen <= MAX_ORDER_FEN:
        details.append(Detail("amount", "消费金额无效", "大于零的金额，如 326.00"))
    if len(receipt_no) > RECEIPT_LENGTH or not receipt_no.isprintable():
        details.append(Detail("receipt_no", "小票号无效", f"不超过 {RECEIPT_LENGTH} 个字"))
    tail_fits = len(phone_tail) == 4 and phone_tail.isascii() and phone_tail.isdigit()
    if not reading.voucher and not tail_fits:
        details.append(Detail("phone_tail", "手工输入券码时，请填写顾客手机后四位", "4 位数字"))
    if not 0 < len(key) <= KEY_LENGTH or not key.isascii() or not key.isprintable():
        details.append(Detail("key", "提交编号无效，请刷新页面后重试"))
    if details:
        raise Invalid(details=details)


async def _settle(taps: Sequence[Tap]) -> list[Redeemed | Exception]:
    await hot.prefer_indexes()
    found = await holdings.hold(
        indexes=[tap.reading.index for tap in taps if tap.reading.index],
        public_ids=[tap.reading.voucher for tap in taps if tap.reading.voucher],
    )
    prior = await redeem_rows.prior([_question(tap, found.get(tap.wanted)) for tap in taps])
    now = max(tap.now for tap in taps)
    failed = await failed_codes.so_far({name for tap in taps for name, _ in _windows(tap)}, now=now)
    settling = _Settling(found, failed)
    answers = [settling.answer(tap, each) for tap, each in zip(taps, prior, strict=True)]
    await settling.write(now=now)
    return answers


def _question(tap: Tap, holding: Holding | None) -> redeem_rows.Question:
    return redeem_rows.Question(
        key=tap.key,
        campaign_id=holding.campaign_id if holding else 0,
        claimant_id=holding.claimant_id if holding else 0,
        merchant_id=tap.merchant_id,
        store_id=tap.store_id,
        receipt_no=tap.receipt_no,
        recent_since=tap.now - WITHOUT_RECEIPT,
        today_since=clock.at_local(clock.local_day(tap.now)),
    )


def _windows(tap: Tap) -> tuple[tuple[str, int], tuple[str, int]]:
    return failed_codes.keys(who=_who(tap.actor), store_id=tap.store_id)


class _Settling:
    """One batch: decides in the order of arrival, then writes everything at once."""

    def __init__(self, found: dict[bytes | str, Holding], failed: Counter[str]) -> None:
        self._found = found
        self._failed = failed
        self._failures: Counter[str] = Counter()
        self._done: dict[str, tuple[bytes, Redeemed]] = {}
        self._used: set[int] = set()
        self._orders: set[tuple[int, str]] = set()
        self._uses: Counter[tuple[int, int]] = Counter()  # claimant, merchant
        self._rows: list[dict[str, Any]] = []
        self._facts: list[recording.OwnFact] = []
        self._entries: list[audit.Entry] = []
        self._refused: Counter[refusals.Counted] = Counter()

    def answer(self, tap: Tap, prior: redeem_rows.Prior) -> Redeemed | Exception:
        """What this tap gets, given all that were answered before it."""
        known = self._done.get(tap.key)
        if known is None and prior.answer is not None:
            known = (prior.answer.body, msgspec.json.decode(prior.answer.text, type=Redeemed))
        if known is not None:
            body, redeemed = known
            return msgspec.structs.replace(redeemed, hit=True) if body == tap.body else IdempotencyMismatch()
        holding = self._found.get(tap.wanted)
        try:
            return self._redeem(tap, prior, holding)
        except TooManyFailedCodes as error:
            return error
        except (VoucherRefused, VoucherUnknown) as refusal:
            round_id = holding.round_id if holding is not None else 0
            self._refused[refusals.key(round_id, refusal.code, now=tap.now)] += 1
            if isinstance(refusal, VoucherUnknown):
                self._failures.update(name for name, _ in _windows(tap))
            return refusal

    async def write(self, *, now: datetime) -> None:
        """Everything the batch decided, the hot rows last."""
        messages = await recording.record_own(self._facts, now=now)
        for row, message_id in zip(self._rows, messages, strict=True):
            row["message_id"] = message_id
        await refusals.add(self._refused)
        await failed_codes.add(self._failures, now=now)
        await audit.write_many(self._entries, now=now)
        await hot.run(redeem_rows.COLUMNS, self._rows, redeem_rows.STEPS)

    def _redeem(self, tap: Tap, prior: redeem_rows.Prior, holding: Holding | None) -> Redeemed:
        for name, limit in _windows(tap):
            if self._failed[name] + self._failures[name] >= limit:
                raise TooManyFailedCodes(retry_after=failed_codes.seconds_left(tap.now))
        if holding is None or not _is_theirs(tap, prior, holding):
            raise VoucherUnknown
        if not tap.reading.fresh:
            raise QrStale
        self._require_usable(tap, prior, holding)
        taken = arithmetic.subsidy(
            order_fen=tap.order_fen,
            face_fen=holding.face_fen,
            threshold_fen=holding.threshold_fen,
            min_pay_fen=holding.min_pay_fen,
        )
        if isinstance(taken, Refusal):
            raise taken.error()
        return self._capture(tap, prior, holding, subsidy_fen=taken)

    def _require_usable(self, tap: Tap, prior: redeem_rows.Prior, holding: Holding) -> None:
        may = prior.merchant == MerchantStatus.APPROVED and prior.enrolment == "approved"
        if not (may and prior.has_store and prior.shop_id and prior.payable_id):
            raise WrongMerchant
        refusal = holdings.why_not(holding, now=tap.now, used=holding.id in self._used)
        if refusal is not None:
            raise refusal.error()
        together = self._uses[holding.claimant_id, tap.merchant_id]
        refusal = judge(holding.rules, Use(now=tap.now, uses_in_shop_today=prior.today + together))
        if refusal is not None:
            raise refusal.error()
        if tap.receipt_no:
            if prior.stacked or (prior.shop_id, tap.receipt_no) in self._orders:
                raise Stacking
        elif prior.recent + together:
            raise Stacking("这位顾客 10 分钟内已在本店用过券；如果是另一笔订单，请填写小票号。")

    def _capture(self, tap: Tap, prior: redeem_rows.Prior, holding: Holding, *, subsidy_fen: int) -> Redeemed:
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
        self._done[tap.key] = (tap.body, redeemed)
        self._used.add(holding.id)
        self._orders.add((prior.shop_id, redeemed.order_no))
        self._uses[holding.claimant_id, tap.merchant_id] += 1
        self._rows.append(
            redeem_rows.row(
                holding,
                id=ids.row_id(clock.to_ms(tap.now)),
                public_id=public_id,
                order_no=redeemed.order_no,
                order_fen=tap.order_fen,
                subsidy_fen=subsidy_fen,
                platform=OFFLINE,
                shop_id=prior.shop_id,
                payable_id=prior.payable_id,
                at=tap.now,
                booked_at=tap.now,
                merchant_id=tap.merchant_id,
                store_id=tap.store_id,
                user_id=tap.actor.id if tap.actor.kind == "user" else 0,
                key=tap.key,
                body_hash=tap.body,
                answer=msgspec.json.encode(redeemed).decode(),
            )
        )
        self._facts.append(_order_fact(redeemed, holding, shop_ref=prior.merchant_ref))
        self._entries.append(
            audit.Entry(
                action="voucher.redeemed",
                actor=tap.actor,
                about=("redemption", public_id),
                bureau_id=holding.bureau_id,
                detail={
                    "voucher": holding.public_id,
                    "merchant": prior.merchant_ref,
                    "order_fen": tap.order_fen,
                    "subsidy_fen": subsidy_fen,
                },
            )
        )
        return redeemed


def _is_theirs(tap: Tap, prior: redeem_rows.Prior, holding: Holding) -> bool:
    """Whether this merchant may know that the voucher exists."""
    if holding.state is VoucherState.REVOKED or holding.centre_id != prior.merchant_centre_id:
        return False
    if tap.reading.voucher:
        return True
    phone = identity.open_phone(holding.phone_sealed) if holding.phone_sealed else ""
    return signing.matches(phone[-4:], tap.phone_tail)


def _order_fact(redeemed: Redeemed, holding: Holding, *, shop_ref: str) -> recording.OwnFact:
    """The order behind a redemption, so that sales and leverage agree."""
    at = clock.to_ms(redeemed.at)
    line = Line(
        line_ref="1",
        title="到店消费",
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
        order_ref=redeemed.order_no,
        native_type="redemption.captured",
        native_id=redeemed.redemption,
        event=Event(
            type=EventType.ORDER_FINISHED,
            shop_ref=shop_ref,
            order_ref=redeemed.order_no,
            status_at=at,
            created_at=at,
            paid_at=at,
            order=order,
        ),
    )
