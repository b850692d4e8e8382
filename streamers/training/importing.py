"""A roster's file into the register of persons, or into a cohort: looked at, wholly, or what fits.

A dry run writes nothing whatsoever. The file is read in a thread; what is written is a handful of statements,
however many rows there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids, sealing
from livehub.kit.errors import Conflict, Detail, NotFound
from livehub.kit.resealing import Column
from livehub.kit.sheets import writing
from streamers import people
from streamers.models import Person
from streamers.training import cohorts, enrolments, locks, roster
from streamers.training.course_models import RosterImport
from streamers.training.errors import RosterRefused
from streamers.training.models import GONE, Cohort, Enrolment, EnrolmentState
from streamers.training.roster import Row, Sheet, Wrong

PLACE = "roster_import.mistakes"
SEALED = (Column("roster_import", "mistakes_sealed", PLACE),)
REASON_COLUMN = "错误原因"
LINE_COLUMN = "原行号"
TOLD = 200  # mistakes that a refusal or a page lists; all are in the workbook


class Mode(StrEnum):
    """What is done with a file."""

    DRY_RUN = "dry_run"
    STRICT = "strict"
    PARTIAL = "partial"


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a file, or would."""

    mode: Mode
    rows: int
    ok: int
    created: int
    linked: int  # persons who were registered before and are enrolled now
    unchanged: int  # rows that say nothing new
    enrolled: int
    wrong: list[Wrong]
    head: tuple[str, ...]
    import_id: str = ""  # '': nothing was written


class _Taken(Exception):
    """A dry run, or a strict one with mistakes: everything is undone."""


class _Plan(Struct):
    """What the rows mean against the database."""

    new: list[tuple[Row, Person]]
    known: list[tuple[Row, Person]]
    wrong: list[Wrong]


async def into_cohort(
    raw: bytes, *, cohort: str, mode: Mode, name: str, actor: Actor, now: datetime
) -> Outcome:
    """Take a file into a class; RosterRefused by a strict one that has mistakes."""
    require(actor, Permission.TRAINING_MANAGE)
    sheet = await _read(raw, now=now)

    async def work() -> Outcome:
        klass, owner = await cohorts.held(cohort, actor=actor, permission=Permission.TRAINING_MANAGE)
        enrolments.require_open(klass)
        return await _take(
            sheet, raw, klass=klass, centre_id=klass.centre_id, bureau_id=owner.bureau_id, mode=mode,
            name=name, actor=actor, now=now,
        )  # fmt: skip

    return await _settled(work, sheet, mode)


async def into_register(raw: bytes, *, mode: Mode, name: str, actor: Actor, now: datetime) -> Outcome:
    """Take a file into the centre's register of persons."""
    require(actor, Permission.STREAMER_MANAGE)
    sheet = await _read(raw, now=now)

    async def work() -> Outcome:
        return await _take(
            sheet, raw, klass=None, centre_id=actor.centre_id, bureau_id=0, mode=mode, name=name, actor=actor,
            now=now,
        )  # fmt: skip

    return await _settled(work, sheet, mode)


async def workbook(public_id: str, *, actor: Actor, now: datetime) -> bytes:
    """The rows of an import that could not be taken, each with its reason; they hold identity numbers."""
    found = await RosterImport.get_or_none(public_id=public_id)
    if found is None or found.mistakes_sealed is None:
        raise NotFound
    require(actor, Permission.TRAINING_MANAGE, centre_id=found.centre_id)
    opened = sealing.ring().open(bytes(found.mistakes_sealed), place=PLACE)
    wrong = msgspec.json.decode(opened, type=list[Wrong])
    about = ("roster_import", found.public_id)
    await audit.write("roster.mistakes_opened", actor=actor, now=now, about=about)
    return await asyncio.to_thread(workbook_of, wrong, msgspec.json.decode(found.head, type=tuple[str, ...]))


def workbook_of(wrong: Sequence[Wrong], head: Sequence[str]) -> bytes:
    """The same of an outcome; take it to a thread when it is long."""
    rows = [(*each.cells, str(each.line), roster.said(each)) for each in wrong]
    return writing.workbook([(*head, LINE_COLUMN, REASON_COLUMN), *rows], sheet="错误行")


