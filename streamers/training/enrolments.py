"""Who is in a cohort: as many as there are places, nobody twice, the rest in line.

The cohort's row is locked first and its ``taken`` is raised only below its capacity; the database refuses
more, and a second row of one person in one cohort, whatever the code does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids, outbox
from livehub.kit.errors import Detail, NotFound
from livehub.kit.states import WrongState
from streamers.facts import PlaceGiven
from streamers.models import Person, Streamer, StreamerStatus
from streamers.training import cohorts, locks, moves
from streamers.training.errors import AlreadyEnrolled, EnrolmentClosed, LessonsOverlap
from streamers.training.models import COUNTED, GONE, Cohort, Enrolment, EnrolmentState, Programme

REASON_LENGTH = 200

_TAKE = "UPDATE cohort SET taken = taken + $1 WHERE id = $2 AND taken + $1 <= capacity RETURNING id"
_GIVE_BACK = "UPDATE cohort SET taken = taken - 1 WHERE id = $1 RETURNING id"
_BUSY = (
    "SELECT DISTINCT v.person_id FROM v"
    " JOIN enrolment e ON e.person_id = v.person_id AND e.cohort_id <> v.cohort_id AND e.state = 'enrolled'"
    " JOIN lesson theirs ON theirs.cohort_id = e.cohort_id AND theirs.cancelled_at IS NULL"
    " JOIN lesson ours ON ours.cohort_id = v.cohort_id AND ours.cancelled_at IS NULL"
    " AND ours.starts_at < theirs.ends_at AND theirs.starts_at < ours.ends_at"
)


@database.atomic
async def enrol(
    cohort: str,
    *,
    person: str,
    overlap_reason: str = "",
    source: str = "desk",
    actor: Actor,
    now: datetime,
) -> Enrolment:
    """Give somebody a place, or the next one in line when there is none; public ids.

    AlreadyEnrolled for who is in it, LessonsOverlap without a reason for who sits in another class then.
    """
    klass, owner = await cohorts.held(cohort, actor=actor, permission=Permission.TRAINING_MANAGE)
    require_open(klass)
    who = await Person.get_or_none(public_id=person, centre_id=klass.centre_id)
    if who is None:
        raise NotFound
    await locks.hold("person", {who.id})
    if await Enrolment.filter(cohort_id=klass.id, person_id=who.id).exclude(state__in=list(GONE)).exists():
        raise AlreadyEnrolled
    busy = await busy_people(klass.id, {who.id})
    if busy and not overlap_reason.strip():
        raise LessonsOverlap(details=[Detail("overlap_reason", "课时冲突，请写明原因")])
    has_place = await take_places(klass.id, 1)
    made = Enrolment(
        public_id=ids.public_id(),
        cohort_id=klass.id,
        person_id=who.id,
        state=EnrolmentState.ENROLLED if has_place else EnrolmentState.WAITLISTED,
        source=source,
        waitlist_pos=0 if has_place else await _end_of_line(klass.id),
        enrolled_on=clock.local_day(now) if has_place else None,
        overlap_reason=overlap_reason.strip()[:REASON_LENGTH] if busy else "",
        created_at=now,
    )
    try:
        async with database.transaction():
            await made.save()
    except IntegrityError as error:
        raise AlreadyEnrolled from error
    if has_place:
        await become_trainees([who])
    await _audit("enrolment.created", made, owner, actor=actor, now=now)
    return made


@database.atomic
async def leave(
    public_id: str, *, into: EnrolmentState, reason: str, actor: Actor, now: datetime
) -> Enrolment:
    """Somebody withdraws or is dismissed; whoever is first in line gets the place."""
    if into not in GONE:
        raise ValueError(into)
    enrolment, klass, owner = await held(public_id, actor=actor, permission=Permission.TRAINING_MANAGE)
    require_open(klass)
    if enrolment.state not in _MAY_LEAVE:
        raise WrongState(data={"state": str(enrolment.state), "wanted": str(into)})
    had_place = enrolment.state in COUNTED
    enrolment.state, enrolment.waitlist_pos = into, 0
    enrolment.reason, enrolment.left_at = reason.strip()[:REASON_LENGTH], now
    await enrolment.save()
    await _audit(f"enrolment.{into}", enrolment, owner, actor=actor, now=now)
    if had_place:
        await database.fetch(_GIVE_BACK, klass.id)
        await _call_next(klass, owner, actor=actor, now=now)
    return enrolment


_MAY_LEAVE = frozenset({EnrolmentState.APPLIED, EnrolmentState.WAITLISTED, EnrolmentState.ENROLLED})


async def held(
    public_id: str, *, actor: Actor, permission: Permission
) -> tuple[Enrolment, Cohort, Programme]:
    """The enrolment as it is under its cohort's lock; NotFound when the actor has none of that id."""
    seen = await Enrolment.get_or_none(public_id=public_id).select_related("cohort__programme")
    if seen is None:
        raise NotFound
    owner = seen.cohort.programme
    require(actor, permission, bureau_id=owner.bureau_id, centre_id=owner.centre_id)
    await locks.hold("cohort", {seen.cohort_id})
    return await Enrolment.get(id=seen.id), await Cohort.get(id=seen.cohort_id), owner


