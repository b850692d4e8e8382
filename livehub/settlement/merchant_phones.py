"""Phones of a merchant's own people, so that a voucher they claimed themselves is recognised by its hash."""

from __future__ import annotations

import re
from datetime import datetime

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.notices.recipients import mask
from livehub.vouchers import identity

_PHONE = re.compile(r"1[3-9]\d{9}")


@database.atomic
async def note(merchant: str, *, phone: str, actor: Actor, now: datetime) -> str:
    """Keep the blind index of a phone for a merchant (public id); returns how it is shown. Once is enough.

    Invalid for what is no mobile number, NotFound for a merchant of another centre.
    """
    permissions.require(actor, Permission.CASE_HANDLE)
    if not _PHONE.fullmatch(phone.strip()):
        raise Invalid(details=[Detail("phone", "不是手机号", "11 位，1 开头")])
    row = await database.fetch_one(
        "SELECT id FROM merchant WHERE public_id = $1 AND centre_id = $2", merchant, actor.centre_id
    )
    if row is None:
        raise NotFound
    shown = mask(phone.strip())
    made = await database.fetch(
        "INSERT INTO merchant_phone (merchant_id, person_key, masked, noted_by, noted_at)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (merchant_id, person_key) DO NOTHING RETURNING id",
        row["id"],
        identity.phone_index(phone.strip()),
        shown,
        actor.name,
        clock.to_ms(now),
    )
    if made:
        await audit.write("merchant.phone_noted", actor=actor, now=now, about=("merchant", merchant))
    return shown
