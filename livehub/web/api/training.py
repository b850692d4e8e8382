"""培训项目和班次：从计划、申请开班到结业归档。"""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission
from livehub.kit.states import WrongState
from livehub.web.api import named
from livehub.web.api import training_shapes as shapes
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Listed, Nothing
from livehub.web.api.training_shapes import (
    Application,
    Because,
    City,
    CohortQuestion,
    CohortSeen,
    NewBar,
    NewCohort,
    NewProgramme,
    Programme,
)
from rooms import training
from streamers.training import cohorts, preset, programmes, queries
from streamers.training.errors import (
    AppliedLate,
    CohortCodeTaken,
    CohortRefused,
    NotReady,
    PresetUnknown,
    ProgrammeRefused,
)
from streamers.training.models import EnrolmentState

calls = Section("培训班")


@calls.get(
    "/training-presets",
    summary="各地培训规定",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=All[City],
)
async def presets(_: Asked[Nothing, None]) -> All[City]:
    """What cities ask."""
    same = ("name", "label", "source", "terms", "bar")
    return All(
        items=[City(**{name: getattr(each, name) for name in same}) for each in preset.every().values()]
    )


@calls.get(
    "/programmes",
    summary="培训项目，新的在前",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=All[Programme],
)
async def listing(asked: Asked[Nothing, None]) -> All[Programme]:
    """The programmes of a bureau, or of the centre."""
    return All(items=[shapes.programme(each) for each in await queries.programmes_of(asked.actor)])


@calls.post(
    "/programmes",
    summary="新建培训项目",
    needs=(Permission.TRAINING_MANAGE,),
    body=NewProgramme,
    answer=Programme,
    status=201,
    refusals=(PresetUnknown, ProgrammeRefused),
)
async def create(asked: Asked[None, NewProgramme]) -> Programme:
    """Begin a programme."""
    body = asked.body
    bureau_id = await named.bureau_id(body.bureau, actor=asked.actor, permission=Permission.TRAINING_MANAGE)
    wanted = programmes.NewProgramme(
        name=body.name,
        occupation=body.occupation,
        preset=body.preset,
        funding=body.funding,
        level=body.level,
        target_people=body.target_people,
        terms=body.terms,
        bar=body.bar,
    )
    made = await database.unit(
        lambda: programmes.create(wanted, bureau_id=bureau_id, actor=asked.actor, now=asked.now)
    )
    return shapes.programme(await queries.programme(made.public_id, actor=asked.actor))


@calls.post(
    "/programmes/{programme_id}/bar",
    summary="新一版结业标准",
    needs=(Permission.TRAINING_CERTIFY,),
    body=NewBar,
    answer=Programme,
    refusals=(ProgrammeRefused,),
)
async def change_bar(asked: Asked[None, NewBar], programme_id: str) -> Programme:
    """What graduates from now on."""
    await database.unit(
        lambda: programmes.change_bar(programme_id, bar=asked.body.bar, actor=asked.actor, now=asked.now)
    )
    return shapes.programme(await queries.programme(programme_id, actor=asked.actor))


@calls.get(
    "/cohorts",
    summary="班次，新的在前",
    needs=(Permission.TRAINING_READ,),
    query=CohortQuestion,
    answer=Listed[CohortSeen],
)
async def classes(asked: Asked[CohortQuestion, None]) -> Listed[CohortSeen]:
    """Cohorts."""
    query = asked.query
    page = await queries.cohorts_of(
        asked.actor, state=query.state, programme=query.programme, number=query.page, size=query.size
    )
    items = [shapes.cohort(each) for each in page.items]
    return Listed(items=items, page=page.number, size=page.size, total=page.total)


@calls.post(
    "/cohorts",
    summary="新建班次",
    needs=(Permission.TRAINING_MANAGE,),
    body=NewCohort,
    answer=CohortSeen,
    status=201,
    refusals=(CohortRefused, CohortCodeTaken),
)
async def plan(asked: Asked[None, NewCohort]) -> CohortSeen:
    """Plan a class."""
    body = asked.body
    wanted = cohorts.NewCohort(
        code=body.code,
        name=body.name,
        starts_on=body.starts_on,
        ends_on=body.ends_on,
        capacity=body.capacity,
        plan=body.plan,
    )
    made = await database.unit(
        lambda: cohorts.create(wanted, programme=body.programme, actor=asked.actor, now=asked.now)
    )
    return await _seen(made.public_id, actor=asked.actor, now=asked.now)


