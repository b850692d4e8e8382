"""What pages and /api/v1 read of cases: the list, and one with signals, rows, notes and what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page, window
from livehub.settlement import holding, signals
from livehub.settlement.case_models import BY_HAND, CaseState, Subject
from livehub.settlement.signals import CaseFigure

OPEN_STATES = (CaseState.OPEN, CaseState.LOOKED_AT)
_OPEN = "('open', 'looked_at')"


class CaseView(Struct, frozen=True, kw_only=True):
    """A case in a list, with what it holds back now that was not settled, in fen."""

    row_id: int
    id: str
    rule: str
    rule_label: str
    rule_version: int
    params: dict[str, Any]
    subject: Subject
    subject_ref: str  # its public id
    subject_name: str
    bureau: str  # '' = of the whole centre
    day: date
    signals: list[CaseFigure]
    state: CaseState
    opened_by: str  # '' = the rule
    opened_by_id: int
    opened_at: datetime
    looked_by: str
    looked_by_id: int
    looked_at: datetime | None
    ended_by: str
    ended_at: datetime | None
    held: int  # redemptions that are held back by it now
    held_fen: int  # their subsidies, less what was recovered
    settled: int  # that were in a submitted batch before


class RedemptionBehind(Struct, frozen=True, kw_only=True):
    """A redemption behind a case."""

    id: str
    at: datetime
    claimed_at: datetime
    merchant: str
    person: str  # the beginning of a keyed hash
    order_no: str
    order_fen: int
    threshold_fen: int
    subsidy_fen: int
    is_held: bool


class OrderBehind(Struct, frozen=True, kw_only=True):
    """An order behind a case."""

    shop: str
    order_ref: str
    platform: str
    buyer: str
    status: str
    at: datetime
    g2_fen: int
    refund_fen: int


class LateBehind(Struct, frozen=True, kw_only=True):
    """An order that came after its voucher's money was free."""

    shop: str  # '' = its shop is gone
    order_ref: str
    platform: str
    voucher: str
    paid_at: datetime
    seen_at: datetime
    order_fen: int
    subsidy_fen: int


Behind = RedemptionBehind | OrderBehind | LateBehind


class Note(Struct, frozen=True, kw_only=True):
    """What somebody said."""

    step: str
    text: str
    by: str
    at: datetime


_NAME = (
    "CASE c.subject WHEN 'merchant' THEN m.name WHEN 'broadcast' THEN b.title"
    " WHEN 'redemption' THEN r.order_no ELSE t.name END"
)
_REF = (
    "CASE c.subject WHEN 'merchant' THEN m.public_id WHEN 'broadcast' THEN b.public_id"
    " WHEN 'redemption' THEN r.public_id ELSE x.public_id END"
)
_FROM = (
    " FROM integrity_case c LEFT JOIN bureau u ON u.id = c.bureau_id"
    " LEFT JOIN merchant m ON c.subject = 'merchant' AND m.id = c.subject_id"
    " LEFT JOIN broadcast b ON c.subject = 'broadcast' AND b.id = c.subject_id"
    " LEFT JOIN redemption r ON c.subject = 'redemption' AND r.id = c.subject_id"
    " LEFT JOIN voucher x ON c.subject = 'voucher' AND x.id = c.subject_id"
    " LEFT JOIN voucher_template t ON t.id = x.template_id"
)
_COLUMNS = (
    "c.id AS row_id, c.public_id AS id, c.rule, c.rule_version, c.params, c.subject, c.day, c.signals,"
    " c.state, c.opened_by, c.opened_by_id, c.opened_at, c.looked_by, c.looked_by_id, c.looked_at,"
    f" c.ended_by, c.ended_at, coalesce(u.name, '') AS bureau, coalesce({_NAME}, '') AS subject_name,"
    f" coalesce({_REF}, '') AS subject_ref"
)
# The redemptions that the holds of a case stand for.
_HELD = (
    "SELECT h.case_id, r.id FROM v JOIN settlement_hold h ON h.case_id = v.wanted AND h.lifted_at IS NULL"
    " JOIN redemption r ON r.id = h.redemption_id"
    " UNION SELECT h.case_id, r.id FROM v JOIN settlement_hold h ON h.case_id = v.wanted"
    " AND h.lifted_at IS NULL AND h.merchant_id > 0 JOIN redemption r ON r.merchant_id = h.merchant_id"
    " UNION SELECT h.case_id, r.id FROM v JOIN settlement_hold h ON h.case_id = v.wanted"
    " AND h.lifted_at IS NULL AND h.broadcast_id > 0 JOIN voucher x ON x.broadcast_id = h.broadcast_id"
    " JOIN redemption r ON r.voucher_id = x.id"
)


