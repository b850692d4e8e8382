"""学员和名册：进班、退学、导入；证件号码只在写明原因后查看。"""

from __future__ import annotations

import asyncio
import base64

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit.errors import Detail, Invalid
from livehub.kit.sheets.errors import Unreadable
from livehub.kit.states import WrongState
from livehub.web.api import training_shapes as shapes
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Nothing
from livehub.web.api.training_shapes import (
    Because,
    Leaving,
    NewPerson,
    NewPlace,
    Numbers,
    Place,
    Roster,
    Somebody,
    Taken,
)
from streamers import people
from streamers.errors import IdentityKnown, PersonKnown, PersonRefused, RevealReasonMissing
from streamers.training import enrolments, importing, queries
from streamers.training.errors import AlreadyEnrolled, EnrolmentClosed, LessonsOverlap, RosterRefused
from streamers.training.importing import Outcome
from streamers.training.models import Enrolment, EnrolmentState

calls = Section("学员")


@calls.get(
    "/cohorts/{cohort_id}/enrolments",
    summary="一个班的名册",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=All[Place],
)
async def listing(asked: Asked[Nothing, None], cohort_id: str) -> All[Place]:
    """Who is in a class."""
    whole = await queries.cohort(cohort_id, actor=asked.actor, now=asked.now)
    return All(items=[shapes.place(each, whole.standings.get(each.id)) for each in whole.people])


@calls.post(
    "/cohorts/{cohort_id}/enrolments",
    summary="进班；满员时排候补",
    needs=(Permission.TRAINING_MANAGE,),
    body=NewPlace,
    answer=Place,
    status=201,
    refusals=(EnrolmentClosed, AlreadyEnrolled, LessonsOverlap),
)
async def enrol(asked: Asked[None, NewPlace], cohort_id: str) -> Place:
    """Give somebody a place."""
    body = asked.body
    made = await database.unit(
        lambda: enrolments.enrol(
            cohort_id,
            person=body.person,
            overlap_reason=body.overlap_reason,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await _place(made)


@calls.post(
    "/enrolments/{enrolment_id}/leave",
    summary="退学或开除；候补第一位补上",
    needs=(Permission.TRAINING_MANAGE,),
    body=Leaving,
    answer=Place,
    refusals=(EnrolmentClosed, WrongState),
)
async def leave(asked: Asked[None, Leaving], enrolment_id: str) -> Place:
    """Somebody leaves."""
    body = asked.body
    left = await database.unit(
        lambda: enrolments.leave(
            enrolment_id, into=EnrolmentState(body.into), reason=body.reason, actor=asked.actor, now=asked.now
        )
    )
    return await _place(left)


@calls.post(
    "/cohorts/{cohort_id}/roster/import",
    summary="名册导入一个班",
    needs=(Permission.TRAINING_MANAGE,),
    body=Roster,
    answer=Taken,
    refusals=(Unreadable, RosterRefused, EnrolmentClosed),
)
async def roster(asked: Asked[None, Roster], cohort_id: str) -> Taken:
    """A file into a class."""
    body = asked.body
    outcome = await importing.into_cohort(
        _bytes(body), cohort=cohort_id, mode=body.mode, name=body.name, actor=asked.actor, now=asked.now
    )
    return await _taken(outcome)


@calls.post(
    "/people",
    summary="登记一个人",
    needs=(Permission.STREAMER_MANAGE,),
    body=NewPerson,
    answer=Somebody,
    status=201,
    refusals=(PersonRefused, PersonKnown, IdentityKnown),
)
async def register(asked: Asked[None, NewPerson]) -> Somebody:
    """Somebody new."""
    body = asked.body
    wanted = people.NewPerson(**{name: getattr(body, name) for name in NewPerson.__struct_fields__})
    actor = asked.actor
    made = await database.unit(
        lambda: people.register(wanted, centre_id=actor.centre_id, actor=actor, now=asked.now)
    )
    return Somebody(id=made.public_id, name=made.name, town=made.town, category=made.category)


@calls.post(
    "/people/import",
    summary="名册导入人员登记",
    needs=(Permission.STREAMER_MANAGE,),
    body=Roster,
    answer=Taken,
    refusals=(Unreadable, RosterRefused),
)
async def register_many(asked: Asked[None, Roster]) -> Taken:
    """A file into the register."""
    body = asked.body
    outcome = await importing.into_register(
        _bytes(body), mode=body.mode, name=body.name, actor=asked.actor, now=asked.now
    )
    return await _taken(outcome)


@calls.post(
    "/people/{person_id}/reveal",
    summary="查看证件号码和手机号，原因记入审计",
    needs=(Permission.PERSONAL_DATA_OPEN,),
    body=Because,
    answer=Numbers,
    refusals=(RevealReasonMissing,),
)
async def reveal(asked: Asked[None, Because], person_id: str) -> Numbers:
    """Numbers in clear."""
    found = await database.unit(
        lambda: people.reveal(person_id, reason=asked.body.reason, actor=asked.actor, now=asked.now)
    )
    return Numbers(identity=found.identity, phone=found.phone)


def _bytes(body: Roster) -> bytes:
    try:
        return base64.b64decode(body.content_base64, validate=True)
    except ValueError:  # also where it has other letters than ASCII
        raise Invalid(details=[Detail("content_base64", "不是 base64", "文件字节的 base64")]) from None


async def _taken(outcome: Outcome) -> Taken:
    workbook = b""
    if outcome.wrong:
        workbook = await asyncio.to_thread(importing.workbook_of, outcome.wrong, outcome.head)
    return shapes.taken(outcome, base64.b64encode(workbook).decode())


async def _place(row: Enrolment) -> Place:
    await row.fetch_related("person")
    return shapes.place(row, None)
