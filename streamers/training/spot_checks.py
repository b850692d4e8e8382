"""抽查: somebody of the class is asked whether she was there, by a visit, by phone or by video."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit.errors import Detail
from streamers.training import enrolments
from streamers.training.errors import SpotCheckRefused
from streamers.training.models import COUNTED
from streamers.training.subsidy_models import SpotCheck

METHODS = ("visit", "phone", "video")
NOTE_LENGTH = 200


@database.atomic
async def note(
    enrolment: str, *, method: str, confirmed: bool, text: str = "", actor: Actor, now: datetime
) -> SpotCheck:
    """Note what somebody answered; who says that she was not there needs a note, or SpotCheckRefused."""
    who, _, owner = await enrolments.held(enrolment, actor=actor, permission=Permission.TRAINING_MANAGE)
    found = []
    if method not in METHODS:
        found.append(Detail("method", "没有这种方式", "、".join(METHODS)))
    if who.state not in COUNTED:
        found.append(Detail("enrolment", "她不占这个班的名额", "在读、结业或未结业的学员"))
    if len(text.strip()) > NOTE_LENGTH or (not confirmed and len(text.strip()) < 2):
        found.append(Detail("text", "请写明情况", f"2 到 {NOTE_LENGTH} 个字"))
    if found:
        raise SpotCheckRefused(details=found)
    made = await SpotCheck.create(
        enrolment_id=who.id,
        method=method,
        confirmed=confirmed,
        note=text.strip(),
        by_name=actor.name,
        at=now,
    )
    about, detail = ("enrolment", who.public_id), {"method": method, "confirmed": confirmed}
    await audit.write(
        "spot_check.noted", actor=actor, now=now, about=about, bureau_id=owner.bureau_id, detail=detail
    )
    return made
