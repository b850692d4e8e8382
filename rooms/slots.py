"""Who stands in the way of a time, and what is free instead."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, structs

from rooms import claims, conflicts
from rooms.conflicts import Frame, Span, Taken, Wanted
from rooms.errors import SlotTaken

_REACH = timedelta(days=conflicts.SEARCH_DAYS + 1)


class Clash(Struct, frozen=True):
    """What is taken of a wanted time, and the nearest times that are free; both empty when it is free."""

    conflicts: Sequence[Taken]
    suggestions: Sequence[Span]


def wanted(
    core: Span, *, room_id: int, frame: Frame, people: Iterable[int], equipment: Iterable[int] = ()
) -> list[Wanted]:
    """The room and equipment with its buffers, and each person for the time itself."""
    outer = conflicts.buffered(core, frame=frame)
    return [
        Wanted("room", room_id, outer.starts_at, outer.ends_at),
        *(Wanted("equipment", unit, outer.starts_at, outer.ends_at) for unit in equipment),
        *(Wanted("person", person, core.starts_at, core.ends_at) for person in people),
    ]


async def clash(wants: Sequence[Wanted], *, core: Span, frame: Frame, now: datetime) -> Clash:
    """What stands in the way at this moment."""
    resources = {(each.kind, each.resource_id) for each in wants}
    existing = await claims.taken(resources, since=core.starts_at - _REACH, until=core.ends_at + _REACH)
    found = conflicts.find(wants, existing)
    if not found:
        return Clash((), ())
    suggestions = conflicts.suggest(
        core,
        frame=frame,
        room=_spans({"room", "equipment"}, existing),
        people=_spans({"person"}, existing),
        now=now,
    )
    return Clash(found, suggestions)


def refusal(found: Clash, *, core: Span) -> SlotTaken:
    """The refusal with what everybody may know: which kind of thing is taken, by which bureau, until when."""
    later = [each.starts_at for each in found.suggestions if each.starts_at >= core.starts_at]
    return SlotTaken(
        data={
            "conflicts": [_known(each) for each in found.conflicts],
            "suggestions": [structs.asdict(each) for each in found.suggestions],
            "earliest_start": later[0] if later else None,
            "waitlistable": bool(found.conflicts) and not any(each.closed for each in found.conflicts),
        }
    )


def _known(taken: Taken) -> dict[str, object]:
    """What every bureau may know of an occupancy."""
    return {
        "kind": taken.kind,
        "bureau": taken.bureau,
        "starts_at": taken.starts_at,
        "ends_at": taken.ends_at,
        **({"closed": taken.closed} if taken.closed else {}),
    }


def _spans(kinds: Collection[str], existing: Iterable[Taken]) -> list[Span]:
    return [Span(each.starts_at, each.ends_at) for each in existing if each.kind in kinds]
