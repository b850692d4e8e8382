"""What a class is paid: who is eligible and why not, and how much. Pure, and exact until the one floor.

A factor is a fraction, and each line is floored to whole fen here and nowhere else: a total is the sum of
its lines.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from math import ceil, floor

from msgspec import Struct

from streamers.training.models import EnrolmentState
from streamers.training.rules import Terms, share

REASONS = ("NOT_GRADUATED", "NOT_CERTIFIED", "CHECK_FAILED", "ALREADY_PAID", "HIGHER_PAID", "RED_CARD")


class Candidate(Struct, frozen=True, kw_only=True):
    """Somebody with a place in the class, and what was paid for her before in this occupation, by level."""

    enrolment_id: int
    person_id: int
    state: EnrolmentState
    certified: bool
    check_failed: bool
    paid_levels: tuple[int, ...]


class Line(Struct, frozen=True, kw_only=True):
    """What is claimed for one person; ``reason`` says why it is nothing."""

    enrolment_id: int
    person_id: int
    eligible: bool
    reason: str
    amount_fen: int


class Reckoning(Struct, frozen=True, kw_only=True):
    """A claim as it is reckoned."""

    lines: tuple[Line, ...]
    pass_rate: Fraction | None
    factor: str
    card: str

    @property
    def total_fen(self) -> int:
        """The sum of the lines."""
        return sum(each.amount_fen for each in self.lines)


def reckon(
    people: Sequence[Candidate],
    *,
    level: int,
    terms: Terms,
    pass_rate: Fraction | None,
    attendance: Fraction | None,
) -> Reckoning:
    """The claim of a class: the whole amount from ``full_rate`` on, ``reduced_factor`` of it below."""
    is_full = pass_rate is not None and pass_rate >= share(terms.full_rate)
    factor = "1" if is_full else terms.reduced_factor
    card = card_of(attendance, terms=terms)
    lines = []
    for each in people:
        reason = _refused(each, level=level, card=card)
        lines.append(
            Line(
                enrolment_id=each.enrolment_id,
                person_id=each.person_id,
                eligible=not reason,
                reason=reason,
                amount_fen=0 if reason else amount(terms.per_head_fen, share(factor)),
            )
        )
    return Reckoning(lines=tuple(lines), pass_rate=pass_rate, factor=factor, card=card)


def amount(per_head_fen: int, factor: Fraction) -> int:
    """The one place where a fraction becomes whole fen: downwards."""
    return floor(per_head_fen * factor)


def card_of(attendance: Fraction | None, *, terms: Terms) -> str:
    """黄牌, 红牌 or none of a class's attendance, compared before anything is rounded."""
    if attendance is None or attendance >= share(terms.yellow_rate):
        return ""
    return "yellow" if attendance >= share(terms.red_rate) else "red"


def checks_needed(people: int, *, terms: Terms) -> int:
    """How many of a class must be asked before its claim is approved."""
    return ceil(people * share(terms.phone_check_share))


def has_higher(paid_levels: Collection[int], level: int) -> bool:
    """Whether a higher level was paid for: 5 is the lowest, 1 the highest; 0, without one, is apart."""
    return any(0 < paid < level for paid in paid_levels)


def _refused(each: Candidate, *, level: int, card: str) -> str:
    checks = {
        "NOT_GRADUATED": each.state is not EnrolmentState.GRADUATED,
        "NOT_CERTIFIED": not each.certified,
        "CHECK_FAILED": each.check_failed,
        "ALREADY_PAID": level in each.paid_levels,
        "HIGHER_PAID": has_higher(each.paid_levels, level),
        "RED_CARD": card == "red",
    }
    return next((code for code, is_so in checks.items() if is_so), "")
