"""What differs between two versions of a week's plan: new, moved, cancelled, changed in its words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct


class Slot(Struct, frozen=True, kw_only=True):
    """One booking as a plan tells it."""

    booking: str  # public id: the same before and after it is moved
    kind: str
    starts_at: datetime
    ends_at: datetime
    room_id: int
    room: str
    bureau_id: int
    bureau: str
    title: str
    crew: str  # names, as shown
    broadcast: str = ""  # public id, of live ones

    @property
    def place(self) -> tuple[datetime, datetime, int]:
        """When and where: what moving changes."""
        return self.starts_at, self.ends_at, self.room_id


class Pair(Struct, frozen=True):
    """The same booking before and after."""

    before: Slot
    after: Slot


class Diff(Struct, frozen=True, kw_only=True):
    """From one version to another; every list in order of time."""

    new: Sequence[Slot] = ()
    moved: Sequence[Pair] = ()
    changed: Sequence[Pair] = ()  # other words, the same time and room
    cancelled: Sequence[Slot] = ()
    unchanged: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether both versions say the same."""
        return not (self.new or self.moved or self.changed or self.cancelled)


def between(before: Iterable[Slot], after: Iterable[Slot]) -> Diff:
    """What makes the second version of the first."""
    old = {each.booking: each for each in before}
    fresh = {each.booking: each for each in after}
    pairs = [Pair(old[name], each) for name, each in fresh.items() if name in old and old[name] != each]
    return Diff(
        new=_in_order(each for name, each in fresh.items() if name not in old),
        moved=_pairs(each for each in pairs if each.before.place != each.after.place),
        changed=_pairs(each for each in pairs if each.before.place == each.after.place),
        cancelled=_in_order(each for name, each in old.items() if name not in fresh),
        unchanged=sum(old.get(name) == each for name, each in fresh.items()),
    )


def applied(before: Iterable[Slot], diff: Diff) -> list[Slot]:
    """The version that a diff leads to."""
    slots = {each.booking: each for each in before}
    for gone in diff.cancelled:
        del slots[gone.booking]
    for pair in (*diff.moved, *diff.changed):
        slots[pair.after.booking] = pair.after
    for each in diff.new:
        slots[each.booking] = each
    return _in_order(slots.values())


def mirrored(diff: Diff) -> Diff:
    """The way back."""
    return Diff(
        new=diff.cancelled,
        moved=_pairs(Pair(each.after, each.before) for each in diff.moved),
        changed=_pairs(Pair(each.after, each.before) for each in diff.changed),
        cancelled=diff.new,
        unchanged=diff.unchanged,
    )


def _in_order(slots: Iterable[Slot]) -> list[Slot]:
    return sorted(slots, key=lambda each: (each.starts_at, each.room_id, each.booking))


def _pairs(pairs: Iterable[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda each: (each.after.starts_at, each.after.room_id, each.after.booking))
