"""What a check before the air has to tick, and whose signatures make it whole. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256

from msgspec import Struct

ITEMS = ("identity", "prices", "papers", "rules")  # of every show
FOOD_ITEMS = ("food_safety",)
PARTY_ITEMS = ("party_review",)
AI_ITEMS = ("ai_label", "human_on_duty")
ROLES = ("anchor", "console", "centre")
CENTRE = "centre"


class Signature(Struct, frozen=True):
    """Who signed, and as what."""

    role: str
    kind: str
    id: int

    def is_same_person(self, other: Signature) -> bool:
        """Whether one and the same login or link signed."""
        return (self.kind, self.id) == (other.kind, other.id)


def items(*, is_food: bool, is_party: bool, ai_host: bool) -> tuple[str, ...]:
    """What has to be ticked."""
    return (
        ITEMS
        + (FOOD_ITEMS if is_food else ())
        + (PARTY_ITEMS if is_party else ())
        + (AI_ITEMS if ai_host else ())
    )


def needs_centre(*, is_food: bool, is_party: bool) -> bool:
    """Whether the centre's staff sign too."""
    return is_food or is_party


def is_whole(signatures: Sequence[Signature], *, centre: bool) -> bool:
    """Whether anchor or console signed, and where needed somebody else for the centre."""
    operators = [each for each in signatures if each.role != CENTRE]
    if not centre:
        return bool(operators)
    return any(
        not each.is_same_person(other) for each in operators for other in signatures if other.role == CENTRE
    )


def subject(*, streamer_id: int, day: int, ai_host: bool, products: Collection[int]) -> bytes:
    """A digest of what was checked: a signature counts for this and nothing else."""
    said = [str(streamer_id), str(day), str(ai_host), *map(str, sorted(products))]
    return sha256("\x00".join(said).encode()).digest()
