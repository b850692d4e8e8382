"""Evidence of voucher money: the ledger and its accounts, vouchers, uses and their refunds, and the rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from livehub import database
from livehub.kit import clock
from livehub.kit.tables import Cell
from livehub.reports import fund_rows, fund_tables
from livehub.reports.forms import Ask
from livehub.vouchers import refund_policy
from livehub.vouchers.eligibility import registry

PAGE = 1000
ACCOUNT_HEAD = ("account", "campaign", "kind", "balance_fen")
ENTRY_HEAD = (
    *("entry", "at", "period", "campaign", "kind", "group", "debit", "credit", "amount_fen"),
    *("voucher", "redemption"),
)
USE_HEAD = (
    *("redemption", "voucher", "campaign", "template", "merchant", "place", "platform", "order_no", "at"),
    *("period", *fund_rows.AMOUNTS, *fund_rows.DERIVED),
)
REFUND_HEAD = (
    *(
        "redemption",
        "refund_no",
        "at",
        "refund_fen",
        "cash_fen",
        "clawback_fen",
        "restored",
        "fate",
        "source",
    ),
    "campaign",
)
VOUCHER_HEAD = (
    *("voucher", "campaign", "template", "claimed_at", "valid_from", "valid_until", "face_fen"),
    "state_when_made",
)
RULE_HEAD = ("campaign", "name", "issuer", "purpose", "about", "rule", "says", "parameters")


async def accounts(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of accounts.csv, with what lay in each account."""
    found = await fund_rows.campaigns(ask)
    rows = await fund_tables.balances_of(ask, fund_rows.ids_of(found))
    yield [[str(row["id"]), row["campaign"], row["kind"], int(row["fen"])] for row in rows]


