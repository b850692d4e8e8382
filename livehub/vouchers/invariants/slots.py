"""Every voucher took one slot of its person, and no person has more than the limit."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant
from livehub.vouchers.eligibility import Stage, bind


async def check() -> list[str]:
    """Persons whose slots are not their vouchers, or are more than the template allows."""
    rows = await database.fetch(
        "SELECT g.template_id, g.person_key, sum(g.slots) AS slots, sum(g.vouchers) AS vouchers FROM"
        " (SELECT template_id, person_key, 1 AS slots, 0 AS vouchers FROM claim_slot UNION ALL"
        " SELECT x.template_id, p.person_key, 0, 1 FROM voucher x JOIN claimant p ON p.id = x.claimant_id) g"
        " GROUP BY g.template_id, g.person_key HAVING sum(g.slots) <> sum(g.vouchers)"
    )
    found = [
        f"template {row['template_id']}: a person has {row['slots']} slots and {row['vouchers']} vouchers"
        for row in rows
    ]
    for row in await database.fetch("SELECT id, public_id, rules FROM voucher_template ORDER BY id"):
        limit = next(b.params.limit for b in bind(row["rules"], Stage.CLAIM) if b.rule.name == "per_person")
        over = await database.fetch_one(
            "SELECT count(*) AS n FROM claim_slot WHERE template_id = $1 AND n > $2", row["id"], limit
        )
        if over and over["n"]:
            found.append(f"template {row['public_id']}: {over['n']} slots above the limit of {limit}")
    return found


INVARIANT = Invariant("vouchers.slots", "每张券占用一个领取名额且不超限", check)
