"""义乌: the shopper gets the share that she paid; one whole refund in time gives the voucher back."""

from __future__ import annotations

from livehub.vouchers.refund_policy import Preset, pro_rata

PRESET = Preset(
    name="yiwu",
    label="按实付比例退款，有效期内整单退款退券",
    source="义乌消费券",
    gives_back=True,
    recovered=pro_rata,
)
