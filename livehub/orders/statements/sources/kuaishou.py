"""快手小店: the bill of settled funds, one row an order. Names are those of published exports."""

from livehub.orders.statements.contract import Amount, Source

SOURCE = Source(
    name="kuaishou",
    label="快手小店 货款结算明细",
    platform="kuaishou",
    settled_at=("实际结算时间", "结算时间"),
    order_ref=("订单号", "订单编号"),
    must=("订单实付",),
    amounts={
        # 商家补贴 is the merchant's own discount: no part of what he receives.
        Amount.SALES: ("订单实付", "政府补贴", "支付营销补贴", "平台补贴", "达人补贴"),
        Amount.FEE: ("技术服务费", "预售增收技术服务费"),
        Amount.COMMISSION: ("达人佣金", "团长佣金", "快赚客佣金", "服务商佣金"),
        Amount.OTHER: ("其他收费",),
    },
    less=("订单退款", "支付营销回退"),
)
