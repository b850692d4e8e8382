"""设备: units that bookings take along, registered once and put out of use when they break."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import ids
from livehub.kit.errors import Detail, NotFound
from rooms.errors import EquipmentRefused, SerialTaken
from rooms.sharing_models import Equipment

LENGTHS = {"kind": 20, "name": 40, "serial": 40}


class Unit(Struct, frozen=True, kw_only=True):
    """One unit as it is registered."""

    kind: str
    name: str
    serial: str


@database.atomic
async def register(unit: Unit, *, centre_id: int, actor: Actor, now: datetime) -> Equipment:
    """Add a unit to a centre; SerialTaken when it is there already."""
    require(actor, Permission.ROOM_MANAGE, centre_id=centre_id)
    values: dict[str, Any] = {name: str(getattr(unit, name)).strip() for name in LENGTHS}
    if wrong := [name for name, text in values.items() if not 0 < len(text) <= LENGTHS[name]]:
        raise EquipmentRefused(
            details=[Detail(each, "请填写", f"1 到 {LENGTHS[each]} 个字") for each in wrong]
        )
    try:
        async with database.transaction():
            made = await Equipment.create(public_id=ids.public_id(), centre_id=centre_id, **values)
    except IntegrityError as error:
        raise SerialTaken from error
    await audit.write("equipment.registered", actor=actor, now=now, about=("equipment", made.public_id))
    return made


@database.atomic
async def set_active(public_id: str, *, active: bool, actor: Actor, now: datetime) -> Equipment:
    """Put a unit out of use, or back into it; bookings that have it keep it."""
    unit = await Equipment.get_or_none(public_id=public_id)
    if unit is None:
        raise NotFound
    require(actor, Permission.ROOM_MANAGE, centre_id=unit.centre_id)
    unit.active = active
    await unit.save(update_fields=["active"])
    detail = {"active": active}
    await audit.write(
        "equipment.status", actor=actor, now=now, about=("equipment", unit.public_id), detail=detail
    )
    return unit
