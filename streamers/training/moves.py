"""Which state of a cohort may follow which, and when its roster may change; see docs/concepts.md."""

from __future__ import annotations

from collections.abc import Mapping

from streamers.training.models import CohortState as C

COHORT: Mapping[C, frozenset[C]] = {
    C.DRAFT: frozenset({C.APPLIED}),
    C.APPLIED: frozenset({C.APPROVED, C.DRAFT}),
    C.APPROVED: frozenset({C.RECRUITING, C.CANCELLED}),
    C.RECRUITING: frozenset({C.RUNNING, C.CANCELLED}),
    C.RUNNING: frozenset({C.EXAMINING}),
    C.EXAMINING: frozenset({C.CLOSED}),
    C.CLOSED: frozenset({C.ARCHIVED}),
}
TAKES_PEOPLE = frozenset({C.DRAFT, C.APPLIED, C.APPROVED, C.RECRUITING, C.RUNNING})
TEACHES = frozenset({C.DRAFT, C.APPLIED, C.APPROVED, C.RECRUITING, C.RUNNING, C.EXAMINING})
EXAMINES = frozenset({C.RUNNING, C.EXAMINING})
OVER = frozenset({C.CLOSED, C.ARCHIVED, C.CANCELLED})
