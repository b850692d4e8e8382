"""Use one voucher on one order at a merchant, once, however often it is tapped."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

from livehub.accounts import permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit.errors import Detail, Invalid
from livehub.kit.group_commit import GroupCommit
from livehub.settings import Settings
from livehub.vouchers import codes, taps
from livehub.vouchers.redeem_commit import Settler
from livehub.vouchers.taps import Redeemed, Tap

KEY_LENGTH = 56
RECEIPT_LENGTH = 40
MAX_ORDER_FEN = 10**11


class RedeemDesk:
    """This worker's door to redemptions: taps are settled in groups."""

    def __init__(self, settings: Settings) -> None:
        self._settler = Settler()
        self._commits: GroupCommit[Tap, Redeemed] = GroupCommit(
            "redeem",
            self._settler.settle,
            queue_limit=settings.queue_limit,
            batch_limit=settings.batch_limit,
            own_transaction=True,
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

    @property
    def misses(self) -> int:
        """How many batches were settled anew under lock."""
        return self._settler.misses

    async def redeem(  # noqa: PLR0913 -- what a form says
        self,
        text: str,
        *,
        merchant_id: int,
        store_id: int = 0,
        store: str = "",
        order_fen: int,
        key: str,
        actor: Actor,
        now: datetime,
        receipt_no: str = "",
        phone_tail: str = "",
    ) -> Redeemed:
        """Redeem what was scanned (the rotating token) or typed (the code); VoucherRefused says why not.

        ``store`` is a public id, in place of the id; where a merchant has one store, it is that one.
        A typed code needs the last four digits of the customer's phone. The same key with the same body
        is answered with the first answer and ``hit``. VoucherUnknown is said alike of codes that do not
        exist, that are another's and that were revoked.
        """
        permissions.require(actor, Permission.VOUCHER_REDEEM, merchant_id=merchant_id)
        reading = codes.read(text, now=now) or codes.Reading()
        _require_form(reading, order_fen=order_fen, receipt_no=receipt_no, phone_tail=phone_tail, key=key)
        body = "\0".join((text.strip(), str(merchant_id), str(store_id or store), str(order_fen), receipt_no))
        tap = Tap(
            reading=reading,
            merchant_id=merchant_id,
            store_id=store_id,
            store_ref=store,
            order_fen=order_fen,
            receipt_no=receipt_no,
            phone_tail=phone_tail,
            key=f"{taps.who(actor)}:{key}",
            body=blake2b(body.encode(), digest_size=16).digest(),
            actor=actor,
            now=now,
        )
        return await self._commits.submit(tap)


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
