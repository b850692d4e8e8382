"""Every voucher or pack took one slot of its person, and no person has more than the limit."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant
from livehub.vouchers import packs
from livehub.vouchers.eligibility import Stage, bind

# A pack's slot stands for all its vouchers; its id is below zero, as in the slot.
_SLOTS = (
    "SELECT s.template_id, s.person_key, coalesce(z.size, 1) AS slots, 0 AS vouchers FROM claim_slot s"
    f" LEFT JOIN {packs.SIZES} z ON z.pack_id = -s.template_id"
)
_VOUCHERS = (
    "SELECT coalesce(-i.pack_id, x.template_id), p.person_key, 0, 1 FROM voucher x"
    " JOIN claimant p ON p.id = x.claimant_id"
    " LEFT JOIN voucher_pack_item i ON i.template_id = x.template_id"
)
_LIMITED = (
    "SELECT id, public_id, rules, 'template' AS what FROM voucher_template"
    " UNION ALL SELECT -id, public_id, rules, 'pack' FROM voucher_pack ORDER BY id"
)


async def check() -> list[str]:
    """Persons whose slots are not their vouchers, or are more than the template or pack allows."""
    rows = await database.fetch(
        "SELECT g.template_id, g.person_key, sum(g.slots) AS slots, sum(g.vouchers) AS vouchers FROM"
        f" ({_SLOTS} UNION ALL {_VOUCHERS}) g"
        " GROUP BY g.template_id, g.person_key HAVING sum(g.slots) <> sum(g.vouchers)"
    )
    found = [
        f"{_named(row['template_id'])}: a person has slots for {int(row['slots'])} and {int(row['vouchers'])}"
        " vouchers"
        for row in rows
    ]
    for row in await database.fetch(_LIMITED):
        limit = next(b.params.limit for b in bind(row["rules"], Stage.CLAIM) if b.rule.name == "per_person")
        over = await database.fetch_one(
            "SELECT count(*) AS n FROM claim_slot WHERE template_id = $1 AND n > $2", row["id"], limit
        )
        if over and over["n"]:
            found.append(f"{row['what']} {row['public_id']}: {over['n']} slots above the limit of {limit}")
    return found


def _named(offer_id: int) -> str:
    return f"template {offer_id}" if offer_id > 0 else f"pack {-offer_id}"


INVARIANT = Invariant("vouchers.slots", "每张券占用一个领取名额且不超限", check)
