"""跟踪回访: whom to call at day 30, 90 and 180 after graduating, and what she said.

What the data says of her is filled in by the caller: it needs sales, which stand above.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit import clock
from livehub.kit.errors import Detail
from livehub.kit.paging import Page, window
from streamers.training import enrolments
from streamers.training.after_models import FollowUp
from streamers.training.errors import FollowUpRefused
from streamers.training.models import EnrolmentState

DAYS = (30, 90, 180)
EMPLOYMENT = ("streaming", "employed", "self_employed", "unemployed", "studying", "unreachable")
NOTE_LENGTH = 200

_DUE = (
    " FROM v JOIN graduation_decision d ON d.graduated AND d.at < v.bound"
    f" JOIN enrolment e ON e.id = d.enrolment_id AND e.state = '{EnrolmentState.GRADUATED}'"
    " JOIN cohort c ON c.id = e.cohort_id AND c.centre_id = {centre}"
    " JOIN programme g ON g.id = c.programme_id JOIN person p ON p.id = e.person_id"
    " WHERE NOT EXISTS (SELECT 1 FROM follow_up f WHERE f.enrolment_id = e.id AND f.day = v.day)"
)


class Due(Struct, frozen=True, kw_only=True):
    """A visit that is to be made."""

    enrolment: str
    name: str
    town: str
    cohort: str
    cohort_name: str
    day: int
    graduated_on: date
    due_on: date


class Facts(Struct, frozen=True, kw_only=True):
    """What the data says of somebody from her graduation to the day of a visit."""

    first_stream_on: date | None
    broadcasts: int
    elsewhere: int
    net_sales_fen: int


async def due(actor: Actor, *, now: datetime, number: int = 1, size: int = 50) -> Page[Due]:
    """The visits whose day has come and which nobody made, the longest overdue first."""
    require(actor, Permission.TRAINING_READ)
    number, size, limit, offset = window(number=number, size=size)
    today = clock.local_day(now)
    wanted = [
        (day, clock.to_ms(clock.at_local(today - timedelta(days=day - 1))), day * 86_400_000) for day in DAYS
    ]
    columns = {"day": "int", "bound": "bigint", "days_ms": "bigint"}
    where = _DUE.format(centre=int(actor.centre_id)) + _within(actor)
    count = await database.with_rows(columns, wanted, f"SELECT count(*) AS n{where}")
    rows = await database.with_rows(
        columns,
        wanted,
        "SELECT v.day, e.public_id, p.name, p.town, c.public_id AS cohort, c.name AS cohort_name, d.at"
        f"{where} ORDER BY d.at + v.days_ms, e.id LIMIT {limit} OFFSET {offset}",
    )
    return Page([_due(row) for row in rows], number, size, int(count[0]["n"]))


@database.atomic
async def record(
    enrolment: str, *, day: int, employment: str, note: str, facts: Facts, actor: Actor, now: datetime
) -> FollowUp:
    """Note what came of a visit; a later one of the same day of hers holds, and both stay."""
    who, _, owner = await enrolments.held(enrolment, actor=actor, permission=Permission.TRAINING_MANAGE)
    if details := _faults(day, employment, note):
        raise FollowUpRefused(details=details)
    row = await database.fetch_one(
        "SELECT max(at) AS at FROM graduation_decision WHERE enrolment_id = $1 AND graduated", who.id
    )
    if who.state is not EnrolmentState.GRADUATED or row is None or row["at"] is None:
        raise FollowUpRefused(details=[Detail("enrolment", "她没有结业", "已结业的学员")])
    comes_on = clock.local_day(clock.from_ms(row["at"])) + timedelta(days=day)
    if clock.local_day(now) < comes_on:
        raise FollowUpRefused(details=[Detail("day", "还没到这次回访的日子", f"{comes_on} 或以后")])
    before = await FollowUp.filter(enrolment_id=who.id, day=day).order_by("-seq").first()
    made = FollowUp(
        enrolment_id=who.id,
        day=day,
        seq=before.seq + 1 if before is not None else 1,
        first_stream_on=facts.first_stream_on,
        broadcasts=facts.broadcasts,
        elsewhere=facts.elsewhere,
        net_sales_fen=facts.net_sales_fen,
        employment=employment,
        note=note.strip(),
        contacted_by=actor.name,
        at=now,
    )
    try:
        async with database.transaction():
            await made.save()
    except IntegrityError as error:  # somebody else notes the same visit at this moment
        raise FollowUpRefused(details=[Detail("day", "这次回访刚有人登记过", "刷新后再看")]) from error
    about, detail = ("enrolment", who.public_id), {"day": day, "employment": employment}
    await audit.write(
        "followup.noted", actor=actor, now=now, about=about, bureau_id=owner.bureau_id, detail=detail
    )
    return made


async def of_enrolment(enrolment_id: int) -> list[FollowUp]:
    """What holds of one graduate's visits."""
    rows = await FollowUp.filter(enrolment_id=enrolment_id).order_by("day", "seq")
    return list({each.day: each for each in rows}.values())


async def of_cohort(cohort_id: int) -> list[FollowUp]:
    """What holds of a class's visits, with their enrolments and persons, in the order of the days."""
    rows = (
        await FollowUp.filter(enrolment__cohort_id=cohort_id)
        .select_related("enrolment__person")
        .order_by("enrolment_id", "day", "seq")
    )
    newest = {(each.enrolment_id, each.day): each for each in rows}
    return list(newest.values())


def _within(actor: Actor) -> str:
    scope = bureau_scope(actor, Permission.TRAINING_READ)
    if scope is None:
        return ""
    return f" AND g.bureau_id IN ({', '.join(str(int(each)) for each in sorted(scope)) or '0'})"


def _due(row: dict[str, Any]) -> Due:
    graduated_on = clock.local_day(clock.from_ms(row["at"]))
    return Due(
        enrolment=row["public_id"],
        name=row["name"],
        town=row["town"],
        cohort=row["cohort"],
        cohort_name=row["cohort_name"],
        day=row["day"],
        graduated_on=graduated_on,
        due_on=graduated_on + timedelta(days=row["day"]),
    )


def _faults(day: int, employment: str, note: str) -> list[Detail]:
    found = []
    if day not in DAYS:
        found.append(Detail("day", "没有这次回访", "30、90 或 180"))
    if employment not in EMPLOYMENT:
        found.append(Detail("employment", "没有这种就业情况", "、".join(EMPLOYMENT)))
    if len(note.strip()) > NOTE_LENGTH:
        found.append(Detail("note", "太长", f"{NOTE_LENGTH} 个字以内"))
    return found
