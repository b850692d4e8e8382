"""What voucher money pulled: sums over redemptions, as they were made and after what was refunded since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Leverage(Struct, frozen=True, kw_only=True):
    """Numerators and denominators in fen; a ratio with denominator 0 is null, never 0 or infinite.

    Of the redemptions as they were made: ``order / subsidy`` is the gross leverage, and at least the floor
    ``threshold / face``. After refunds: ``net_order / net_subsidy`` is the headline, which what was refunded
    to zero has left, as it has left its own floor ``kept_threshold / kept_face``.
    """

    redemptions: int
    kept: int  # of which something is left
    order_fen: int
    subsidy_fen: int
    threshold_fen: int
    face_fen: int
    net_order_fen: int  # order less what was refunded of it
    net_subsidy_fen: int  # subsidy less what was recovered of it
    kept_threshold_fen: int  # of the kept ones
    kept_face_fen: int
    lost_fen: int  # net subsidy beyond what the floor would let the net orders cost


# Over redemptions ``r`` with their templates ``t``; what was voided never was.
SUMS = (
    "count(*) AS redemptions, coalesce(sum(r.order_fen), 0) AS order_fen,"
    " coalesce(sum(CASE WHEN r.refunded_fen < r.order_fen THEN 1 ELSE 0 END), 0) AS kept,"
    " coalesce(sum(r.subsidy_fen), 0) AS subsidy_fen, coalesce(sum(t.threshold_fen), 0) AS threshold_fen,"
    " coalesce(sum(t.face_fen), 0) AS face_fen, coalesce(sum(r.order_fen - r.refunded_fen), 0)"
    " AS net_order_fen, coalesce(sum(r.subsidy_fen - r.recovered_fen), 0) AS net_subsidy_fen,"
    " coalesce(sum(CASE WHEN r.refunded_fen < r.order_fen THEN t.threshold_fen ELSE 0 END), 0)"
    " AS kept_threshold_fen,"
    " coalesce(sum(CASE WHEN r.refunded_fen < r.order_fen THEN t.face_fen ELSE 0 END), 0) AS kept_face_fen"
)
COUNTED = "r.state <> 'voided'"


def of_row(row: Mapping[str, Any] | None) -> Leverage:
    """The leverage of a row of SUMS; of no row, that of nothing redeemed."""
    sums = {name: int((row or {}).get(name) or 0) for name in Leverage.__struct_fields__}
    return Leverage(**sums | {"lost_fen": _lost(sums)})


def _lost(sums: Mapping[str, int]) -> int:
    """Whole fen of net subsidy for which no net order stands, by the floor."""
    threshold = sums["kept_threshold_fen"]
    if not threshold:
        return sums["net_subsidy_fen"]
    beyond = sums["net_subsidy_fen"] * threshold - sums["net_order_fen"] * sums["kept_face_fen"]
    return max(0, beyond // threshold)
