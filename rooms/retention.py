"""How long the traces of a broadcast are kept, and what keeps them longer. Pure."""

from __future__ import annotations

from datetime import datetime

from livehub.kit import clock

YEARS = 3  # from the end of a show; the law's own minimum


def until(ended_at: datetime) -> datetime:
    """The same moment on the wall clock three years later; of 29 February it is 1 March."""
    local = clock.local(ended_at)
    try:
        last = local.replace(year=local.year + YEARS)
    except ValueError:
        last = local.replace(year=local.year + YEARS, month=3, day=1)
    return clock.from_ms(clock.to_ms(last))


def is_kept(retain_until: datetime | None, *, legal_hold: bool, now: datetime) -> bool:
    """Whether nothing of a broadcast may be deleted yet; one that has not ended is kept too."""
    return legal_hold or retain_until is None or now < retain_until
