"""Evidence of settlement: the batches that were submitted, and the lines each of them is the sum of."""

from __future__ import annotations

from collections.abc import AsyncIterator

from livehub import database
from livehub.kit.tables import Cell
from livehub.reports import settled_rows
from livehub.reports.forms import Ask

_SAME = ("redeemed_fen", "recovered_fen", "late_fen", "carried_in_fen", "net_fen", "pay_fen")
BATCH_HEAD = (
    "batch",
    "number",
    "day",
    "campaign",
    "payee",
    "payee_name",
    *_SAME,
    "file_sha256",
    "submitted_at",
)
LINE_HEAD = ("batch", "redemption", "refund_no", "late", "amount_fen")


async def batches(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of batches.csv."""
    yield [
        [
            each.public_id,
            each.number,
            each.day,
            each.campaign,
            each.payee_id,
            each.payee,
            *(getattr(each, name) for name in _SAME),
            each.sha256,
            each.submitted_at,
        ]
        for each in await settled_rows.batches(ask)
    ]


async def lines(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of settlement_lines.csv, batch by batch."""
    for each in await settled_rows.batches(ask):
        rows = await database.fetch(
            "SELECT r.public_id, coalesce(f.refund_no, '') AS refund_no, l.late, l.amount_fen"
            " FROM settlement_line l JOIN redemption r ON r.id = l.redemption_id"
            " LEFT JOIN redemption_refund f ON f.id = l.refund_id WHERE l.batch_id = $1 ORDER BY l.id",
            each.id,
        )
        yield [
            [each.public_id, row["public_id"], row["refund_no"], int(row["late"]), int(row["amount_fen"])]
            for row in rows
        ]
