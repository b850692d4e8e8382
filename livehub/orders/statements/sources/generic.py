"""A file of our own: for an ERP, or a platform that has no source yet."""

from livehub.orders.statements.contract import Amount, Source

SOURCE = Source(
    name="generic",
    label="通用模板",
    platform="",
    entry_ref=("流水号",),
    settled_at=("结算时间", "结算日期"),
    order_ref=("订单号",),
    line_ref=("子订单号",),
    must=("销售款",),
    amounts={
        Amount.SALES: ("销售款",),
        Amount.FREIGHT: ("运费",),
        Amount.FEE: ("平台服务费",),
        Amount.COMMISSION: ("佣金",),
        Amount.OTHER: ("其他",),
    },
)
