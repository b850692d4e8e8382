"""Reading what a claim is reckoned from, and a claim with its lines."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit.errors import NotFound
from streamers.training import programmes, rates, subsidies
from streamers.training.course_models import Certificate, CertificateState
from streamers.training.models import COUNTED, Cohort, Enrolment, Programme
from streamers.training.rules import Terms
from streamers.training.subsidies import Candidate, Line, Reckoning
from streamers.training.subsidy_models import SpotCheck, SubsidyClaim, SubsidyLine

_PAID = (
    "SELECT l.person_id, l.level FROM v JOIN subsidy_line l ON l.person_id = v.person_id"
    " AND l.occupation = v.occupation AND l.holds JOIN subsidy_claim c ON c.id = l.claim_id"
    " AND c.cohort_id <> v.cohort_id"
)


class Whole(Struct, frozen=True, kw_only=True):
    """A class's claim as its pages show it; ``claim`` is None before it is drawn up."""

    row: Cohort
    programme: Programme
    terms: Terms
    claim: SubsidyClaim | None
    shown: list[tuple[Enrolment, Line]]  # as it was drawn up, else as it would be now; with persons
    pass_rate: str
    factor: str
    per_head_fen: int
    total_fen: int
    card: str
    checks: list[SpotCheck]  # the newest first, with their enrolments and persons
    checks_needed: int


async def reckoned(klass: Cohort, owner: Programme, *, now: datetime) -> Reckoning:
    """The claim of a class as everything is now."""
    people = await Enrolment.filter(cohort_id=klass.id, state__in=list(COUNTED)).order_by("id")
    papers = await Certificate.filter(
        enrolment_id__in=[each.id for each in people], state=CertificateState.ISSUED
    ).values_list("enrolment_id", flat=True)
    certified, checks = set(papers), await checked(klass.id)
    paid: dict[int, list[int]] = {}
    for row in await database.with_rows(
        {"person_id": "bigint", "occupation": "text", "cohort_id": "bigint"},
        [(each.person_id, owner.occupation, klass.id) for each in people],
        _PAID,
    ):
        paid.setdefault(row["person_id"], []).append(row["level"])
    hours = await rates.hours([klass], now=now)
    return subsidies.reckon(
        [
            Candidate(
                enrolment_id=each.id,
                person_id=each.person_id,
                state=each.state,
                certified=each.id in certified,
                check_failed=checks.get(each.id) is False,
                paid_levels=tuple(paid.get(each.person_id, ())),
            )
            for each in people
        ],
        level=owner.level,
        terms=programmes.terms_of(owner),
        pass_rate=rates.counts(await rates.trainees([klass.id])).pass_rate,
        attendance=hours[klass.id].rate,
    )


async def checked(cohort_id: int) -> dict[int, bool]:
    """Who of a class was asked, and whether her newest answer confirms that she was there."""
    rows = await SpotCheck.filter(enrolment__cohort_id=cohort_id).order_by("id")
    return {each.enrolment_id: each.confirmed for each in rows}


async def checks_of(cohort_id: int) -> list[SpotCheck]:
    """A class's spot checks with their enrolments and persons, the newest first."""
    found = SpotCheck.filter(enrolment__cohort_id=cohort_id)
    return await found.select_related("enrolment__person").order_by("-id")


async def whole(cohort: str, *, actor: Actor, now: datetime) -> Whole:
    """A class's claim; NotFound when the actor has no class of that id."""
    row = await Cohort.get_or_none(public_id=cohort).select_related("programme__bureau")
    if row is None:
        raise NotFound
    owner = row.programme
    require(actor, Permission.TRAINING_READ, bureau_id=owner.bureau_id, centre_id=row.centre_id)
    claim, terms = await SubsidyClaim.get_or_none(cohort_id=row.id), programmes.terms_of(owner)
    fresh = await reckoned(row, owner, now=now) if claim is None else await _drawn(claim)
    people = await Enrolment.filter(cohort_id=row.id).select_related("person")
    named = {each.id: each for each in people}
    return Whole(
        row=row,
        programme=owner,
        terms=terms,
        claim=claim,
        shown=[(named[each.enrolment_id], each) for each in fresh.lines],
        pass_rate="" if fresh.pass_rate is None else str(fresh.pass_rate),
        factor=fresh.factor,
        per_head_fen=claim.per_head_fen if claim is not None else terms.per_head_fen,
        total_fen=claim.total_fen if claim is not None else fresh.total_fen,
        card=fresh.card,
        checks=await checks_of(row.id),
        checks_needed=subsidies.checks_needed(len(fresh.lines), terms=terms),
    )


async def _drawn(claim: SubsidyClaim) -> Reckoning:
    """A claim as it was drawn up."""
    rows = await SubsidyLine.filter(claim_id=claim.id).order_by("enrolment_id")
    same = ("enrolment_id", "person_id", "eligible", "reason", "amount_fen")
    return Reckoning(
        lines=tuple(Line(**{name: getattr(each, name) for name in same}) for each in rows),
        pass_rate=Fraction(claim.pass_rate) if claim.pass_rate else None,
        factor=claim.factor,
        card=claim.card,
    )
