"""Every counter is the number of its rows."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

_USED = "x.state IN ('redeemed', 'refunded')"
_CHECKS = (
    (
        "template",
        "issued",
        (
            "SELECT t.public_id AS name, t.issued AS counter, count(x.id) AS rows_found FROM voucher_template t"
            " LEFT JOIN voucher x ON x.template_id = t.id GROUP BY t.id, t.public_id, t.issued"
        ),
    ),
    (
        "template",
        "redeemed",
        (
            "SELECT t.public_id AS name, t.redeemed AS counter, count(x.id) AS rows_found FROM voucher_template t"
            f" LEFT JOIN voucher x ON x.template_id = t.id AND {_USED} GROUP BY t.id, t.public_id, t.redeemed"
        ),
    ),
    (
        "drop",
        "claimed",
        (
            "SELECT d.public_id AS name, d.claimed AS counter, count(x.id) AS rows_found FROM voucher_drop d"
            " LEFT JOIN voucher x ON x.template_id = d.template_id AND x.drop_id = d.id"
            " GROUP BY d.id, d.public_id, d.claimed"
        ),
    ),
    (
        "link",
        "claims",
        (
            "SELECT l.slug AS name, l.claims AS counter, coalesce(g.n, 0) AS rows_found FROM claim_link l"
            " LEFT JOIN (SELECT link_id, count(*) AS n FROM voucher GROUP BY link_id) g ON g.link_id = l.id"
        ),
    ),
)


async def check() -> list[str]:
    """Counters that differ from their rows."""
    found = []
    for what, counter, rows in _CHECKS:
        wrong = await database.fetch(f"SELECT * FROM ({rows}) c WHERE counter <> rows_found ORDER BY name")
        found += [
            f"{what} {row['name']}: {counter} is {row['counter']}, rows are {row['rows_found']}"
            for row in wrong
        ]
    return found


INVARIANT = Invariant("vouchers.counters", "计数等于明细行数", check)