def require_open(cohort: Cohort) -> None:
    """EnrolmentClosed once examinations begin, or the class is over."""
    if cohort.state not in moves.TAKES_PEOPLE:
        raise EnrolmentClosed(data={"state": str(cohort.state)})


async def take_places(cohort_id: int, count: int) -> bool:
    """Take so many places, or none; only below the capacity, and the database refuses more."""
    return bool(await database.fetch(_TAKE, count, cohort_id))


async def busy_people(cohort_id: int, people: Collection[int]) -> set[int]:
    """Whom of these people a lesson of another class holds at the time of one of this class's."""
    rows = await database.with_rows(
        {"person_id": "bigint", "cohort_id": "bigint"}, [(each, cohort_id) for each in sorted(people)], _BUSY
    )
    return {row["person_id"] for row in rows}


async def become_trainees(people: Sequence[Person]) -> None:
    """Whoever is trained has a streamer's row from then on: the phone page shows her class."""
    known = await Streamer.filter(person_id__in=[each.id for each in people]).values_list(
        "person_id", flat=True
    )
    await Streamer.bulk_create(
        Streamer(
            public_id=ids.public_id(),
            centre_id=each.centre_id,
            person_id=each.id,
            stage_name=each.name,
            status=StreamerStatus.TRAINEE,
        )
        for each in people
        if each.id not in set(known)
    )


async def _call_next(klass: Cohort, owner: Programme, *, actor: Actor, now: datetime) -> None:
    first = (
        await Enrolment.filter(cohort_id=klass.id, state=EnrolmentState.WAITLISTED)
        .order_by("waitlist_pos")
        .select_related("person")
        .first()
    )
    if first is None or not await take_places(klass.id, 1):
        return
    first.state, first.waitlist_pos = EnrolmentState.ENROLLED, 0
    first.enrolled_on = clock.local_day(now)
    await first.save(update_fields=["state", "waitlist_pos", "enrolled_on"])
    await become_trainees([first.person])
    await outbox.record(
        PlaceGiven(enrolment_id=first.id, cohort_id=klass.id, centre_id=klass.centre_id), now=now
    )
    await _audit("enrolment.called", first, owner, actor=actor, now=now)


async def _end_of_line(cohort_id: int) -> int:
    last = (
        await Enrolment.filter(cohort_id=cohort_id, state=EnrolmentState.WAITLISTED)
        .order_by("-waitlist_pos")
        .first()
    )
    return last.waitlist_pos + 1 if last is not None else 1


async def _audit(action: str, enrolment: Enrolment, owner: Programme, *, actor: Actor, now: datetime) -> None:
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("enrolment", enrolment.public_id),
        bureau_id=owner.bureau_id,
        detail={"state": str(enrolment.state), "reason": enrolment.reason or enrolment.overlap_reason},
    )
