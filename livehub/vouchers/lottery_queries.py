"""What is told of a lottery: to the public its proof, to a person her lot, to the desk how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.vouchers import drawing
from livehub.vouchers.drawing import Proof
from livehub.vouchers.models import RoundStatus


class LotteryStage(StrEnum):
    """How far a lottery is, for whoever looks."""

    ANNOUNCED = "announced"
    SIGNUP = "signup"
    WAITING = "waiting"  # for the frozen list, the public number, the draw
    DRAWN = "drawn"
    CLAIMING = "claiming"
    ENDED = "ended"  # claims are over
    CANCELLED = "cancelled"  # it was closed before it was drawn


class Lottery(Struct, frozen=True, kw_only=True):
    """A lottery as it is published; hashes are hexadecimal, '' before they are told."""

    row_id: int
    id: str  # of the round
    seq: int
    campaign: str
    campaign_id: str
    issuer: str
    bureau_id: int
    centre_id: int
    stage: LotteryStage
    state: RoundStatus
    signup_from: datetime
    signup_until: datetime
    source: str
    source_at: datetime
    draw_at: datetime
    claim_from: datetime
    claim_until: datetime
    quantity: int  # how many can win
    entries: int
    commitment: str
    list_hash: str
    frozen_at: datetime | None
    randomness: str  # '' before it is confirmed
    seed: str
    winners: int
    drawn_at: datetime | None
    entered: str  # the number that waits for its second person: for the desk, not for the public
    entered_by_id: int
    confirmed_at: datetime | None


class Lot(Struct, frozen=True):
    """One person's lot; ``won`` is None before the draw."""

    entry: str
    at: datetime
    won: bool | None


async def of_round(round_id: int, *, now: datetime) -> Lottery | None:
    """A round's lottery, None where it is none."""
    row = await database.fetch_one(f"{_LOTTERY} WHERE n.id = $1", round_id)
    return None if row is None else _lottery(row, now=now)


async def public(public_id: str, *, now: datetime) -> Lottery:
    """A lottery that anybody may look at: its sign-up was opened at some time. NotFound else."""
    row = await database.fetch_one(f"{_LOTTERY} WHERE n.public_id = $1", public_id)
    if row is None or row["status"] == RoundStatus.SCHEDULED:
        raise NotFound
    return _lottery(row, now=now)


async def seen(public_id: str, *, centre_id: int, bureaus: frozenset[int] | None, now: datetime) -> Lottery:
    """A lottery of a centre or of some bureaus; NotFound outside the scope."""
    row = await database.fetch_one(
        f"{_LOTTERY} WHERE n.public_id = $1 AND c.centre_id = $2", public_id, centre_id
    )
    if row is None or (bureaus is not None and row["bureau_id"] not in bureaus):
        raise NotFound
    return _lottery(row, now=now)


async def of_campaign(campaign_id: int, *, now: datetime) -> list[Lottery]:
    """The lotteries of a campaign, in their order."""
    rows = await database.fetch(f"{_LOTTERY} WHERE n.campaign_id = $1 ORDER BY n.seq", campaign_id)
    return [_lottery(row, now=now) for row in rows]


async def lot_of(round_id: int, *, platform: str, person_key: bytes) -> Lot | None:
    """Somebody's lot; a lottery with one lot in all has it under no platform."""
    rows = await database.with_rows(
        {"round_id": "bigint", "platform": "text", "person_key": "bytea"},
        [(round_id, each, person_key) for each in sorted({platform, ""})],
        "SELECT e.platform, e.public_id, e.at, w.id AS winner, d.drawn_at FROM v JOIN lottery_entry e"
        " ON e.round_id = v.round_id AND e.platform = v.platform AND e.person_key = v.person_key"
        " JOIN lottery_draw d ON d.round_id = e.round_id LEFT JOIN lottery_winner w ON w.entry_id = e.id",
    )
    if not rows:
        return None
    row = max(rows, key=lambda each: each["platform"] == platform)
    won = None if row["drawn_at"] is None else row["winner"] is not None
    return Lot(row["public_id"], clock.from_ms(row["at"]), won)


async def entries(round_id: int) -> list[str]:
    """The list as it is published, in the order in which it is hashed."""
    rows = await database.fetch("SELECT public_id FROM lottery_entry WHERE round_id = $1", round_id)
    return sorted(row["public_id"] for row in rows)


