"""The weeks before today: shows and vouchers by the domain's own verbs, their sales over the wire.

The verbs take the time as a parameter, so the past is made as it would have been.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor, Grant, system
from livehub.accounts.models import Role
from livehub.demo import cast, suspects
from livehub.demo.browser import Machine
from livehub.demo.comparing import Redeemed
from livehub.demo.seeding import Seeded
from livehub.kit import clock, outbox
from livehub.kit.errors import LivehubError
from livehub.merchants.models import Store
from livehub.sandbox import catalogue, demand
from livehub.settings import Settings
from livehub.vouchers import codes, drops, identity
from livehub.vouchers import queries as vouchers
from livehub.vouchers.claims import ClaimDesk
from livehub.vouchers.models import Template
from livehub.vouchers.redemptions import RedeemDesk
from rooms import booking, onair, prechecks
from rooms.models import Broadcast
from rooms.wishes import Wish

SHOWS = (("R2", 10, 120), ("R1", 15, 150), ("R4", 20, 180), ("R2", 20, 240))  # room, hour, minutes
DROPPED = 20  # vouchers put out in each show
CLAIMED = 0.7  # of them
USED = 0.7  # of those claimed
SCALE = 0.02  # from which on the schemes are told whole


class Past(Struct):
    """What the weeks brought, for the comparison."""

    rooms: dict[str, str] = {}  # the platform's room -> broadcast
    claims: int = 0
    redemptions: list[Redeemed] = []
    orders: int = 0


class Historian:
    """Tells the past, a day at a time."""

    def __init__(
        self, world: Seeded, settings: Settings, sandbox: Machine, *, scale: float, seed: int
    ) -> None:
        self._world = world
        self._sandbox = sandbox
        self._scale = scale
        self._rng = demand.chance(seed)
        self._seed = seed
        self._clerk = system("demo", centre_id=world.centre_id)
        self._till = Actor(
            kind="system", name="demo", centre_id=world.centre_id,
            grants=(Grant(Role.MERCHANT, merchant_id=world.merchant_id),),
        )  # fmt: skip
        self._claims = ClaimDesk(settings)
        self._redeems = RedeemDesk(settings)
        self.past = Past()

    async def tell(self, days: int, *, today: date, heat: suspects.Heat, say: Callable[[str], None]) -> Past:
        """Every show of so many days before today, oldest first, two schemes, then the sales of all."""
        self._claims.start()
        self._redeems.start()
        orders: list[Any] = []
        try:
            for ago in range(days, 0, -1):
                for room, hour, minutes in SHOWS:
                    start = clock.at_local(today - timedelta(days=ago), hour=hour)
                    orders += await self._show(room, start, minutes)
                if ago % 7 == 0:
                    say(f"  {today - timedelta(days=ago)} … {len(self.past.rooms)} 场")
            orders += await self._schemes(today, heat)
        finally:
            await self._claims.stop()
            await self._redeems.stop()
        for start_at in range(0, len(orders), 500):
            await self._sandbox.post("/control/orders", {"orders": orders[start_at : start_at + 500]})
        self.past.orders = len(orders)
        return self.past

    async def _schemes(self, today: date, heat: suspects.Heat) -> list[Any]:
        """Yesterday a shop cashed vouchers out before dawn, and a show bought from itself in the evening."""
        yesterday = today - timedelta(days=1)
        night = clock.at_local(yesterday, hour=2)
        self.past.redemptions += await suspects.cash_out(
            self._world, self._claims, self._redeems, night=night
        )
        self.past.claims += suspects.PHONES * suspects.EACH
        return await self._show("R1", clock.at_local(yesterday, hour=20), 120, heat=heat)

    async def _show(
        self, room: str, start: datetime, minutes: int, *, heat: suspects.Heat | None = None
    ) -> list[Any]:
        stage_name = cast.STREAMERS[self._rng.randrange(len(cast.STREAMERS))][0]
        broadcast = await self._broadcast(room, stage_name, start, minutes)
        end = start + timedelta(minutes=minutes)
        await self._check(broadcast, stage_name, start - timedelta(minutes=20))
        await onair.start(broadcast.public_id, actor=self._clerk, now=start)
        room_ref = str(7_300_000_000_000_000_000 + secrets.randbelow(10**15))
        author = self._world.authors[stage_name]
        await onair.bind_room(
            broadcast.public_id, platform="doudian", account_ref=author, room_ref=room_ref,
            actor=self._clerk, now=start,
        )  # fmt: skip
        await self._vouchers(broadcast, start)
        await onair.end(broadcast.public_id, actor=self._clerk, now=end)
        self.past.rooms[room_ref] = broadcast.public_id
        shop = self._world.shops["doudian"].shop_ref
        if heat is not None:
            inflated = suspects.inflated(
                heat, shop=shop, starts_at_ms=clock.to_ms(start), minutes=minutes, room_ref=room_ref,
                author=author,
            )  # fmt: skip
            return list(msgspec.to_builtins(inflated))
        planned = demand.plan_broadcast_orders(
            shop=shop,
            products=catalogue.products("doudian"),
            starts_at_ms=clock.to_ms(start),
            ends_at_ms=clock.to_ms(end),
            until_ms=clock.to_ms(clock.now()),
            orders=demand.orders_of_broadcast(self._rng, scale=self._scale),
            seed=self._rng.randrange(2**31),
            room_ref=room_ref,
            author_ref=author,
            author_name=stage_name,
        )
        return list(msgspec.to_builtins(planned))

    async def _check(self, broadcast: Broadcast, stage_name: str, at: datetime) -> None:
        """She ticks her list, as every streamer does."""
        herself = Actor(
            kind="streamer", id=broadcast.streamer_id, name=stage_name, centre_id=self._world.centre_id
        )
        wanted = await prechecks.standing(broadcast.id)
        await prechecks.sign(broadcast.public_id, ticked=wanted.items, role="anchor", actor=herself, now=at)

    async def _broadcast(self, room: str, stage_name: str, start: datetime, minutes: int) -> Broadcast:
        wish = Wish(
            room=self._world.rooms[room],
            bureau_id=self._world.bureau_ids[self._rng.randrange(len(self._world.bureau_ids))],
            title=f"{stage_name}的直播间",
            starts_at=start,
            minutes=minutes,
            streamer=self._world.streamers[stage_name],
        )
        asked = start - timedelta(days=2)
        try:
            wanted = await booking.request(wish, actor=self._clerk, now=asked)
        except LivehubError:  # she is on in another room at that hour: somebody else takes the slot
            free = msgspec.structs.replace(wish, streamer=self._world.streamers[self._other(stage_name)])
            wanted = await booking.request(free, actor=self._clerk, now=asked)
        await booking.approve(wanted.public_id, actor=self._clerk, now=asked + timedelta(hours=3))
        await outbox.hand_out(now=clock.now(), limit=500)
        return await Broadcast.get(booking_id=wanted.id)

    def _other(self, stage_name: str) -> str:
        names = [name for name, _, _ in cast.STREAMERS if name != stage_name]
        return names[self._rng.randrange(len(names))]

    async def _vouchers(self, broadcast: Broadcast, start: datetime) -> None:
        template = await Template.get(public_id=self._world.template_ref)
        opened = start + timedelta(minutes=20)
        drop = await drops.plan(
            broadcast.id,
            template_id=template.id,
            quantity=DROPPED,
            window_s=1200,
            actor=self._clerk,
            now=opened,
        )
        await drops.open_drop(drop.id, actor=self._clerk, now=opened)
        links = await vouchers.links_of(broadcast.id)
        store = await Store.get(public_id=self._world.store_ref)
        for n in range(DROPPED):
            if self._rng.random() > CLAIMED or not links:
                continue
            at = opened + timedelta(seconds=20 * n)
            phone = f"171{secrets.randbelow(10**8):08d}"
            person = await identity.enter(phone, centre_id=self._world.centre_id, now=at)
            claimed = await self._claims.claim(
                links[0].slug, claimant=person, key=secrets.token_hex(8), now=at
            )
            self.past.claims += 1
            if self._rng.random() <= USED:
                await self._use(claimed.voucher, store, at + timedelta(hours=self._rng.randrange(1, 60)))
        await drops.close_drop(drop.id, actor=self._clerk, now=opened + timedelta(minutes=20))

    async def _use(self, voucher: str, store: Store, at: datetime) -> None:
        if at > clock.now():
            return
        order_fen = self._world.threshold_fen + self._rng.randrange(15_000)
        used = await self._redeems.redeem(
            codes.qr(voucher, now=at),
            merchant_id=self._world.merchant_id,
            store_id=store.id,
            order_fen=order_fen,
            key=secrets.token_hex(8),
            actor=self._till,
            now=at,
        )
        self.past.redemptions.append(Redeemed(order_fen, used.subsidy_fen, offline=True))


async def is_told(world: Seeded) -> bool:
    """Whether this world has a past already."""
    row = await database.fetch_one(
        "SELECT count(*) AS n FROM broadcast WHERE centre_id = $1", world.centre_id
    )
    return bool(row and row["n"])
