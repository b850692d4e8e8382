"""Reading streamers: lists for staff, names for figures, the phone for a code."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, sealing
from livehub.kit.errors import NotFound
from streamers.models import Person, Streamer
from streamers.registry import PHONE_PLACE


class StreamerView(Struct, frozen=True, kw_only=True):
    """A streamer as lists show her: no phone number."""

    id: int
    public_id: str
    stage_name: str
    name: str
    town: str
    status: str


class LinkView(Struct, frozen=True, kw_only=True):
    """A link as staff may see it."""

    id: int
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    bound: bool


_COLUMNS = "s.id, s.public_id, s.stage_name, p.name, p.town, s.status"
_FROM = "FROM streamer s JOIN person p ON p.id = s.person_id"


async def streamers(centre_id: int) -> list[StreamerView]:
    """The streamers of a centre that may be booked, by name."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} {_FROM} WHERE s.centre_id = $1 AND s.status <> 'left'"
        " ORDER BY s.stage_name, s.id",
        centre_id,
    )
    return [StreamerView(**row) for row in rows]


async def streamer(public_id: str, *, actor: Actor) -> StreamerView:
    """One streamer of the actor's centre, or NotFound."""
    row = await database.fetch_one(
        f"SELECT {_COLUMNS}, s.centre_id {_FROM} WHERE s.public_id = $1", public_id
    )
    if row is None:
        raise NotFound
    require(actor, Permission.STREAMER_READ, centre_id=row.pop("centre_id"))
    return StreamerView(**row)


async def by_id(number: int) -> StreamerView | None:
    """A streamer by row id, for pages about a broadcast of hers."""
    row = await database.fetch_one(f"SELECT {_COLUMNS} {_FROM} WHERE s.id = $1", number)
    return None if row is None else StreamerView(**row)


async def by_ids(numbers: Collection[int]) -> dict[int, StreamerView]:
    """Streamers by row id, for naming figures."""
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(number,) for number in sorted(set(numbers))],
        f"SELECT {_COLUMNS} FROM v JOIN streamer s ON s.id = v.wanted JOIN person p ON p.id = s.person_id",
    )
    return {row["id"]: StreamerView(**row) for row in rows}


async def names(numbers: Collection[int]) -> dict[int, str]:
    """Stage names by row id."""
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(number,) for number in sorted(set(numbers))],
        "SELECT s.id, s.stage_name FROM v JOIN streamer s ON s.id = v.wanted",
    )
    return {row["id"]: row["stage_name"] for row in rows}


async def person_ids(numbers: Collection[int]) -> dict[int, tuple[int, str]]:
    """(row id, public id) of the people behind streamers, by the streamers' row ids."""
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(number,) for number in sorted(set(numbers))],
        "SELECT s.id, p.id AS person_id, p.public_id FROM v JOIN streamer s ON s.id = v.wanted"
        " JOIN person p ON p.id = s.person_id",
    )
    return {row["id"]: (row["person_id"], row["public_id"]) for row in rows}


async def links(streamer_id: int) -> list[LinkView]:
    """A streamer's links, newest first; tokens are known to nobody."""
    rows = await database.fetch(
        "SELECT id, created_at, expires_at, revoked_at, device_hash FROM streamer_link"
        " WHERE streamer_id = $1 ORDER BY id DESC",
        streamer_id,
    )
    return [_link(row) for row in rows]


async def link_of(public_id: str, link: str, *, actor: Actor) -> int:
    """The row id of a link of this streamer of the actor's centre, or NotFound."""
    who = await streamer(public_id, actor=actor)
    for each in await links(who.id):
        if str(each.id) == link:
            return each.id
    raise NotFound


async def phone_of(streamer_id: int) -> str:
    """Her phone number, '' when none is known; for sending her a message, never for showing it."""
    owner = await Streamer.get(id=streamer_id)
    person = await Person.get(id=owner.person_id)
    if person.phone_sealed is None:
        return ""
    return sealing.ring().open_text(bytes(person.phone_sealed), place=PHONE_PLACE)


def _link(row: Mapping[str, Any]) -> LinkView:
    return LinkView(
        id=row["id"],
        created_at=clock.from_ms(row["created_at"]),
        expires_at=clock.from_ms(row["expires_at"]),
        revoked_at=clock.from_ms(row["revoked_at"]) if row["revoked_at"] is not None else None,
        bound=row["device_hash"] is not None,
    )
