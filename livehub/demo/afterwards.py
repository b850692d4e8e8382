"""What follows the demo's class: its claim, waiting to be approved, and somebody in incubation."""

from __future__ import annotations

from datetime import datetime, timedelta

from livehub.accounts.actors import Actor
from livehub.kit import clock
from streamers.training import claims, incubations, mentors, spot_checks
from streamers.training.models import COUNTED, Enrolment

ASKED = 3  # of the class, by phone


async def claim(cohort: str, *, by: Actor, now: datetime) -> None:
    """The class's claim, submitted and put up; three of its people were asked."""
    people = await Enrolment.filter(cohort__public_id=cohort, state__in=list(COUNTED)).order_by("id")
    for each in people[:ASKED]:
        await spot_checks.note(each.public_id, method="phone", confirmed=True, actor=by, now=now)
    await claims.draw(cohort, actor=by, now=now)
    await claims.submit(cohort, actor=by, now=now)
    await claims.publicise(cohort, actor=by, now=now + timedelta(days=1))


async def incubate(person: str, *, mentor: str, bureau_id: int, by: Actor, now: datetime) -> None:
    """A streamer in incubation, whose mentor came twice."""
    appointed = await mentors.appoint(mentor, field="选品与控场", actor=by, now=now)
    found = await incubations.nominate(
        person, bureau_id=bureau_id, mentor=appointed.public_id, actor=by, now=now
    )
    await incubations.admit(found.public_id, months=24, actor=by, now=now + timedelta(days=1))
    await incubations.begin(found.public_id, actor=by, now=now + timedelta(days=2))
    for days, note in ((9, "看了三场回放，开场太慢，改了脚本"), (23, "陪播一场，教她看数据调品")):
        when = now + timedelta(days=days)
        await incubations.visited(
            found.public_id, on_day=clock.local_day(when), note=note, actor=by, now=when
        )
