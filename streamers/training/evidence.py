"""佐证材料 of a class: files that were scanned or photographed, sealed, kept for the programme's years.

They may show numbers of persons, so their bytes come out with the archive in clear alone.
"""

from __future__ import annotations

import asyncio
import hmac
from datetime import date, datetime
from hashlib import sha256

from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock, ids, sealing
from livehub.kit.errors import Detail
from livehub.kit.resealing import Column
from streamers.training import cohorts, programmes
from streamers.training.errors import EvidenceChanged, EvidenceKnown, EvidenceRefused
from streamers.training.models import Cohort
from streamers.training.rules import Terms
from streamers.training.subsidy_models import EvidenceFile

PLACE = "evidence_file.content"
SEALED = (Column("evidence_file", "content_sealed", PLACE),)
KINDS = ("photo", "sign_in", "leave_slip", "survey", "settlement", "institution", "other")
NAME_LENGTH = 120
FILE_LIMIT = 8 * 2**20
TYPES = (b"%PDF-", b"\xff\xd8\xff", b"\x89PNG\r\n")


async def add(cohort: str, *, kind: str, name: str, body: bytes, actor: Actor, now: datetime) -> EvidenceFile:
    """Keep a PDF, JPEG or PNG of at most FILE_LIMIT bytes; EvidenceKnown when the class has it already."""
    if details := _faults(kind, name, body):
        raise EvidenceRefused(details=details)
    digest = sha256(body).digest()
    sealed = await asyncio.to_thread(sealing.ring().seal, body, place=PLACE)

    async def keep() -> EvidenceFile:
        klass, owner = await cohorts.held(cohort, actor=actor, permission=Permission.TRAINING_MANAGE)
        made = EvidenceFile(
            public_id=ids.public_id(),
            cohort_id=klass.id,
            kind=kind,
            name=name.strip()[-NAME_LENGTH:],
            size=len(body),
            sha256=digest,
            content_sealed=sealed,
            retain_until=kept_until(klass, programmes.terms_of(owner), now=now),
            by_name=actor.name,
            at=now,
        )
        try:
            async with database.transaction():
                await made.save()
        except IntegrityError as error:
            raise EvidenceKnown from error
        about, detail = ("cohort", klass.public_id), {"kind": kind, "sha256": digest.hex()}
        await audit.write(
            "evidence.added", actor=actor, now=now, about=about, bureau_id=owner.bureau_id, detail=detail
        )
        return made

    return await database.unit(keep)


async def listing(cohort_id: int) -> list[EvidenceFile]:
    """A class's files without their bytes, in the order in which they came."""
    return await EvidenceFile.filter(cohort_id=cohort_id).order_by("id").only(*_NO_BYTES)


async def content(row_id: int) -> bytes:
    """A file's bytes; EvidenceChanged when they are not what was kept."""
    row = await EvidenceFile.get(id=row_id)
    raw = await asyncio.to_thread(sealing.ring().open, bytes(row.content_sealed), place=PLACE)
    if not hmac.compare_digest(sha256(raw).digest(), bytes(row.sha256)):
        raise EvidenceChanged
    return raw


def kept_until(klass: Cohort, terms: Terms, *, now: datetime) -> date:
    """The day until which a class's papers are kept: so many years from its end, or from today."""
    return _after(max(klass.ends_on, clock.local_day(now)), terms.archive_years)


_NO_BYTES = (
    *("id", "public_id", "cohort_id", "kind", "name", "size", "sha256", "retain_until", "by_name", "at"),
)


def _faults(kind: str, name: str, body: bytes) -> list[Detail]:
    found = []
    if kind not in KINDS:
        found.append(Detail("kind", "没有这类材料", "、".join(KINDS)))
    if not name.strip() or not name.isprintable():
        found.append(Detail("name", "文件名不对", f"1 到 {NAME_LENGTH} 个字"))
    if not body.startswith(TYPES):
        found.append(Detail("file", "不是可以保存的文件", "PDF、JPEG 或 PNG"))
    if len(body) > FILE_LIMIT:
        found.append(Detail("file", "文件太大", f"{FILE_LIMIT // 2**20} MB 以内"))
    return found


def _after(day: date, years: int) -> date:
    """The same day so many years on; of 29 February the day after."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
