"""What the voucher money pulled: always from redemptions, with the floor that the thresholds guarantee."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers import leverage
from livehub.vouchers.leverage import Leverage
from livehub.vouchers.models import Account, RedemptionState

_LIVE = ", ".join(
    f"'{state}'"
    for state in (
        RedemptionState.AUTHORIZED,
        RedemptionState.CAPTURED,
        RedemptionState.PARTIALLY_REFUNDED,
    )
)


async def of(
    *, centre_id: int, bureaus: frozenset[int] | None = None, since: datetime | None = None
) -> Leverage:
    """The leverage of a centre's redemptions, perhaps of some bureaus' campaigns or since an instant."""
    narrowed = "" if bureaus is None else f" AND c.bureau_id IN ({_numbers(bureaus)})"
    return leverage.of_row(
        await database.fetch_one(
            f"SELECT {leverage.SUMS} FROM redemption r JOIN campaign c ON c.id = r.campaign_id"
            " JOIN voucher_template t ON t.id = r.template_id"
            f" WHERE c.centre_id = $1 AND r.at >= $2 AND {leverage.COUNTED}{narrowed}",
            centre_id,
            clock.to_ms(since) if since else 0,
        )
    )


class Funds(Struct, frozen=True):
    """The public money of a centre's campaigns, in fen, from the ledger."""

    budget_fen: int
    committed_fen: int  # held by consumers or owed to merchants
    redeemed_fen: int
    released_fen: int


async def funds(*, centre_id: int, bureaus: frozenset[int] | None = None) -> Funds:
    """Where the money of all campaigns that are not drafts lies now."""
    narrowed = "" if bureaus is None else f" AND c.bureau_id IN ({_numbers(bureaus)})"
    rows = await database.fetch(
        "SELECT a.kind AS kind, sum(a.balance_fen) AS fen FROM ledger_account a JOIN campaign c"
        f" ON c.id = a.campaign_id WHERE c.centre_id = $1{narrowed} GROUP BY a.kind",
        centre_id,
    )
    fen = {row["kind"]: int(row["fen"]) for row in rows}
    redeemed = sum(fen.get(kind, 0) for kind in (Account.PAYABLE, Account.PAID, Account.RECEIVABLE))
    return Funds(
        budget_fen=-fen.get(Account.TREASURY, 0),
        committed_fen=redeemed + fen.get(Account.HELD, 0),
        redeemed_fen=redeemed,
        released_fen=fen.get(Account.RELEASED, 0),
    )


class Counts(Struct, frozen=True):
    """Vouchers by number."""

    put_out: int  # of the drops opened in the time
    claimed: int
    redeemed: int
    left: int  # in the drops that are open now


async def counts(
    *, centre_id: int, since: datetime, now: datetime, bureaus: frozenset[int] | None = None
) -> Counts:
    """Vouchers claimed and redeemed since an instant, and what open drops still hold."""
    narrowed = "" if bureaus is None else f" AND c.bureau_id IN ({_numbers(bureaus)})"
    start = clock.to_ms(since)
    claimed = await _count(
        "voucher x JOIN campaign c ON c.id = x.campaign_id WHERE c.centre_id = $1 AND x.claimed_at >= $2"
        + narrowed,
        centre_id,
        start,
    )
    redeemed = await _count(
        "redemption x JOIN campaign c ON c.id = x.campaign_id WHERE c.centre_id = $1 AND x.at >= $2"
        f" AND x.state IN ({_LIVE}){narrowed}",
        centre_id,
        start,
    )
    drops = await database.fetch_one(
        "SELECT coalesce(sum(d.quantity * d.vouchers_each), 0) AS put_out,"
        " coalesce(sum(CASE WHEN d.state = 'open' AND d.closes_at > $3"
        " THEN (d.quantity - d.claimed) * d.vouchers_each ELSE 0 END), 0) AS left_over FROM voucher_drop d"
        " JOIN voucher_template t ON t.id = d.template_id JOIN campaign_round n ON n.id = t.round_id"
        " JOIN campaign c ON c.id = n.campaign_id"
        f" WHERE c.centre_id = $1 AND d.opens_at >= $2 AND d.state <> 'planned'{narrowed}",
        centre_id,
        start,
        clock.to_ms(now),
    )
    assert drops is not None  # noqa: S101 -- an aggregate has one row
    return Counts(int(drops["put_out"]), claimed, redeemed, int(drops["left_over"]))


async def _count(rest: str, *args: object) -> int:
    row = await database.fetch_one(f"SELECT count(*) AS n FROM {rest}", *args)
    return int(row["n"]) if row else 0


def _numbers(ids: frozenset[int]) -> str:
    return ", ".join(str(int(each)) for each in sorted(ids)) or "0"
