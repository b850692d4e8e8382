"""证书: numbered without a gap, verifiable by anybody, ended but never erased."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from datetime import date, datetime
from hashlib import sha256

import msgspec
from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.models import Centre
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids, sealing
from livehub.kit.errors import Detail, NotFound
from livehub.kit.resealing import Column
from streamers import identity_numbers, people
from streamers.training import cohorts, enrolments, paper
from streamers.training.course_models import Certificate, CertificateState, GraduationDecision, Lesson
from streamers.training.errors import CertificateEnded, CertificateRefused, PaperChanged
from streamers.training.models import Cohort, Enrolment, EnrolmentState, Programme
from streamers.training.paper import Printed

PLACE = "certificate.paper"
SEALED = (Column("certificate", "paper_sealed", PLACE),)
REASON_LENGTH = 200

_NUMBERS = (
    "INSERT INTO certificate_counter (centre_id, year, reached) VALUES ($1, $2, $3)"
    " ON CONFLICT (centre_id, year) DO UPDATE SET reached = certificate_counter.reached + excluded.reached"
    " RETURNING reached"
)


class Verified(Struct, frozen=True, kw_only=True):
    """What anybody who has the code is told: what the paper itself says, and whether it is good."""

    printed: Printed
    state: CertificateState
    reason: str
    ended_on: date | None
    paper_sha256: str  # '' while no paper was made


@database.atomic
async def issue(cohort: str, *, actor: Actor, now: datetime) -> list[Certificate]:
    """Certificates for everybody in a class who graduated and has none; running it again issues nothing."""
    klass, owner = await cohorts.held(cohort, actor=actor, permission=Permission.TRAINING_CERTIFY)
    waiting = (
        await Enrolment.filter(cohort_id=klass.id, state=EnrolmentState.GRADUATED)
        .order_by("id")
        .select_related("person")
    )
    once = await Certificate.filter(enrolment_id__in=[each.id for each in waiting]).values_list(
        "enrolment_id", flat=True
    )  # also revoked: who was refused a paper is given none by a second press
    return await _issue(
        [each for each in waiting if each.id not in set(once)], klass, owner, actor=actor, now=now
    )


@database.atomic
async def revoke(public_id: str, *, reason: str, actor: Actor, now: datetime) -> Certificate:
    """A certificate is good no longer; whoever verifies it reads why."""
    found, *_ = await _ending(public_id, reason=reason, actor=actor)
    return await _end(found, CertificateState.REVOKED, reason=reason, actor=actor, now=now)


@database.atomic
async def replace(public_id: str, *, reason: str, actor: Actor, now: datetime) -> Certificate:
    """A new certificate, with a number of its own, instead of one that was lost, is wrong or was revoked."""
    found, enrolment, klass, owner = await _ending(
        public_id, reason=reason, actor=actor, also=CertificateState.REVOKED
    )
    await _end(found, CertificateState.REPLACED, reason=reason, actor=actor, now=now)
    await enrolment.fetch_related("person")
    (fresh,) = await _issue([enrolment], klass, owner, actor=actor, now=now)
    return fresh


async def verify(code: str) -> Verified | None:
    """The certificate of a code, None when there is none: unknown is an answer, not an error."""
    found = await Certificate.get_or_none(verify_code=ids.code_as_meant(code)) if len(code) <= 40 else None
    if found is None:
        return None
    return Verified(
        printed=printed_of(found),
        state=found.state,
        reason=found.reason,
        ended_on=clock.local_day(found.ended_at) if found.ended_at is not None else None,
        paper_sha256=bytes(found.paper_sha256).hex() if found.paper_sha256 is not None else "",
    )


async def paper_of(public_id: str, *, base_url: str, actor: Actor) -> tuple[str, bytes]:
    """(serial, the PDF): made at the first asking, the same bytes ever after."""
    found = await Certificate.get_or_none(public_id=public_id).select_related("enrolment__cohort__programme")
    if found is None:
        raise NotFound
    owner = found.enrolment.cohort.programme
    require(actor, Permission.TRAINING_READ, bureau_id=owner.bureau_id, centre_id=found.centre_id)
    if found.paper_sealed is None:
        url = f"{base_url}/verify/{found.verify_code}"
        made = await asyncio.to_thread(paper.certificate, printed_of(found), verify_url=url)
        sealed, digest = sealing.ring().seal(made, place=PLACE), sha256(made).digest()
        still = Certificate.filter(id=found.id, paper_sha256__isnull=True)  # decides whose paper it is
        await still.update(paper_sealed=sealed, paper_sha256=digest)
        await found.refresh_from_db(fields=["paper_sealed", "paper_sha256"])
    raw = sealing.ring().open(bytes(found.paper_sealed or b""), place=PLACE)
    if not hmac.compare_digest(sha256(raw).digest(), bytes(found.paper_sha256 or b"")):
        raise PaperChanged
    return found.serial, raw


def printed_of(certificate: Certificate) -> Printed:
    """What its paper says."""
    return msgspec.json.decode(certificate.printed.encode(), type=Printed)


async def _issue(
    waiting: Sequence[Enrolment], klass: Cohort, owner: Programme, *, actor: Actor, now: datetime
) -> list[Certificate]:
    if not waiting:
        return []
    decisions = {
        each.enrolment_id: each
        for each in await GraduationDecision.filter(enrolment_id__in=[one.id for one in waiting]).order_by(
            "seq"
        )
    }
    if any(one.id not in decisions or not decisions[one.id].graduated for one in waiting):
        raise CertificateRefused
    today = clock.local_day(now)
    first = await _numbers(klass.centre_id, today.year, len(waiting))
    centre = await Centre.get(id=klass.centre_id)
    lessons = await Lesson.filter(cohort_id=klass.id, required=True, cancelled_at__isnull=True)
    made = []
    for number, each in enumerate(waiting, start=first):
        serial = f"{today.year}-{number:06d}"
        identity = people.number_of(each.person)
        printed = Printed(
            serial=serial,
            name=each.person.name,
            identity=identity_numbers.masked(identity) if identity else "",
            programme=owner.name,
            occupation=owner.occupation,
            level=owner.level,
            cohort=klass.name,
            starts_on=klass.starts_on,
            ends_on=klass.ends_on,
            tenths=sum(lesson.tenths for lesson in lessons),
            institution=centre.name,
            issued_on=today,
        )
        made.append(
            Certificate(
                public_id=ids.public_id(),
                centre_id=klass.centre_id,
                enrolment_id=each.id,
                decision_id=decisions[each.id].id,
                year=today.year,
                number=number,
                serial=serial,
                issued_on=today,
                state=CertificateState.ISSUED,
                verify_code=ids.voucher_code(),
                printed=msgspec.json.encode(printed).decode(),
            )
        )
    try:
        async with database.transaction():
            await Certificate.bulk_create(made)
    except IntegrityError as error:
        raise CertificateRefused from error
    serials = [each.serial for each in made]
    await audit.write(
        "certificate.issued",
        actor=actor,
        now=now,
        about=("cohort", klass.public_id),
        bureau_id=owner.bureau_id,
        detail={"serials": serials},
    )
    return await Certificate.filter(serial__in=serials, centre_id=klass.centre_id).order_by("number")


async def _numbers(centre_id: int, year: int, count: int) -> int:
    """The first of so many numbers in a row; they go back when the transaction fails."""
    row = await database.fetch_one(_NUMBERS, centre_id, year, count)
    assert row is not None  # noqa: S101 -- the statement always returns its row
    return int(row["reached"]) - count + 1


async def _ending(
    public_id: str, *, reason: str, actor: Actor, also: CertificateState = CertificateState.ISSUED
) -> tuple[Certificate, Enrolment, Cohort, Programme]:
    seen = await Certificate.get_or_none(public_id=public_id).select_related("enrolment")
    if seen is None:
        raise NotFound
    enrolment, klass, owner = await enrolments.held(
        seen.enrolment.public_id, actor=actor, permission=Permission.TRAINING_CERTIFY
    )
    found = await Certificate.get(id=seen.id)
    if found.state not in {CertificateState.ISSUED, also}:
        raise CertificateEnded(data={"state": str(found.state)})
    if not 2 <= len(reason.strip()) <= REASON_LENGTH:
        raise CertificateRefused(details=[Detail("reason", "请写明原因", f"2 到 {REASON_LENGTH} 个字")])
    return found, enrolment, klass, owner


async def _end(
    found: Certificate, into: CertificateState, *, reason: str, actor: Actor, now: datetime
) -> Certificate:
    found.state, found.reason, found.ended_at = into, reason.strip(), now
    await found.save(update_fields=["state", "reason", "ended_at"])
    about, detail = ("certificate", found.public_id), {"serial": found.serial, "reason": found.reason}
    await audit.write(f"certificate.{into}", actor=actor, now=now, about=about, detail=detail)
    return found
