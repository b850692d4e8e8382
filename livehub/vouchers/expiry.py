"""Free the money of vouchers whose time is over: in small batches, exact however many do it at once.

Whether a voucher can be used is decided by the time of its use. This only says where its money lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import system
from livehub.kit import clock
from livehub.vouchers import ledger
from livehub.vouchers.models import Account, RoundStatus, VoucherState

GRACE = timedelta(hours=48)  # in which a platform may still tell of an order that used a voucher in time
LOOK = 20_000  # vouchers that are read at once
BATCH = 500  # and written at once: claims and redemptions wait for no more than that
_OPEN = f"('{VoucherState.ISSUED}', '{VoucherState.LOCKED}')"


class Kind(Struct, frozen=True):
    """A template and where its money lies."""

    template_id: int
    template: str
    face_fen: int
    round_id: int
    campaign_id: int
    centre_id: int
    bureau_id: int
    merchants_only: bool
    swept_until: int

    def cutoff(self, now: datetime) -> int:
        """Vouchers that expired until then are free."""
        return clock.to_ms(now - (timedelta() if self.merchants_only else GRACE))


async def sweep(*, now: datetime) -> int:
    """Expire what is due of every round that gives or gave vouchers; returns how many vouchers."""
    swept = 0
    for kind in await _kinds(f"n.status IN ('{RoundStatus.OPEN}', '{RoundStatus.CLOSED}')"):
        until = kind.cutoff(now)
        found = await _sweep(kind, since=kind.swept_until, until=until, now=now)
        if found:
            await _remember(kind, until)
        swept += found
    return swept


async def sweep_round(round_id: int, *, now: datetime) -> int:
    """Expire all that is due of one round, also what came in while a sweep went by."""
    kinds = await _kinds("n.id = $1", round_id)
    return sum([await _sweep(kind, since=-1, until=kind.cutoff(now), now=now) for kind in kinds])


async def is_over(round_id: int, *, now: datetime) -> bool:
    """Whether the time of all vouchers of a round is over, and the time to hear of them."""
    for kind in await _kinds("n.id = $1", round_id):
        row = await database.fetch_one(
            "SELECT max(valid_until) AS last FROM voucher WHERE template_id = $1", kind.template_id
        )
        if row and row["last"] is not None and row["last"] > kind.cutoff(now):
            return False
    return True


async def _kinds(where: str, *args: int) -> list[Kind]:
    rows = await database.fetch(
        "SELECT t.id AS template_id, t.public_id AS template, t.face_fen, n.id AS round_id, n.campaign_id,"
        " c.centre_id, c.bureau_id, t.merchants_only, coalesce(e.until, -1) AS swept_until"
        " FROM voucher_template t JOIN campaign_round n ON n.id = t.round_id"
        " JOIN campaign c ON c.id = n.campaign_id LEFT JOIN expiry_sweep e ON e.template_id = t.id"
        f" WHERE {where} ORDER BY t.id",
        *args,
    )
    return [Kind(**{**row, "merchants_only": bool(row["merchants_only"])}) for row in rows]


async def _sweep(kind: Kind, *, since: int, until: int, now: datetime) -> int:
    swept = 0
    while due := await _due(kind, since=since, until=until):
        for start in range(0, len(due), BATCH):
            batch = due[start : start + BATCH]
            swept += await database.unit(partial(_expire, kind, batch, now=now))
    return swept


async def _due(kind: Kind, *, since: int, until: int) -> list[int]:
    async with database.transaction():
        await database.prefer_indexes()
        rows = await database.fetch(
            "SELECT id FROM voucher WHERE template_id = $1 AND valid_until > $2 AND valid_until <= $3"
            f" AND state IN {_OPEN} LIMIT {LOOK}",
            kind.template_id,
            since,
            until,
        )
    return sorted(row["id"] for row in rows)


async def _expire(kind: Kind, ids: Sequence[int], *, now: datetime) -> int:
    """Those of them that nobody used or expired since they were read."""
    wanted = [(each,) for each in ids]
    if database.dialect() == "postgres":
        await database.with_rows(
            {"wanted": "bigint"},
            wanted,
            "SELECT x.id FROM voucher x WHERE x.id IN (SELECT wanted FROM v) ORDER BY x.id"
            " FOR NO KEY UPDATE OF x",
        )
    rows = await database.with_rows({"wanted": "bigint"}, wanted, _EXPIRE)
    held, released = (
        ledger.Key(kind.campaign_id, account, kind.round_id) for account in (Account.HELD, Account.RELEASED)
    )
    await ledger.post(
        [
            ledger.Posting(
                debit=held,
                credit=released,
                amount_fen=kind.face_fen,
                kind="expire",
                voucher_id=voucher_id,
            )
            for voucher_id in sorted(int(row["id"]) for row in rows)
        ],
        now=now,
    )
    if rows:
        await audit.write(
            "vouchers.expired",
            actor=system("jobs.expiry", centre_id=kind.centre_id),
            now=now,
            about=("template", kind.template),
            bureau_id=kind.bureau_id,
            detail={"vouchers": len(rows), "released_fen": len(rows) * kind.face_fen},
        )
    return len(rows)


_EXPIRE = (
    f"UPDATE voucher SET state = '{VoucherState.EXPIRED}', locked_until = NULL, version = version + 1"
    f" WHERE id IN (SELECT wanted FROM v) AND state IN {_OPEN} RETURNING id"
)


async def _remember(kind: Kind, until: int) -> None:
    await database.execute(
        "INSERT INTO expiry_sweep (template_id, until) VALUES ($1, $2) ON CONFLICT (template_id)"
        " DO UPDATE SET until = excluded.until WHERE excluded.until > expiry_sweep.until",
        kind.template_id,
        until,
    )
