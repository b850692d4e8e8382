"""What a source says: which columns of its statements hold which amounts."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct


class Amount(StrEnum):
    """The amounts of a row. Only ``SALES`` is G4; the others stand beside it and are never netted in."""

    SALES = "sales"
    FEE = "fee"  # what the platform keeps for its service
    COMMISSION = "commission"  # what streamers, leaders and partners get
    FREIGHT = "freight"
    OTHER = "other"


class Source(Struct, frozen=True, kw_only=True):
    """One kind of statement. A column that is named first is used where a file has several of a list.

    ``must``: columns of ``amounts`` without which a file is not this kind of statement. ``less``: columns
    taken from the sales whatever their sign is, because exports write refunds either way. Names are
    compared as ``plain`` has them.
    """

    name: str
    label: str
    platform: str  # '' where any shop's will do
    order_ref: Sequence[str]
    settled_at: Sequence[str]
    line_ref: Sequence[str] = ()  # the platform's id of the order line
    entry_ref: Sequence[str] = ()  # the platform's id of the row itself: recognises it in another file
    must: Sequence[str] = ()
    amounts: dict[Amount, Sequence[str]] = {}
    less: Sequence[str] = ()


def plain(name: str) -> str:
    """A column's name as it is compared: width, spaces, the unit and two ways of writing 账 do not matter."""
    text = "".join(unicodedata.normalize("NFKC", name).split()).replace("帐", "账")
    return text.removesuffix("(元)").removesuffix("(CNY)")
