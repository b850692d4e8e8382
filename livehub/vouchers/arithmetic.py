"""What a voucher takes off an order, in integer fen."""

from __future__ import annotations

from livehub.kit import money
from livehub.vouchers.eligibility import Refusal


def subsidy(*, order_fen: int, face_fen: int, threshold_fen: int, min_pay_fen: int) -> int | Refusal:
    """The fen the bureau pays for an order of ``order_fen`` (list less the merchant's own discount).

    The shopper always pays at least ``min_pay_fen``: the subsidy shrinks below the face before the
    payment falls under it.
    """
    if order_fen < threshold_fen:
        return Refusal(
            "BELOW_THRESHOLD", f"订单金额没有达到使用门槛：满 {money.yuan(threshold_fen)} 元可用。"
        )
    taken = min(face_fen, order_fen - min_pay_fen)
    return taken if taken > 0 else Refusal("BELOW_THRESHOLD")
