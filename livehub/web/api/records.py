"""差错与回放: what was wrong on the air, and what is kept of a show for three years and longer."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Instant, Nothing
from rooms import incidents, queries, records
from rooms.air_models import Incident, Recording
from rooms.errors import AlreadyCorrected, RecordingKnown, RecordRefused, Retained

calls = Section("差错与回放")


class IncidentShown(Struct, frozen=True, kw_only=True):
    """一条播出差错。"""

    id: str
    at: Instant
    category: str
    text: str
    reported_by: str
    correction: Annotated[str, Meta(description="空是还没有更正")]
    corrected_by: str
    corrected_at: Instant | None


class RecordingShown(Struct, frozen=True, kw_only=True):
    """一份回放。"""

    id: str
    ref: str
    sha256: str
    seconds: int
    noted_by: str
    noted_at: Instant


class Kept(Struct, frozen=True, kw_only=True):
    """一场留下的记录。"""

    incidents: list[IncidentShown]
    recordings: list[RecordingShown]
    retain_until: Annotated[Instant | None, Meta(description="在此之前什么都不能删；空是还没有下播")]
    legal_hold: Annotated[bool, Meta(description="依法留存，不论期限")]


class NewIncident(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """播出差错。"""

    category: Annotated[str, Meta(min_length=1, max_length=16)]
    text: Annotated[str, Meta(min_length=1, max_length=incidents.TEXT_LENGTH)]
    at: Annotated[Instant | None, Meta(description="什么时候；空是现在")] = None


class Correction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """怎样更正的。"""

    correction: Annotated[str, Meta(min_length=1, max_length=incidents.TEXT_LENGTH)]


class NewRecording(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """回放在哪里。"""

    ref: Annotated[str, Meta(min_length=1, max_length=records.REF_LENGTH)]
    seconds: Annotated[int, Meta(ge=1, le=records.LONGEST_S)]
    sha256: Annotated[str, Meta(max_length=64, description="自存文件的 SHA-256")] = ""


class Grounds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """原因。"""

    reason: Annotated[str, Meta(min_length=1, max_length=records.REASON_LENGTH)]


class NewHold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """依法留存，或解除。"""

    held: bool
    reason: Annotated[str, Meta(min_length=1, max_length=records.REASON_LENGTH)]


@calls.get(
    "/broadcasts/{broadcast_id}/records",
    summary="一场的差错、回放和保存期",
    needs=(Permission.BROADCAST_READ,),
    query=Nothing,
    answer=Kept,
)
async def kept(asked: Asked[Nothing, None], broadcast_id: str) -> Kept:
    """What is kept of a broadcast."""
    return await _kept((await queries.broadcast(broadcast_id, actor=asked.actor)).id)


@calls.post(
    "/broadcasts/{broadcast_id}/incidents",
    summary="登记播出差错",
    needs=(Permission.BROADCAST_RUN,),
    body=NewIncident,
    answer=IncidentShown,
    status=201,
    refusals=(RecordRefused,),
)
async def report(asked: Asked[None, NewIncident], broadcast_id: str) -> IncidentShown:
    """Note what was wrong."""
    body = asked.body
    made = await database.unit(
        lambda: incidents.report(
            broadcast_id,
            category=body.category,
            text=body.text,
            at=as_utc(body.at) if body.at else None,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return _incident(made)


@calls.post(
    "/incidents/{incident_id}/correct",
    summary="登记更正",
    needs=(Permission.BROADCAST_RUN,),
    body=Correction,
    answer=IncidentShown,
    refusals=(RecordRefused, AlreadyCorrected),
)
async def correct(asked: Asked[None, Correction], incident_id: str) -> IncidentShown:
    """Say how it was put right."""
    made = await database.unit(
        lambda: incidents.correct(incident_id, text=asked.body.correction, actor=asked.actor, now=asked.now)
    )
    return _incident(made)


@calls.post(
    "/broadcasts/{broadcast_id}/recordings",
    summary="登记回放",
    needs=(Permission.BROADCAST_RUN,),
    body=NewRecording,
    answer=RecordingShown,
    status=201,
    refusals=(RecordRefused, RecordingKnown),
)
async def record(asked: Asked[None, NewRecording], broadcast_id: str) -> RecordingShown:
    """Note where the video is."""
    body = asked.body
    made = await database.unit(
        lambda: records.add(
            broadcast_id,
            ref=body.ref,
            seconds=body.seconds,
            sha256=body.sha256,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return _recording(made)


@calls.post(
    "/recordings/{recording_id}/delete",
    summary="删除保存期已满的回放；没有到期或依法留存时 409",
    needs=(Permission.RECORD_RELEASE,),
    body=Grounds,
    answer=Nothing,
    refusals=(Retained, RecordRefused),
)
async def delete(asked: Asked[None, Grounds], recording_id: str) -> Nothing:
    """Forget a recording whose time is over."""
    await database.unit(
        lambda: records.delete(recording_id, reason=asked.body.reason, actor=asked.actor, now=asked.now)
    )
    return Nothing()


@calls.post(
    "/broadcasts/{broadcast_id}/hold",
    summary="依法留存一场的全部记录，或解除",
    needs=(Permission.RECORD_RELEASE,),
    body=NewHold,
    answer=Kept,
    refusals=(RecordRefused,),
)
async def hold(asked: Asked[None, NewHold], broadcast_id: str) -> Kept:
    """Keep everything whatever its age, or no longer."""
    body = asked.body
    held = await database.unit(
        lambda: records.hold(
            broadcast_id, is_held=body.held, reason=body.reason, actor=asked.actor, now=asked.now
        )
    )
    return await _kept(held.id)


async def _kept(broadcast_id: int) -> Kept:
    found = await records.of(broadcast_id)
    return Kept(
        incidents=[_incident(each) for each in found.incidents],
        recordings=[_recording(each) for each in found.recordings],
        retain_until=found.retain_until,
        legal_hold=found.legal_hold,
    )


def _incident(each: Incident) -> IncidentShown:
    return IncidentShown(
        id=each.public_id,
        at=each.at,
        category=each.category,
        text=each.text,
        reported_by=each.reported_by,
        correction=each.correction,
        corrected_by=each.corrected_by,
        corrected_at=each.corrected_at,
    )


def _recording(each: Recording) -> RecordingShown:
    return RecordingShown(
        id=each.public_id,
        ref=each.ref,
        sha256=bytes(each.sha256).hex() if each.sha256 else "",
        seconds=each.seconds,
        noted_by=each.noted_by,
        noted_at=each.noted_at,
    )
