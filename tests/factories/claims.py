"""A class that ended and may be claimed for, for tests."""

from __future__ import annotations

from functools import partial

import msgspec

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from streamers.training import claims, cohorts, spot_checks
from streamers.training.models import Enrolment, Programme
from streamers.training.rules import Terms
from streamers.training.subsidy_models import SubsidyClaim
from tests.factories.accounts import an_actor
from tests.factories.outcomes import a_graduated_school
from tests.factories.training import LATER, School

TERMS = Terms(per_head_fen=40_001, plan_parts=("audience",), claim_days=30)


async def a_closed_school(
    *, trainees: int = 3, terms: Terms = TERMS, house=None
) -> tuple[School, list[Enrolment]]:
    """A class whose people graduated, all but the last, and that was closed."""
    school, people = await a_graduated_school(trainees=trainees, house=house)
    await terms_are(school, terms=terms)
    await cohorts.step(school.cohort.public_id, "close", actor=school.staff, now=LATER)
    return school, people


async def terms_are(school: School, *, terms: Terms) -> None:
    await Programme.filter(id=school.programme.id).update(terms=msgspec.json.encode(terms).decode())


async def submitted(school: School, *, now=LATER, by: Actor | None = None) -> SubsidyClaim:
    who, cohort = by or school.staff, school.cohort.public_id
    await database.unit(lambda: claims.draw(cohort, actor=who, now=now))
    return await database.unit(lambda: claims.submit(cohort, actor=who, now=now))


async def checked(school: School, *people: Enrolment, confirmed: bool = True) -> None:
    for each in people:
        await database.unit(
            partial(
                spot_checks.note, each.public_id, method="phone", confirmed=confirmed,
                text="" if confirmed else "说没有来过", actor=school.staff, now=LATER,
            )
        )  # fmt: skip


def a_payer(school: School) -> Actor:
    return an_actor(Role.FINANCE, centre_id=school.house.centre.id)