async def cases(
    *, actor: Actor, state: str = "", rule: str = "", number: int = 1, size: int = 50
) -> Page[CaseView]:
    """The cases an actor may see, open ones first, then the newest. ``state``: one, or '' for all."""
    number, size, limit, offset = window(number=number, size=size)
    where = (
        "c.centre_id = $1 AND ($2 = '' OR c.state = $2) AND ($3 = '' OR c.rule = $3)"
        f"{_narrowed(actor, 'c.bureau_id')}"
    )
    asked = (actor.centre_id, state, rule)
    counted = await database.fetch_one(f"SELECT count(*) AS n FROM integrity_case c WHERE {where}", *asked)
    rows = await database.fetch(
        f"SELECT {_COLUMNS}{_FROM} WHERE {where} ORDER BY CASE WHEN c.state IN {_OPEN} THEN 0 ELSE 1 END,"
        f" c.day DESC, c.id DESC LIMIT {limit} OFFSET {offset}",
        *asked,
    )
    return Page(await _views(rows, actor), number, size, int(counted["n"]) if counted else 0)


async def case(public_id: str, *, actor: Actor) -> CaseView:
    """One of them; NotFound outside the scope."""
    row = await database.fetch_one(
        f"SELECT {_COLUMNS}{_FROM} WHERE c.public_id = $1 AND c.centre_id = $2"
        f"{_narrowed(actor, 'c.bureau_id')}",
        public_id,
        actor.centre_id,
    )
    if row is None:
        raise NotFound
    return (await _views([row], actor))[0]


