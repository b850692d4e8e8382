"""What the desk and the bureau read of campaigns: the list, and one campaign with its money and rounds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page, window
from livehub.vouchers import funnel, kinds, ledger, leverage, queries, rollover_plans
from livehub.vouchers.enrolments import OFFLINE
from livehub.vouchers.funnel import Funnel
from livehub.vouchers.kinds import Bundle, Kind
from livehub.vouchers.leverage import Leverage
from livehub.vouchers.models import Account, CampaignStatus, RoundStatus
from livehub.vouchers.queries import Figures


class CampaignRow(Struct, frozen=True, kw_only=True):
    """A campaign in a list."""

    id: str
    name: str
    issuer: str
    bureau: str
    state: str
    budget_fen: int
    committed_fen: int
    redeemed_fen: int
    claimed: int
    redeemed: int
    pulled: Leverage
    claim_from: datetime | None
    claim_until: datetime | None


class RoundRow(Struct, frozen=True, kw_only=True):
    """A round with all its templates, and which of them are given in packs."""

    row_id: int
    id: str
    seq: int
    mode: str
    state: str
    claim_from: datetime
    claim_until: datetime
    allocated_fen: int
    rolled_into: int  # the seq of the round that takes what this one leaves, 0: none
    rolled_fen: int
    rollover_hindrance: str  # why the planned rollover cannot happen any more, '' while it can or has
    templates: list[Kind]
    packs: list[Bundle]


class Late(Struct, frozen=True, kw_only=True):
    """An order that was told after its voucher's money was free: it moved nothing."""

    seen_at: datetime
    paid_at: datetime
    shop: str
    order_no: str
    order_fen: int
    subsidy_fen: int


class Used(Struct, frozen=True, kw_only=True):
    """A redemption as the campaign's page lists it."""

    id: str
    at: datetime
    merchant: str
    order_no: str
    order_ref: str  # by which sales know the order, '' while they do not
    shop: str  # public id of the order's shop, '' at a merchant's till
    order_fen: int
    subsidy_fen: int
    refunded_fen: int
    recovered_fen: int
    state: str


class CampaignPage(Struct, frozen=True, kw_only=True):
    """One campaign as its page shows it."""

    row_id: int
    id: str
    name: str
    issuer: str
    purpose: str
    bureau: str
    bureau_id: int
    state: str
    budget_fen: int
    refund_preset: str
    min_pay_fen: int
    drafted_by: str
    drafted_by_id: int
    submitted: bool
    submitted_by_id: int
    approved_by: str
    approved_at: datetime | None
    version: int
    balances: dict[Account, int]
    balanced: bool
    worst_case_fen: int
    rounds: list[RoundRow]
    figures: Figures
    funnel: Funnel
    redemptions: list[Used]
    late: list[Late]


async def campaigns(
    *,
    centre_id: int,
    bureaus: frozenset[int] | None = None,
    state: str = "",
    number: int = 1,
    size: int = 50,
) -> Page[CampaignRow]:
    """Campaigns of a centre or of some bureaus, newest first."""
    number, size, limit, offset = window(number=number, size=size)
    where = "c.centre_id = $1 AND ($2 = '' OR c.status = $2)" + _narrowed(bureaus)
    total = await database.fetch_one(f"SELECT count(*) AS n FROM campaign c WHERE {where}", centre_id, state)
    rows = await database.fetch(
        "SELECT c.public_id, c.name, c.issuer_name, c.status, c.budget_fen, u.name AS bureau,"
        f" {_balance(Account.HELD)} AS held_fen, {_balance(Account.PAYABLE)} AS payable_fen,"
        f" {_balance(Account.PAID)} AS paid_fen, {_balance(Account.RECEIVABLE)} AS receivable_fen,"
        f" {_sum('issued')} AS claimed, {_sum('redeemed')} AS redeemed,"
        " (SELECT min(n.claim_from) FROM campaign_round n WHERE n.campaign_id = c.id) AS claim_from,"
        " (SELECT max(n.claim_until) FROM campaign_round n WHERE n.campaign_id = c.id) AS claim_until,"
        f" {', '.join(f'p.{name}' for name in Leverage.__struct_fields__ if name != 'lost_fen')}"
        " FROM campaign c JOIN bureau u ON u.id = c.bureau_id"
        f" LEFT JOIN (SELECT r.campaign_id, {leverage.SUMS} FROM redemption r"
        " JOIN voucher_template t ON t.id = r.template_id"
        f" WHERE {leverage.COUNTED} AND r.campaign_id IN (SELECT c.id FROM campaign c WHERE {where})"
        " GROUP BY r.campaign_id) p ON p.campaign_id = c.id"
        f" WHERE {where} ORDER BY c.id DESC LIMIT {limit} OFFSET {offset}",
        centre_id,
        state,
    )
    return Page([_row(row) for row in rows], number, size, int(total["n"]) if total else 0)


