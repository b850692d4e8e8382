"""What a campaign may pull: the floor of its design, and what a bureau's earlier campaigns pulled."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from msgspec import Struct

from livehub import database
from livehub.vouchers import leverage
from livehub.vouchers.leverage import Leverage
from livehub.vouchers.models import CampaignStatus

_OVER = f"('{CampaignStatus.ENDED}', '{CampaignStatus.SETTLED}')"


class Floor(Struct, frozen=True, kw_only=True):
    """Of so many vouchers of each kind: thresholds over faces, and the kind with the least of it.

    The sum is the floor if they are used in the proportion they are given; ``least`` is one whatever is used.
    """

    threshold_fen: int = 0
    face_fen: int = 0
    least: tuple[int, int] = (0, 0)  # threshold, face of that kind; in fen


class Past(Struct, frozen=True, kw_only=True):
    """A campaign that is over, and what it pulled."""

    id: str
    name: str
    pulled: Leverage

    @property
    def value(self) -> Fraction:
        """After refunds, as a number to sort by."""
        return Fraction(self.pulled.net_order_fen, self.pulled.net_subsidy_fen)


def floor(kinds: Iterable[tuple[int, int, int]]) -> Floor:
    """The floor of (threshold_fen, face_fen, quantity) of each kind."""
    given = [each for each in kinds if each[2]]
    if not given:
        return Floor()
    threshold, face, _ = min(given, key=lambda each: Fraction(each[0], each[1]))
    return Floor(
        threshold_fen=sum(threshold * quantity for threshold, _, quantity in given),
        face_fen=sum(face * quantity for _, face, quantity in given),
        least=(threshold, face),
    )


async def past(bureau_id: int, *, but: int = 0) -> list[Past]:
    """The bureau's campaigns that are over and of which something stayed used, the least pull first."""
    rows = await database.fetch(
        f"SELECT c.public_id, c.name, {leverage.SUMS} FROM campaign c"
        " JOIN redemption r ON r.campaign_id = c.id JOIN voucher_template t ON t.id = r.template_id"
        f" WHERE c.bureau_id = $1 AND c.id <> $2 AND {leverage.COUNTED}"
        f" AND c.status IN {_OVER}"
        " GROUP BY c.id, c.public_id, c.name ORDER BY c.id",
        bureau_id,
        but,
    )
    found = [
        Past(id=row["public_id"], name=row["name"], pulled=leverage.of_row(row))
        for row in rows
        if row["net_subsidy_fen"]
    ]
    return sorted(found, key=lambda each: each.value)
