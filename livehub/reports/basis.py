"""口径: which figure of the ladder a total is on, as SQL over buckets or entries alike."""

from __future__ import annotations

from enum import StrEnum

G2_SQL = "r.buyer_paid + r.platform_disc + r.other_disc + r.voucher_subsidy"


class Basis(StrEnum):
    """G1 buyer-paid, G2 gross sales, G3 net sales with refunds dated by their success."""

    G1 = "G1"
    G2 = "G2"
    G3 = "G3"

    @property
    def label(self) -> str:
        """Its Chinese name."""
        return {"G1": "支付额", "G2": "成交额", "G3": "净成交额"}[self]

    def sql(self, *, freight: bool = False) -> str:
        """The amount of one row ``r``, in fen."""
        if self is Basis.G1:
            return "r.buyer_paid + r.freight" if freight else "r.buyer_paid"
        return G2_SQL if self is Basis.G2 else f"{G2_SQL} - r.refund_done"


class Axis(StrEnum):
    """Event date: the calendar day money moved. Session date: the business day of the broadcast."""

    EVENT = "event"
    SESSION = "session"

    @property
    def label(self) -> str:
        """Its Chinese name."""
        return {"event": "支付日", "session": "场次日"}[self]

    def sql(self) -> str:
        """The day of one row ``r`` joined to its broadcast ``b``, as YYYYMMDD."""
        return (
            "r.day"
            if self is Axis.EVENT
            else "CASE WHEN r.broadcast_id = 0 THEN r.day ELSE b.business_day END"
        )
