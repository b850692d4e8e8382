"""A voucher has a live redemption exactly when it is redeemed, and never two; its amounts are in bounds."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant
from livehub.vouchers.redeem_rows import LIVE


async def check() -> list[str]:
    """Vouchers with another number of live redemptions than their state says, and amounts out of bounds."""
    rows = await database.fetch(
        "SELECT x.public_id, x.state, count(r.id) AS n FROM voucher x LEFT JOIN redemption r"
        f" ON r.voucher_id = x.id AND r.state IN {LIVE} GROUP BY x.id, x.public_id, x.state"
        " HAVING count(r.id) <> CASE WHEN x.state = 'redeemed' THEN 1 ELSE 0 END ORDER BY x.public_id"
    )
    found = [f"voucher {row['public_id']} is {row['state']} with {row['n']} live redemptions" for row in rows]
    rows = await database.fetch(
        "SELECT r.public_id FROM redemption r JOIN voucher_template t ON t.id = r.template_id"
        " JOIN voucher x ON x.id = r.voucher_id JOIN campaign c ON c.id = r.campaign_id"
        " WHERE r.order_fen < t.threshold_fen OR r.subsidy_fen > t.face_fen OR r.paid_fen < c.min_pay_fen"
        " OR r.at < x.valid_from OR r.at >= x.valid_until ORDER BY r.public_id"
    )
    return found + [f"redemption {row['public_id']} is out of its voucher's bounds" for row in rows]


INVARIANT = Invariant("vouchers.one_live_redemption", "一张券至多一次有效核销", check)
