"""A claim is the sum of its lines, pays only whoever graduated with a certificate, and nobody twice."""

from __future__ import annotations

from livehub import database
from livehub.kit.invariants import Invariant

_SUMS = """
    SELECT c.public_id, c.total_fen, c.people, coalesce(sum(l.amount_fen), 0) AS found, count(l.id) AS n
    FROM subsidy_claim c LEFT JOIN subsidy_line l ON l.claim_id = c.id
    GROUP BY c.id, c.public_id, c.total_fen, c.people
    HAVING coalesce(sum(l.amount_fen), 0) <> c.total_fen OR count(l.id) <> c.people ORDER BY c.id LIMIT 100
"""
_HOLDING = """
    SELECT l.id FROM subsidy_line l JOIN subsidy_claim c ON c.id = l.claim_id
    WHERE l.holds <> (l.eligible AND c.state NOT IN ('draft', 'returned')) ORDER BY l.id LIMIT 100
"""
_UNCERTIFIED = """
    SELECT l.id FROM subsidy_line l JOIN enrolment e ON e.id = l.enrolment_id
    WHERE l.eligible AND (e.state <> 'graduated' OR e.person_id <> l.person_id
        OR NOT EXISTS (SELECT 1 FROM certificate c WHERE c.enrolment_id = e.id)) ORDER BY l.id LIMIT 100
"""
_LOWER = """
    SELECT low.id FROM subsidy_line low JOIN subsidy_claim a ON a.id = low.claim_id
    JOIN subsidy_line high ON high.person_id = low.person_id AND high.occupation = low.occupation
        AND high.holds AND high.level > 0 AND high.level < low.level
    JOIN subsidy_claim b ON b.id = high.claim_id
    WHERE low.holds AND b.submitted_at < a.submitted_at ORDER BY low.id LIMIT 100
"""


async def check() -> list[str]:
    """A sentence for each that contradicts it."""
    wrong = [
        f"补贴申领 {row['public_id']} 记了 {row['people']} 人 {row['total_fen']} 分，"
        f"明细是 {row['n']} 人 {row['found']} 分"
        for row in await database.fetch(_SUMS)
    ]
    for statement, said in (
        (_HOLDING, "占用和申领的状态不符"),
        (_UNCERTIFIED, "没有结业或没有证书"),
        (_LOWER, "在更高等级之后"),
    ):
        wrong += [f"补贴明细 {row['id']} {said}" for row in await database.fetch(statement)]
    return wrong


INVARIANT = Invariant("training.subsidies", "补贴等于明细之和，只给有证书的结业学员，同一职业等级一次", check)
