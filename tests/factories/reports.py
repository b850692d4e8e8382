"""A bureau's May with all a report speaks of: a show, sales with refunds, vouchers that were used, settlement."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from livehub import database
from livehub.accounts import chain
from livehub.accounts.actors import Actor
from livehub.accounts.models import Centre, Role
from livehub.inbox.recording import OwnFact
from livehub.kit import clock
from livehub.merchants.models import Product, ProductMap
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
from livehub.reports import composing, forms
from livehub.reports.basis import Axis, Basis
from livehub.reports.forms import Ask, Document, Figure
from livehub.reports.packs import building
from livehub.reports.packs.building import Pack, Stretch
from livehub.settings import Settings
from rooms import onair
from rooms.models import Broadcast, BroadcastAccount
from tests.factories.accounts import an_actor
from tests.factories.facts import record_own
from tests.factories.merchants import a_product
from tests.factories.platforms import a_shop
from tests.factories.rooms import House, a_broadcast, a_room
from tests.factories.streamers import a_streamer
from tests.factories.vouchers import NOW
from tests.settlement.merchants import Town, a_town

SINCE, UNTIL = date(2026, 5, 1), date(2026, 6, 1)
START = NOW - timedelta(hours=3)  # of the show: 17:00 on 20 May
_numbers = itertools.count(7_300_000_000_000_000_017)
AS_OF = NOW + timedelta(days=20)


class Books(Struct, kw_only=True):
    """What a report of the bureau is made of."""

    town: Town
    house: House
    shop: Shop
    show: Broadcast
    products: list[Product]
    room: str  # of the show on its platform

    @property
    def officer(self) -> Actor:
        return self.house.officers[0]

    def ask(self, *, as_of: datetime = AS_OF, axis: Axis = Axis.EVENT, basis: Basis = Basis.G3, campaign: str = "") -> Ask:  # fmt: skip
        bureau = self.house.bureaus[0]
        return Ask(
            centre_id=self.house.centre.id, centre=self.house.centre.name, bureau_id=bureau.id,
            bureau=bureau.public_id, bureau_name=bureau.name, since=SINCE, until=UNTIL, axis=axis, basis=basis,
            as_of=as_of, campaign=campaign,
        )  # fmt: skip

    async def sell(
        self,
        order_ref: str,
        *lines: tuple[str, int, int],
        paid_at: datetime = NOW,
        told_at: datetime | None = None,
        refunded: Mapping[str, int] | None = None,
        room: str = "",
        version: int = 0,
    ) -> None:
        """An order of lines (product_ref, fen, quantity), ``refunded`` by line; booked when it is told."""
        told = told_at or paid_at
        at, paid = clock.to_ms(told) + version, clock.to_ms(paid_at)
        order = OrderSnapshot(
            status=OrderStatus.PAID, created_at=paid, paid_at=paid, updated_at=at,
            lines=tuple(
                Line(line_ref=str(n), product_ref=ref, quantity=quantity, list_fen=fen, buyer_paid_fen=fen, room_ref=room)
                for n, (ref, fen, quantity) in enumerate(lines, start=1)
            ),
        )  # fmt: skip
        refunds = tuple(
            RefundSnapshot(
                refund_ref=f"{order_ref}/{line}", line_ref=line, kind=RefundKind.REFUND_ONLY,
                status=RefundStatus.SUCCEEDED, refunded_fen=fen, applied_at=at, succeeded_at=at, updated_at=at,
            )
            for line, fen in (refunded or {}).items()
        )  # fmt: skip
        event = Event(
            type=EventType.ORDER_PAID, shop_ref=self.shop.shop_ref, order_ref=order_ref, status_at=at,
            order=order, refunds=refunds,
        )  # fmt: skip
        fact = OwnFact(
            centre_id=self.shop.centre_id, platform=self.shop.platform, shop_ref=self.shop.shop_ref,
            order_ref=order_ref, native_type="order.paid", native_id=f"{order_ref}/{at}", event=event,
        )  # fmt: skip
        async with database.transaction():
            await record_own([fact], now=told)
        await book(told)


async def book(now: datetime) -> None:
    """Whatever waits in the inbox."""
    while await intake.run_once(now=now, lease_seconds=30):
        pass


@asynccontextmanager
async def an_empty_month(db: Settings) -> AsyncIterator[Books]:
    """The bureau, its campaign, its shop and its show; nothing was sold or used yet."""
    async with a_town(db, 2_000, 3_500) as town:
        bureau = town.till.world.bureau
        centre = await Centre.get(id=bureau.centre_id)
        manager, second = (an_actor(Role.MANAGER, centre_id=centre.id) for _ in range(2))
        house = House(
            centre=centre, bureaus=[bureau], officers=[town.till.world.officer], manager=manager, second=second,
            room=await a_room(centre), streamer=await a_streamer(centre),
        )  # fmt: skip
        show = await a_broadcast(house, START, now=START - timedelta(days=2), minutes=120)
        await database.unit(lambda: onair.start(show.public_id, actor=manager, now=START))
        room = str(next(_numbers))
        account = await BroadcastAccount.get(broadcast_id=show.id)
        await database.unit(
            lambda: onair.bind_room(
                show.public_id, platform=account.platform, account_ref=account.account_ref, room_ref=room,
                actor=manager, now=START,
            )
        )  # fmt: skip
        await database.unit(
            lambda: onair.end(show.public_id, actor=manager, now=START + timedelta(minutes=95, seconds=30))
        )
        shop = await a_shop(bureau)
        products = [await a_product(centre, name, papers=False) for name in ("沙虫干", "海鸭蛋")]
        await Product.filter(id=products[1].id).update(town="侨港镇", merchant_id=town.first.merchant.id)
        for ref, product in zip(("worm", "egg"), products, strict=True):
            await ProductMap.create(shop_id=shop.id, product_ref=ref, product_id=product.id)
        yield Books(town=town, house=house, shop=shop, show=show, products=products, room=room)


@asynccontextmanager
async def a_month(db: Settings) -> AsyncIterator[Books]:
    """Four orders, one in June; three uses of vouchers, one refunded in part and one whole."""
    async with an_empty_month(db) as books:
        day = timedelta(days=1)
        await books.sell("A", ("worm", 12_800, 1), ("egg", 3_000, 2), room=books.room)
        await books.sell("B", ("worm", 5_000, 1), paid_at=NOW + day)
        await books.sell(
            "B", ("worm", 5_000, 1), paid_at=NOW + day, told_at=NOW + 2 * day, refunded={"1": 2_000}
        )
        await books.sell("C", ("nobody knows", 700, 1), paid_at=NOW + 3 * day)
        await books.sell("D", ("egg", 9_900, 3), paid_at=NOW + 13 * day)
        town = books.town
        await town.used(town.first, 2_000)
        partly = await town.used(town.second, 3_500)
        whole = await town.used(town.first, 3_500)
        await town.refunded(partly, 4_000, now=NOW + day)
        await town.refunded(whole, now=NOW + day)
        await book(NOW + 2 * day)
        yield books


def figures(document: Document, table: str) -> dict[tuple[str, ...], dict[str, Figure]]:
    """Names of a row -> its figures by their heads."""
    (found,) = [each for each in document.tables if each.name == table]
    return {row.names: dict(zip(found.columns, row.figures, strict=True)) for row in found.rows}


def numbers(document: Document, table: str) -> dict[str, list[int | None]]:
    """First name of a row -> the numerators of its figures."""
    (found,) = [each for each in document.tables if each.name == table]
    return {row.names[0]: [each.numerator for each in row.figures] for row in found.rows}


async def composed(books: Books, kind: str, **changes: object) -> tuple[Ask, Document]:
    ask = books.ask(**changes)  # type: ignore[arg-type]  # what ``ask`` takes
    return ask, await composing.compose(ask, composing.kind(kind))


async def packed(books: Books, kind: str, folder: Path, **changes: object) -> Path:
    """An unsigned pack of a report on the disk, with the chain of the bureau as far as it is linked."""
    ask, document = await composed(books, kind, **changes)
    await linked()
    last = await chain.last_until(ask.bureau_id, ask.as_of)
    return await written(
        Pack(
            content=forms.encoded(document),
            ask=ask,
            signature={},
            stretch=Stretch(ask.bureau_id, min(1, last), last),
        ),
        folder / f"{kind}.zip",
    )


async def linked() -> None:
    while await chain.chain_tail(NOW):
        pass


async def written(pack: Pack, path: Path) -> Path:
    with path.open("wb") as file:
        async for piece in building.pieces(pack):
            file.write(piece.data)
    return path
