"""A window that a platform's list is read by, and a difference that it found."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from livehub import database
from livehub.kit import clock
from livehub.orders import cursors, differences
from livehub.orders.cursors import Listable
from livehub.orders.differences import Found
from livehub.orders.pull_models import Cadence, DifferenceKind
from livehub.orders.windows import Planned
from livehub.platforms import queries as platforms
from livehub.platforms.contract import FetchKind
from livehub.platforms.models import Shop


def a_found(number: int = 0, **changes: Any) -> Found:
    now = clock.now()
    usual = {
        "kind": DifferenceKind.AMOUNT,
        "about": FetchKind.ORDER,
        "ref": f"69{number:017}",
        "order_ref": f"69{number:017}",
        "day": clock.day_number(clock.local_day(now)),
        "updated_at": clock.to_ms(now),
        "ours_fen": 12_800,
        "theirs_fen": 12_700,
        "window_id": 1,
    }
    return Found(**{**usual, **changes})


async def a_window(shop: Shop, *, start: datetime) -> None:
    """Half an hour of the list of a shop's orders."""
    assert shop.endpoint_id is not None
    listable = Listable(shop.id, shop.endpoint_id, shop.platform, 0)
    begin = clock.to_ms(start)
    planned = [Planned(FetchKind.ORDER, Cadence.RECENT, begin, begin + 1_800_000)]
    await database.unit(lambda: cursors.open_windows(listable, planned, now=clock.now()))


async def a_difference(shop: Shop, *found: Found) -> None:
    """Differences of a shop, and a window of thirty hours ago that waits."""
    await a_window(shop, start=clock.now() - timedelta(hours=30))
    seen = (await platforms.shops_by_id([shop.id]))[shop.id]
    every = found or (a_found(shop.id),)
    await database.unit(lambda: differences.open_found(every, shop=seen, now=clock.now()))
