"""Registering people who stream, and their accounts on platforms."""

from __future__ import annotations

import re
from datetime import datetime

from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import ids, sealing
from livehub.kit.errors import Detail, NotFound
from livehub.kit.resealing import Column
from streamers import ages
from streamers.errors import AccountKnown, PersonKnown, StreamerRefused
from streamers.models import Person, Streamer, StreamerAccount, StreamerStatus

PHONE_PLACE = "person.phone"
SEALED = (Column("person", "phone_sealed", PHONE_PLACE), Column("person", "born_sealed", ages.PLACE))
PHONE_PURPOSE = "person.phone"
NAME_LENGTH = 40
REF_LENGTH = 64

_PHONE = re.compile(r"1[3-9][0-9]{9}")


@database.atomic
async def create(
    stage_name: str,
    *,
    name: str,
    centre_id: int,
    actor: Actor,
    now: datetime,
    phone: str = "",
    town: str = "",
    status: StreamerStatus = StreamerStatus.NEWBIE,
) -> Streamer:
    """Register a person as a streamer; PersonKnown when the phone number is somebody's already."""
    require(actor, Permission.STREAMER_MANAGE, centre_id=centre_id)
    number = plain_phone(phone)
    details = [
        Detail(field, "请填写", f"1 到 {NAME_LENGTH} 个字")
        for field, text in (("stage_name", stage_name), ("name", name))
        if not 0 < len(text.strip()) <= NAME_LENGTH
    ]
    if number is None:
        details.append(Detail("phone", "手机号不正确", "11 位大陆手机号"))
    if len(town) > NAME_LENGTH:
        details.append(Detail("town", "太长", f"{NAME_LENGTH} 个字以内"))
    if details:
        raise StreamerRefused(details=details)
    person = Person(
        public_id=ids.public_id(), centre_id=centre_id, name=name.strip(), town=town.strip(), created_at=now
    )
    if number:
        person.phone_sealed = sealing.ring().seal_text(number, place=PHONE_PLACE)
        person.phone_index = sealing.ring().blind(number, purpose=PHONE_PURPOSE)
    try:
        async with database.transaction():
            await person.save()
    except IntegrityError as error:
        raise PersonKnown from error
    streamer = await Streamer.create(
        public_id=ids.public_id(),
        centre_id=centre_id,
        person_id=person.id,
        stage_name=stage_name.strip(),
        status=status,
    )
    await _audit("streamer.created", streamer, actor=actor, now=now)
    return streamer


@database.atomic
async def add_account(
    public_id: str, *, platform: str, account_ref: str, actor: Actor, now: datetime, name: str = ""
) -> StreamerAccount:
    """Note an account of a streamer; broadcasts booked from now on are expected on it."""
    streamer = await _streamer(public_id, actor=actor)
    if not (0 < len(account_ref) <= REF_LENGTH and 0 < len(platform) <= 32):
        raise StreamerRefused(details=[Detail("account_ref", "请填写平台账号", f"1 到 {REF_LENGTH} 个字符")])
    account = StreamerAccount(
        streamer_id=streamer.id, platform=platform, account_ref=account_ref, name=name.strip()[:60]
    )
    try:
        async with database.transaction():
            await account.save()
    except IntegrityError as error:
        raise AccountKnown from error
    detail = {"platform": platform, "account_ref": account_ref}
    await _audit("streamer.account_added", streamer, actor=actor, now=now, detail=detail)
    return account


@database.atomic
async def set_status(public_id: str, *, status: StreamerStatus, actor: Actor, now: datetime) -> Streamer:
    """Say how far a streamer is; who left is booked no more."""
    streamer = await _streamer(public_id, actor=actor)
    streamer.status = status
    await streamer.save(update_fields=["status"])
    await _audit("streamer.status", streamer, actor=actor, now=now, detail={"status": str(status)})
    return streamer


async def _streamer(public_id: str, *, actor: Actor) -> Streamer:
    streamer = await Streamer.get_or_none(public_id=public_id)
    if streamer is None:
        raise NotFound
    require(actor, Permission.STREAMER_MANAGE, centre_id=streamer.centre_id)
    return streamer


def plain_phone(text: str) -> str | None:
    """Eleven digits, '' for none given, None when it is no mainland mobile number."""
    number = re.sub(r"[\s-]", "", text).removeprefix("+86")
    if not number or _PHONE.fullmatch(number):
        return number
    return None


async def _audit(
    action: str, streamer: Streamer, *, actor: Actor, now: datetime, detail: dict[str, str] | None = None
) -> None:
    about = ("streamer", streamer.public_id)
    await audit.write(action, actor=actor, now=now, about=about, detail=detail)
