"""结业认定: what the bar says of everybody, looked at first, then confirmed with what it was decided from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit.errors import NotFound
from livehub.kit.states import WrongState
from streamers.models import Streamer, StreamerStatus
from streamers.training import cohorts, programmes, rules, standing
from streamers.training.course_models import GraduationDecision
from streamers.training.models import Cohort, CohortState, Enrolment, EnrolmentState, GraduationRule
from streamers.training.rules import Bar, Given, Verdict
from streamers.training.standing import Standing


async def evaluate(
    cohort: str, *, actor: Actor, now: datetime
) -> tuple[list[tuple[Enrolment, Standing]], Bar]:
    """What would be decided now, and by which bar; nothing is written."""
    klass = await Cohort.get_or_none(public_id=cohort).select_related("programme")
    if klass is None:
        raise NotFound
    owner = klass.programme
    require(actor, Permission.TRAINING_READ, bureau_id=owner.bureau_id, centre_id=klass.centre_id)
    return await _everybody(klass, now=now)


@database.atomic
async def confirm(cohort: str, *, actor: Actor, now: datetime) -> list[GraduationDecision]:
    """Decide on everybody who is still enrolled; each decision keeps what it was made from."""
    klass, owner = await cohorts.held(cohort, actor=actor, permission=Permission.TRAINING_CERTIFY)
    if klass.state is not CohortState.EXAMINING:
        raise WrongState(data={"state": str(klass.state), "wanted": "examining"})
    found, _ = await _everybody(klass, now=now)
    waiting = [(who, stands) for who, stands in found if who.state is EnrolmentState.ENROLLED]
    made = [
        GraduationDecision(
            enrolment_id=who.id,
            seq=1,
            rule_id=klass.rule_id,
            given=msgspec.json.encode(stands.given).decode(),
            graduated=stands.verdict.graduated,
            reasons=msgspec.json.encode(stands.verdict.reasons).decode(),
            at=now,
            by_name=actor.name,
        )
        for who, stands in waiting
    ]
    await GraduationDecision.bulk_create(made)
    passed = [who for who, stands in waiting if stands.verdict.graduated]
    failed = [who for who, stands in waiting if not stands.verdict.graduated]
    await _set(passed, EnrolmentState.GRADUATED)
    await _set(failed, EnrolmentState.FAILED)
    await Streamer.filter(
        person_id__in=[who.person_id for who in passed], status=StreamerStatus.TRAINEE
    ).update(status=StreamerStatus.NEWBIE)
    await audit.write(
        "graduation.confirmed",
        actor=actor,
        now=now,
        about=("cohort", klass.public_id),
        bureau_id=owner.bureau_id,
        detail={"graduated": len(passed), "failed": len(failed), "rule": klass.rule_id},
    )
    return made


def decided_again(decision: GraduationDecision, rule: GraduationRule) -> Verdict:
    """What a stored decision comes to, from its own snapshot and its rule's version."""
    return rules.decide(programmes.read(decision.given, Given), bar=programmes.bar_of(rule))


async def _everybody(klass: Cohort, *, now: datetime) -> tuple[list[tuple[Enrolment, Standing]], Bar]:
    bar = programmes.bar_of(await GraduationRule.get(id=klass.rule_id))
    people = await Enrolment.filter(cohort_id=klass.id).select_related("person").order_by("id")
    stands = await standing.of_cohort(klass, people, bar=bar, now=now)
    return [(each, stands[each.id]) for each in people if each.id in stands], bar


async def _set(people: Sequence[Enrolment], state: EnrolmentState) -> None:
    if people:
        await Enrolment.filter(id__in=[each.id for each in people]).update(state=state)
