"""Messages parked for an unknown shop, put back into the queue when the shop is added."""

from __future__ import annotations

from datetime import datetime

from livehub.inbox import barrier, queue
from livehub.platforms.facts import ShopAdded


async def on_shop_added(fact: ShopAdded, _now: datetime) -> None:
    """Re-open what waited for the shop."""
    await barrier.outwait()
    await queue.reopen_shop(platform=fact.platform, shop_ref=fact.shop_ref)
