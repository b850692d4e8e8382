"""The file of a batch as it is submitted: CSV that is no formula anywhere, kept with its SHA-256."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from msgspec import Struct

from livehub import database
from livehub.kit import clock, tables
from livehub.kit.errors import NotFound
from livehub.kit.tables import Cell, Fen
from livehub.settlement.amounts import Amounts
from livehub.settlement.models import SettlementBatch, SettlementFile

HEAD = (
    "批次", "结算日", "活动", "商户", "行", "类别", "核销编号", "核销时间", "门店", "小票或订单号",
    "订单金额", "退款单号", "退款时间", "金额",
)  # fmt: skip
_KINDS = {(False, False): "核销", (True, False): "退款收回", (True, True): "结算后退款收回"}


class Kept(Struct, frozen=True, kw_only=True):
    """A file as it was submitted."""

    name: str
    version: int
    sha256: bytes
    body: bytes


async def write(
    batch: SettlementBatch, found: Amounts, *, version: int, made_by: str, now: datetime
) -> bytes:
    """Keep the file of a batch in the current transaction; returns its digest."""
    names = await _names(batch)
    body = tables.written(HEAD, [*await _lines(batch, *names), *_sums(found)])
    digest = sha256(body).digest()
    await SettlementFile.create(
        batch_id=batch.id,
        version=version,
        name=f"结算批次{batch.number}_{batch.day.isoformat()}_第{version}版",
        sha256=digest,
        body=body,
        made_at=now,
        made_by=made_by,
    )
    return digest


async def newest(batch_id: int) -> Kept:
    """The file that was submitted last; NotFound before the first."""
    found = await SettlementFile.filter(batch_id=batch_id).order_by("-version").first()
    if found is None:
        raise NotFound
    return Kept(name=found.name, version=found.version, sha256=bytes(found.sha256), body=bytes(found.body))


async def _names(batch: SettlementBatch) -> tuple[str, str]:
    row = await database.fetch_one(
        "SELECT c.name AS campaign, coalesce(m.name, s.name, '') AS payee FROM campaign c"
        " LEFT JOIN merchant m ON m.id = $2 LEFT JOIN shop s ON s.id = $3 WHERE c.id = $1",
        batch.campaign_id,
        batch.merchant_id,
        batch.shop_id,
    )
    assert row is not None  # noqa: S101 -- campaigns are never deleted
    return row["campaign"], row["payee"]


async def _lines(batch: SettlementBatch, campaign: str, payee: str) -> list[tuple[Cell, ...]]:
    rows = await database.fetch(
        "SELECT l.refund_id, l.late, l.amount_fen, r.public_id, r.at, coalesce(o.name, '') AS store,"
        " r.order_no, r.order_fen, coalesce(f.refund_no, '') AS refund_no, f.at AS refunded_at"
        " FROM settlement_line l JOIN redemption r ON r.id = l.redemption_id"
        " LEFT JOIN store o ON o.id = r.store_id LEFT JOIN redemption_refund f ON f.id = l.refund_id"
        " WHERE l.batch_id = $1 ORDER BY l.late, r.at, r.id, l.refund_id",
        batch.id,
    )
    return [
        (
            batch.number,
            batch.day,
            campaign,
            payee,
            number,
            _KINDS[row["refund_id"] > 0, bool(row["late"])],
            row["public_id"],
            clock.from_ms(row["at"]),
            row["store"],
            row["order_no"],
            Fen(row["order_fen"]),
            row["refund_no"],
            clock.from_ms_or_none(row["refunded_at"]),
            Fen(row["amount_fen"]),
        )
        for number, row in enumerate(rows, start=1)
    ]


def _sums(found: Amounts) -> list[tuple[Cell, ...]]:
    left_fen = found.carried_in_fen + found.late_fen - found.net_fen
    sums = (
        ("明细合计", found.redeemed_fen - found.recovered_fen - found.late_fen),
        ("以前批次结转的应退", found.carried_in_fen),
        ("本批次抵扣", found.net_fen),
        ("应付", found.pay_fen),
        ("结转到下一批次的应退", left_fen),
    )
    return [(name, *[""] * (len(HEAD) - 2), Fen(fen)) for name, fen in sums]
