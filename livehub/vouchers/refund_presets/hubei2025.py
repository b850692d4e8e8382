"""惠购湖北 2025: a used voucher never comes back; the subsidy does in proportion, for the next batch."""

from __future__ import annotations

from livehub.vouchers.refund_policy import Preset, pro_rata

PRESET = Preset(
    name="hubei2025",
    label="券不退还，补贴按比例收回",
    source="惠购湖北 2025",
    gives_back=False,
    recovered=pro_rata,
)
