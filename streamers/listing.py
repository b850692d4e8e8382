"""主播 as the desk looks them up: a list, and what is on file of one. Nothing sealed leaves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from msgspec import Struct, structs

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit import clock, searching
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page, window
from streamers import queries
from streamers.queries import StreamerView

TRAINED = ("certified", "learning", "never")


class Row(Struct, frozen=True, kw_only=True):
    """A streamer in the list."""

    id: str  # public id
    stage_name: str
    name: str  # of the person, '' for readers of a bureau
    town: str
    status: str
    accounts: int
    classes: int
    certificates: int  # that hold


class AccountView(Struct, frozen=True, kw_only=True):
    """An account of hers on a platform."""

    platform: str
    account_ref: str
    name: str


class ClassRow(Struct, frozen=True, kw_only=True):
    """A class she is or was in, with the certificate that holds."""

    cohort: str  # public id
    name: str
    programme: str
    bureau: str
    bureau_id: int
    state: str
    starts_on: date
    ends_on: date
    serial: str
    verify_code: str


class Dossier(Struct, frozen=True, kw_only=True):
    """What is on file of a streamer; of what is sealed only whether it is there."""

    who: StreamerView
    person: str  # public id
    category: str
    education: str
    has_identity: bool
    has_phone: bool
    is_age_known: bool
    has_guardian: bool
    accounts: tuple[AccountView, ...]
    classes: tuple[ClassRow, ...]


_HELD = "JOIN certificate x ON x.enrolment_id = e.id AND x.state = 'issued'"
_OF_PERSON = "FROM enrolment e {} WHERE e.person_id = p.id"
_CERTIFIED = f"EXISTS (SELECT 1 {_OF_PERSON.format(_HELD)})"
_LEARNING = f"EXISTS (SELECT 1 {_OF_PERSON.format('')} AND e.state = 'enrolled')"
_TRAINED = {
    "": "1 = 1",
    "certified": _CERTIFIED,
    "learning": _LEARNING,
    "never": f"NOT EXISTS (SELECT 1 {_OF_PERSON.format('')})",
}
_TAUGHT_BY = (
    "EXISTS (SELECT 1 FROM enrolment e JOIN cohort h ON h.id = e.cohort_id JOIN programme g ON"
    " g.id = h.programme_id JOIN bureau u ON u.id = g.bureau_id WHERE e.person_id = p.id"
    " AND u.public_id = $4)"
)


async def streamers(
    *,
    actor: Actor,
    name: str = "",
    status: str = "",
    trained: str = "",
    bureau: str = "",
    number: int = 1,
    size: int = 50,
) -> Page[Row]:
    """A page of the centre's streamers by stage name; who left only when asked for.

    ``name``: a part of either name; ``trained``: see TRAINED; ``bureau``: a public id, whose classes she
    was in. A bureau's reader is told stage names alone: who the person is belongs to the centre.
    """
    require(actor, Permission.STREAMER_READ, centre_id=actor.centre_id)
    person = "p.name" if bureau_scope(actor, Permission.STREAMER_READ) is None else "''"
    number, size, limit, offset = window(number=number, size=size)
    where = (
        "FROM streamer s JOIN person p ON p.id = s.person_id WHERE s.centre_id = $1"
        f" AND ($2 = '' OR lower(s.stage_name) LIKE $2 ESCAPE '!' OR lower({person}) LIKE $2 ESCAPE '!')"
        f" AND (s.status = $3 OR ($3 = '' AND s.status <> 'left')) AND ($4 = '' OR {_TAUGHT_BY})"
        f" AND {_TRAINED[trained]}"
    )
    args = (actor.centre_id, searching.like(name), status, bureau)
    counted = await database.fetch_one(f"SELECT count(*) AS n {where}", *args)
    rows = await database.fetch(
        f"SELECT s.public_id AS id, s.stage_name, {person} AS name, p.town, s.status,"
        " (SELECT count(*) FROM streamer_account a WHERE a.streamer_id = s.id) AS accounts,"
        f" (SELECT count(*) {_OF_PERSON.format('')}) AS classes,"
        f" (SELECT count(*) {_OF_PERSON.format(_HELD)}) AS certificates"
        f" {where} ORDER BY s.stage_name, s.id LIMIT {limit} OFFSET {offset}",
        *args,
    )
    return Page([Row(**row) for row in rows], number, size, int(counted["n"]) if counted else 0)


async def dossier(public_id: str, *, actor: Actor) -> Dossier:
    """What is on file of one streamer, NotFound when the actor's centre has none of that id.

    A bureau's reader sees the classes of her bureau, as everywhere, and not who the person is.
    """
    scope = bureau_scope(actor, Permission.TRAINING_READ)
    who = await queries.streamer(public_id, actor=actor)
    is_told = bureau_scope(actor, Permission.STREAMER_READ) is None
    person = await database.fetch_one(
        "SELECT p.id, p.public_id, p.category, p.education, p.identity_sealed IS NOT NULL AS has_identity,"
        " p.phone_sealed IS NOT NULL AS has_phone, p.born_sealed IS NOT NULL AS is_age_known,"
        " p.guardian <> '' AS has_guardian FROM streamer s JOIN person p ON p.id = s.person_id"
        " WHERE s.id = $1",
        who.id,
    )
    if person is None:
        raise NotFound
    accounts = await database.fetch(
        "SELECT platform, account_ref, name FROM streamer_account WHERE streamer_id = $1 ORDER BY id", who.id
    )
    classes = await database.fetch(
        "SELECT h.public_id AS cohort, h.name, g.name AS programme, u.name AS bureau, u.id AS bureau_id,"
        " e.state, h.starts_on, h.ends_on, coalesce(x.serial, '') AS serial,"
        " coalesce(x.verify_code, '') AS verify_code FROM enrolment e JOIN cohort h ON h.id = e.cohort_id"
        " JOIN programme g ON g.id = h.programme_id JOIN bureau u ON u.id = g.bureau_id"
        " LEFT JOIN certificate x ON x.enrolment_id = e.id AND x.state = 'issued'"
        " WHERE e.person_id = $1 ORDER BY h.starts_on DESC, e.id DESC",
        person["id"],
    )
    return Dossier(
        who=who if is_told else structs.replace(who, name=""),
        person=person["public_id"],
        category=person["category"] if is_told else "",
        education=person["education"] if is_told else "",
        has_identity=bool(person["has_identity"]),
        has_phone=bool(person["has_phone"]),
        is_age_known=bool(person["is_age_known"]),
        has_guardian=bool(person["has_guardian"]),
        accounts=tuple(AccountView(**row) for row in accounts),
        classes=tuple(_class(row) for row in classes if scope is None or row["bureau_id"] in scope),
    )


def _class(row: Mapping[str, Any]) -> ClassRow:
    days = {name: clock.day_of_number(row[name]) for name in ("starts_on", "ends_on")}
    return ClassRow(**{**row, **days})
