"""People and their identity: found by a keyed hash, revealed for a reason that is written down."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids, sealing
from livehub.kit.errors import Detail, NotFound
from livehub.kit.resealing import Column
from streamers import ages, identity_numbers
from streamers.errors import IdentityKnown, PersonKnown, PersonRefused, RevealReasonMissing
from streamers.identity_numbers import Identity, NotOne
from streamers.models import Person
from streamers.registry import NAME_LENGTH, PHONE_PLACE, PHONE_PURPOSE, plain_phone

IDENTITY_PLACE = "person.identity"
IDENTITY_PURPOSE = "person.identity"
SEALED = (Column("person", "identity_sealed", IDENTITY_PLACE),)
CATEGORIES = ("poverty_relieved", "returned", "student", "veteran", "cooperative", "unemployed", "other")
EDUCATION_LENGTH = 20
REASON_LENGTH = 200


class NewPerson(Struct, frozen=True, kw_only=True):
    """What is known of somebody who is registered."""

    name: str
    identity: str = ""
    phone: str = ""
    town: str = ""
    category: str = ""
    education: str = ""
    guardian: str = ""


class Revealed(Struct, frozen=True):
    """Numbers in clear, for whoever gave a reason; they appear in no log."""

    identity: str
    phone: str

    def __repr__(self) -> str:
        """Without the numbers, for logs and tracebacks."""
        return "Revealed()"


@database.atomic
async def register(wanted: NewPerson, *, centre_id: int, actor: Actor, now: datetime) -> Person:
    """Register somebody; IdentityKnown or PersonKnown when the number is somebody's already."""
    require(actor, Permission.STREAMER_MANAGE, centre_id=centre_id)
    details, identity = faults(wanted, today=clock.local_day(now))
    if details:
        raise PersonRefused(details=details)
    person = made(wanted, identity, centre_id=centre_id, now=now)
    if identity is not None and await Person.exists(
        centre_id=centre_id, identity_index=person.identity_index
    ):
        raise IdentityKnown
    if person.phone_index is not None and await Person.exists(phone_index=person.phone_index):
        raise PersonKnown
    try:
        async with database.transaction():
            await person.save()
    except IntegrityError as error:  # somebody registers the same person at this moment
        raise IdentityKnown from error
    await audit.write("person.registered", actor=actor, now=now, about=("person", person.public_id))
    return person


async def known_by(wanted: NewPerson, *, centre_id: int, today: date) -> Person | None:
    """Who has this identity number already; IdentityKnown when it is somebody of another name."""
    details, identity = faults(wanted, today=today)
    if details or identity is None:
        return None
    found = await Person.get_or_none(centre_id=centre_id, identity_index=identity_index(identity.number))
    if found is not None and found.name != wanted.name.strip():
        raise IdentityKnown
    return found


@database.atomic
async def reveal(public_id: str, *, reason: str, actor: Actor, now: datetime) -> Revealed:
    """Somebody's numbers in clear; who saw them and why is in the audit trail for good."""
    person = await Person.get_or_none(public_id=public_id)
    if person is None:
        raise NotFound
    require(actor, Permission.PERSONAL_DATA_OPEN, centre_id=person.centre_id)
    if not 2 <= len(reason.strip()) <= REASON_LENGTH:
        raise RevealReasonMissing(details=[Detail("reason", "请写明用途", f"2 到 {REASON_LENGTH} 个字")])
    about, detail = ("person", person.public_id), {"reason": reason.strip()}
    await audit.write("person.revealed", actor=actor, now=now, about=about, detail=detail)
    return numbers_of(person)


def made(wanted: NewPerson, identity: Identity | None, *, centre_id: int, now: datetime) -> Person:
    """The row of somebody without faults, not saved yet."""
    ring = sealing.ring()
    person = Person(
        public_id=ids.public_id(),
        centre_id=centre_id,
        name=wanted.name.strip(),
        town=wanted.town.strip(),
        category=wanted.category,
        education=wanted.education.strip(),
        guardian=wanted.guardian.strip(),
        created_at=now,
    )
    if identity is not None:
        person.identity_sealed = ring.seal_text(identity.number, place=IDENTITY_PLACE)
        person.identity_index = identity_index(identity.number)
        person.born_sealed = ring.seal_text(identity.born_on.isoformat(), place=ages.PLACE)
        person.gender = identity.gender
    if phone := plain_phone(wanted.phone):
        person.phone_sealed = ring.seal_text(phone, place=PHONE_PLACE)
        person.phone_index = ring.blind(phone, purpose=PHONE_PURPOSE)
    return person


def faults(wanted: NewPerson, *, today: date) -> tuple[list[Detail], Identity | None]:
    """Everything that is wrong, and the identity where one was given and can be one."""
    details: list[Detail] = []
    identity: Identity | None = None
    if not is_name(wanted.name):
        details.append(Detail("name", "请填写姓名", f"1 到 {NAME_LENGTH} 个字，不含 = + @ 等符号"))
    if wanted.identity.strip():
        try:
            identity = identity_numbers.read(wanted.identity, today=today)
        except NotOne as error:
            details.append(Detail("identity", IDENTITY_FAULTS[error.code], "18 位身份证号"))
    if plain_phone(wanted.phone) is None:
        details.append(Detail("phone", "手机号不正确", "11 位大陆手机号"))
    if wanted.category and wanted.category not in CATEGORIES:
        details.append(Detail("category", "没有这个类别", "、".join(CATEGORIES)))
    for field, text, most in (
        ("town", wanted.town, NAME_LENGTH),
        ("education", wanted.education, EDUCATION_LENGTH),
        ("guardian", wanted.guardian, NAME_LENGTH),
    ):
        if len(text.strip()) > most:
            details.append(Detail(field, "太长", f"{most} 个字以内"))
    return details, identity


def is_name(text: str) -> bool:
    """Whether a text can be somebody's name; a formula of a spreadsheet cannot."""
    name = text.strip()
    return 0 < len(name) <= NAME_LENGTH and name.isprintable() and not name.startswith(_NO_NAME)


def identity_index(number: str) -> bytes:
    """By what a number is found."""
    return sealing.ring().blind(number, purpose=IDENTITY_PURPOSE)


def numbers_of(person: Person) -> Revealed:
    """Both numbers in clear; whoever shows them has asked for the right and written the reason down."""
    return Revealed(number_of(person), _phone_of(person))


def number_of(person: Person) -> str:
    """The identity number in clear, '' when none is known; for papers and reveals, never for lists."""
    if person.identity_sealed is None:
        return ""
    return sealing.ring().open_text(bytes(person.identity_sealed), place=IDENTITY_PLACE)


IDENTITY_FAULTS = {
    "ID_MISSING": "没有身份证号",
    "ID_FORMAT": "不是 18 位身份证号",
    "ID_DATE": "身份证号里的出生日期不存在",
    "ID_CHECKSUM": "身份证号校验位不对，请核对证件",
}
_NO_NAME = tuple("=+-@|＝＋－＠")


def _phone_of(person: Person) -> str:
    if person.phone_sealed is None:
        return ""
    return sealing.ring().open_text(bytes(person.phone_sealed), place=PHONE_PLACE)
