"""深圳罗湖: the subsidy comes back before any cash; one whole refund in time gives the voucher back."""

from __future__ import annotations

from livehub.vouchers.refund_policy import Preset, subsidy_first

PRESET = Preset(
    name="luohu",
    label="先收回补贴，有效期内整单退款退券",
    source="深圳罗湖数字人民币红包",
    gives_back=True,
    recovered=subsidy_first,
)
