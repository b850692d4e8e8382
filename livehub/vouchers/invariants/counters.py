"""Every counter is the number of its rows."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

_ROWS = "SELECT t.public_id AS name, t.{counter} AS counter, count(x.id) AS rows_found"
_CHECKS = (
    (
        "template",
        "issued",
        (
            f"{_ROWS} FROM voucher_template t LEFT JOIN voucher x ON x.template_id = t.id"
            " GROUP BY t.id, t.public_id, t.issued"
        ),
    ),
    (
        "template",
        "redeemed",
        (
            f"{_ROWS} FROM voucher_template t LEFT JOIN voucher x ON x.template_id = t.id"
            " AND x.state IN ('redeemed', 'refunded') GROUP BY t.id, t.public_id, t.redeemed"
        ),
    ),
    (
        "drop",
        "claimed",
        (
            f"{_ROWS} FROM voucher_drop t LEFT JOIN voucher x ON x.template_id = t.template_id"
            " AND x.drop_id = t.id GROUP BY t.id, t.public_id, t.claimed"
        ),
    ),
    (
        "link",
        "claims",
        (
            "SELECT t.slug AS name, t.{counter} AS counter, coalesce(g.n, 0) AS rows_found FROM claim_link t"
            " LEFT JOIN (SELECT link_id, count(*) AS n FROM voucher GROUP BY link_id) g ON g.link_id = t.id"
        ),
    ),
)


async def check() -> list[str]:
    """Counters that differ from their rows."""
    found = []
    for what, counter, rows in _CHECKS:
        wrong = await database.fetch(
            f"SELECT * FROM ({rows.format(counter=counter)}) c WHERE counter <> rows_found ORDER BY name"
        )
        found += [
            f"{what} {row['name']}: {counter} is {row['counter']}, rows are {row['rows_found']}"
            for row in wrong
        ]
    return found


INVARIANT = Invariant("vouchers.counters", "计数等于明细行数", check)
