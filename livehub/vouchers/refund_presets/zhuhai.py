"""珠海: as 福田."""

from __future__ import annotations

from livehub.vouchers.refund_policy import Preset, pro_rata

PRESET = Preset(
    name="zhuhai",
    label="有效期内整单退款退券，部分退款按比例",
    source="珠海消费券",
    gives_back=True,
    recovered=pro_rata,
)
