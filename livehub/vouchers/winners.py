"""Whether those who claim in a lottery were drawn: asked once for a batch, and only where there is one.

Who was drawn is written once, before the round opens, so that it can be read without a lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from livehub import database
from livehub.vouchers.claim_deciding import Wish
from livehub.vouchers.claim_rows import Prior
from livehub.vouchers.places import Name, Place, Stock


async def told(
    wishes: Sequence[Wish], found: Mapping[Name, Place], stocks: Mapping[int, Stock], prior: Sequence[Prior]
) -> list[Prior]:
    """What was there before each wish, with whether she was drawn where it is a lottery's."""
    asked = []
    for i, wish in enumerate(wishes):
        place = found.get(wish.name)
        stock = stocks.get(place.offer_id) if place is not None else None
        if place is not None and stock is not None and stock.is_lottery:
            platform = place.platform if stock.slot_by_platform else ""
            asked.append((i, stock.round_id, platform, wish.claimant.person_key))
    if not asked:
        return list(prior)
    drawn = await of(asked)
    of_lottery = {i for i, *_ in asked}
    return [
        msgspec.structs.replace(each, drawn=i in drawn) if i in of_lottery else each
        for i, each in enumerate(prior)
    ]


async def of(asked: Sequence[tuple[int, int, str, bytes]]) -> set[int]:
    """The numbers of those (number, round, platform or '', person) who were drawn."""
    rows = await database.with_rows(
        {"i": "int", "round_id": "bigint", "platform": "text", "person_key": "bytea"},
        asked,
        "SELECT v.i FROM v JOIN lottery_winner w ON w.round_id = v.round_id AND w.platform = v.platform"
        " AND w.person_key = v.person_key",
    )
    return {int(row["i"]) for row in rows}