async def campaign(
    public_id: str, *, centre_id: int, bureaus: frozenset[int] | None = None, now: datetime
) -> CampaignPage:
    """One campaign; NotFound outside the scope."""
    row = await database.fetch_one(
        "SELECT c.id, c.public_id, c.name, c.issuer_name, c.purpose, c.bureau_id, c.status, c.budget_fen,"
        " c.refund_preset, c.min_pay_fen, c.created_by_id, c.submitted_by_id, c.approved_at, c.version,"
        " u.name AS bureau, coalesce(d.name, k.name, '') AS drafted_by, coalesce(a.name, '') AS approved_by"
        " FROM campaign c JOIN bureau u ON u.id = c.bureau_id"
        " LEFT JOIN user_account d ON d.id = c.created_by_id LEFT JOIN api_token k ON k.id = -c.created_by_id"
        " LEFT JOIN user_account a ON a.id = c.approved_by_id"
        f" WHERE c.public_id = $1 AND c.centre_id = $2{_narrowed(bureaus)}",
        public_id,
        centre_id,
    )
    if row is None:
        raise NotFound
    balances = await ledger.balances(row["id"])
    approved_at = row["approved_at"]
    return CampaignPage(
        row_id=row["id"],
        id=row["public_id"],
        name=row["name"],
        issuer=row["issuer_name"],
        purpose=row["purpose"],
        bureau=row["bureau"],
        bureau_id=row["bureau_id"],
        state=row["status"],
        budget_fen=row["budget_fen"],
        refund_preset=row["refund_preset"],
        min_pay_fen=row["min_pay_fen"],
        drafted_by=row["drafted_by"],
        drafted_by_id=row["created_by_id"],
        submitted=row["status"] != CampaignStatus.DRAFT or row["submitted_by_id"] != 0,
        submitted_by_id=row["submitted_by_id"],
        approved_by=row["approved_by"],
        approved_at=None if approved_at is None else clock.from_ms(approved_at),
        version=row["version"],
        balances=balances,
        balanced=ledger.is_conserved(balances),
        worst_case_fen=_worst_case(balances),
        rounds=await _rounds(row["id"], now=now),
        figures=await queries.figures(centre_id=centre_id, campaign_id=row["id"]),
        funnel=await funnel.of(row["id"], now=now),
        redemptions=await _redemptions(row["id"]),
        late=await _late(row["id"]),
    )


async def to_countersign(*, centre_id: int, bureaus: frozenset[int] | None = None) -> int:
    """How many drafts were sent for the countersign and wait for it."""
    row = await database.fetch_one(
        "SELECT count(*) AS n FROM campaign c WHERE c.centre_id = $1 AND c.submitted_by_id <> 0"
        f" AND c.status = '{CampaignStatus.DRAFT}'{_narrowed(bureaus)}",
        centre_id,
    )
    return int(row["n"]) if row else 0


def _worst_case(balances: Mapping[Account, int]) -> int:
    """What is spent if everything allocated is claimed and used."""
    kinds = (Account.UNISSUED, Account.HELD, Account.PAYABLE, Account.PAID, Account.RECEIVABLE)
    return sum(balances[kind] for kind in kinds)


async def _rounds(campaign_id: int, *, now: datetime) -> list[RoundRow]:
    rows = await database.fetch(
        "SELECT n.id, n.public_id, n.seq, n.mode, n.status, n.claim_from, n.claim_until,"
        " coalesce(k.seq, 0) AS rolled_into, coalesce(p.amount_fen, 0) AS rolled_fen, p.rolled_at,"
        " k.status AS into_status, k.claim_until AS into_until FROM campaign_round n"
        " LEFT JOIN round_rollover p ON p.source_id = n.id LEFT JOIN campaign_round k ON k.id = p.target_id"
        " WHERE n.campaign_id = $1 ORDER BY n.seq",
        campaign_id,
    )
    offers = await kinds.of_campaign(campaign_id)
    templates = {
        round_id: [kind for offer in each for kind in kinds.of_offer(offer)]
        for round_id, each in offers.items()
    }
    return [
        RoundRow(
            row_id=row["id"],
            id=row["public_id"],
            seq=row["seq"],
            mode=row["mode"],
            state=row["status"],
            claim_from=clock.from_ms(row["claim_from"]),
            claim_until=clock.from_ms(row["claim_until"]),
            allocated_fen=sum(kind.face_fen * kind.quantity for kind in templates.get(row["id"], [])),
            rolled_into=row["rolled_into"],
            rolled_fen=row["rolled_fen"],
            rollover_hindrance=_hindrance(row, now=now),
            templates=templates.get(row["id"], []),
            packs=[each for each in offers.get(row["id"], []) if isinstance(each, Bundle)],
        )
        for row in rows
    ]


