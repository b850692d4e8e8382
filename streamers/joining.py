"""Somebody becomes a streamer: a new person, or one of the register, such as a trainee."""

from __future__ import annotations

from datetime import datetime

from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids
from livehub.kit.errors import Detail
from streamers import people
from streamers.errors import StreamerKnown, StreamerRefused
from streamers.models import Streamer, StreamerStatus
from streamers.people import NewPerson
from streamers.registry import NAME_LENGTH


@database.atomic
async def join(
    wanted: NewPerson,
    *,
    stage_name: str,
    centre_id: int,
    actor: Actor,
    now: datetime,
    status: StreamerStatus = StreamerStatus.NEWBIE,
) -> Streamer:
    """Register somebody as a streamer; whose identity number is in the register is taken from there.

    IdentityKnown when the number is somebody else's, PersonKnown for the phone, StreamerKnown when she
    streams already.
    """
    require(actor, Permission.STREAMER_MANAGE, centre_id=centre_id)
    details, _ = people.faults(wanted, today=clock.local_day(now))
    if not people.is_name(stage_name):
        details.insert(0, Detail("stage_name", "请填写艺名", f"1 到 {NAME_LENGTH} 个字，不含 = + @ 等符号"))
    if details:
        raise StreamerRefused(details=details)
    person = await people.known_by(wanted, centre_id=centre_id, today=clock.local_day(now))
    if person is None:
        person = await people.register(wanted, centre_id=centre_id, actor=actor, now=now)
    streamer = Streamer(
        public_id=ids.public_id(),
        centre_id=centre_id,
        person_id=person.id,
        stage_name=stage_name.strip(),
        status=status,
    )
    try:
        async with database.transaction():
            await streamer.save()
    except IntegrityError as error:
        raise StreamerKnown from error
    await audit.write("streamer.created", actor=actor, now=now, about=("streamer", streamer.public_id))
    return streamer
