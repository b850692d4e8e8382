"""Claims: exact sums, who is eligible, nobody twice, and two who do not sign for each other."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livehub import database
from livehub.accounts.errors import PermissionMissing, SecondPersonNeeded
from livehub.kit.errors import StaleVersion
from livehub.kit.states import WrongState
from livehub.settings import Settings
from streamers.invariants import subsidies as kept
from streamers.training import certificates, claim_reads, claims, spot_checks, subsidies
from streamers.training.course_models import Certificate
from streamers.training.errors import (
    ClaimChanged,
    ClaimLate,
    ClaimRefused,
    NothingToClaim,
    SpotCheckRefused,
    SpotChecksMissing,
)
from streamers.training.models import CohortState, EnrolmentState, Programme
from streamers.training.rules import Terms
from streamers.training.subsidies import Candidate
from streamers.training.subsidy_models import ClaimState, SubsidyLine
from tests.contention import kinds, meet
from tests.factories.claims import a_closed_school, a_payer, checked, submitted
from tests.factories.training import LATER, School, a_cohort

HALF = Terms(per_head_fen=40_001, full_rate="0.90", reduced_factor="0.60")


def somebody(number: int = 1, **changes: object) -> Candidate:
    usual = {
        "enrolment_id": number, "person_id": number, "state": EnrolmentState.GRADUATED, "certified": True,
        "check_failed": False, "paid_levels": (),
    }  # fmt: skip
    return Candidate(**{**usual, **changes})


def reckon(*people: Candidate, level: int = 5, rate: str = "1", attendance: str = "1"):
    return subsidies.reckon(
        people, level=level, terms=HALF, pass_rate=Fraction(rate), attendance=Fraction(attendance)
    )


@pytest.mark.parametrize(
    ("rate", "factor", "fen"), [("9/10", "1", 40_001), ("899/1000", "0.60", 24_000), ("0", "0.60", 24_000)]
)
def test_a_class_below_the_rate_gets_a_part_floored_to_the_fen(rate: str, factor: str, fen: int) -> None:
    found = reckon(somebody(1), somebody(2), rate=rate)

    assert (found.factor, [each.amount_fen for each in found.lines], found.total_fen) == (
        factor, [fen, fen], 2 * fen,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "level", "reason"),
    [
        ({"state": EnrolmentState.FAILED, "certified": False}, 5, "NOT_GRADUATED"),
        ({"certified": False}, 5, "NOT_CERTIFIED"),
        ({"check_failed": True}, 5, "CHECK_FAILED"),
        ({"paid_levels": (5,)}, 5, "ALREADY_PAID"),
        ({"paid_levels": (4,)}, 5, "HIGHER_PAID"),
        ({"paid_levels": (5,)}, 4, ""),
        ({"paid_levels": (0,)}, 5, ""),
        ({"paid_levels": (5,)}, 0, ""),
        ({"paid_levels": (0,)}, 0, "ALREADY_PAID"),
    ],
)
def test_who_is_not_eligible_is_told_why(changes: dict[str, object], level: int, reason: str) -> None:
    (line,) = reckon(somebody(**changes), level=level).lines

    assert (line.reason, line.eligible, line.amount_fen > 0) == (reason, not reason, not reason)


@pytest.mark.parametrize(
    ("attendance", "card"),
    [("9/10", ""), ("8999/10000", "yellow"), ("4/5", "yellow"), ("7999/10000", "red")],
)
def test_a_cards_colour_is_compared_before_anything_is_rounded(attendance: str, card: str) -> None:
    found = reckon(somebody(), attendance=attendance)

    assert (found.card, found.total_fen == 0) == (card, card == "red")


@pytest.mark.parametrize(("people", "needed"), [(0, 0), (1, 1), (10, 1), (11, 2), (50, 5)])
def test_a_tenth_of_the_class_is_asked_and_never_less(people: int, needed: int) -> None:
    assert subsidies.checks_needed(people, terms=Terms()) == needed


@given(
    people=st.lists(
        st.tuples(st.booleans(), st.booleans(), st.sets(st.integers(0, 5)).map(tuple)), max_size=12
    ),
    level=st.integers(0, 5),
    rate=st.fractions(0, 1),
)
def test_a_total_is_its_lines_and_only_certified_graduates_are_in_it(
    people: list[tuple[bool, bool, tuple[int, ...]]], level: int, rate: Fraction
) -> None:
    everybody = [
        somebody(
            number, certified=certified, paid_levels=paid,
            state=EnrolmentState.GRADUATED if graduated else EnrolmentState.FAILED,
        )
        for number, (graduated, certified, paid) in enumerate(people)
    ]  # fmt: skip

    found = subsidies.reckon(everybody, level=level, terms=HALF, pass_rate=rate, attendance=None)

    assert found.total_fen == sum(each.amount_fen for each in found.lines)
    for who, line in zip(everybody, found.lines, strict=True):
        may = who.state is EnrolmentState.GRADUATED and who.certified and level not in who.paid_levels
        assert line.eligible == (may and not any(0 < paid < level for paid in who.paid_levels))


async def test_a_claim_goes_from_hand_to_hand_until_it_is_paid(db: Settings) -> None:
    school, (first, *_) = await a_closed_school()
    cohort, finance = school.cohort.public_id, a_payer(school)
    before = await claim_reads.whole(cohort, actor=school.officer, now=LATER)
    claim = await submitted(school)

    with pytest.raises(WrongState):
        await claims.draw(cohort, actor=school.staff, now=LATER)
    with pytest.raises(WrongState):
        await claims.approve(cohort, actor=school.officer, now=LATER)
    await claims.publicise(cohort, actor=school.staff, now=LATER)
    with pytest.raises(SpotChecksMissing):
        await claims.approve(cohort, actor=school.officer, now=LATER)
    await checked(school, first)
    with pytest.raises(StaleVersion):
        await claims.approve(cohort, version=claim.version, actor=school.officer, now=LATER)
    await claims.approve(cohort, actor=school.officer, now=LATER)
    for who in (school.officer, school.staff):
        with pytest.raises(PermissionMissing):
            await claims.pay(cohort, reference="P1", actor=who, now=LATER)
    with pytest.raises(ClaimRefused):
        await claims.pay(cohort, reference=" ", actor=finance, now=LATER)
    paid = await claims.pay(cohort, reference="P1", actor=finance, now=LATER)

    assert (before.claim, before.total_fen) == (None, 48_000)  # 2 of 3: below 90 %
    assert (claim.total_fen, claim.people, claim.pass_rate, claim.factor) == (48_000, 3, "2/3", "0.60")
    assert (paid.state, paid.payment_ref) == (ClaimState.PAID, "P1")
    assert await kept.check() == []
    await database.execute("UPDATE subsidy_claim SET total_fen = 1")
    assert len(await kept.check()) == 1


async def test_whoever_submits_neither_approves_nor_pays(db: Settings) -> None:
    school, (first, *_) = await a_closed_school()
    cohort = school.cohort.public_id
    await checked(school, first)
    await submitted(school, by=school.manager)
    await claims.publicise(cohort, actor=school.manager, now=LATER)

    with pytest.raises(SecondPersonNeeded):
        await claims.approve(cohort, actor=school.manager, now=LATER)
    await claims.approve(cohort, actor=school.house.second, now=LATER)
    for who in (school.manager, school.house.second):
        with pytest.raises(SecondPersonNeeded):
            await claims.pay(cohort, reference="P1", actor=who, now=LATER)


async def test_a_claim_that_was_returned_is_drawn_up_anew(db: Settings) -> None:
    school, (first, *_) = await a_closed_school()
    cohort = school.cohort.public_id
    await submitted(school)
    with pytest.raises(ClaimRefused):
        await claims.give_back(cohort, reason="", actor=school.officer, now=LATER)
    await claims.give_back(cohort, reason="缺签到表", actor=school.officer, now=LATER)
    assert await SubsidyLine.filter(holds=True).count() == 0

    await claims.draw(cohort, actor=school.staff, now=LATER)
    paper = await Certificate.get(enrolment_id=first.id)
    await certificates.revoke(paper.public_id, reason="替考", actor=school.manager, now=LATER)
    with pytest.raises(ClaimChanged):
        await claims.submit(cohort, actor=school.staff, now=LATER)
    again = await claims.draw(cohort, actor=school.staff, now=LATER)
    with pytest.raises(ClaimLate):
        await claims.submit(cohort, actor=school.staff, now=LATER + timedelta(days=60))
    late = await claims.submit(
        cohort, late_reason="等证书补发", actor=school.staff, now=LATER + timedelta(days=60)
    )

    assert (again.total_fen, late.late_reason, late.reason) == (24_000, "等证书补发", "缺签到表")


async def test_who_was_not_there_is_not_paid_for(db: Settings) -> None:
    school, (first, second, _) = await a_closed_school()
    cohort = school.cohort.public_id
    await submitted(school)
    await claims.publicise(cohort, actor=school.staff, now=LATER)
    with pytest.raises(SpotCheckRefused):
        await spot_checks.note(
            first.public_id, method="phone", confirmed=False, actor=school.staff, now=LATER
        )
    await checked(school, first, confirmed=False)
    await checked(school, second)

    with pytest.raises(ClaimChanged):
        await claims.approve(cohort, actor=school.officer, now=LATER)
    await claims.give_back(cohort, reason="抽查不符", actor=school.officer, now=LATER)
    again = await claims.draw(cohort, actor=school.staff, now=LATER)

    lines = await SubsidyLine.filter(claim_id=again.id).order_by("enrolment_id")
    assert [each.reason for each in lines] == ["CHECK_FAILED", "", "NOT_GRADUATED"]


async def test_a_claim_of_nothing_is_not_submitted(db: Settings) -> None:
    school, _ = await a_closed_school(terms=Terms(per_head_fen=0))
    await claims.draw(school.cohort.public_id, actor=school.staff, now=LATER)

    with pytest.raises(NothingToClaim):
        await claims.submit(school.cohort.public_id, actor=school.staff, now=LATER)


async def _again(school: School, *, level: int = 5) -> str:
    """Another class of the same people, of the same occupation, that ended in certificates too."""
    other, people = await a_closed_school(house=school.house)
    await Programme.filter(id=other.programme.id).update(level=level)
    first = await database.fetch(
        "SELECT person_id FROM enrolment WHERE cohort_id = $1 ORDER BY id", school.cohort.id
    )
    for mine, theirs in zip(people, first, strict=True):
        await database.execute(
            "UPDATE enrolment SET person_id = $1 WHERE id = $2", theirs["person_id"], mine.id
        )
    return other.cohort.public_id


@pytest.mark.parametrize(("level", "reason"), [(5, "ALREADY_PAID"), (4, "")])
async def test_nobody_is_paid_twice_for_a_level_but_may_be_for_a_higher_one(
    db: Settings, level: int, reason: str
) -> None:
    school, _ = await a_closed_school()
    other = await _again(school, level=level)
    await submitted(school)

    await claims.draw(other, actor=school.staff, now=LATER)

    lines = await SubsidyLine.filter(claim__cohort__public_id=other).order_by("enrolment_id")
    assert [each.reason for each in lines] == [reason, reason, "NOT_GRADUATED"]


async def test_no_lower_level_is_paid_after_a_higher_one(db: Settings) -> None:
    school, _ = await a_closed_school()
    other = await _again(school, level=3)
    await claims.draw(other, actor=school.staff, now=LATER)
    await claims.submit(other, actor=school.staff, now=LATER)

    drawn = await claims.draw(school.cohort.public_id, actor=school.staff, now=LATER)

    lines = await SubsidyLine.filter(claim_id=drawn.id).order_by("enrolment_id")
    assert [each.reason for each in lines] == ["HIGHER_PAID", "HIGHER_PAID", "NOT_GRADUATED"]


async def test_of_two_classes_that_claim_for_one_person_at_once_one_gets_it(db: Settings) -> None:
    school, _ = await a_closed_school()
    other, cohort = await _again(school), school.cohort.public_id
    for each in (cohort, other):
        await claims.draw(each, actor=school.staff, now=LATER)

    def submit(which: str):
        return lambda: database.unit(lambda: claims.submit(which, actor=school.staff, now=LATER))

    answers = await meet(db, "LOCK TABLE subsidy_line IN SHARE MODE", submit(cohort), submit(other))

    assert kinds(answers) == ["ClaimChanged", "SubsidyClaim"]
    assert await SubsidyLine.filter(holds=True).count() == 2
    assert await kept.check() == []


async def test_a_lower_level_claimed_at_once_with_a_higher_one_is_not_paid_after_it(db: Settings) -> None:
    school, _ = await a_closed_school()
    higher, lower = await _again(school, level=3), school.cohort.public_id
    for each in (higher, lower):
        await claims.draw(each, actor=school.staff, now=LATER)

    def submit(which: str):
        return lambda: database.unit(lambda: claims.submit(which, actor=school.staff, now=LATER))

    answers = await meet(db, "LOCK TABLE subsidy_line IN SHARE MODE", submit(higher), submit(lower))

    assert kinds(answers) == ["ClaimChanged", "SubsidyClaim"]
    assert await SubsidyLine.filter(holds=True, level=3).count() == 2
    assert await kept.check() == []


async def test_a_claim_needs_a_class_that_is_over(db: Settings) -> None:
    school, _ = await a_closed_school()
    other = await a_cohort(school.programme, actor=school.manager, state=CohortState.EXAMINING)

    with pytest.raises(WrongState):
        await claims.draw(other.public_id, actor=school.staff, now=LATER)
    with pytest.raises(WrongState):
        await claims.submit(other.public_id, actor=school.staff, now=LATER)