async def entries(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of ledger.csv: every posting from the first on, so that balances can be made of it."""
    ids = fund_rows.ids_of(await fund_rows.campaigns(ask))
    sql = (
        f"SELECT e.id, e.at, {fund_rows.period('e.at', ask)} AS period, c.public_id AS campaign, e.kind,"
        " e.debit_id, e.credit_id, e.amount_fen, coalesce(v.public_id, '') AS voucher,"
        " coalesce(r.public_id, '') AS redemption FROM ledger_entry e JOIN campaign c ON c.id = e.campaign_id"
        " LEFT JOIN voucher v ON v.id = e.voucher_id LEFT JOIN redemption r ON r.id = e.redemption_id"
        f" WHERE e.campaign_id IN ({ids}) AND e.at <= {ask.as_of_ms} AND e.id > $1 ORDER BY e.id LIMIT {PAGE}"
    )
    async for page in _by_id(sql, "id"):
        yield [
            [
                str(row["id"]),
                clock.from_ms(row["at"]),
                row["period"],
                row["campaign"],
                row["kind"],
                fund_rows.GROUPS.get(row["kind"], row["kind"]),
                str(row["debit_id"]),
                str(row["credit_id"]),
                int(row["amount_fen"]),
                row["voucher"],
                row["redemption"],
            ]
            for row in page
        ]


async def uses(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of redemptions.csv: every use that was booked by then."""
    ids = fund_rows.ids_of(await fund_rows.campaigns(ask))
    sql = (
        f"SELECT x.*, {fund_rows.derived()} FROM ({fund_rows.redemptions(ask, ids)} AND e.id > $1"
        f" ORDER BY e.id LIMIT {PAGE}) x ORDER BY entry_id"
    )
    async for page in _by_id(sql, "entry_id"):
        yield [
            [
                *(row[name] for name in USE_HEAD[:8]),
                clock.from_ms(row["at"]),
                row["period"],
                *(int(row[name]) for name in USE_HEAD[10:]),
            ]
            for row in page
        ]


async def refunds(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of refunds.csv."""
    ids = fund_rows.ids_of(await fund_rows.campaigns(ask))
    sql = (
        "SELECT f.id, r.public_id AS redemption, f.refund_no, f.at, f.refund_fen, f.cash_fen, f.clawback_fen,"
        " f.restored, f.fate, f.source, c.public_id AS campaign FROM redemption_refund f"
        " JOIN redemption r ON r.id = f.redemption_id JOIN campaign c ON c.id = f.campaign_id"
        f" WHERE f.campaign_id IN ({ids}) AND f.at <= {ask.as_of_ms} AND f.id > $1 ORDER BY f.id LIMIT {PAGE}"
    )
    async for page in _by_id(sql, "id"):
        yield [
            [
                row["redemption"],
                row["refund_no"],
                clock.from_ms(row["at"]),
                *(int(row[name]) for name in ("refund_fen", "cash_fen", "clawback_fen", "restored")),
                row["fate"],
                row["source"],
                row["campaign"],
            ]
            for row in page
        ]


async def vouchers(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of vouchers.csv; who holds one is not among them."""
    ids = fund_rows.ids_of(await fund_rows.campaigns(ask))
    sql = (
        "SELECT e.id, x.public_id AS voucher, c.public_id AS campaign, t.public_id AS template, x.claimed_at,"
        " x.valid_from, x.valid_until, t.face_fen, x.state FROM ledger_entry e CROSS JOIN voucher x"
        " JOIN voucher_template t ON t.id = x.template_id JOIN campaign c ON c.id = e.campaign_id"
        f" WHERE x.id = e.voucher_id AND e.campaign_id IN ({ids}) AND e.kind = 'claim'"
        f" AND e.at <= {ask.as_of_ms} AND e.id > $1 ORDER BY e.id LIMIT {PAGE}"
    )
    async for page in _by_id(sql, "id"):
        yield [
            [
                row["voucher"],
                row["campaign"],
                row["template"],
                *(clock.from_ms(row[name]) for name in ("claimed_at", "valid_from", "valid_until")),
                int(row["face_fen"]),
                row["state"],
            ]
            for row in page
        ]


async def rules(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of rules.csv: what each campaign promises, in words and in its parameters."""
    known = registry()
    for each in await fund_rows.campaigns(ask):
        about: list[Cell] = [each["public_id"], each["name"], each["issuer_name"], each["purpose"]]
        preset = refund_policy.registry()[each["refund_preset"]]
        paper = {"budget_fen": each["budget_fen"], "min_pay_fen": each["min_pay_fen"]}
        rows = [[*about, "退款", preset.name, f"{preset.label}（{preset.source}）", _json(paper)]]
        for kind in await _templates(each["id"]):
            terms = f"面额 {kind['face_fen']} 分，满 {kind['threshold_fen']} 分可用，共 {kind['quantity']} 张"
            rows.append([*about, kind["name"], "terms", terms, _json(_terms(kind))])
            for name, parameters in sorted(msgspec.json.decode(kind["rules"]).items()):
                label = known[name].label if name in known else name
                rows.append([*about, kind["name"], name, label, _json(parameters)])
        yield rows


async def _templates(campaign_id: int) -> list[dict[str, Any]]:
    return await database.fetch(
        "SELECT t.public_id, t.name, t.face_fen, t.threshold_fen, t.quantity, t.validity, t.validity_n,"
        " t.valid_from, t.valid_until, t.rules, n.seq, n.mode, n.claim_from, n.claim_until"
        " FROM voucher_template t JOIN campaign_round n ON n.id = t.round_id WHERE n.campaign_id = $1"
        " ORDER BY t.id",
        campaign_id,
    )


def _terms(kind: dict[str, Any]) -> dict[str, Any]:
    instants = ("valid_from", "valid_until", "claim_from", "claim_until")
    plain = {name: value for name, value in kind.items() if name not in {"rules", "name", *instants}}
    return plain | {name: clock.from_ms_or_none(kind[name]) for name in instants}


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


async def _by_id(sql: str, column: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Pages of a statement that goes on after ``$1`` of a column."""
    after = 0
    while rows := await database.fetch(sql, after):
        yield rows
        after = rows[-1][column]
