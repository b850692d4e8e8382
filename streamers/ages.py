"""How old people are on a day: the day of birth is sealed, and only an age ever leaves this file."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, sealing
from livehub.kit.errors import Detail, NotFound
from streamers.errors import StreamerRefused
from streamers.models import Person, Streamer

PLACE = "person.born"
ADULT, YOUNGEST = 18, 16  # a streamer is at least 16, and between the two her guardian consents
OLDEST = 110


@database.atomic
async def note(streamer: str, *, born_on: date, actor: Actor, now: datetime) -> None:
    """Note the day of birth that somebody read from a streamer's (public id) identity card."""
    owner = await Streamer.get_or_none(public_id=streamer)
    if owner is None:
        raise NotFound
    require(actor, Permission.STREAMER_MANAGE, centre_id=owner.centre_id)
    if not 0 <= age(born_on, on=clock.local_day(now)) <= OLDEST or born_on > clock.local_day(now):
        raise StreamerRefused(details=[Detail("born_on", "出生日期不正确", "身份证上的日期")])
    sealed = sealing.ring().seal_text(born_on.isoformat(), place=PLACE)
    await Person.filter(id=owner.person_id).update(born_sealed=sealed)
    await audit.write("streamer.born_noted", actor=actor, now=now, about=("streamer", owner.public_id))


async def on(person_ids: Collection[int], *, day: date) -> dict[int, int | None]:
    """The ages of people (row ids) on a day; None where no day of birth is noted."""
    people = await Person.filter(id__in=sorted(set(person_ids)))
    return {
        each.id: age(_born(bytes(each.born_sealed)), on=day) if each.born_sealed else None for each in people
    }


def age(born: date, *, on: date) -> int:
    """Whole years; who was born on 29 February is a year older on 1 March of other years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _born(sealed: bytes) -> date:
    return date.fromisoformat(sealing.ring().open_text(sealed, place=PLACE))
