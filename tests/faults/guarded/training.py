"""Guards of training: places, one class at a time, what was noted, numbers of certificates."""

from __future__ import annotations

from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Cut, CutText, Dropped, Unique
from tests.streamers.training import (
    test_course,
    test_incubations,
    test_places,
    test_races,
    test_subsidies,
)

CLASS = Cut("streamers.training.cohorts:held", 'await locks.hold("cohort", {seen.id})')
PERSON = Cut("streamers.training.enrolments:enrol", 'await locks.hold("person", {who.id})')
LESSON = Cut("streamers.training.lessons:held", 'await locks.hold("lesson", {seen.id})')
SCREEN = Cut("streamers.training.check_in:check_in", 'await locks.hold("lesson", {lesson.id})')
CLAIMED = Cut(
    "streamers.training.claims:submit", 'await locks.hold("person", {each.person_id for each in lines})'
)
ONE_LINE = Unique("attendance", "lesson_id, enrolment_id, seq")
PLACES = test_places.test_as_many_are_enrolled_at_once_as_there_are_places

GUARDS = (
    *on_both(
        Guard(
            of="the places of a class",
            out=(
                Dropped("cohort_places"),
                CutText("streamers.training.enrolments:_TAKE", r" AND taken \+ \$1 <= capacity"),
            ),
            race=race(PLACES),
        )
    ),
    Guard(
        of="the one place of a person in a class",
        out=(Dropped("enrolment_one_of_person"), CLASS, PERSON),
        race=race(test_places.test_one_person_gets_one_place_however_often_she_asks_at_once),
    ),
    Guard(
        of="the person who enters one of two classes",
        out=(PERSON,),
        race=race(test_races.test_one_person_enters_one_of_two_classes_that_meet_at_one_time),
    ),
    Guard(
        of="the people of a class into which a lesson is planned",
        out=(Cut("streamers.training.lessons:_busy", 'await locks.hold("person", people)'),),
        race=race(test_races.test_a_lesson_is_not_planned_into_another_class_that_somebody_just_entered),
    ),
    Guard(
        of="the code of a class",
        out=(Unique("cohort", "centre_id, code"),),
        race=race(test_races.test_a_code_is_given_to_one_class),
    ),
    Guard(
        of="the one open application of a class",
        out=(Dropped("opening_application_one_open"), CLASS),
        race=race(test_races.test_a_class_is_applied_for_once),
    ),
    Guard(
        of="the second person who opens a class",
        out=(
            Cut(
                "streamers.training.cohorts:_decided",
                "require_second_person(actor, first_user_id=asked.submitted_by_id)",
            ),
        ),
        race=race(test_course.test_a_class_is_applied_for_in_time_and_opened_by_another),
    ),
    Guard(
        of="the versions of a bar",
        out=(
            Unique("graduation_rule", "programme_id, version"),
            Cut("streamers.training.programmes:change_bar", 'await locks.hold("programme", {programme.id})'),
        ),
        race=race(test_races.test_two_new_bars_are_two_versions),
    ),
    Guard(
        of="the one line of a presence that two clerks note",
        out=(ONE_LINE, LESSON),
        race=race(test_races.test_what_two_clerks_note_of_one_lesson_at_once_is_one_line),
    ),
    Guard(
        of="the one line of a phone that checks in twice",
        out=(ONE_LINE, SCREEN),
        race=race(test_course.test_a_trainee_checks_in_by_the_screens_code_while_it_is_fresh),
    ),
    Guard(
        of="the numbers of certificates",
        out=(
            Unique("certificate", "centre_id, year, number"),
            CutText(
                "streamers.training.certificates:_NUMBERS",
                r"(?s).+",
                "SELECT coalesce(max(number), 0) + $3 AS reached FROM certificate WHERE centre_id = $1 AND year = $2",
            ),
        ),
        race=race(test_course.test_serials_have_no_gap_when_one_fails_and_two_classes_end_at_once),
    ),
    Guard(
        of="the one certificate of whoever graduated",
        out=(Dropped("certificate_one_issued"), CLASS),
        race=race(test_races.test_who_graduated_gets_one_certificate_however_often_it_is_pressed),
    ),
    Guard(
        of="the one subsidy of a person for a level",
        out=(Dropped("subsidy_line_one_paid"), CLAIMED),
        race=race(test_subsidies.test_of_two_classes_that_claim_for_one_person_at_once_one_gets_it),
    ),
    Guard(
        of="the lower level that is claimed after a higher one",
        out=(CLAIMED,),
        race=race(test_subsidies.test_a_lower_level_claimed_at_once_with_a_higher_one_is_not_paid_after_it),
    ),
    *(
        Guard(
            of=f"the second person who {verb}s a claim{which}",
            out=(
                Cut(
                    f"streamers.training.claims:{verb}", f"require_second_person(actor, first_user_id={who})"
                ),
            ),
            race=race(test_subsidies.test_whoever_submits_neither_approves_nor_pays),
        )
        for verb, who, which in (
            ("approve", "claim.submitted_by_id", ""),
            ("pay", "claim.submitted_by_id", " that she submitted"),
            ("pay", "claim.approved_by_id", " that she approved"),
        )
    ),
    Guard(
        of="the one incubation of a person",
        out=(Dropped("incubation_one_open"),),
        race=race(test_incubations.test_one_person_is_in_one_incubation_and_a_mentor_is_appointed_once),
    ),
    Guard(
        of="the time that is given to somebody in incubation",
        out=(Cut("streamers.training.incubations:_held", 'await locks.hold("incubation", {seen.id})'),),
        race=race(test_incubations.test_two_extensions_at_once_both_count),
    ),
    *(
        guard
        for table in test_races.PAST
        for guard in on_both(
            Guard(
                of=f"what was noted in {table}",
                out=(Dropped(f"{table}_append_only"),),
                race=race(test_races.test_what_was_noted_is_not_written_over, table=table),
            )
        )
    ),
)
