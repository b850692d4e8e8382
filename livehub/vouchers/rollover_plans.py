"""Which round takes what an earlier one leaves, and how many vouchers that makes: each round leaves once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from livehub import database
from livehub.kit import money
from livehub.vouchers.errors import RolloverDone, RolloverUnfit
from livehub.vouchers.models import Round, RoundStatus
from livehub.vouchers.round_states import TAKES

LEAVES = (*TAKES, RoundStatus.DRAWN, RoundStatus.CLOSED, RoundStatus.FINISHED)


class Hindrance(StrEnum):
    """Why a round takes nothing any more."""

    CLOSED = "closed"  # its claims were ended
    WINDOW_OVER = "window_over"  # its claim window is over, also where nobody has closed it yet


class Plan(Struct, frozen=True):
    """A round that leaves, and the one that takes; the money once it was rolled."""

    source_id: int
    target_id: int
    amount_fen: int
    is_done: bool


def hindrance(status: RoundStatus, claim_until: datetime, *, now: datetime) -> Hindrance | None:
    """Why a round cannot take what another leaves; None: it can."""
    if status not in TAKES:
        return Hindrance.CLOSED
    return Hindrance.WINDOW_OVER if now >= claim_until else None


async def plan(source_id: int, *, into: Round, now: datetime, anew: bool = False) -> None:
    """Let a round take what an earlier round of its campaign leaves; both are locked by the caller.

    A plan that was not carried out gives way ``anew``, and where it cannot be carried out any more.
    RolloverUnfit when it is no such round or is planned to leave to another one, RolloverDone when it left.
    """
    source = await Round.get_or_none(id=source_id)
    fits = source is not None and source.campaign_id == into.campaign_id and source.seq < into.seq
    if not fits or source is None or source.status not in LEAVES:
        raise RolloverUnfit
    made = await database.fetch(
        "INSERT INTO round_rollover (source_id, target_id, amount_fen) VALUES ($1, $2, 0)"
        " ON CONFLICT (source_id) DO NOTHING RETURNING id",
        source_id,
        into.id,
    )
    found = await of_source(source_id)
    if made or found is None or found.target_id == into.id:
        return
    planned = await Round.get(id=found.target_id)
    if found.is_done:
        raise RolloverDone(f"第 {source.seq} 轮的资金已经滚存到第 {planned.seq} 轮，不能再改。")
    if not anew and hindrance(planned.status, planned.claim_until, now=now) is None:
        raise RolloverUnfit(f"第 {source.seq} 轮已经安排滚存到第 {planned.seq} 轮。")
    await database.execute(
        "UPDATE round_rollover SET target_id = $1 WHERE source_id = $2 AND rolled_at IS NULL",
        into.id,
        source_id,
    )


async def of_source(source_id: int) -> Plan | None:
    """Where a round's rest goes, None: nowhere yet."""
    row = await database.fetch_one(
        "SELECT source_id, target_id, amount_fen, rolled_at FROM round_rollover WHERE source_id = $1",
        source_id,
    )
    if row is None:
        return None
    return Plan(row["source_id"], row["target_id"], row["amount_fen"], row["rolled_at"] is not None)


def fill(amount_fen: int, kinds: Sequence[tuple[int, int]]) -> list[int]:
    """How many of each (face in fen, quantity planned) the money makes; less than the least face stays over.

    It is shared by the planned money of each kind (where none is planned: so many of each), and what is left
    of the shares buys the dearest first.
    """
    planned = [face * quantity for face, quantity in kinds]
    weights = planned if sum(planned) else [face for face, _ in kinds]
    shares = money.split(amount_fen, weights)
    counts = [share // face for share, (face, _) in zip(shares, kinds, strict=True)]
    rest_fen = amount_fen - sum(count * face for count, (face, _) in zip(counts, kinds, strict=True))
    for i in sorted(range(len(kinds)), key=lambda each: -kinds[each][0]):
        more, rest_fen = divmod(rest_fen, kinds[i][0])
        counts[i] += more
    return counts
