"""Messages to trainees: who waited for a place hears that she has one, and when it begins."""

from __future__ import annotations

from datetime import datetime

from livehub.kit import clock
from livehub.notices import sending
from streamers import people
from streamers.facts import PlaceGiven
from streamers.training.course_models import Lesson
from streamers.training.models import Enrolment, EnrolmentState


async def on_place_given(fact: PlaceGiven, now: datetime) -> None:
    """Tell her, unless she left again in the meantime; once for each place."""
    row = await Enrolment.get(id=fact.enrolment_id).select_related("person", "cohort")
    if row.state is not EnrolmentState.ENROLLED:
        return
    coming = Lesson.filter(
        cohort_id=fact.cohort_id, cancelled_at__isnull=True, starts_at__gt=clock.to_ms(now)
    )
    first = await coming.order_by("starts_at").first()
    when = (
        f"下一节课 {clock.local(first.starts_at):%m月%d日 %H:%M}，{first.title}"
        if first is not None
        else f"{row.cohort.starts_on:%m月%d日} 开班"
    )
    await sending.send(
        "training.place",
        centre_id=fact.centre_id,
        recipient=people.numbers_of(row.person).phone or row.person.name,
        body=f"{row.person.name}，您在“{row.cohort.name}”的候补已转为正式学员。{when}。",
        dedupe_key=f"training.place:{row.public_id}",
        now=now,
    )
