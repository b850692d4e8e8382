"""What a worker last saw committed of the stock its links lead to: it may be old, and decides nothing alone.

A batch is decided by it; the statement that writes the batch asks the locked rows whether it still holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers import places
from livehub.vouchers.claim_rows import Known, Prior
from livehub.vouchers.eligibility import DropNow
from livehub.vouchers.places import Place, Stock

MOST_REMEMBERED = 10_000

DROP_TERMS = places.fingerprint("d.template_id", "d.state", "d.opens_at", "d.closes_at")


class DropSeen(Struct, frozen=True, kw_only=True):
    """An open drop with what it has left."""

    now: DropNow
    left: int
    seen: str  # DROP_TERMS as they were


class View:
    """What is offered, drops and links by their ids, and how many each network took."""

    def __init__(self) -> None:
        self.stocks: dict[int, Stock] = {}
        self.drops: dict[int, DropSeen] = {}
        self.links: dict[int, int] = {}
        self.networks: dict[tuple[str, int], int] = {}

    def forget(self) -> None:
        """Ask anew before the next batch; what networks took only grows, and stays."""
        self.stocks.clear()
        self.drops.clear()
        self.links.clear()

    async def complete(self, led_to: Collection[Place]) -> None:
        """Read what is not known of the places."""
        if len(self.links) > MOST_REMEMBERED or len(self.stocks) > MOST_REMEMBERED:
            self.forget()
        if len(self.networks) > MOST_REMEMBERED:
            self.networks.clear()
        stocked = [each for each in led_to if each.offer_id]
        if offers := {each.offer_id for each in stocked} - self.stocks.keys():
            self.stocks |= await places.look(offers)
        if links := {each.link_id for each in stocked} - self.links.keys():
            self.links |= await _links(links)
        if drops := {each.drop_id for each in stocked if each.drop_id} - self.drops.keys():
            self.drops |= await _drops(drops)

    def prior(self, place: Place | None, known: Known) -> Prior:
        """What is taken to be there before a claim of a place."""
        if place is None or not place.offer_id:
            return Prior(answer=known.answer)
        drop = self.drops.get(place.drop_id)
        return Prior(
            answer=known.answer,
            taken=known.taken,
            link_claims=self.links[place.link_id],
            drop=drop.now if drop is not None else None,
            drop_left=drop.left if drop is not None else 0,
        )

    def remember_left(self, left: Mapping[int, int], drops: Mapping[int, int]) -> None:
        """What a batch left of what it gave, and of drops."""
        for of, number in left.items():
            self.stocks[of] = msgspec.structs.replace(self.stocks[of], left=number)
        for of, number in drops.items():
            self.drops[of] = msgspec.structs.replace(self.drops[of], left=number)


async def _links(ids: Collection[int]) -> dict[int, int]:
    rows = await _rows(ids, "SELECT l.id, l.claims FROM v JOIN claim_link l ON l.id = v.wanted")
    return {int(row["id"]): int(row["claims"]) for row in rows}


async def _drops(ids: Collection[int]) -> dict[int, DropSeen]:
    rows = await _rows(
        ids,
        f"SELECT d.id, d.state, d.quantity, d.claimed, d.opens_at, d.closes_at, {DROP_TERMS} AS seen"
        " FROM v JOIN voucher_drop d ON d.id = v.wanted",
    )
    return {
        int(row["id"]): DropSeen(
            now=DropNow(
                state=row["state"],
                opens_at=clock.from_ms(row["opens_at"]),
                closes_at=clock.from_ms(row["closes_at"]),
            ),
            left=row["quantity"] - row["claimed"],
            seen=row["seen"],
        )
        for row in rows
    }


async def _rows(ids: Collection[int], sql: str) -> list[dict[str, Any]]:
    return await database.with_rows(
        {"wanted": "bigint"}, [(each,) for each in sorted(ids)], sql, by_index=True
    )
