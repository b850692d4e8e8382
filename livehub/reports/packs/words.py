"""What a pack says to whoever opens it: what lies where, and the rules that its figures follow."""

from __future__ import annotations

from collections.abc import Sequence

from livehub.kit import money
from livehub.reports.basis import Axis
from livehub.reports.forms import Document
from livehub.reports.models import OUTLIVED
from livehub.reports.packs.tally import Difference

_README = """{centre} {title}
{bureau} {since} 至 {until}（不含），截至 {as_of}

这个压缩包可以离线核对，不需要系统和数据库：

    livehub verify-pack 文件.zip

index.json       每个文件的大小、行数和 SHA-256
report.json      签字的内容，它的 SHA-256 就是签字的对象；每个数都写明是哪个文件哪一列、在什么条件下的合计
signature.json   谁编制、谁签字、何时
forms/           报表：可打印的网页、CSV、Excel
evidence/        数字背后的逐行依据；facts.jsonl 是每条消息去掉个人信息之后的内容
chain.csv        审计链：每个环的哈希；工作人员的操作附原文，可以重算

口径
  成交额 G2 = 买家实付 + 平台优惠 + 其他优惠 + 消费券补贴，不含运费，只算已付款
  净成交额 G3 = G2 − 退款，退款记在退款成功的那天
  支付额 G1 = 买家实付
  日期轴：{axis}
  没有取到金额的订单金额不计，只计一个待取数
  杠杆 = 订单金额合计 ÷ 补贴合计；下限 = 门槛合计 ÷ 面额合计；分母为 0 时没有数
"""
_AXES = {
    Axis.EVENT: "支付日，即钱动的那天（退款成功的那天）",
    Axis.SESSION: "场次日，即所属场次的业务日；不属于任何场次的按支付日",
}


def readme(document: Document) -> str:
    """README.txt."""
    return _README.format(
        centre=document.centre,
        title=document.title,
        bureau=document.bureau_name,
        since=document.since,
        until=document.until,
        as_of=document.as_of.isoformat(),
        axis=_AXES[document.axis],
    )


_MOST = 3  # names that are told
_COLUMNS = {
    "town": "乡镇",
    "theme": "房间主题",
    "merchant": "商户",
    "product": "商品",
    "broadcast": "场次",
    "streamer": "主播",
    "shop": "店铺",
    "platform": "平台",
}


def changed(differences: Sequence[Difference]) -> str:
    """Which names of figures are not as they were when a report was signed; OUTLIVED stands first."""
    told: dict[tuple[tuple[str, str], ...], str] = {}
    for each in differences:
        where = tuple(sorted(each.of.where.items())) if each.of else ()
        told.setdefault(where, _changed(each, where))
    more = f"；还有 {len(told) - _MOST} 处" if len(told) > _MOST else ""
    return OUTLIVED + "；".join([*told.values()][:_MOST]) + more


def _changed(each: Difference, where: Sequence[tuple[str, str]]) -> str:
    names = "、".join(f"{_COLUMNS.get(column, column)}“{value}”" for column, value in where) or "合计"
    stated, found = (_amount(number, each.unit) for number in (each.stated, each.found))
    now = f"，依据里现在是“{'”“'.join(each.others[:_MOST])}”" if each.others else ""
    return f"{names}（{each.name}）签字时 {stated}，依据现在合计 {found}{now}"


def _amount(number: int | None, unit: str) -> str:
    if number is None:
        return "没有数"
    return f"{money.yuan(number)} 元" if unit == "fen" else str(number)
