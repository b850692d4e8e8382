"""What pages and /api/v1 read of settlement: batches, one with its lines, and what a merchant has coming."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, merchant_scope
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page, window
from livehub.settlement.holding import HELD
from livehub.settlement.models import BatchState


class BatchRow(Struct, frozen=True, kw_only=True):
    """A batch in a list; amounts in fen."""

    row_id: int
    id: str
    number: int
    day: date
    state: BatchState
    campaign: str
    campaign_id: str
    payee: str  # the merchant, or the shop of a platform's orders
    merchant_id: int
    version: int
    redeemed_fen: int
    recovered_fen: int
    late_fen: int
    carried_in_fen: int
    net_fen: int
    pay_fen: int
    sha256: str  # '' before it was submitted
    made_at: datetime
    submitted_by_id: int
    submitted_by: str
    submitted_at: datetime | None
    confirmed_by: str
    confirmed_at: datetime | None
    reason: str
    answer: str
    disputed_by: str
    disputed_at: datetime | None
    paid_by: str
    paid_at: datetime | None
    payment_ref: str

    @property
    def total_fen(self) -> int:
        """The sum of its lines; below zero when more came back than was used."""
        return self.redeemed_fen - self.recovered_fen - self.late_fen

    @property
    def carried_fen(self) -> int:
        """What the merchant still owes back after it."""
        return self.carried_in_fen + self.late_fen - self.net_fen


class LineRow(Struct, frozen=True, kw_only=True):
    """A line of a batch: a redemption, or what was recovered of one."""

    redemption: str
    at: datetime
    store: str
    order_no: str
    order_fen: int
    refund_no: str  # '' = the redemption itself
    refunded_at: datetime | None
    amount_fen: int
    is_late: bool
    is_held: bool  # held back now: left out when the batch is submitted


class HoldRow(Struct, frozen=True, kw_only=True):
    """Something that is held back."""

    id: str
    merchant: str
    redemption: str
    reason: str
    placed_by_id: int
    placed_by: str
    placed_at: datetime


class Coming(Struct, frozen=True, kw_only=True):
    """What a merchant has coming, in fen."""

    unsettled_fen: int  # in no batch that was submitted
    waiting_fen: int  # submitted or confirmed, not paid
    owed_back_fen: int
    held_fen: int  # of what is not settled, held back and under review
    is_held: bool  # all of it: the merchant herself is


_COLUMNS = (
    "b.id AS row_id, b.public_id AS id, b.number, b.day, b.state, b.merchant_id, b.version, b.redeemed_fen,"
    " b.recovered_fen, b.late_fen, b.carried_in_fen, b.net_fen, b.pay_fen, b.sha256, b.made_at,"
    " b.submitted_by_id, b.submitted_by, b.submitted_at, b.confirmed_by, b.confirmed_at, b.reason, b.answer,"
    " b.disputed_by, b.disputed_at, b.paid_by, b.paid_at, b.payment_ref, c.name AS campaign,"
    " c.public_id AS campaign_id, coalesce(m.name, s.name, '') AS payee"
)
_FROM = (
    " FROM settlement_batch b JOIN campaign c ON c.id = b.campaign_id"
    " LEFT JOIN merchant m ON m.id = b.merchant_id LEFT JOIN shop s ON s.id = b.shop_id"
)
_SENT = " AND b.version > 0"  # a merchant sees what was sent to her, not what finance still looks at
_INSTANTS = ("made_at", "submitted_at", "confirmed_at", "disputed_at", "paid_at")


async def batches(
    *,
    actor: Actor,
    state: str = "",
    day: date | None = None,
    campaign: str = "",
    number: int = 1,
    size: int = 50,
) -> Page[BatchRow]:
    """The batches that an actor may see, newest day first."""
    number, size, limit, offset = window(number=number, size=size)
    where = (
        "b.centre_id = $1 AND ($2 = '' OR b.state = $2) AND ($3 = 0 OR b.day = $3)"
        f" AND ($4 = '' OR c.public_id = $4){narrowed(actor, sent=_SENT)}"
    )
    asked = (actor.centre_id, state, clock.day_number(day) if day else 0, campaign)
    counted = await database.fetch_one(f"SELECT count(*) AS n{_FROM} WHERE {where}", *asked)
    rows = await database.fetch(
        f"SELECT {_COLUMNS}{_FROM} WHERE {where} ORDER BY b.day DESC, b.number DESC"
        f" LIMIT {limit} OFFSET {offset}",
        *asked,
    )
    return Page([_row(row) for row in rows], number, size, int(counted["n"]) if counted else 0)


async def batch(public_id: str, *, actor: Actor) -> BatchRow:
    """One of them; NotFound outside the scope."""
    row = await database.fetch_one(
        f"SELECT {_COLUMNS}{_FROM} WHERE b.public_id = $1 AND b.centre_id = $2{narrowed(actor, sent=_SENT)}",
        public_id,
        actor.centre_id,
    )
    if row is None:
        raise NotFound
    return _row(row)


async def lines(batch_id: int, *, number: int = 1, size: int = 200) -> Page[LineRow]:
    """The lines of a batch, in the order of its file."""
    number, size, limit, offset = window(number=number, size=size)
    counted = await database.fetch_one(
        "SELECT count(*) AS n FROM settlement_line WHERE batch_id = $1", batch_id
    )
    rows = await database.fetch(
        "SELECT r.public_id AS redemption, r.at, coalesce(o.name, '') AS store, r.order_no, r.order_fen,"
        " coalesce(f.refund_no, '') AS refund_no, f.at AS refunded_at, l.amount_fen, l.late AS is_late,"
        f" {HELD} AS is_held FROM settlement_line l JOIN redemption r ON r.id = l.redemption_id"
        " LEFT JOIN store o ON o.id = r.store_id LEFT JOIN redemption_refund f ON f.id = l.refund_id"
        f" WHERE l.batch_id = $1 ORDER BY l.late, r.at, r.id, l.refund_id LIMIT {limit} OFFSET {offset}",
        batch_id,
    )
    items = [
        LineRow(
            **{
                **row,
                "at": clock.from_ms(row["at"]),
                "refunded_at": clock.from_ms_or_none(row["refunded_at"]),
                "is_late": bool(row["is_late"]),
                "is_held": bool(row["is_held"]),
            }
        )
        for row in rows
    ]
    return Page(items, number, size, int(counted["n"]) if counted else 0)


async def batch_of_redemption(redemption: str) -> tuple[str, int] | None:
    """(public id, number) of the batch in which a redemption is settled, None: in none yet."""
    row = await database.fetch_one(
        "SELECT b.public_id, b.number FROM redemption r JOIN settlement_line l ON l.redemption_id = r.id"
        " AND l.refund_id = 0 JOIN settlement_batch b ON b.id = l.batch_id WHERE r.public_id = $1",
        redemption,
    )
    return None if row is None else (str(row["public_id"]), int(row["number"]))


async def holds(centre_id: int) -> list[HoldRow]:
    """What is held back by hand now, the oldest first; what cases hold back is on their pages."""
    rows = await database.fetch(
        "SELECT h.public_id AS id, coalesce(m.name, k.name, '') AS merchant,"
        " coalesce(r.public_id, '') AS redemption, h.reason, h.placed_by_id, h.placed_by, h.placed_at"
        " FROM settlement_hold h LEFT JOIN merchant m ON m.id = h.merchant_id"
        " LEFT JOIN redemption r ON r.id = h.redemption_id LEFT JOIN merchant k ON k.id = r.merchant_id"
        " WHERE h.centre_id = $1 AND h.case_id = 0 AND h.lifted_at IS NULL ORDER BY h.id",
        centre_id,
    )
    return [HoldRow(**{**row, "placed_at": clock.from_ms(row["placed_at"])}) for row in rows]


async def coming(merchant_id: int) -> Coming:
    """What a merchant has coming: the same as the ledger owes her, by where it stands."""
    row = await database.fetch_one(
        "SELECT (SELECT coalesce(sum(r.subsidy_fen - r.recovered_fen), 0) FROM redemption r"
        " WHERE r.merchant_id = $1 AND r.settled_at IS NULL AND r.state NOT IN ('authorized', 'voided'))"
        " AS unsettled_fen,"
        " (SELECT coalesce(sum(r.subsidy_fen - r.recovered_fen), 0) FROM redemption r"
        " WHERE r.merchant_id = $1 AND r.settled_at IS NULL AND r.state NOT IN ('authorized', 'voided')"
        f" AND {HELD}) AS held_fen, coalesce(sum(b.pay_fen), 0) AS waiting_fen,"
        " (SELECT coalesce(-sum(a.balance_fen), 0) FROM ledger_account a WHERE a.merchant_id = $1"
        " AND a.kind = 'campaign:receivable') - coalesce(sum(b.net_fen), 0) AS owed_back_fen,"
        " EXISTS (SELECT 1 FROM settlement_hold h WHERE h.merchant_id = $1 AND h.lifted_at IS NULL)"
        " AS is_held FROM settlement_batch b WHERE b.merchant_id = $1 AND b.version > 0"
        " AND b.state <> 'paid'",
        merchant_id,
    )
    assert row is not None  # noqa: S101 -- sums always answer
    return Coming(
        unsettled_fen=int(row["unsettled_fen"]),
        waiting_fen=int(row["waiting_fen"]),
        owed_back_fen=int(row["owed_back_fen"]),
        held_fen=int(row["held_fen"]),
        is_held=bool(row["is_held"]),
    )


def narrowed(actor: Actor, *, row: str = "b", sent: str = "") -> str:
    """Of a query that joins campaign as c: the rows an actor may see; a merchant's own where ``sent``."""
    bureaus = bureau_scope(actor, Permission.SETTLEMENT_READ)
    merchants = merchant_scope(actor, Permission.SETTLEMENT_READ)
    if bureaus is None or merchants is None:
        return ""
    return (
        f" AND (c.bureau_id IN ({_numbers(bureaus)}) OR ({row}.merchant_id IN ({_numbers(merchants)}){sent}))"
    )


def _numbers(given: frozenset[int]) -> str:
    return ", ".join(str(int(each)) for each in sorted(given - {0})) or "-1"


def _row(row: Mapping[str, Any]) -> BatchRow:
    instants = {name: clock.from_ms_or_none(row[name]) for name in _INSTANTS}
    return BatchRow(
        **{
            **row,
            **instants,
            "day": clock.day_of_number(row["day"]),
            "state": BatchState(row["state"]),
            "sha256": bytes(row["sha256"]).hex() if row["sha256"] else "",
        }
    )
