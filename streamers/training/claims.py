"""补贴申领: drawn up from the class as it is, submitted by one person, approved and paid by others.

A person is paid once for an occupation and level, and for no lower level after a higher one. A line takes
her place when its claim is submitted, under her row's lock; a unique index decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require, require_second_person
from livehub.kit import clock, ids, states
from livehub.kit.errors import Detail, StaleVersion
from livehub.kit.states import WrongState
from streamers.training import claim_reads, cohorts, locks, programmes, subsidies
from streamers.training.errors import (
    AlreadySubsidised,
    ClaimChanged,
    ClaimLate,
    ClaimRefused,
    NothingToClaim,
    SpotChecksMissing,
)
from streamers.training.models import Cohort, CohortState, Programme
from streamers.training.subsidy_models import ClaimState, SubsidyClaim, SubsidyLine

REASON_LENGTH, REF_LENGTH = 200, 60
MOVES: Mapping[ClaimState, frozenset[ClaimState]] = {
    ClaimState.DRAFT: frozenset({ClaimState.SUBMITTED}),
    ClaimState.SUBMITTED: frozenset({ClaimState.PUBLICISED, ClaimState.RETURNED}),
    ClaimState.PUBLICISED: frozenset({ClaimState.APPROVED, ClaimState.RETURNED}),
    ClaimState.APPROVED: frozenset({ClaimState.PAID}),
    ClaimState.RETURNED: frozenset({ClaimState.DRAFT}),
}
_AGAIN = frozenset({ClaimState.DRAFT, ClaimState.RETURNED})


@database.atomic
async def draw(cohort: str, *, actor: Actor, now: datetime) -> SubsidyClaim:
    """Draw up the claim of a class that ended, or draw it up anew while nobody has submitted it."""
    klass, owner = await cohorts.held(cohort, actor=actor, permission=Permission.TRAINING_MANAGE)
    if klass.state not in {CohortState.CLOSED, CohortState.ARCHIVED}:
        raise WrongState(data={"state": str(klass.state), "wanted": "closed"})
    claim = await SubsidyClaim.get_or_none(cohort_id=klass.id)
    if claim is not None and claim.state not in _AGAIN:
        raise WrongState(data={"state": str(claim.state), "wanted": "draft"})
    if claim is None:
        claim = SubsidyClaim(public_id=ids.public_id(), cohort_id=klass.id, version=0)
    claim.version += 1
    await _fill(claim, klass, owner, now=now)
    await _record("claim.drawn", claim, owner, actor=actor, now=now)
    return claim


@database.atomic
async def submit(
    cohort: str, *, late_reason: str = "", version: int | None = None, actor: Actor, now: datetime
) -> SubsidyClaim:
    """Submit a draft; from now on its lines hold.

    ClaimChanged when the class is no longer what was drawn up, AlreadySubsidised when somebody was
    claimed for elsewhere at this moment, ClaimLate after the programme's days without a reason.
    """
    claim, klass, owner = await _moving(
        cohort, ClaimState.SUBMITTED, Permission.TRAINING_MANAGE, version=version, actor=actor
    )
    require_second_person(actor, first_user_id=0)  # a person's signature
    last = klass.ends_on + timedelta(days=programmes.terms_of(owner).claim_days)
    if clock.local_day(now) > last and not late_reason.strip():
        raise ClaimLate(details=[Detail("late_reason", "已过申领时间，请写明原因", f"{last} 以前申领")])
    lines = await SubsidyLine.filter(claim_id=claim.id).order_by("person_id")
    await locks.hold("person", {each.person_id for each in lines})
    fresh = await claim_reads.reckoned(klass, owner, now=now)
    drawn = {each.enrolment_id: (each.eligible, each.reason, each.amount_fen) for each in lines}
    if drawn != {each.enrolment_id: (each.eligible, each.reason, each.amount_fen) for each in fresh.lines}:
        raise ClaimChanged
    if not claim.total_fen:
        raise NothingToClaim
    try:
        async with database.transaction():
            await SubsidyLine.filter(claim_id=claim.id, eligible=True).update(holds=True)
    except IntegrityError as error:
        raise AlreadySubsidised from error
    claim.late_reason = late_reason.strip()[:REASON_LENGTH]
    claim.submitted_by_id, claim.submitted_by, claim.submitted_at = actor.id, actor.name, now
    return await _moved(claim, owner, ClaimState.SUBMITTED, actor=actor, now=now)


@database.atomic
async def publicise(cohort: str, *, version: int | None = None, actor: Actor, now: datetime) -> SubsidyClaim:
    """The list is put up for everybody to see."""
    claim, _, owner = await _moving(
        cohort, ClaimState.PUBLICISED, Permission.TRAINING_MANAGE, version=version, actor=actor
    )
    claim.publicised_at = now
    return await _moved(claim, owner, ClaimState.PUBLICISED, actor=actor, now=now)


@database.atomic
async def approve(cohort: str, *, version: int | None = None, actor: Actor, now: datetime) -> SubsidyClaim:
    """Approve; never whoever submitted it. SpotChecksMissing while too few of the class were asked."""
    claim, klass, owner = await _moving(
        cohort, ClaimState.APPROVED, Permission.TRAINING_APPROVE, version=version, actor=actor
    )
    require_second_person(actor, first_user_id=claim.submitted_by_id)
    needed = subsidies.checks_needed(claim.people, terms=programmes.terms_of(owner))
    done = await claim_reads.checked(klass.id)
    if len(done) < needed:
        raise SpotChecksMissing(
            details=[Detail("spot_checks", f"已抽查 {len(done)} 人", f"至少 {needed} 人")]
        )
    if any(not confirmed for confirmed in done.values()) and await _pays_whoever_failed(claim, done):
        raise ClaimChanged
    claim.approved_by_id, claim.approved_by, claim.approved_at = actor.id, actor.name, now
    return await _moved(claim, owner, ClaimState.APPROVED, actor=actor, now=now)


@database.atomic
async def give_back(
    cohort: str, *, reason: str, version: int | None = None, actor: Actor, now: datetime
) -> SubsidyClaim:
    """Return a claim with a reason: its lines hold no longer, and it can be drawn up anew."""
    claim, _, owner = await _moving(
        cohort, ClaimState.RETURNED, Permission.TRAINING_APPROVE, version=version, actor=actor
    )
    if not 2 <= len(reason.strip()) <= REASON_LENGTH:
        raise ClaimRefused(details=[Detail("reason", "请写明原因", f"2 到 {REASON_LENGTH} 个字")])
    await SubsidyLine.filter(claim_id=claim.id).update(holds=False)
    claim.reason = reason.strip()
    return await _moved(claim, owner, ClaimState.RETURNED, actor=actor, now=now)


@database.atomic
async def pay(
    cohort: str, *, reference: str, version: int | None = None, actor: Actor, now: datetime
) -> SubsidyClaim:
    """Note that an approved claim was paid, by which paper; by neither who submitted nor who approved it."""
    claim, _, owner = await _moving(
        cohort, ClaimState.PAID, Permission.TRAINING_READ, version=version, actor=actor
    )
    require(actor, Permission.SETTLEMENT_PAY, centre_id=owner.centre_id)
    require_second_person(actor, first_user_id=claim.submitted_by_id)
    require_second_person(actor, first_user_id=claim.approved_by_id)
    if not 0 < len(reference.strip()) <= REF_LENGTH:
        raise ClaimRefused(details=[Detail("reference", "请填写付款凭证号", f"1 到 {REF_LENGTH} 个字")])
    claim.paid_by, claim.paid_at, claim.payment_ref = actor.name, now, reference.strip()
    return await _moved(claim, owner, ClaimState.PAID, actor=actor, now=now)


async def _fill(claim: SubsidyClaim, klass: Cohort, owner: Programme, *, now: datetime) -> None:
    fresh = await claim_reads.reckoned(klass, owner, now=now)
    terms = programmes.terms_of(owner)
    claim.state, claim.made_at, claim.reason = ClaimState.DRAFT, now, claim.reason or ""
    claim.people, claim.max_class = len(fresh.lines), klass.max_class
    claim.pass_rate = "" if fresh.pass_rate is None else str(fresh.pass_rate)
    claim.factor, claim.per_head_fen, claim.card = fresh.factor, terms.per_head_fen, fresh.card
    claim.total_fen = fresh.total_fen
    await claim.save()
    await SubsidyLine.filter(claim_id=claim.id).delete()
    await SubsidyLine.bulk_create(
        SubsidyLine(
            claim_id=claim.id,
            enrolment_id=each.enrolment_id,
            person_id=each.person_id,
            occupation=owner.occupation,
            level=owner.level,
            eligible=each.eligible,
            reason=each.reason,
            amount_fen=each.amount_fen,
        )
        for each in fresh.lines
    )


async def _moving(
    cohort: str, into: ClaimState, needs: Permission, *, version: int | None, actor: Actor
) -> tuple[SubsidyClaim, Cohort, Programme]:
    klass, owner = await cohorts.held(cohort, actor=actor, permission=needs)
    claim = await SubsidyClaim.get_or_none(cohort_id=klass.id)
    if claim is None:
        raise WrongState(data={"state": "", "wanted": str(into)})
    states.require_move(MOVES, current=claim.state, target=into)
    if version is not None and version != claim.version:
        raise StaleVersion(data={"version": claim.version})
    return claim, klass, owner


async def _moved(
    claim: SubsidyClaim, owner: Programme, into: ClaimState, *, actor: Actor, now: datetime
) -> SubsidyClaim:
    claim.state = into
    claim.version += 1
    await claim.save()
    await _record(f"claim.{into}", claim, owner, actor=actor, now=now)
    return claim


async def _pays_whoever_failed(claim: SubsidyClaim, done: Mapping[int, bool]) -> bool:
    failed = [enrolment_id for enrolment_id, confirmed in done.items() if not confirmed]
    return await SubsidyLine.exists(claim_id=claim.id, enrolment_id__in=failed, eligible=True)


async def _record(action: str, claim: SubsidyClaim, owner: Programme, *, actor: Actor, now: datetime) -> None:
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("subsidy_claim", claim.public_id),
        bureau_id=owner.bureau_id,
        detail={
            "total_fen": claim.total_fen,
            "people": claim.people,
            "reason": claim.reason or claim.late_reason,
        },
    )