async def _read(raw: bytes, *, now: datetime) -> Sheet:
    return await asyncio.to_thread(roster.read, raw, today=clock.local_day(now))


async def _settled(work: Callable[[], Awaitable[Outcome]], sheet: Sheet, mode: Mode) -> Outcome:
    outcome: list[Outcome] = []

    async def whole() -> None:
        outcome.clear()
        outcome.append(await work())
        if mode is Mode.DRY_RUN or (mode is Mode.STRICT and outcome[0].wrong):
            raise _Taken

    try:
        await database.unit(whole)
    except _Taken:
        pass
    except IntegrityError as error:  # somebody registers one of these persons at this moment
        raise Conflict from error
    if mode is Mode.STRICT and outcome[0].wrong:
        wrong = outcome[0].wrong
        details = [Detail(f"rows[{each.line}].{each.column}", roster.said(each)) for each in wrong[:TOLD]]
        mistakes = [{"line": each.line, "column": each.column, "code": each.code} for each in wrong[:TOLD]]
        data = {"rows": len(sheet.rows), "wrong": len(wrong), "mistakes": mistakes}
        raise RosterRefused(details=details, data=data)
    return outcome[0]


async def _take(
    sheet: Sheet, raw: bytes, *, klass: Cohort | None, centre_id: int, bureau_id: int, mode: Mode, name: str,
    actor: Actor, now: datetime,
) -> Outcome:  # fmt: skip
    plan = await _against_register(sheet, centre_id=centre_id, now=now)
    to_enrol = await _against_cohort(plan, klass) if klass is not None else []
    registered = [person for _, person in plan.new]
    await Person.bulk_create(registered, batch_size=500)
    seated = await _seat([person for _, person in to_enrol], klass, now=now) if klass is not None else 0
    wrong = sorted([*roster.mistakes(sheet.rows), *plan.wrong], key=lambda each: each.line)
    linked = sum(1 for row, _ in to_enrol if any(row is known for known, _ in plan.known))
    outcome = Outcome(
        mode=mode,
        rows=len(sheet.rows),
        ok=len(plan.new) + len(plan.known),
        created=len(plan.new),
        linked=linked,
        unchanged=len(plan.known) - linked,
        enrolled=seated,
        wrong=wrong,
        head=sheet.head,
    )
    if mode is Mode.DRY_RUN or not (outcome.created or outcome.linked or wrong):
        return outcome
    return msgspec.structs.replace(
        outcome,
        import_id=await _note(
            outcome,
            raw,
            klass=klass,
            centre_id=centre_id,
            bureau_id=bureau_id,
            name=name,
            actor=actor,
            now=now,
        ),
    )


async def _against_register(sheet: Sheet, *, centre_id: int, now: datetime) -> _Plan:
    """Who is known already, who is known by another name, and whose phone is another's."""
    rows = [each for each in sheet.rows if isinstance(each, Row)]
    made = await asyncio.to_thread(
        lambda: [people.made(each.person, each.identity, centre_id=centre_id, now=now) for each in rows]
    )
    by_identity = await _known(
        [(centre_id, each.identity_index) for each in made],
        "p.centre_id = v.centre_id AND p.identity_index = v.digest",
    )
    by_phone = await _known(
        [(centre_id, each.phone_index) for each in made if each.phone_index], "p.phone_index = v.digest"
    )
    plan, phones = _Plan([], [], []), dict[bytes, int]()
    for row, fresh in zip(rows, made, strict=True):
        known = by_identity.get(bytes(fresh.identity_index or b""))
        if known is not None and known.name != fresh.name:
            plan.wrong.append(roster.wrong_again(row, "NAME_MISMATCH", "name"))
        elif known is not None:
            plan.known.append((row, known))
        elif fresh.phone_index is not None and fresh.phone_index in by_phone:
            plan.wrong.append(roster.wrong_again(row, "PHONE_KNOWN", "phone"))
        elif fresh.phone_index is not None and fresh.phone_index in phones:
            plan.wrong.append(roster.wrong_again(row, "PHONE_IN_FILE", "phone", of=phones[fresh.phone_index]))
        else:
            if fresh.phone_index is not None:
                phones[fresh.phone_index] = row.line
            plan.new.append((row, fresh))
    return plan


