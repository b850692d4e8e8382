"""深圳福田: one whole refund in time gives the voucher back; what is refunded in part is shared pro rata."""

from __future__ import annotations

from livehub.vouchers.refund_policy import Preset, pro_rata

PRESET = Preset(
    name="futian",
    label="有效期内整单退款退券，部分退款按比例",
    source="深圳福田消费券",
    gives_back=True,
    recovered=pro_rata,
)
