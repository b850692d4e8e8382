"""A show that was on air in March, and orders told at whatever instant a test wants."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.inbox.recording import OwnFact
from livehub.kit import clock, outbox
from livehub.orders import intake
from livehub.platforms.contract import (
    Event,
    EventType,
    Line,
    OrderSnapshot,
    OrderStatus,
    RefundKind,
    RefundSnapshot,
    RefundStatus,
)
from livehub.platforms.models import Shop
from livehub.reports import reviews
from livehub.reports.reviews import Reviewed
from rooms import onair
from rooms.models import Broadcast, BroadcastAccount
from tests.factories.facts import record_own
from tests.factories.platforms import a_shop
from tests.factories.rooms import House, a_broadcast, a_house, local

START, END = local(2, 20), local(2, 21)
ROOM = "7300000000000000009"


class Show(Struct, kw_only=True):
    """One broadcast from 20:00 to 21:00 whose orders name its room, and the shop they are of."""

    house: House
    shop: Shop
    broadcast: Broadcast

    async def tell(
        self,
        order_ref: str,
        *,
        paid_at: datetime,
        told_at: datetime,
        fen: int = 5000,
        refunded: int = 0,
        room: str = ROOM,
        version: int = 0,
        thin: bool = False,
    ) -> None:
        """One message about an order, booked as it is told."""
        at = clock.to_ms(told_at)
        event = Event(
            type=EventType.ORDER_PAID, shop_ref=self.shop.shop_ref, order_ref=order_ref, status_at=at + version,
            order=None if thin else _order(paid_at, at + version, fen=fen, room=room),
            refunds=(_refund(order_ref, refunded, at),) if refunded else (),
        )  # fmt: skip
        fact = OwnFact(
            centre_id=self.shop.centre_id, platform=self.shop.platform, shop_ref=self.shop.shop_ref,
            order_ref=order_ref, native_type="order.paid", native_id=f"{order_ref}/{at}/{version}/{fen}/{refunded}",
            event=event,
        )  # fmt: skip
        async with database.transaction():
            await record_own([fact], now=told_at)
        await intake.run_once(now=told_at, lease_seconds=30)

    async def reviewed(self, now: datetime) -> Reviewed:
        """What a page reads at an instant."""
        show = await Broadcast.get(id=self.broadcast.id)
        assert show.started_at is not None
        assert show.ended_at is not None
        return await reviews.of(
            show.id, centre_id=show.centre_id, bureau_id=show.bureau_id, starts_at=show.started_at,
            ends_at=show.ended_at, now=now,
        )  # fmt: skip

    async def bind(self, room: str, *, now: datetime) -> None:
        """The platform's room of the show becomes known, or is another: its orders are judged anew."""
        account = await BroadcastAccount.get(broadcast_id=self.broadcast.id)
        await database.unit(
            lambda: onair.bind_room(
                self.broadcast.public_id, platform=account.platform, account_ref=account.account_ref,
                room_ref=room, actor=self.house.manager, now=now,
            )
        )  # fmt: skip
        while await outbox.hand_out(now=now):
            pass


def _order(paid_at: datetime, updated: int, *, fen: int, room: str) -> OrderSnapshot:
    line = Line(
        line_ref="1", product_ref="p1", quantity=2, list_fen=fen, buyer_paid_fen=fen, room_ref=room
    )  # fmt: skip
    at = clock.to_ms(paid_at)
    return OrderSnapshot(
        status=OrderStatus.PAID, lines=(line,), created_at=at, paid_at=at, updated_at=updated
    )


def _refund(order_ref: str, fen: int, at: int) -> RefundSnapshot:
    return RefundSnapshot(
        refund_ref=f"r-{order_ref}", line_ref="1", kind=RefundKind.REFUND_ONLY, status=RefundStatus.SUCCEEDED,
        refunded_fen=fen, applied_at=at, succeeded_at=at, updated_at=at,
    )  # fmt: skip


async def a_show(*, bound: bool = True, ended: bool = True) -> Show:
    house = await a_house()
    shop = await a_shop(house.bureaus[0])
    broadcast = await a_broadcast(house, START, minutes=90)
    made = Show(house=house, shop=shop, broadcast=broadcast)
    await database.unit(lambda: onair.start(broadcast.public_id, actor=house.manager, now=START))
    if bound:
        await made.bind(ROOM, now=START)
    if ended:
        await end(made, END)
    return made


async def end(show: Show, at: datetime) -> None:
    """Off the air."""
    await database.unit(lambda: onair.end(show.broadcast.public_id, actor=show.house.manager, now=at))
    while await outbox.hand_out(now=at):
        pass


def after(*, minutes: int = 0, days: int = 0) -> datetime:
    """So long after the end."""
    return END + timedelta(minutes=minutes, days=days)
