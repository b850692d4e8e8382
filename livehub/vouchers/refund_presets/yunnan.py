"""云南: one whole refund in time gives the voucher back with its old expiry; any other ends it."""

from __future__ import annotations

from livehub.vouchers.refund_policy import Preset, pro_rata

PRESET = Preset(
    name="yunnan",
    label="有效期内整单退款退券，否则不退",
    source="云南消费券",
    gives_back=True,
    recovered=pro_rata,
)