@calls.get(
    "/cohorts/{cohort_id}",
    summary="一个班次",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=CohortSeen,
)
async def one(asked: Asked[Nothing, None], cohort_id: str) -> CohortSeen:
    """One class."""
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


@calls.post(
    "/cohorts/{cohort_id}/apply",
    summary="申请开班",
    needs=(Permission.TRAINING_MANAGE,),
    body=Application,
    answer=CohortSeen,
    refusals=(NotReady, AppliedLate, WrongState),
    versioned=True,
)
async def apply(asked: Asked[None, Application], cohort_id: str) -> CohortSeen:
    """Ask the bureau."""
    await database.unit(
        lambda: cohorts.apply(
            cohort_id,
            late_reason=asked.body.late_reason,
            version=asked.version,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


@calls.post(
    "/cohorts/{cohort_id}/approve",
    summary="批准开班",
    needs=(Permission.TRAINING_APPROVE,),
    body=Nothing,
    answer=CohortSeen,
    refusals=(WrongState, SecondPersonNeeded),
    versioned=True,
)
async def approve(asked: Asked[None, Nothing], cohort_id: str) -> CohortSeen:
    """Let it open."""
    await database.unit(
        lambda: cohorts.approve(cohort_id, version=asked.version, actor=asked.actor, now=asked.now)
    )
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


@calls.post(
    "/cohorts/{cohort_id}/reject",
    summary="驳回开班申请",
    needs=(Permission.TRAINING_APPROVE,),
    body=Because,
    answer=CohortSeen,
    refusals=(WrongState, SecondPersonNeeded, CohortRefused),
    versioned=True,
)
async def reject(asked: Asked[None, Because], cohort_id: str) -> CohortSeen:
    """Send it back."""
    await database.unit(
        lambda: cohorts.reject(
            cohort_id, reason=asked.body.reason, version=asked.version, actor=asked.actor, now=asked.now
        )
    )
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


@calls.post(
    "/cohorts/{cohort_id}/cancel",
    summary="取消开班",
    needs=(Permission.TRAINING_MANAGE,),
    body=Because,
    answer=CohortSeen,
    refusals=(WrongState, CohortRefused),
    versioned=True,
)
async def cancel(asked: Asked[None, Because], cohort_id: str) -> CohortSeen:
    """Call it off."""
    await database.unit(
        lambda: training.call_off(
            cohort_id, reason=asked.body.reason, version=asked.version, actor=asked.actor, now=asked.now
        )
    )
    return await _seen(cohort_id, actor=asked.actor, now=asked.now)


def _step(name: str, summary: str) -> None:
    @calls.post(
        f"/cohorts/{{cohort_id}}/{name}",
        summary=summary,
        needs=(Permission.TRAINING_MANAGE,),
        body=Nothing,
        answer=CohortSeen,
        refusals=(WrongState, NotReady),
        versioned=True,
    )
    async def step(asked: Asked[None, Nothing], cohort_id: str) -> CohortSeen:
        await database.unit(
            lambda: cohorts.step(cohort_id, name, version=asked.version, actor=asked.actor, now=asked.now)
        )
        return await _seen(cohort_id, actor=asked.actor, now=asked.now)


for _name, _summary in (
    ("open", "开始招生"),
    ("start", "开课"),
    ("examine", "进入考核"),
    ("close", "结班"),
    ("archive", "归档"),
):
    _step(_name, _summary)


async def _seen(public_id: str, *, actor: Actor, now: datetime) -> CohortSeen:
    whole = await queries.cohort(public_id, actor=actor, now=now)
    waiting = sum(1 for each in whole.people if each.state is EnrolmentState.WAITLISTED)
    return shapes.seen(whole.row, whole.programme, waiting)
