"""导师: who accompanies people in incubation."""

from __future__ import annotations

from datetime import datetime

from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import ids
from livehub.kit.errors import Detail, NotFound
from streamers.models import Person
from streamers.training.after_models import Mentor
from streamers.training.errors import IncubationRefused, MentorKnown

FIELD_LENGTH = 60


@database.atomic
async def appoint(person: str, *, field: str, actor: Actor, now: datetime) -> Mentor:
    """Make a registered person (public id) a mentor; MentorKnown when she is one."""
    who = await Person.get_or_none(public_id=person)
    if who is None:
        raise NotFound
    require(actor, Permission.STREAMER_MANAGE, centre_id=who.centre_id)
    if not 0 < len(field.strip()) <= FIELD_LENGTH:
        raise IncubationRefused(details=[Detail("field", "请填写擅长什么", f"1 到 {FIELD_LENGTH} 个字")])
    made = Mentor(
        public_id=ids.public_id(), centre_id=who.centre_id, person_id=who.id, field=field.strip(), active=True
    )
    try:
        async with database.transaction():
            await made.save()
    except IntegrityError as error:
        raise MentorKnown from error
    about, detail = ("mentor", made.public_id), {"person": who.public_id, "field": made.field}
    await audit.write("mentor.appointed", actor=actor, now=now, about=about, detail=detail)
    return await Mentor.get(id=made.id).select_related("person")


async def listing(actor: Actor) -> list[Mentor]:
    """The mentors of a centre, with their persons."""
    require(actor, Permission.STREAMER_MANAGE)
    return await Mentor.filter(centre_id=actor.centre_id, active=True).select_related("person").order_by("id")
