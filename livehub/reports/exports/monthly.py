"""月报: what a bureau's month came to: shows, sales, voucher money and training."""

from __future__ import annotations

from livehub.reports import fund_tables, sections
from livehub.reports.basis import Axis
from livehub.reports.figures import Grain
from livehub.reports.forms import Ask, Report, Table


async def tables(ask: Ask) -> list[Table]:
    """The forms of the month."""
    return [
        await sections.shows(ask, name="broadcasts"),
        await sections.sales(ask, Grain.THEME, name="sales_by_theme", title="按主题"),
        await sections.sales(ask, Grain.PLATFORM, name="sales_by_platform", title="按平台"),
        await sections.sales(ask, Grain.TOWN, name="sales_by_town", title="按产地乡镇", with_none=True),
        await sections.sales(ask, Grain.PRODUCT, name="sales_by_product", title="按商品", with_none=True),
        await fund_tables.moves(ask),
        await fund_tables.leverage(ask),
        await sections.training(ask, name="training"),
    ]


REPORT = Report(
    name="monthly",
    title="月度情况表",
    axis=Axis.EVENT,
    proofs=("broadcasts", "sales", "messages", "ledger", "redemptions", "training", "rules"),
    tables=tables,
)