async def beside(seen: CaseView, *, actor: Actor) -> list[CaseView]:
    """The other cases about the same thing and day."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS}{_FROM} JOIN integrity_case o ON o.id = $1 AND o.subject = c.subject"
        " AND o.subject_id = c.subject_id AND o.day = c.day AND o.id <> c.id"
        f" WHERE c.centre_id = $2{_narrowed(actor, 'c.bureau_id')} ORDER BY c.id",
        seen.row_id,
        actor.centre_id,
    )
    return await _views(rows, actor)


async def open_count(centre_id: int) -> int:
    """How many wait for somebody: for the wall."""
    row = await database.fetch_one(
        f"SELECT count(*) AS n FROM integrity_case WHERE centre_id = $1 AND state IN {_OPEN}", centre_id
    )
    return int(row["n"]) if row else 0


async def notes(case_id: int) -> list[Note]:
    """What was said, the oldest first."""
    rows = await database.fetch(
        "SELECT step, text, by_name, at FROM case_note WHERE case_id = $1 ORDER BY id", case_id
    )
    return [
        Note(step=row["step"], text=row["text"], by=row["by_name"], at=clock.from_ms(row["at"]))
        for row in rows
    ]


async def behind(seen: CaseView, *, actor: Actor, number: int = 1, size: int = 50) -> Page[Behind]:
    """The rows behind a case, by time."""
    number, size, limit, offset = window(number=number, size=size)
    statement, make = {
        Subject.BROADCAST: (_ORDERS, _order),
        Subject.VOUCHER: (_LATES, _late),
    }.get(seen.subject, (_REDEMPTIONS, _redemption))
    if seen.rule == BY_HAND:
        statement, make = _HELD_ROWS, _redemption
    where = _narrowed(actor, "k.bureau_id") if make is _redemption else ""
    counted = await database.fetch_one(f"SELECT count(*) AS n FROM ({statement}{where}) g", seen.row_id)
    rows = await database.fetch(
        f"{statement}{where} ORDER BY happened_at, row_id LIMIT {limit} OFFSET {offset}", seen.row_id
    )
    return Page([make(row) for row in rows], number, size, int(counted["n"]) if counted else 0)


_USE_COLUMNS = (
    "SELECT r.id AS row_id, r.public_id, r.at AS happened_at, x.claimed_at, coalesce(m.name, '') AS merchant,"
    f" p.person_key, r.order_no, r.order_fen, t.threshold_fen, r.subsidy_fen, {holding.HELD} AS is_held"
)
_USE_JOINS = (
    " JOIN campaign k ON k.id = r.campaign_id JOIN voucher x ON x.id = r.voucher_id"
    " JOIN voucher_template t ON t.id = x.template_id JOIN claimant p ON p.id = x.claimant_id"
    " LEFT JOIN merchant m ON m.id = r.merchant_id"
)
_REDEMPTIONS = (
    f"{_USE_COLUMNS} FROM case_row w JOIN redemption r ON r.id = w.row_id{_USE_JOINS}"
    " WHERE w.case_id = $1 AND w.kind = 'redemption'"
)
# By hand: what is held, whatever its subject; a merchant's and a broadcast's uses are many.
_UNDER_CASE = holding.UNDER.format(which="case_id = $1")
_HELD_ROWS = f"{_USE_COLUMNS} FROM redemption r{_USE_JOINS} WHERE r.id IN ({_UNDER_CASE})"
_ORDERS = (
    "SELECT o.id AS row_id, s.public_id AS shop, o.order_ref, o.platform, o.buyer_key, o.status,"
    " coalesce(o.paid_at, o.first_seen_at) AS happened_at, o.g2_fen, o.refund_fen FROM case_row w"
    " JOIN sales_order o ON o.id = w.row_id JOIN shop s ON s.id = o.shop_id"
    " WHERE w.case_id = $1 AND w.kind = 'order'"
)
_LATES = (
    "SELECT l.id AS row_id, coalesce(s.public_id, '') AS shop, l.order_no, l.platform,"
    " x.public_id AS voucher, l.paid_at AS happened_at, l.seen_at, l.order_fen, l.subsidy_fen FROM case_row w"
    " JOIN late_redemption l ON l.id = w.row_id JOIN voucher x ON x.id = l.voucher_id"
    " LEFT JOIN shop s ON s.id = l.shop_id WHERE w.case_id = $1 AND w.kind = 'late'"
)


def _redemption(row: Mapping[str, Any]) -> Behind:
    return RedemptionBehind(
        id=row["public_id"],
        at=clock.from_ms(row["happened_at"]),
        claimed_at=clock.from_ms(row["claimed_at"]),
        merchant=row["merchant"],
        person=bytes(row["person_key"]).hex()[:6],
        order_no=row["order_no"],
        order_fen=row["order_fen"],
        threshold_fen=row["threshold_fen"],
        subsidy_fen=row["subsidy_fen"],
        is_held=bool(row["is_held"]),
    )


def _order(row: Mapping[str, Any]) -> Behind:
    return OrderBehind(
        shop=row["shop"],
        order_ref=row["order_ref"],
        platform=row["platform"],
        buyer=row["buyer_key"][:6],
        status=row["status"],
        at=clock.from_ms(row["happened_at"]),
        g2_fen=row["g2_fen"],
        refund_fen=row["refund_fen"],
    )


def _late(row: Mapping[str, Any]) -> Behind:
    return LateBehind(
        shop=row["shop"],
        order_ref=row["order_no"],
        platform=row["platform"],
        voucher=row["voucher"],
        paid_at=clock.from_ms(row["happened_at"]),
        seen_at=clock.from_ms(row["seen_at"]),
        order_fen=row["order_fen"],
        subsidy_fen=row["subsidy_fen"],
    )


def rule_label(rule: str) -> str:
    """What a rule is called, also one that is gone."""
    if rule == BY_HAND:
        return "人工立案"
    known = signals.registry().get(rule)
    return known.label if known else rule


async def _views(rows: list[dict[str, Any]], actor: Actor) -> list[CaseView]:
    held = await _sums([row["row_id"] for row in rows], actor)
    return [
        CaseView(
            **{
                **row,
                "rule_label": rule_label(row["rule"]),
                "params": msgspec.json.decode(row["params"]),
                "signals": msgspec.json.decode(row["signals"], type=list[CaseFigure]),
                "subject": Subject(row["subject"]),
                "state": CaseState(row["state"]),
                "day": clock.day_of_number(row["day"]),
                "opened_at": clock.from_ms(row["opened_at"]),
                "looked_at": clock.from_ms_or_none(row["looked_at"]),
                "ended_at": clock.from_ms_or_none(row["ended_at"]),
                **held.get(row["row_id"], {"held": 0, "held_fen": 0, "settled": 0}),
            }
        )
        for row in rows
    ]


async def _sums(case_ids: list[int], actor: Actor) -> dict[int, dict[str, int]]:
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(each,) for each in sorted(set(case_ids))],
        f"SELECT g.case_id, sum(CASE WHEN r.settled_at IS NULL THEN 1 ELSE 0 END) AS held,"
        " sum(CASE WHEN r.settled_at IS NULL THEN r.subsidy_fen - r.recovered_fen ELSE 0 END) AS held_fen,"
        " sum(CASE WHEN r.settled_at IS NULL THEN 0 ELSE 1 END) AS settled"
        f" FROM ({_HELD}) g JOIN redemption r ON r.id = g.id AND r.state NOT IN ('authorized', 'voided')"
        f" JOIN campaign k ON k.id = r.campaign_id WHERE true{_narrowed(actor, 'k.bureau_id')}"
        " GROUP BY g.case_id",
    )
    return {
        int(row["case_id"]): {name: int(row[name]) for name in ("held", "held_fen", "settled")}
        for row in rows
    }


def _narrowed(actor: Actor, column: str) -> str:
    bureaus = bureau_scope(actor, Permission.CASE_READ)
    if bureaus is None:
        return ""
    return f" AND {column} IN ({', '.join(str(int(each)) for each in sorted(bureaus - {0})) or '-1'})"
