"""A programme's numbers and its bar for graduating; attendance and decisions from them. Pure, and exact.

Shares are kept as the text somebody typed ("0.80") and reckoned as fractions: nothing is rounded before it
is compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Annotated, Literal

from msgspec import Meta, Struct

SHARE = r"^(0(\.[0-9]{1,4})?|1(\.0{1,4})?|[0-9]{1,2}/[0-9]{1,2})$"

Share = Annotated[str, Meta(pattern=SHARE, description="0 到 1，如 0.80 或 1/2")]
Days = Annotated[int, Meta(ge=0, le=366)]
PlanPart = Literal["audience", "goal", "time", "outline", "courses", "certificate"]


class Terms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What differs by city: who may open a class when, what is paid for it, what is checked."""

    max_class: Annotated[int, Meta(ge=1, le=500)] = 50
    min_tenths: Annotated[int, Meta(ge=0, le=20_000)] = 0  # of hours of training that are planned
    min_theory_share: Share = "0"
    min_practice_share: Share = "0"
    plan_parts: tuple[PlanPart, ...] = ("audience", "goal", "outline")
    lead_days: Days = 10  # between the application and the first day
    lead_in_working_days: bool = True
    answer_working_days: Days = 5
    claim_days: Days = 30  # after the end
    per_head_fen: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    full_rate: Share = "0.90"  # from which the whole subsidy is paid
    reduced_factor: Share = "0.60"  # of it below
    exam_roster_days: Days = 7
    phone_check_share: Share = "0.10"
    yellow_rate: Share = "0.90"  # a class below it is warned
    red_rate: Share = "0.80"  # and below that it is stopped
    archive_years: Annotated[int, Meta(ge=1, le=50)] = 10


class Bar(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What graduates: one version of a programme's rule."""

    min_attendance: Share = "0.80"
    min_theory_tenths: Annotated[int, Meta(ge=0, le=10_000)] = 600
    min_skill_tenths: Annotated[int, Meta(ge=0, le=10_000)] = 600
    min_practice_broadcasts: Annotated[int, Meta(ge=0, le=1000)] = 0
    min_practice_minutes: Annotated[int, Meta(ge=0, le=100_000)] = 0
    require_food_safety: bool = False
    present: Share = "1"
    late: Share = "1/2"
    left_early: Share = "1/2"
    leave: Share = "0"
    absent: Share = "0"

    def weight(self, status: str) -> Fraction:
        """How much of a lesson's hours such a presence counts."""
        return share(str(getattr(self, status)))


class Sat(Struct, frozen=True):
    """One required lesson that was held, and how somebody was there."""

    tenths: int
    status: str


class Given(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a decision was made from. ``attended`` and ``held`` are a fraction of tenths of hours, exactly."""

    attended: str  # a fraction as text: 941/2
    held: int
    theory_tenths: int | None = None  # None: not examined
    skill_tenths: int | None = None
    practice_broadcasts: int = 0
    practice_minutes: int = 0
    food_safety: bool = False


class Verdict(Struct, frozen=True):
    """Whether somebody graduates, and each reason why not."""

    graduated: bool
    reasons: tuple[str, ...]


def share(text: str) -> Fraction:
    """The fraction of a share's text; ValueError outside 0 to 1."""
    try:
        found = Fraction(text)
    except ZeroDivisionError:
        raise ValueError(text) from None
    if not 0 <= found <= 1:
        raise ValueError(text)
    return found


def attended(lessons: Iterable[Sat], *, bar: Bar) -> Fraction:
    """The tenths of hours that count as attended."""
    return sum((each.tenths * bar.weight(each.status) for each in lessons), Fraction(0))


def attendance_rate(lessons: Iterable[Sat], *, bar: Bar) -> Fraction | None:
    """Attended of held hours; None while nothing was held."""
    found = list(lessons)
    held = sum(each.tenths for each in found)
    return attended(found, bar=bar) / held if held else None


def decide(given: Given, *, bar: Bar) -> Verdict:
    """The decision as a function of rule and inputs alone: from the snapshot it comes out the same."""
    rate = Fraction(given.attended) / given.held if given.held else Fraction(0)
    checks: Mapping[str, bool] = {
        "ATTENDANCE": rate >= share(bar.min_attendance),
        "THEORY": _reaches(given.theory_tenths, bar.min_theory_tenths),
        "SKILL": _reaches(given.skill_tenths, bar.min_skill_tenths),
        "PRACTICE_BROADCASTS": given.practice_broadcasts >= bar.min_practice_broadcasts,
        "PRACTICE_MINUTES": given.practice_minutes >= bar.min_practice_minutes,
        "FOOD_SAFETY": given.food_safety or not bar.require_food_safety,
    }
    missed = tuple(code for code, is_met in checks.items() if not is_met)
    return Verdict(not missed, missed)


REASONS = ("ATTENDANCE", "THEORY", "SKILL", "PRACTICE_BROADCASTS", "PRACTICE_MINUTES", "FOOD_SAFETY")


def bad_shares(shape: Terms | Bar) -> list[str]:
    """The fields whose text is no share: the pattern alone lets 3/2 through."""
    return [
        name
        for name in shape.__struct_fields__
        if isinstance(text := getattr(shape, name), str) and not _is_share(text)
    ]


def _is_share(text: str) -> bool:
    try:
        share(text)
    except ValueError:
        return False
    return True


def _reaches(tenths: int | None, least: int) -> bool:
    return least == 0 or (tenths is not None and tenths >= least)
