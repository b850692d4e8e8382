"""联农带农: what was sold of which town and product; what nobody knows the origin of is always shown."""

from __future__ import annotations

from livehub import database
from livehub.reports import figures, line_rows, sections
from livehub.reports.basis import Axis
from livehub.reports.figures import Grain
from livehub.reports.forms import NONE, Ask, Figure, Report, Row, Sum, Table


async def tables(ask: Ask) -> list[Table]:
    """By town, by product, and how far that reaches."""
    return [
        await sections.sales(ask, Grain.TOWN, name="sales_by_town", title="按产地乡镇", with_none=True),
        await sections.sales(ask, Grain.PRODUCT, name="sales_by_product", title="按商品", with_none=True),
        await _reach(ask),
    ]


async def _reach(ask: Ask) -> Table:
    towns = await figures.by(ask.scope(), Grain.TOWN, basis=ask.basis, limit=sections.MOST_ROWS)
    total = sum(row.g3_fen for row in towns)
    unknown = sum(row.g3_fen for row in towns if row.key == "-")
    known = Figure(
        unit="share",
        basis="产地不明占比",
        numerator=unknown,
        of=Sum(file=sections.LINES, column="g3_fen", where={"town": NONE}),
        denominator=total,
        per=Sum(file=sections.LINES, column="g3_fen"),
        opens=sections.opening(ask, town="-"),
        why="" if total else "没有净成交额",
    )
    merchants = Figure(
        unit="count",
        basis="带动商户",
        numerator=await _merchants(ask),
        of=Sum(file=sections.LINES, column="distinct:merchant"),
        opens=sections.opening(ask),
    )
    households = Figure(unit="count", basis="带动农户", numerator=None, why="没有导入分户发放文件，未计量")
    return Table(
        name="reach",
        title="覆盖面",
        heads=("指标",),
        columns=("数",),
        rows=(
            Row(names=("产地不明占净成交额",), figures=(known,)),
            Row(names=("有成交的供货商户",), figures=(merchants,)),
            Row(names=("分户发放的农户",), figures=(households,)),
        ),
        note="商户按登记的供货关系去重；没有登记商户的商品不计。",
    )


async def _merchants(ask: Ask) -> int:
    source, where, args = figures.question(ask.scope())
    row = await database.fetch_one(
        "SELECT count(DISTINCT merchant_id) AS n FROM (SELECT p.merchant_id, r.order_id, r.line_ref"
        f" FROM {source} WHERE {where} AND p.merchant_id IS NOT NULL"
        " GROUP BY p.merchant_id, r.order_id, r.line_ref, r.product_id, r.broadcast_id, r.attribution,"
        f" r.streamer_id, {ask.axis.sql()} HAVING {line_rows.SOMETHING}) x",
        *args,
    )
    return int(row["n"]) if row else 0


REPORT = Report(
    name="origins",
    title="联农带农情况表",
    axis=Axis.EVENT,
    proofs=("sales", "messages"),
    tables=tables,
)
