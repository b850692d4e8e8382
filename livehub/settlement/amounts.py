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


# What the payee of a row paid back, noted or confirmed: it is netted no more.
REPAID = (
    "(SELECT coalesce(sum(y.amount_fen), 0) FROM settlement_repayment y WHERE y.state <> 'withdrawn'"
    " AND y.campaign_id = {row}.campaign_id AND y.merchant_id = {row}.merchant_id"
    " AND y.shop_id = {row}.shop_id)"
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
    assert row is not None  # noqa: S101 -- sums always answer
    return reckon(
        **{name: int(fen) for name, fen in row.items()},
        carried_in_fen=await owed_back(batch.campaign_id, batch.merchant_id, batch.shop_id, but_for=batch.id),
    )


async def owed_back(campaign_id: int, merchant_id: int, shop_id: int, *, but_for: int = 0) -> int:
    """What a payee's batches that were submitted left her owing, in fen, less what she paid back.

    A batch that was taken back to be corrected still owes what it owed, and has netted what it had.
    """
    row = await database.fetch_one(
        "SELECT coalesce(sum(b.late_fen - b.net_fen), 0) AS left_fen,"
        f" {REPAID.format(row='p')} AS repaid_fen FROM (SELECT CAST($1 AS BIGINT) AS campaign_id,"
        " CAST($2 AS BIGINT) AS merchant_id, CAST($3 AS BIGINT) AS shop_id) p LEFT JOIN settlement_batch b"
        " ON b.campaign_id = p.campaign_id AND b.merchant_id = p.merchant_id AND b.shop_id = p.shop_id"
        " AND b.version > 0 AND b.id <> $4 GROUP BY p.campaign_id, p.merchant_id, p.shop_id",
        campaign_id,
        merchant_id,
        shop_id,
        but_for,
    )
    assert row is not None  # noqa: S101 -- its payee is a row of its own
    return int(row["left_fen"]) - int(row["repaid_fen"])