async def winners(round_id: int) -> list[str]:
    """Who was drawn, smallest value first."""
    rows = await database.fetch(
        "SELECT e.public_id FROM lottery_winner w JOIN lottery_entry e ON e.id = w.entry_id"
        " WHERE w.round_id = $1 ORDER BY w.place",
        round_id,
    )
    return [row["public_id"] for row in rows]


async def proof(lottery: Lottery) -> Proof:
    """All that a stranger needs to do the draw again; NotFound before it was done."""
    if lottery.drawn_at is None:
        raise NotFound
    return Proof(
        algorithm=drawing.ALGORITHM,
        round=lottery.id,
        campaign=lottery.campaign,
        commitment=lottery.commitment,
        source=lottery.source,
        source_at=lottery.source_at,
        signup_from=lottery.signup_from,
        signup_until=lottery.signup_until,
        list_hash=lottery.list_hash,
        randomness=lottery.randomness,
        seed=lottery.seed,
        drawn_at=lottery.drawn_at,
        quantity=lottery.quantity,
        entries=await entries(lottery.row_id),
        winners=await winners(lottery.row_id),
    )


_LOTTERY = (
    "SELECT n.id, n.public_id, n.seq, n.status, n.claim_from, n.claim_until, c.name AS campaign,"
    " c.public_id AS campaign_ref, c.issuer_name, c.bureau_id, c.centre_id, d.signup_from, d.signup_until,"
    " d.source, d.source_at, d.draw_at, d.commitment, d.list_hash, d.frozen_at, d.randomness,"
    " d.entered_by_id, d.confirmed_at, d.seed, d.winners, d.drawn_at,"
    " CASE WHEN d.drawn_at IS NULL THEN (SELECT coalesce(sum(t.quantity), 0) FROM voucher_template t"
    " WHERE t.round_id = n.id) ELSE d.quantity END AS quantity,"
    " CASE WHEN d.frozen_at IS NULL THEN (SELECT count(*) FROM lottery_entry e WHERE e.round_id = n.id)"
    " ELSE d.entries END AS entries"
    " FROM lottery_draw d JOIN campaign_round n ON n.id = d.round_id JOIN campaign c ON c.id = n.campaign_id"
)


def _lottery(row: Mapping[str, Any], *, now: datetime) -> Lottery:
    told = row["confirmed_at"] is not None
    return Lottery(
        row_id=row["id"],
        id=row["public_id"],
        seq=row["seq"],
        campaign=row["campaign"],
        campaign_id=row["campaign_ref"],
        issuer=row["issuer_name"],
        bureau_id=row["bureau_id"],
        centre_id=row["centre_id"],
        stage=_stage(row, now=now),
        state=RoundStatus(row["status"]),
        signup_from=clock.from_ms(row["signup_from"]),
        signup_until=clock.from_ms(row["signup_until"]),
        source=row["source"],
        source_at=clock.from_ms(row["source_at"]),
        draw_at=clock.from_ms(row["draw_at"]),
        claim_from=clock.from_ms(row["claim_from"]),
        claim_until=clock.from_ms(row["claim_until"]),
        quantity=int(row["quantity"]),
        entries=int(row["entries"]),
        commitment="" if row["status"] == RoundStatus.SCHEDULED else bytes(row["commitment"]).hex(),
        list_hash=_hex(row["list_hash"]),
        frozen_at=clock.from_ms_or_none(row["frozen_at"]),
        randomness=row["randomness"] if told else "",
        seed=_hex(row["seed"]),
        winners=row["winners"],
        drawn_at=clock.from_ms_or_none(row["drawn_at"]),
        entered="" if told else row["randomness"],
        entered_by_id=row["entered_by_id"],
        confirmed_at=clock.from_ms_or_none(row["confirmed_at"]),
    )


def _stage(row: Mapping[str, Any], *, now: datetime) -> LotteryStage:
    state, at = row["status"], clock.to_ms(now)
    if state == RoundStatus.SCHEDULED:
        return LotteryStage.ANNOUNCED
    if state == RoundStatus.SIGNUP:
        return (
            LotteryStage.SIGNUP
            if at < row["signup_until"] and row["frozen_at"] is None
            else LotteryStage.WAITING
        )
    if row["drawn_at"] is None:
        return LotteryStage.CANCELLED
    if state == RoundStatus.DRAWN or (state == RoundStatus.OPEN and at < row["claim_from"]):
        return LotteryStage.DRAWN
    return (
        LotteryStage.CLAIMING if state == RoundStatus.OPEN and at < row["claim_until"] else LotteryStage.ENDED
    )


def _hex(value: bytes | None) -> str:
    return "" if value is None else bytes(value).hex()
