"""What happened to people, for whoever listens above; ids are row ids."""

from __future__ import annotations

from msgspec import Struct


class PlaceGiven(Struct, frozen=True, kw_only=True):
    """Somebody who waited for a place in a class has one now."""

    enrolment_id: int
    cohort_id: int
    centre_id: int
