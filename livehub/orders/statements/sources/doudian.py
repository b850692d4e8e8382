"""抖店: the bill of movements, one row for each of an order line. Names are those of published exports."""

from livehub.orders.statements.contract import Amount, Source

SOURCE = Source(
    name="doudian",
    label="抖店 动账明细（结算单）",
    platform="doudian",
    entry_ref=("动账流水号", "流水号"),
    settled_at=("动账时间", "结算时间"),
    order_ref=("订单号", "主订单号"),
    line_ref=("子订单号", "商品单号"),
    must=("订单实付应结",),
    amounts={
        Amount.SALES: (
            "订单实付应结",
            "实际平台补贴",
            "其他平台补贴",
            "以旧换新抵扣",
            "政府补贴平台垫资",
            "实际达人补贴",
            "实际抖音支付补贴",
            "实际抖音月付营销补贴",
            "银行补贴",
        ),
        Amount.FREIGHT: ("运费实付", "实际平台补贴_运费"),
        Amount.FEE: ("平台服务费",),
        Amount.COMMISSION: ("佣金", "渠道分成", "招商服务费", "站外推广费"),
        Amount.OTHER: ("其他分成",),
    },
    less=("订单退款",),
)
