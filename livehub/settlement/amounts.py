"""What a batch comes to: its lines added up, and what is netted of what the merchant owes back."""

from __future__ import annotations

from msgspec import Struct

from livehub import database
from livehub.settlement.models import SettlementBatch


class Amounts(Struct, frozen=True, kw_only=True):
    """The money of a batch, in fen."""

    redeemed_fen: int
    recovered_fen: int
    late_fen: int
    carried_in_fen: int
    net_fen: int
    pay_fen: int


def reckon(*, redeemed_fen: int, recovered_fen: int, late_fen: int, carried_in_fen: int) -> Amounts:
    """Net as much as there is of what is owed back; never a negative payment."""
    owed_fen = redeemed_fen - recovered_fen
    net_fen = min(owed_fen, carried_in_fen + late_fen)
    return Amounts(
        redeemed_fen=redeemed_fen,
        recovered_fen=recovered_fen,
        late_fen=late_fen,
        carried_in_fen=carried_in_fen,
        net_fen=net_fen,
        pay_fen=owed_fen - net_fen,
    )


async def of(batch: SettlementBatch) -> Amounts:
    """The same of a batch by its lines, and by what its merchant's other batches left."""
    row = await database.fetch_one(
        "SELECT coalesce(sum(CASE WHEN refund_id = 0 THEN amount_fen END), 0) AS redeemed_fen,"
        " coalesce(-sum(CASE WHEN refund_id > 0 AND NOT late THEN amount_fen END), 0) AS recovered_fen,"
        " coalesce(-sum(CASE WHEN late THEN amount_fen END), 0) AS late_fen"
        " FROM settlement_line WHERE batch_id = $1",
        batch.id,
    )
    # One that was taken back to be corrected still owes what it owed, and has netted what it had.
    others = await database.fetch_one(
        "SELECT coalesce(sum(late_fen - net_fen), 0) AS fen FROM settlement_batch WHERE campaign_id = $1"
        " AND merchant_id = $2 AND shop_id = $3 AND version > 0 AND id <> $4",
        batch.campaign_id,
        batch.merchant_id,
        batch.shop_id,
        batch.id,
    )
    assert row is not None and others is not None  # noqa: S101, PT018 -- sums always answer
    return reckon(
        **{name: int(fen) for name, fen in row.items()},
        carried_in_fen=int(others["fen"]),
    )
