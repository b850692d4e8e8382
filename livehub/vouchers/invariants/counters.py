"""Every counter is the number of its rows."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant
from livehub.vouchers import packs

_ROWS = "SELECT t.public_id AS name, t.{counter} AS counter, count(x.id) AS rows_found"
# A link counts claims, of a pack one for all its vouchers.
_BY_LINK = (
    "SELECT x.link_id, count(*) * 1.0 / coalesce(max(z.size), 1) AS n FROM voucher x"
    " LEFT JOIN voucher_pack_item i ON i.template_id = x.template_id"
    f" LEFT JOIN {packs.SIZES} z ON z.pack_id = i.pack_id GROUP BY x.link_id, i.pack_id"
)
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
            " AND x.drop_id = t.id WHERE t.pack_id = 0 GROUP BY t.id, t.public_id, t.claimed"
        ),
    ),
    (
        "drop of packs",
        "claimed",
        (
            "SELECT t.public_id AS name, t.{counter} AS counter,"
            " count(x.id) * 1.0 / t.vouchers_each AS rows_found FROM voucher_drop t"
            " JOIN voucher_pack_item i ON i.pack_id = t.pack_id"
            " LEFT JOIN voucher x ON x.template_id = i.template_id AND x.drop_id = t.id"
            " GROUP BY t.id, t.public_id, t.claimed, t.vouchers_each"
        ),
    ),
    (
        "link",
        "claims",
        (
            "SELECT t.slug AS name, t.{counter} AS counter, coalesce(g.n, 0) AS rows_found FROM claim_link t"
            f" LEFT JOIN (SELECT link_id, sum(n) AS n FROM ({_BY_LINK}) h GROUP BY link_id) g"
            " ON g.link_id = t.id"
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
            f"{what} {row['name']}: {counter} is {row['counter']}, rows are {float(row['rows_found']):g}"
            for row in wrong
        ]
    return found


INVARIANT = Invariant("vouchers.counters", "计数等于明细行数", check)
