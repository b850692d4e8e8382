"""Tables of voucher money: what moved in a period, where it lay, what it pulled, and each use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from livehub import database
from livehub.kit import clock
from livehub.reports import fund_rows, labels
from livehub.reports.forms import Ask, Figure, Row, Sum, Table
from livehub.vouchers.models import Account

LEDGER, ACCOUNTS, USES = "ledger.csv", "accounts.csv", "redemptions.csv"
MOST_USES = 500  # that stand in the form itself; the evidence has all
_MOVES = {
    "funded": "拨入",
    "claimed": "领取（面额）",
    "redeemed": "核销补贴",
    "recovered": "退款收回",
    "released": "释放",
    "returned": "退回财政",
    "paid": "付商户",
}
_LEVERAGES = (
    ("毛杠杆", "order_fen", "subsidy_fen"),
    ("退款后杠杆", "net_order_fen", "net_subsidy_fen"),
    ("设计下限", "threshold_fen", "face_fen"),
    ("退款后下限", "kept_threshold_fen", "kept_face_fen"),
)
_OF_USE = (
    ("订单金额", "order_fen"),
    ("补贴", "subsidy_fen"),
    ("已退订单", "refunded_fen"),
    ("已收回补贴", "recovered_fen"),
)
_NOT_USED = "没有核销"


async def moves(ask: Ask) -> Table:
    """What the ledger booked in the period, campaign by campaign."""
    found = await fund_rows.campaigns(ask)
    rows = await database.fetch(
        f"SELECT c.public_id, e.kind, sum(e.amount_fen) AS fen FROM ledger_entry e"
        f" JOIN campaign c ON c.id = e.campaign_id WHERE e.campaign_id IN ({fund_rows.ids_of(found)})"
        " AND e.at >= $1 AND e.at < $2 AND e.at <= $3 GROUP BY c.public_id, e.kind",
        ask.since_ms,
        ask.until_ms,
        ask.as_of_ms,
    )
    sums: dict[tuple[str, str], int] = {}
    for row in rows:
        for campaign in (row["public_id"], ""):
            key = campaign, fund_rows.GROUPS.get(row["kind"], row["kind"])
            sums[key] = sums.get(key, 0) + int(row["fen"])
    made = [
        Row(
            names=(each["name"],),
            figures=tuple(_moved(sums.get((each["public_id"], group), 0), group, each["public_id"])
                          for group in _MOVES),
        )
        for each in found
    ]  # fmt: skip
    total = tuple(_moved(sums.get(("", group), 0), group, "") for group in _MOVES)
    return Table(
        name="fund_moves",
        title="消费券资金使用",
        heads=("活动",),
        columns=tuple(_MOVES.values()),
        rows=(*made, Row(names=("合计",), figures=total, is_total=True)),
        note="按记账时间，逐笔见资金账；一笔钱先领取、再核销，各列不能相加。",
    )


def _moved(fen: int, group: str, campaign: str) -> Figure:
    where = {"period": "in", "group": group, **({"campaign": campaign} if campaign else {})}
    return Figure(
        unit="fen",
        basis=_MOVES[group],
        numerator=fen,
        of=Sum(file=LEDGER, column="amount_fen", where=where),
        opens=_campaign(campaign),
    )


async def balances(ask: Ask) -> Table:
    """Where the money of each campaign lay at the instant of the report."""
    found = await fund_rows.campaigns(ask)
    sums = await balances_of(ask, fund_rows.ids_of(found))
    by_kind: dict[tuple[str, str], int] = {}
    for row in sums:
        for campaign in (row["campaign"], ""):
            key = campaign, row["kind"]
            by_kind[key] = by_kind.get(key, 0) + int(row["fen"])
    columns = list(labels.ACCOUNTS)
    made = [
        Row(
            names=(each["name"],),
            figures=tuple(_lay(by_kind.get((each["public_id"], str(kind)), 0), kind, each["public_id"])
                          for kind in columns),
        )
        for each in found
    ]  # fmt: skip
    total = tuple(_lay(by_kind.get(("", str(kind)), 0), kind, "") for kind in columns)
    return Table(
        name="fund_balances",
        title="资金余额",
        heads=("活动",),
        columns=tuple(labels.ACCOUNTS.values()),
        rows=(*made, Row(names=("合计",), figures=total, is_total=True)),
        note="截至报表时点；各列之和等于拨入的资金，应收退款为负。",
    )


async def balances_of(ask: Ask, ids: str) -> list[dict[str, Any]]:
    """Each account of some campaigns that was used, and what lay in it; of the treasury what it gave."""
    return await database.fetch(
        "SELECT a.id, c.public_id AS campaign, a.kind, a.round_id, a.merchant_id,"
        " coalesce(sum(CASE WHEN e.credit_id = a.id THEN e.amount_fen ELSE -e.amount_fen END), 0) AS fen"
        " FROM ledger_account a JOIN campaign c ON c.id = a.campaign_id"
        " LEFT JOIN ledger_entry e ON e.campaign_id = a.campaign_id"
        " AND (e.credit_id = a.id OR e.debit_id = a.id)"
        f" AND e.at <= $1 WHERE a.campaign_id IN ({ids})"
        " GROUP BY a.id, c.public_id, a.kind, a.round_id, a.merchant_id"
        " HAVING count(e.id) > 0 ORDER BY a.id",
        ask.as_of_ms,
    )


def _lay(fen: int, kind: Account, campaign: str) -> Figure:
    where = {"kind": str(kind), **({"campaign": campaign} if campaign else {})}
    return Figure(
        unit="fen",
        basis=labels.ACCOUNTS[kind],
        numerator=fen,
        of=Sum(file=ACCOUNTS, column="balance_fen", where=where),
        opens=_campaign(campaign),
    )


async def leverage(ask: Ask) -> Table:
    """What the uses of the period pulled: numerators, denominators and the floor."""
    found = await fund_rows.campaigns(ask)
    columns = (*fund_rows.AMOUNTS, *fund_rows.DERIVED)
    sums = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in columns)
    uses = f"SELECT x.*, {fund_rows.derived()} FROM ({fund_rows.redemptions(ask, fund_rows.ids_of(found))}) x"
    rows = await database.fetch(
        f"SELECT campaign, count(*) AS uses, {sums} FROM ({uses}) y WHERE period = 'in' GROUP BY campaign"
    )
    by_campaign = {row["campaign"]: {name: int(row[name]) for name in ("uses", *columns)} for row in rows}
    zero = dict.fromkeys(("uses", *columns), 0)
    whole = {name: sum(each[name] for each in by_campaign.values()) for name in zero}
    made = [
        Row(
            names=(each["name"],),
            figures=_pulled(by_campaign.get(each["public_id"], zero), each["public_id"]),
        )
        for each in found
    ]
    return Table(
        name="leverage",
        title="核销与杠杆",
        heads=("活动",),
        columns=(
            "核销笔数",
            "订单金额",
            "补贴",
            "已退订单",
            "已收回补贴",
            *(head for head, _, _ in _LEVERAGES),
        ),
        rows=(*made, Row(names=("合计",), figures=_pulled(whole, ""), is_total=True)),
        note="按核销时间；退款算到报表时点。杠杆是两个合计之比；没有核销时没有数，不写 0。",
    )


def _pulled(sums: Mapping[str, int], campaign: str) -> tuple[Figure, ...]:
    where = {"period": "in", **({"campaign": campaign} if campaign else {})}

    def of(column: str) -> Sum:
        return Sum(file=USES, column=column, where=where)

    opens = _campaign(campaign)
    amounts = [
        Figure(unit="fen", basis=head, numerator=sums[column], of=of(column), opens=opens)
        for head, column in _OF_USE
    ]
    ratios = [
        Figure(
            unit="ratio",
            basis=head,
            numerator=sums[upper],
            of=of(upper),
            denominator=sums[lower],
            per=of(lower),
            opens=opens,
            why="" if sums[lower] else _NOT_USED,
        )
        for head, upper, lower in _LEVERAGES
    ]
    return (
        Figure(unit="count", basis="核销笔数", numerator=sums["uses"], of=of(""), opens=opens),
        *amounts,
        *ratios,
    )


async def uses(ask: Ask) -> Table:
    """Each use of a voucher in the period with what was refunded of it, the newest first."""
    found = await fund_rows.campaigns(ask)
    rows = await database.fetch(
        f"SELECT * FROM ({fund_rows.redemptions(ask, fund_rows.ids_of(found))}) x WHERE period = 'in'"
        f" ORDER BY at DESC, id DESC LIMIT {MOST_USES + 1}"
    )
    made = [
        Row(
            names=(
                f"{clock.local(clock.from_ms(row['at'])):%Y-%m-%d %H:%M}",
                row["redemption"],
                row["merchant"] or row["place"],
                row["order_no"],
            ),
            figures=tuple(
                Figure(
                    unit="fen",
                    basis=head,
                    numerator=int(row[column]),
                    of=Sum(file=USES, column=column, where={"redemption": row["redemption"]}),
                    opens=f"/desk/redemptions/{row['redemption']}",
                )
                for head, column in _OF_USE
            ),
        )
        for row in rows[:MOST_USES]
    ]
    return Table(
        name="uses",
        title="核销/退回明细",
        heads=("核销时间", "核销编号", "商户", "订单号"),
        columns=tuple(head for head, _ in _OF_USE),
        rows=tuple(made),
        note=f"只列最近 {MOST_USES} 笔，全部见证据文件 {USES}。" if len(rows) > MOST_USES else "",
    )


def _campaign(public_id: str) -> str:
    return f"/desk/campaigns/{public_id}" if public_id else "/desk/campaigns"
