"""What pages read of a direct round: what it gives, how far it went, and the files that were taken."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.vouchers import campaign_queries
from livehub.vouchers.campaign_queries import CampaignPage, RoundRow
from livehub.vouchers.rounds import DIRECT


class Imported(Struct, frozen=True, kw_only=True):
    """One file and what came of it, in households."""

    id: str
    name: str
    at: datetime
    by_name: str
    mode: str
    rows: int
    given: int
    unchanged: int
    wrong: int


class DirectPage(Struct, frozen=True, kw_only=True):
    """A direct round as its page shows it."""

    campaign: CampaignPage
    round: RoundRow
    quantity: int  # of households
    households: int  # that have theirs
    vouchers: int  # of each
    face_fen: int  # of each, together
    centre: str  # public id
    imports: list[Imported]


async def of(
    campaign: str, round_id: str, *, centre_id: int, bureaus: frozenset[int] | None, now: datetime
) -> DirectPage:
    """A direct round of a campaign; NotFound outside the scope, and for other rounds."""
    seen = await campaign_queries.campaign(campaign, centre_id=centre_id, bureaus=bureaus, now=now)
    found = next((each for each in seen.rounds if each.id == round_id and each.mode == DIRECT), None)
    if found is None:
        raise NotFound
    counted = await database.fetch_one(
        "SELECT count(*) AS n, (SELECT public_id FROM centre WHERE id = $2) AS centre"
        " FROM direct_household WHERE round_id = $1",
        found.row_id,
        centre_id,
    )
    assert counted is not None  # noqa: S101 -- an aggregate has one row
    first = found.templates[0]
    return DirectPage(
        campaign=seen,
        round=found,
        quantity=first.quantity // first.n,
        households=int(counted["n"]),
        vouchers=sum(kind.n for kind in found.templates),
        face_fen=sum(kind.face_fen * kind.n for kind in found.templates),
        centre=counted["centre"],
        imports=await imports(found.row_id),
    )


async def imports(round_id: int, *, limit: int = 50) -> list[Imported]:
    """The files a round was given by, newest first."""
    rows = await database.fetch(
        "SELECT public_id, name, at, by_name, mode, rows, given, unchanged, wrong FROM direct_import"
        f" WHERE round_id = $1 ORDER BY id DESC LIMIT {int(limit)}",
        round_id,
    )
    return [_imported(row) for row in rows]


def _imported(row: Mapping[str, Any]) -> Imported:
    own = {name: row[name] for name in Imported.__struct_fields__ if name not in ("id", "at")}
    return Imported(id=row["public_id"], at=clock.from_ms(row["at"]), **own)
