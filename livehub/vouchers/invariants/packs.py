"""Packs are whole: planned, given and held in the proportion in which they are packed."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

_UNEVEN = (
    "SELECT k.public_id FROM voucher_pack k JOIN voucher_pack_item i ON i.pack_id = k.id"
    " JOIN voucher_template t ON t.id = i.template_id GROUP BY k.id, k.public_id"
    " HAVING min(t.{counter} / i.n) <> max(t.{counter} / i.n)"
    " OR sum(t.{counter} % i.n) <> 0 OR min(t.round_id) <> k.round_id OR max(t.round_id) <> k.round_id"
    " ORDER BY k.public_id"
)
_TORN = (
    "SELECT k.public_id, g.claimant_id FROM voucher_pack k JOIN (SELECT i.pack_id, x.claimant_id,"
    " count(*) * 1.0 / min(i.n) AS packs FROM voucher_pack_item i"
    " JOIN voucher x ON x.template_id = i.template_id GROUP BY i.pack_id, i.template_id, x.claimant_id) g"
    " ON g.pack_id = k.id GROUP BY k.id, k.public_id, g.claimant_id"
    " HAVING min(g.packs) <> max(g.packs) OR count(*) <>"
    " (SELECT count(*) FROM voucher_pack_item i WHERE i.pack_id = k.id) ORDER BY k.public_id"
)


async def check() -> list[str]:
    """Packs of whose vouchers there are more of one than of another, in stock or with a person."""
    found = []
    for counter in ("quantity", "issued"):
        rows = await database.fetch(_UNEVEN.format(counter=counter))
        found += [f"pack {row['public_id']}: {counter} of its templates is uneven" for row in rows]
    torn = await database.fetch(_TORN)
    return found + [
        f"pack {row['public_id']}: claimant {row['claimant_id']} has a part of one" for row in torn
    ]


INVARIANT = Invariant("vouchers.packs", "券包整包发放", check)
