"""消费券资金使用与核销/退回明细: what moved, where it lies, what it pulled, use by use."""

from __future__ import annotations

from livehub.reports import fund_tables
from livehub.reports.basis import Axis
from livehub.reports.forms import Ask, Report, Table


async def tables(ask: Ask) -> list[Table]:
    """The forms of the money."""
    return [
        await fund_tables.moves(ask),
        await fund_tables.balances(ask),
        await fund_tables.leverage(ask),
        await fund_tables.uses(ask),
    ]


REPORT = Report(
    name="voucher_funds",
    title="消费券资金使用与核销退回明细",
    axis=Axis.EVENT,
    proofs=("ledger", "redemptions", "vouchers", "rules"),
    tables=tables,
)
