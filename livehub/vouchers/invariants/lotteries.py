"""Every draw comes out the same when it is done again, and vouchers of a lottery are those of its winners."""

from __future__ import annotations

from livehub import database
from livehub.kit import sealing
from livehub.kit.invariants import Invariant
from livehub.vouchers import drawing
from livehub.vouchers.lotteries import SEED_PLACE
from livehub.vouchers.lottery_models import LotteryDraw

_STRANGERS = (
    "SELECT n.public_id, count(*) AS n FROM campaign_round n"
    " JOIN claim_slot s ON s.round_id = n.id LEFT JOIN lottery_winner w ON w.round_id = s.round_id"
    " AND w.platform = s.platform AND w.person_key = s.person_key"
    " WHERE n.mode = 'lottery' AND w.id IS NULL GROUP BY n.public_id ORDER BY n.public_id"
)


async def check() -> list[str]:
    """Seeds that were not promised, lists and winners that were not published, strangers' vouchers."""
    found = []
    for lot in await LotteryDraw.all().prefetch_related("round").order_by("id"):
        found += [f"lottery {lot.round.public_id}: {fault}" for fault in await _faults(lot)]
    return found + [
        f"lottery {row['public_id']}: {row['n']} vouchers of people who were not drawn"
        for row in await database.fetch(_STRANGERS)
    ]


async def _faults(lot: LotteryDraw) -> list[str]:
    seed = sealing.ring().open(bytes(lot.seed_sealed), place=SEED_PLACE)
    found = [] if drawing.commitment(seed) == lot.commitment else ["its seed is not the one committed to"]
    rows = await database.fetch(
        "SELECT e.public_id, w.place FROM lottery_entry e LEFT JOIN lottery_winner w ON w.entry_id = e.id"
        " WHERE e.round_id = $1",
        lot.round_id,
    )
    entries = [row["public_id"] for row in rows]
    if lot.frozen_at is not None and drawing.list_hash(entries) != lot.list_hash:
        found.append("its list is not the one that was frozen")
    told = [row["public_id"] for row in sorted(rows, key=lambda row: row["place"] or 0) if row["place"]]
    drawn = []
    if lot.drawn_at is not None:
        drawn = drawing.winners(entries, seed=seed, randomness=lot.randomness, number=lot.quantity)
        if lot.seed != seed:
            found.append("the seed it revealed is another one")
    if told != drawn:
        found.append("its winners are not those that the draw gives")
    return found


INVARIANT = Invariant("vouchers.lotteries", "摇号结果可以重算，券只发给中签的人", check)
