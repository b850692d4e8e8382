"""资质: papers of products, merchants and people, noted by whoever looked at them, kept with their files.

Files are packed and sealed, those of people only ever opened with a reason; a paper's number is sealed
where it is a person's. A paper is never deleted: it is withdrawn, with a reason.
"""

from __future__ import annotations

import asyncio
import zlib
from datetime import date, datetime
from hashlib import sha256

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may, require
from livehub.kit import ids, sealing
from livehub.kit.errors import Conflict, Detail, NotFound
from livehub.kit.resealing import Column
from livehub.merchants.errors import QualificationRefused
from livehub.merchants.models import Qualification, QualificationPiece
from livehub.merchants.requirements import MERCHANT, PERSON, PRODUCT, TYPES

BODY_PLACE, NUMBER_PLACE = "qualification_piece.body", "qualification.number"
SEALED = (
    Column("qualification_piece", "body_sealed", BODY_PLACE),
    Column("qualification", "number_sealed", NUMBER_PLACE),
)
PIECE = 512 * 1024  # bytes of one sealed piece
NUMBER_LENGTH, NAME_LENGTH, REASON_LENGTH = 64, 120, 200
FILE_LIMIT = 10 * 2**20
KINDS = {b"%PDF-": "application/pdf", b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png"}
_TABLES = {PRODUCT: "product", MERCHANT: "merchant", PERSON: "person"}


class File(Struct, frozen=True, kw_only=True):
    """A paper's file as it was sent."""

    name: str
    body: bytes


class Noted(Struct, frozen=True, kw_only=True):
    """What a paper says; ``owner`` is a public id."""

    owner_kind: str
    owner: str
    type: str
    number: str = ""
    issued_on: date | None = None
    valid_to: date | None = None


async def add(noted: Noted, *, actor: Actor, now: datetime, file: File | None = None) -> Qualification:
    """Note a paper that somebody looked at; QualificationRefused names every field that is wrong."""
    kind = _require_sound(noted, file)
    packed = b"" if file is None else await asyncio.to_thread(zlib.compress, file.body)
    digest = None if file is None else sha256(file.body).digest()
    name = "" if file is None else file.name[-NAME_LENGTH:]

    async def keep() -> Qualification:
        owner_id, centre_id = await _owner(noted, actor=actor)
        is_personal = noted.owner_kind == PERSON
        ring, number = sealing.ring(), noted.number.strip()
        made = await Qualification.create(
            public_id=ids.public_id(),
            centre_id=centre_id,
            owner_kind=noted.owner_kind,
            owner_id=owner_id,
            type=noted.type,
            number="" if is_personal else number,
            number_sealed=ring.seal_text(number, place=NUMBER_PLACE) if is_personal and number else None,
            issued_on=noted.issued_on,
            valid_to=noted.valid_to,
            file_name="" if is_personal else name,
            file_type=kind,
            file_sha256=digest,
            verified_by=actor.name,
            verified_at=now,
        )
        for part, start in enumerate(range(0, len(packed), PIECE)):
            await QualificationPiece.create(
                qualification_id=made.id,
                number=part,
                body_sealed=ring.seal(packed[start : start + PIECE], place=BODY_PLACE),
            )
        detail: dict[str, object] = {
            "type": noted.type,
            "owner": noted.owner,
            "sha256": digest.hex() if digest else "",
        }
        await _audit("qualification.added", made, actor=actor, now=now, detail=detail)
        return made

    return await database.unit(keep)


@database.atomic
async def withdraw(public_id: str, *, reason: str, actor: Actor, now: datetime) -> Qualification:
    """Say that a paper no longer counts, and why; it stays on file."""
    paper = await _paper(public_id, actor=actor)
    if not 0 < len(reason.strip()) <= REASON_LENGTH:
        raise QualificationRefused(details=[Detail("reason", "请写明原因", f"1 到 {REASON_LENGTH} 个字")])
    if not await Qualification.filter(id=paper.id, withdrawn_at__isnull=True).update(
        withdrawn_at=now, withdrawn_reason=reason.strip()
    ):
        raise Conflict("这份资质已经停用。")
    await _audit("qualification.withdrawn", paper, actor=actor, now=now, detail={"reason": reason.strip()})
    return await Qualification.get(id=paper.id)


async def opened(public_id: str, *, actor: Actor, now: datetime) -> tuple[Qualification, bytes]:
    """A paper and the bytes of its file; opening somebody's personal paper is audited."""
    paper = await Qualification.get_or_none(public_id=public_id)
    if paper is None or paper.file_sha256 is None:
        raise NotFound
    is_ours = may(actor, Permission.MERCHANT_MANAGE)
    needed = Permission.MERCHANT_MANAGE if is_ours else Permission.EVIDENCE_OPEN
    if paper.owner_kind == PERSON:
        needed = Permission.PERSONAL_DATA_OPEN
    require(actor, needed, centre_id=paper.centre_id)
    pieces = await QualificationPiece.filter(qualification_id=paper.id).order_by("number")
    ring = sealing.ring()
    packed = b"".join(ring.open(bytes(each.body_sealed), place=BODY_PLACE) for each in pieces)
    if paper.owner_kind == PERSON:
        await database.unit(lambda: _audit("qualification.opened", paper, actor=actor, now=now, detail={}))
    return paper, await asyncio.to_thread(zlib.decompress, packed)


def _require_sound(noted: Noted, file: File | None) -> str:
    """The file's kind, empty without one."""
    details = []
    if noted.owner_kind not in TYPES:
        details.append(Detail("owner", "请选择资质属于谁", "、".join(TYPES)))
    elif noted.type not in TYPES[noted.owner_kind]:
        details.append(Detail("type", "没有这种资质", "、".join(TYPES[noted.owner_kind])))
    if len(noted.number) > NUMBER_LENGTH:
        details.append(Detail("number", "太长", f"{NUMBER_LENGTH} 个字符以内"))
    if noted.issued_on and noted.valid_to and noted.valid_to < noted.issued_on:
        details.append(Detail("valid_to", "早于签发日期", f"{noted.issued_on} 或以后"))
    kind = ""
    if file is not None:
        kind = next((name for magic, name in KINDS.items() if file.body.startswith(magic)), "")
        if not kind:
            details.append(Detail("file", "文件格式不支持", "PDF、JPG 或 PNG"))
        if len(file.body) > FILE_LIMIT:
            details.append(Detail("file", "文件太大", f"{FILE_LIMIT // 2**20} MB 以内"))
    if details:
        raise QualificationRefused(details=details)
    return kind


async def _owner(noted: Noted, *, actor: Actor) -> tuple[int, int]:
    """(row id, centre id) of whose paper it is; people belong to a neighbour: only the table is asked."""
    row = await database.fetch_one(
        f"SELECT id, centre_id FROM {_TABLES[noted.owner_kind]} WHERE public_id = $1", noted.owner
    )
    if row is None:
        raise QualificationRefused(details=[Detail("owner", "没有这个商品、商户或人员")])
    require(actor, _needed(noted.owner_kind), centre_id=row["centre_id"])
    return row["id"], row["centre_id"]


def _needed(owner_kind: str) -> Permission:
    return Permission.STREAMER_MANAGE if owner_kind == PERSON else Permission.MERCHANT_MANAGE


async def _paper(public_id: str, *, actor: Actor) -> Qualification:
    paper = await Qualification.get_or_none(public_id=public_id)
    if paper is None:
        raise NotFound
    require(actor, _needed(paper.owner_kind), centre_id=paper.centre_id)
    return paper


async def _audit(
    action: str, paper: Qualification, *, actor: Actor, now: datetime, detail: dict[str, object]
) -> None:
    await audit.write(action, actor=actor, now=now, about=("qualification", paper.public_id), detail=detail)
