"""A visit of a graduate with what the data says of her: sales are read here, the visit is kept below."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts.actors import Actor, system
from livehub.accounts.permissions import Permission, require
from livehub.kit.errors import NotFound
from livehub.reports import training
from streamers.training import followups, rates
from streamers.training.after_models import FollowUp
from streamers.training.followups import Facts
from streamers.training.models import Enrolment

NOTHING = Facts(first_stream_on=None, broadcasts=0, elsewhere=0, net_sales_fen=0)


@database.atomic
async def contacted(
    enrolment: str, *, day: int, employment: str, note: str = "", actor: Actor, now: datetime
) -> FollowUp:
    """Note a visit of day 30, 90 or 180, with the broadcasts and net sales from graduating to that day.

    FollowUpRefused before its day, for another day, and for whoever has not graduated.
    """
    seen = await Enrolment.get_or_none(public_id=enrolment).select_related("cohort__programme")
    if seen is None:
        raise NotFound
    owner = seen.cohort.programme
    require(actor, Permission.TRAINING_MANAGE, bureau_id=owner.bureau_id, centre_id=owner.centre_id)
    people = [each for each in await rates.trainees([seen.cohort_id]) if each.enrolment_id == seen.id]
    reader = system(
        "follow-up", centre_id=owner.centre_id
    )  # of the whole centre: the visit is its own record
    found = await training.outcomes(people, actor=reader, now=now, days=day) if day in followups.DAYS else []
    facts = NOTHING
    if found:
        shows = found[0].shows
        facts = Facts(
            first_stream_on=found[0].first_stream_on,
            broadcasts=len(shows),
            elsewhere=sum(each.bureau_id != owner.bureau_id for each in shows),
            net_sales_fen=sum(each.net_fen for each in shows),
        )
    return await followups.record(
        enrolment, day=day, employment=employment, note=note, facts=facts, actor=actor, now=now
    )
