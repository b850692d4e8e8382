"""A decision comes out the same from what was kept of it, and who has a certificate graduated."""

from __future__ import annotations

import msgspec

from livehub import database
from livehub.kit.invariants import Invariant
from streamers.training import rules
from streamers.training.rules import Bar, Given

_DECISIONS = """
    SELECT d.id, d.given, d.graduated, d.reasons, r.terms FROM graduation_decision d
    JOIN graduation_rule r ON r.id = d.rule_id WHERE d.id > $1 ORDER BY d.id LIMIT 1000
"""
_CERTIFICATES = """
    SELECT c.serial FROM certificate c JOIN graduation_decision d ON d.id = c.decision_id
    WHERE c.state = 'issued' AND (NOT d.graduated OR d.enrolment_id <> c.enrolment_id) ORDER BY c.id LIMIT 100
"""
_GAPS = """
    SELECT n.centre_id, n.year, n.reached, count(c.id) AS found FROM certificate_counter n
    LEFT JOIN certificate c ON c.centre_id = n.centre_id AND c.year = n.year
        AND c.number BETWEEN 1 AND n.reached
    GROUP BY n.centre_id, n.year, n.reached HAVING count(c.id) <> n.reached
"""


async def check() -> list[str]:
    """A sentence for each that contradicts it."""
    wrong, last = list[str](), 0
    while rows := await database.fetch(_DECISIONS, last):
        last = rows[-1]["id"]
        for row in rows:
            given = msgspec.json.decode(row["given"].encode(), type=Given)
            verdict = rules.decide(given, bar=msgspec.json.decode(row["terms"].encode(), type=Bar))
            kept = (bool(row["graduated"]), tuple(msgspec.json.decode(row["reasons"])))
            if kept != (verdict.graduated, verdict.reasons):
                wrong.append(f"结业认定 {row['id']} 按留存的依据重算，结果不同")
    wrong += [f"证书 {row['serial']} 没有对应的结业认定" for row in await database.fetch(_CERTIFICATES)]
    wrong += [
        f"{row['year']} 年证书编号到 {row['reached']}，只有 {row['found']} 张"
        for row in await database.fetch(_GAPS)
    ]
    return wrong


INVARIANT = Invariant("training.decisions", "结业认定可由留存的依据重算，有效证书都已结业，编号不缺", check)
