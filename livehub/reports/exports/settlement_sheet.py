"""结算表: what merchants were to be paid for a period, batch by batch, ready for the bank."""

from __future__ import annotations

from livehub.kit import clock
from livehub.reports import settled_rows
from livehub.reports.basis import Axis
from livehub.reports.forms import Ask, Figure, Report, Row, Sum, Table

FILE = "batches.csv"
_COLUMNS = (
    ("应付", "pay_fen"),
    ("核销", "redeemed_fen"),
    ("结算前收回", "recovered_fen"),
    ("结算后收回", "late_fen"),
    ("抵扣应退", "net_fen"),
)


async def tables(ask: Ask) -> list[Table]:
    """A row for each batch that was submitted, and one for each payee."""
    batches = await settled_rows.batches(ask)
    return [_payees(batches), _batches(batches)]


def _payees(batches: list[settled_rows.Batch]) -> Table:
    payees = sorted({(each.payee_id, each.payee) for each in batches}, key=lambda pair: pair[1])
    rows = []
    for number, (payee_id, payee) in enumerate(payees, start=1):
        theirs = [each for each in batches if each.payee_id == payee_id]
        papers = "、".join(str(each.number) for each in theirs)
        rows.append(
            Row(
                names=(str(number), payee, "", f"消费券补贴 批次 {papers}"),
                figures=_figures(theirs, {"payee": payee_id}, "/desk/settlement")[:1],
            )
        )
    rows.append(
        Row(names=("合计", "", "", ""), figures=_figures(batches, {}, "/desk/settlement")[:1], is_total=True)
    )
    return Table(
        name="payees",
        title="付款清单",
        heads=("序号", "收款户名", "收款账号", "用途"),
        columns=("应付",),
        rows=tuple(rows),
        note="收款账号不在本系统里，由财务按开户资料填写；应付为 0 的不用付款。",
    )


def _batches(batches: list[settled_rows.Batch]) -> Table:
    rows = [
        Row(
            names=(
                str(each.number),
                each.day.isoformat(),
                each.campaign_name,
                each.payee,
                f"{clock.local(each.submitted_at):%Y-%m-%d}",
            ),
            figures=_figures([each], {"batch": each.public_id}, f"/desk/settlement/{each.public_id}"),
        )
        for each in batches
    ]
    total = Row(
        names=("合计", "", "", "", ""), figures=_figures(batches, {}, "/desk/settlement"), is_total=True
    )
    return Table(
        name="batches",
        title="结算批次",
        heads=("批次", "结算日", "活动", "商户", "提交日"),
        columns=tuple(head for head, _ in _COLUMNS),
        rows=(*rows, total),
        note="只列已经提交给商户的批次；应付 = 核销 − 结算前收回 − 抵扣应退。",
    )


def _figures(batches: list[settled_rows.Batch], where: dict[str, str], opens: str) -> tuple[Figure, ...]:
    return tuple(
        Figure(
            unit="fen",
            basis=head,
            numerator=sum(getattr(each, column) for each in batches),
            of=Sum(file=FILE, column=column, where=where),
            opens=opens,
        )
        for head, column in _COLUMNS
    )


REPORT = Report(
    name="settlement_sheet",
    title="结算表",
    axis=Axis.EVENT,
    proofs=("settlement", "ledger", "redemptions", "rules"),
    tables=tables,
)