def _hindrance(row: Mapping[str, Any], *, now: datetime) -> str:
    """Why what a round leaves does not go where it was planned to; what returned to the treasury is over."""
    if row["into_status"] is None or row["rolled_at"] is not None or row["status"] == RoundStatus.RETURNED:
        return ""
    until = clock.from_ms(row["into_until"])
    return str(rollover_plans.hindrance(RoundStatus(row["into_status"]), until, now=now) or "")


async def _late(campaign_id: int, limit: int = 20) -> list[Late]:
    rows = await database.fetch(
        "SELECT l.seen_at, l.paid_at, coalesce(s.name, '') AS shop, l.order_no, l.order_fen, l.subsidy_fen"
        " FROM late_redemption l LEFT JOIN shop s ON s.id = l.shop_id"
        f" WHERE l.campaign_id = $1 ORDER BY l.id DESC LIMIT {int(limit)}",
        campaign_id,
    )
    return [
        Late(**{**row, "seen_at": clock.from_ms(row["seen_at"]), "paid_at": clock.from_ms(row["paid_at"])})
        for row in rows
    ]


async def _redemptions(campaign_id: int, limit: int = 20) -> list[Used]:
    rows = await database.fetch(
        "SELECT r.public_id, r.at, coalesce(m.name, s.name, '') AS merchant, r.order_no, o.order_ref,"
        " coalesce(s.public_id, '') AS shop,"
        " r.order_fen, r.subsidy_fen, r.refunded_fen, r.recovered_fen, r.state FROM redemption r"
        " LEFT JOIN merchant m ON m.id = r.merchant_id LEFT JOIN shop s ON s.id = r.shop_id"
        " LEFT JOIN sales_order o ON o.shop_id = r.shop_id"
        f" AND o.order_ref = CASE r.platform WHEN '{OFFLINE}' THEN r.public_id ELSE r.order_no END"
        f" WHERE r.campaign_id = $1 ORDER BY r.at DESC, r.id DESC LIMIT {int(limit)}",
        campaign_id,
    )
    return [
        Used(
            id=row["public_id"],
            at=clock.from_ms(row["at"]),
            merchant=row["merchant"],
            order_no=row["order_no"],
            order_ref=row["order_ref"] or "",
            shop=row["shop"],
            order_fen=row["order_fen"],
            subsidy_fen=row["subsidy_fen"],
            refunded_fen=row["refunded_fen"],
            recovered_fen=row["recovered_fen"],
            state=row["state"],
        )
        for row in rows
    ]


def _row(row: Mapping[str, Any]) -> CampaignRow:
    redeemed_fen = int(row["payable_fen"]) + int(row["paid_fen"]) + int(row["receivable_fen"])
    return CampaignRow(
        id=row["public_id"],
        name=row["name"],
        issuer=row["issuer_name"],
        bureau=row["bureau"],
        state=row["status"],
        budget_fen=row["budget_fen"],
        committed_fen=int(row["held_fen"]) + redeemed_fen,
        redeemed_fen=redeemed_fen,
        claimed=int(row["claimed"]),
        redeemed=int(row["redeemed"]),
        pulled=leverage.of_row(row),
        claim_from=None if row["claim_from"] is None else clock.from_ms(row["claim_from"]),
        claim_until=None if row["claim_until"] is None else clock.from_ms(row["claim_until"]),
    )


def _narrowed(bureaus: frozenset[int] | None) -> str:
    if bureaus is None:
        return ""
    return f" AND c.bureau_id IN ({', '.join(str(int(each)) for each in sorted(bureaus)) or '0'})"


def _balance(kind: Account) -> str:
    return (
        "(SELECT coalesce(sum(b.balance_fen), 0) FROM ledger_account b"
        f" WHERE b.campaign_id = c.id AND b.kind = '{kind}')"
    )


def _sum(column: str) -> str:
    return (
        f"(SELECT coalesce(sum(t.{column}), 0) FROM voucher_template t"
        " JOIN campaign_round n ON n.id = t.round_id WHERE n.campaign_id = c.id)"
    )
