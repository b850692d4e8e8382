"""A centre with one shop on each spine platform, and messages put straight into its inbox."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.accounts.models import Bureau, Centre
from livehub.inbox.recording import OwnFact
from livehub.kit import clock
from livehub.platforms.contract import Event
from livehub.platforms.models import Shop
from tests.factories.facts import record_own


class World(Struct):
    """What a test of the ledger stands on."""

    centre: Centre
    bureau: Bureau
    shop: Shop

    async def tell(self, *events: Event, source: str = "own", now: datetime | None = None) -> None:
        """Put facts into the inbox as if they had arrived."""
        async with database.transaction():
            await record_own(
                [
                    OwnFact(
                        centre_id=self.centre.id,
                        platform=self.shop.platform,
                        shop_ref=event.shop_ref,
                        order_ref=event.order_ref,
                        native_type=str(event.type),
                        native_id=f"{event.order_ref}:{event.type}:{event.status_at}:{n}",
                        event=event,
                    )
                    for n, event in enumerate(events)
                ],
                now=now or clock.now(),
            )


async def a_world() -> World:
    centre = await Centre.create(public_id="c", name="北海直播消费促进中心", city="北海")
    bureau = await Bureau.create(public_id="b", centre=centre, name="北海市农业农村局", kind="agriculture")
    shop = await Shop.create(
        public_id="s", centre=centre, bureau=bureau, platform="standard_webhooks", shop_ref="s", name="店",
        created_at=clock.now(),
    )  # fmt: skip
    return World(centre, bureau, shop)