async def _known(wanted: Sequence[tuple[int, bytes | None]], condition: str) -> dict[bytes, Person]:
    """Persons by the digest they were looked for with."""
    rows = await database.with_rows(
        {"centre_id": "bigint", "digest": "bytea"},
        wanted,
        f"SELECT v.digest AS digest, p.id FROM v JOIN person p ON {condition}",
    )
    found = await Person.in_bulk([row["id"] for row in rows], "id")
    return {bytes(row["digest"]): found[row["id"]] for row in rows}


async def _against_cohort(plan: _Plan, klass: Cohort) -> list[tuple[Row, Person]]:
    """Who gets a place, in the file's order; what stops the others is a mistake of their row."""
    await locks.hold("person", {person.id for _, person in plan.known})
    inside = set(
        await Enrolment.filter(cohort_id=klass.id)
        .exclude(state__in=list(GONE))
        .values_list("person_id", flat=True)
    )
    busy = await enrolments.busy_people(klass.id, {person.id for _, person in plan.known} - inside)
    left = klass.capacity - klass.taken
    chosen: list[tuple[Row, Person]] = []
    refused: set[int] = set()
    for row, person in sorted([*plan.new, *plan.known], key=lambda each: each[0].line):
        if person.id in inside:
            continue
        if person.id in busy:
            plan.wrong.append(roster.wrong_again(row, "LESSONS_OVERLAP", "identity"))
            refused.add(row.line)
        elif len(chosen) >= left:
            plan.wrong.append(roster.wrong_again(row, "OVER_CAPACITY", "identity"))
            refused.add(row.line)
        else:
            chosen.append((row, person))
    plan.new = [each for each in plan.new if each[0].line not in refused]
    plan.known = [each for each in plan.known if each[0].line not in refused]
    return chosen


async def _seat(seated: Sequence[Person], klass: Cohort, *, now: datetime) -> int:
    """Places for these people, whose rows are there by now."""
    if not seated:
        return 0
    if not await enrolments.take_places(klass.id, len(seated)):
        raise Conflict
    rows = await _known(
        [(klass.centre_id, each.identity_index) for each in seated],
        "p.centre_id = v.centre_id AND p.identity_index = v.digest",
    )
    persons = [rows[bytes(each.identity_index or b"")] for each in seated]
    await Enrolment.bulk_create(
        (
            Enrolment(
                public_id=ids.public_id(),
                cohort_id=klass.id,
                person_id=each.id,
                state=EnrolmentState.ENROLLED,
                source="import",
                enrolled_on=clock.local_day(now),
                created_at=now,
            )
            for each in persons
        ),
        batch_size=500,
    )
    await enrolments.become_trainees(persons)
    return len(persons)


async def _note(
    outcome: Outcome, raw: bytes, *, klass: Cohort | None, centre_id: int, bureau_id: int, name: str,
    actor: Actor, now: datetime,
) -> str:  # fmt: skip
    """What was done, its mistakes sealed, and its entry in the trail; the file itself is not kept."""
    digest = sha256(raw).digest()
    sealed = sealing.ring().seal(msgspec.json.encode(outcome.wrong), place=PLACE) if outcome.wrong else None
    counts: dict[str, Any] = {
        "rows": outcome.rows,
        "created": outcome.created,
        "linked": outcome.linked,
        "unchanged": outcome.unchanged,
        "enrolled": outcome.enrolled,
    }
    made = await RosterImport.create(
        public_id=ids.public_id(),
        centre_id=centre_id,
        cohort_id=klass.id if klass is not None else 0,
        name=name[:120],
        sha256=digest,
        mode=str(outcome.mode),
        wrong=len(outcome.wrong),
        head=msgspec.json.encode(outcome.head).decode(),
        mistakes_sealed=sealed,
        at=now,
        by_name=actor.name,
        **counts,
    )
    detail = {**counts, "wrong": len(outcome.wrong), "sha256": digest.hex(), "mode": str(outcome.mode)}
    if klass is not None:
        detail["cohort"] = klass.public_id
    about = ("roster_import", made.public_id)
    await audit.write(
        "roster.imported", actor=actor, now=now, about=about, bureau_id=bureau_id, detail=detail
    )
    return made.public_id
