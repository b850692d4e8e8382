"""Open a case and hold back what stands behind it: by a rule, once for its subject and day, or by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock, ids
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.notices import sending
from livehub.settlement import batches, case_notes, holding
from livehub.settlement.case_models import BY_HAND, CaseRow, IntegrityCase, Subject
from livehub.settlement.errors import CaseKnown
from livehub.settlement.signals import CaseFigure, Rule, Signal

_ONE = "rule, subject, subject_id, bureau_id, day"


class About(Struct, frozen=True, kw_only=True):
    """What a case is about, by row ids."""

    subject: Subject
    subject_id: int
    centre_id: int
    bureau_id: int
    day: date


@database.atomic
async def by_rule(
    rule: Rule, about: About, signals: Sequence[Signal], *, params: Struct, actor: Actor, now: datetime
) -> bool:
    """Open a rule's case with its rows and holds; False when this subject and day has one already.

    Whatever became of that one: what two people released is not held again by the same numbers. Another
    late order of a voucher, for which nothing is held, joins the day's case.
    """
    await holding.alone(about.centre_id)
    rows = sorted({row for signal in signals for row in signal.rows})
    case_id = await _insert(
        about, rule=rule.name, version=rule.version, params=params, signals=signals, actor=actor, now=now
    )
    if case_id is None:
        if about.subject is Subject.VOUCHER:
            await _join(rule.name, about, signals, rows)
        return False
    await _keep_rows(case_id, about, rows)
    if about.subject is Subject.BROADCAST:
        await _hold(case_id, about, [(0, 0, about.subject_id)], why=rule.label, actor=actor, now=now)
    elif about.subject is Subject.MERCHANT:
        await _hold(case_id, about, [(0, row, 0) for row in rows], why=rule.label, actor=actor, now=now)
    await _tell(case_id, about, now=now)
    await _record(case_id, about, rule=rule.name, actor=actor, now=now)
    return True


@database.atomic
async def by_hand(
    *, subject: Subject, subject_ref: str, reason: str, actor: Actor, now: datetime
) -> IntegrityCase:
    """Open a case about a merchant, broadcast, redemption or voucher (public id), and hold it back.

    NotFound for what is not of the centre, CaseKnown when one was opened by hand today.
    """
    permissions.require(actor, Permission.CASE_HANDLE)
    permissions.require_second_person(actor, first_user_id=0)
    batches.require_words("reason", reason)
    await holding.alone(actor.centre_id)
    about, targets = await _meant(subject, subject_ref, actor=actor, now=now)
    case_id = await _insert(about, rule=BY_HAND, version=0, params=None, signals=(), actor=actor, now=now)
    if case_id is None:
        raise CaseKnown
    await _hold(case_id, about, targets, why=reason, actor=actor, now=now)
    await case_notes.add(case_id, step="open", text=reason, actor=actor, now=now)
    await _tell(case_id, about, now=now)
    await _record(case_id, about, rule=BY_HAND, actor=actor, now=now)
    return await IntegrityCase.get(id=case_id)


async def _insert(
    about: About,
    *,
    rule: str,
    version: int,
    params: Struct | None,
    signals: Sequence[Signal],
    actor: Actor,
    now: datetime,
) -> int | None:
    by_hand_ = rule == BY_HAND
    made = await database.fetch(
        "INSERT INTO integrity_case (public_id, centre_id, bureau_id, rule, rule_version, params, subject,"
        " subject_id, day, signals, state, opened_by_id, opened_by, opened_at, looked_by_id, looked_by,"
        " ended_by_id, ended_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open', $11, $12, $13,"
        f" 0, '', 0, '') ON CONFLICT ({_ONE}) DO NOTHING RETURNING id",
        ids.public_id(),
        about.centre_id,
        about.bureau_id,
        rule,
        version,
        msgspec.json.encode(params or {}).decode(),
        str(about.subject),
        about.subject_id,
        clock.day_number(about.day),
        msgspec.json.encode([each.figure() for each in signals]).decode(),
        actor.id if by_hand_ else 0,
        actor.name if by_hand_ else "",
        clock.to_ms(now),
    )
    return int(made[0]["id"]) if made else None


async def _join(rule: str, about: About, signals: Sequence[Signal], rows: Sequence[int]) -> None:
    """Rows that a case has not yet, and their numbers, stand with its own."""
    case = await IntegrityCase.get(
        rule=rule,
        subject=about.subject,
        subject_id=about.subject_id,
        bureau_id=about.bureau_id,
        day=about.day,
    )
    known = {row.row_id for row in await CaseRow.filter(case_id=case.id)}
    added = [row for row in rows if row not in known]
    if added:
        await _keep_rows(case.id, about, added)
        figures = [
            *msgspec.json.decode(case.signals, type=list[CaseFigure]),
            *(each.figure() for each in signals),
        ]
        case.signals = msgspec.json.encode(figures).decode()
        await case.save(update_fields=["signals"])


async def _keep_rows(case_id: int, about: About, rows: Sequence[int]) -> None:
    kind = {Subject.MERCHANT: "redemption", Subject.BROADCAST: "order"}.get(about.subject, "late")
    await database.write_rows(
        {"case_id": "bigint", "kind": "text", "row_id": "bigint"},
        [(case_id, kind, row) for row in rows],
        "INSERT INTO case_row (case_id, kind, row_id) SELECT case_id, kind, row_id FROM v",
    )


async def _hold(
    case_id: int,
    about: About,
    targets: Sequence[tuple[int, int, int]],
    *,
    why: str,
    actor: Actor,
    now: datetime,
) -> None:
    """One hold of the case for each (merchant, redemption, broadcast), of which one is not 0."""
    await database.write_rows(
        {
            "public_id": "text",
            "centre_id": "bigint",
            "merchant_id": "bigint",
            "redemption_id": "bigint",
            "broadcast_id": "bigint",
            "case_id": "bigint",
            "reason": "text",
            "by_id": "bigint",
            "by_name": "text",
            "at": "bigint",
        },
        [
            (ids.public_id(), about.centre_id, *target, case_id, why, actor.id, actor.name, clock.to_ms(now))
            for target in targets
        ],
        "INSERT INTO settlement_hold (public_id, centre_id, merchant_id, redemption_id, broadcast_id,"
        " case_id, reason, placed_by_id, placed_by, placed_at, lifted_by)"
        " SELECT public_id, centre_id, merchant_id, redemption_id, broadcast_id, case_id, reason, by_id,"
        " by_name, at, '' FROM v",
    )


async def _tell(case_id: int, about: About, *, now: datetime) -> None:
    """Each merchant of whom something is held back is told so, once a day, and not why."""
    for row in await merchants_held(case_id):
        await sending.send(
            "settlement.held",
            centre_id=about.centre_id,
            recipient=row["name"],
            body=f"{about.day:%m月%d日} 的部分核销正在核查，补贴暂缓结算；核查完会再通知，券不受影响。",
            dedupe_key=f"held:{row['id']}:{about.bureau_id}:{about.day}:{clock.local_day(now)}",
            now=now,
        )


async def merchants_held(case_id: int, *, only_free: bool = False) -> list[dict[str, Any]]:
    """(id, name) of the merchants whose redemptions the holds of a case stand for, lifted or not.

    ``only_free``: those of which nothing else holds back all of it.
    """
    free = f" AND NOT {holding.HELD}" if only_free else ""
    merchant_free = (
        " AND NOT EXISTS (SELECT 1 FROM settlement_hold o WHERE o.merchant_id = m.id AND o.lifted_at IS NULL)"
        if only_free
        else ""
    )
    return await database.fetch(
        "SELECT DISTINCT m.id AS id, m.name AS name FROM settlement_hold h JOIN merchant m"
        f" ON m.id = h.merchant_id WHERE h.case_id = $1{merchant_free}"
        " UNION SELECT m.id, m.name FROM settlement_hold h JOIN redemption r ON r.id = h.redemption_id"
        f" JOIN merchant m ON m.id = r.merchant_id WHERE h.case_id = $1{free}"
        " UNION SELECT m.id, m.name FROM settlement_hold h JOIN voucher x ON x.broadcast_id = h.broadcast_id"
        " JOIN redemption r ON r.voucher_id = x.id JOIN merchant m ON m.id = r.merchant_id"
        f" WHERE h.case_id = $1 AND h.broadcast_id > 0{free} ORDER BY id",
        case_id,
    )


async def _record(case_id: int, about: About, *, rule: str, actor: Actor, now: datetime) -> None:
    row = await database.fetch_one("SELECT public_id FROM integrity_case WHERE id = $1", case_id)
    assert row is not None  # noqa: S101 -- inserted above
    await audit.write(
        "case.opened",
        actor=actor,
        now=now,
        about=("case", row["public_id"]),
        bureau_id=about.bureau_id,
        detail={"rule": rule, "subject": str(about.subject), "day": about.day.isoformat()},
    )


_SUBJECTS = {
    Subject.MERCHANT: (
        "SELECT id, 0 AS bureau_id, id AS merchant_id, 0 AS redemption_id, 0 AS broadcast_id"
        " FROM merchant WHERE public_id = $1 AND centre_id = $2"
    ),
    Subject.BROADCAST: (
        "SELECT id, bureau_id, 0 AS merchant_id, 0 AS redemption_id, id AS broadcast_id"
        " FROM broadcast WHERE public_id = $1 AND centre_id = $2"
    ),
    Subject.REDEMPTION: (
        "SELECT r.id, c.bureau_id, 0 AS merchant_id, r.id AS redemption_id, 0 AS broadcast_id"
        " FROM redemption r JOIN campaign c ON c.id = r.campaign_id"
        " WHERE r.public_id = $1 AND c.centre_id = $2"
    ),
    Subject.VOUCHER: (
        "SELECT x.id, c.bureau_id, 0 AS merchant_id, coalesce((SELECT max(r.id) FROM redemption r"
        " WHERE r.voucher_id = x.id AND r.state <> 'voided'), 0) AS redemption_id, 0 AS broadcast_id"
        " FROM voucher x JOIN campaign c ON c.id = x.campaign_id"
        " WHERE x.public_id = $1 AND c.centre_id = $2"
    ),
}


async def _meant(
    subject: Subject, ref: str, *, actor: Actor, now: datetime
) -> tuple[About, list[tuple[int, int, int]]]:
    """What is meant, and what is held back for it: of a voucher its use, nothing while it has none."""
    if not ref:
        raise Invalid(details=[Detail("subject_ref", "请写明核查对象", "对象的公开编号")])
    row = await database.fetch_one(_SUBJECTS[subject], ref, actor.centre_id)
    if row is None:
        raise NotFound
    about = About(
        subject=subject,
        subject_id=int(row["id"]),
        centre_id=actor.centre_id,
        bureau_id=int(row["bureau_id"]),
        day=clock.local_day(now),
    )
    target = (int(row["merchant_id"]), int(row["redemption_id"]), int(row["broadcast_id"]))
    return about, [target] if any(target) else []
