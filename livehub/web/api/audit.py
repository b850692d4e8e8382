"""审计记录: searched, one entry with its link of the chain, and a stretch of a chain that is verified."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from livehub.accounts import trail, verification
from livehub.accounts.models import AuditEntry
from livehub.accounts.permissions import Permission
from livehub.accounts.trail import Search
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.web import chains
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Listed, Nothing, Paging, RowRef

calls = Section("审计记录")

READ = (Permission.AUDIT_READ,)


class AuditQuery(Paging, frozen=True, kw_only=True, rename={"since": "from", "until": "to"}):
    """按条件找记录。"""

    who: Annotated[str, Meta(max_length=40, description="操作人姓名里的字")] = ""
    action: Annotated[str, Meta(max_length=64, description="动作的开头，如 login.")] = ""
    object_kind: Annotated[str, Meta(max_length=32)] = ""
    object_id: Annotated[str, Meta(max_length=64)] = ""
    result: Literal["", "ok", "refused", "broken"] = ""
    since: Annotated[date | None, Meta(description="第一天")] = None
    until: Annotated[date | None, Meta(description="最后一天")] = None


class AuditRow(Struct, frozen=True, kw_only=True):
    """一条审计记录。"""

    id: RowRef
    at: datetime
    actor_kind: str
    actor_name: str
    action: str
    object_kind: str
    object_id: str
    result: str
    ip: str
    request_id: str
    detail: Annotated[dict[str, Any], Meta(description="按存下来的样子")]


class AuditPlace(Struct, frozen=True, kw_only=True):
    """在哈希链里的位置。"""

    seq: int
    before: str
    hash: str


class AuditDetail(AuditRow, frozen=True, kw_only=True):
    """一条记录和它的一环；入链要一两秒，之前为空。"""

    place: AuditPlace | None


class AuditStretch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """哪条链、哪几天。"""

    chain: Annotated[str, Meta(min_length=1, max_length=16, description="部门的公开编号，或 centre")]
    since: date
    until: date


class AuditVerified(Struct, frozen=True, kw_only=True):
    """验证的结果，也记为一条审计记录。"""

    first: Annotated[int, Meta(description="第一环，0 为没有记录")]
    last: int
    wrong: Annotated[list[str], Meta(description="不一致的地方，没有时为空")]


@calls.get(
    "/audit",
    summary="审计记录，新的在前",
    needs=READ,
    query=AuditQuery,
    answer=Listed[AuditRow],
)
async def listing(asked: Asked[AuditQuery, None]) -> Listed[AuditRow]:
    """The trail within what the caller may read; ``total`` stops at 10,000."""
    query = asked.query
    search = Search(
        who=query.who,
        action=query.action,
        object_kind=query.object_kind,
        object_id=query.object_id,
        result=query.result,
        since=clock.at_local(query.since) if query.since else None,
        until=clock.at_local(query.until + timedelta(days=1)) if query.until else None,
    )
    found = await trail.entries(asked.actor, search, number=query.page, size=query.size)
    return Listed(
        items=[AuditRow(**_said(row)) for row in found.items],
        page=found.number,
        size=found.size,
        total=found.total,
    )


@calls.get("/audit/{audit_id}", summary="一条审计记录", needs=READ, query=Nothing, answer=AuditDetail)
async def one(asked: Asked[Nothing, None], audit_id: str) -> AuditDetail:
    """One entry and its link."""
    if not (audit_id.isascii() and audit_id.isdigit() and len(audit_id) <= 18):
        raise NotFound
    row = await trail.entry(int(audit_id), actor=asked.actor)
    place = await trail.place_of(row)
    told = AuditPlace(seq=place.seq, before=place.before, hash=place.hash) if place else None
    return AuditDetail(**_said(row), place=told)


@calls.post(
    "/audit/verify",
    summary="验证一段哈希链，最多 20000 环",
    needs=READ,
    body=AuditStretch,
    answer=AuditVerified,
)
async def verify(asked: Asked[None, AuditStretch]) -> AuditVerified:
    """Verify a stretch of a chain."""
    body = asked.body
    done = await verification.verify(
        await chains.chain_of(body.chain, actor=asked.actor),
        since=body.since,
        until=body.until,
        actor=asked.actor,
        now=asked.now,
    )
    return AuditVerified(first=done.first, last=done.last, wrong=done.wrong)


def _said(row: AuditEntry) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "at": row.at,
        "actor_kind": row.actor_kind,
        "actor_name": row.actor_name,
        "action": row.action,
        "object_kind": row.object_kind,
        "object_id": row.object_id,
        "result": row.result,
        "ip": row.ip,
        "request_id": row.request_id,
        "detail": msgspec.json.decode(row.detail),
    }
