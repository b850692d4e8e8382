"""Each row of an imported statement settles exactly its sales, or is named as a difference."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

MOST = 200  # that are told


async def check() -> list[str]:
    """Rows whose marks are not their sales, or that have neither marks nor a difference."""
    rows = await database.fetch(
        "SELECT t.public_id AS statement, l.line AS line, l.sales_fen AS sales, m.fen AS marked"
        " FROM statement_line l JOIN settlement_statement t ON t.id = l.statement_id"
        " LEFT JOIN (SELECT statement_line_id, sum(fen) AS fen FROM settled_mark"
        " GROUP BY statement_line_id) m ON m.statement_line_id = l.id"
        " LEFT JOIN settlement_difference d ON d.statement_line_id = l.id AND d.state <> 'closed'"
        " AND d.statement_line_id > 0"
        " WHERE m.fen <> l.sales_fen OR (m.fen IS NULL AND d.id IS NULL AND t.state = 'imported')"
        f" OR (m.fen IS NOT NULL AND d.id IS NOT NULL) ORDER BY l.id LIMIT {MOST}"
    )
    return [
        f"statement {row['statement']}, line {row['line']}: {row['sales']} fen, settled {row['marked']}"
        for row in rows
    ]


INVARIANT = Invariant("orders.settled", "结算单每行都结到明细或列为差异", check)
