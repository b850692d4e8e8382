"""微信小店: the bill of settled orders, one row an order. No export was seen: names are to be checked."""

from livehub.orders.statements.contract import Amount, Source

SOURCE = Source(
    name="wechat_store",
    label="微信小店 订单结算明细",
    platform="wechat_store",
    entry_ref=("结算单号", "流水号"),
    settled_at=("结算时间", "实际结算时间"),
    order_ref=("订单号", "订单编号"),
    must=("订单实付金额",),
    amounts={
        Amount.SALES: ("订单实付金额", "平台优惠金额", "达人优惠金额", "政府补贴金额"),
        Amount.FREIGHT: ("运费",),
        Amount.FEE: ("技术服务费",),
        Amount.COMMISSION: ("达人佣金", "带货佣金", "团长服务费"),
    },
    less=("退款金额",),
)
