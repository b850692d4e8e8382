"""The two schemes that were met: a merchant that cashes vouchers out at night, a show that buys from itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from livehub import database
from livehub.inbox import recording
from livehub.kit import clock, ids
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
from livehub.vouchers.identity import ClaimantRef
from rooms.models import Broadcast, BroadcastState
from tests.factories.facts import record_own
from tests.factories.vouchers import NOW, a_broadcast, a_claimant
from tests.settlement.merchants import DAY, Counter, D, Town
from tests.vouchers.test_matching import the_shop

FACES = (1_000, 1_001, 1_002)  # three kinds of voucher, so that one phone has three
NIGHT = clock.at_local(D + DAY, hour=2)
PHONES = 12


async def use(
    town: Town,
    counter: Counter,
    claimant: ClaimantRef,
    template: int,
    order_fen: int,
    *,
    claimed_at: datetime,
    at: datetime,
) -> str:
    """One voucher claimed and used: the redemption's public id."""
    voucher = await town.till.voucher(
        claimant, template=template, key=f"c{claimant.id}.{template}", at=claimed_at
    )
    done = await town.till.redeem(
        voucher,
        order_fen,
        merchant_id=counter.merchant.id,
        store_id=counter.store.id,
        actor=counter.cashier,
        key=f"k{voucher.id}",
        receipt_no=f"R{voucher.id}",
        now=at,
    )
    return done.redemption


async def cash_out(town: Town, counter: Counter, *, phones: int = PHONES) -> list[str]:
    """Twelve phones, three vouchers each, exactly the threshold, between two and four, within a minute."""
    people = [await a_claimant(town.till.world) for _ in range(phones)]
    made = []
    for n in range(phones * len(FACES)):
        at = NIGHT + timedelta(minutes=3 * n)
        kind = town.till.world.templates[n % len(FACES)]
        made.append(
            await use(
                town,
                counter,
                people[n // len(FACES)],
                n % len(FACES),
                kind.threshold_fen,
                claimed_at=at - timedelta(seconds=45 + n % 40),
                at=at,
            )
        )
    return made


async def honest_day(town: Town, counter: Counter, *, uses: int = 24) -> list[str]:
    """As many people, one voucher each, claimed in the evening, used the next day at lunch."""
    return [
        await use(
            town,
            counter,
            await a_claimant(town.till.world),
            n % len(FACES),
            7_310 + 170 * n,
            claimed_at=NOW + timedelta(seconds=n),
            at=clock.at_local(D + DAY, hour=11) + timedelta(minutes=11 * n),
        )
        for n in range(uses)
    ]


async def fake_heat(town: Town, *, orders: int = 599, theirs: int = 586, kept: int = 5) -> Broadcast:
    """A show that ended: nearly all orders from four buyers, all but a few refunded or closed."""
    show = await a_broadcast(town.till.world, state=BroadcastState.ENDED)
    shop = await the_shop(town.till)
    buyers = [f"straw{n % 4}" if n < theirs else f"buyer{n}" for n in range(orders)]
    await told(
        shop,
        [
            an_order(
                show, shop.shop_ref, n, buyer, "paid" if n >= orders - kept else ("closed", "refunded")[n % 2]
            )
            for n, buyer in enumerate(buyers)
        ],
    )
    return show


async def honest_show(town: Town, *, orders: int = 80) -> Broadcast:
    """A show with as many buyers as orders, an eighth of them refunded or closed."""
    show = await a_broadcast(town.till.world, state=BroadcastState.ENDED)
    shop = await the_shop(town.till)
    fates = ["refunded", "closed", *["paid"] * 14]
    await told(
        shop,
        [an_order(show, shop.shop_ref, n, f"guest{n}", fates[n % 16]) for n in range(1_000, 1_000 + orders)],
    )
    return show


def an_order(show: Broadcast, shop_ref: str, n: int, buyer: str, fate: str) -> Event:
    """One order of a show: paid, refunded whole, or closed without payment."""
    at = clock.to_ms(NOW) + 1_000 * n
    paid = None if fate == "closed" else at
    refund = RefundSnapshot(
        refund_ref=f"R{n}",
        kind=RefundKind.REFUND_ONLY,
        status=RefundStatus.SUCCEEDED,
        refunded_fen=15_920,
        succeeded_at=at + 60_000,
        updated_at=at + 60_000,
    )
    return Event(
        type=EventType.ORDER_UPDATED,
        shop_ref=shop_ref,
        order_ref=f"H{n}",
        status_at=at,
        paid_at=paid,
        order=OrderSnapshot(
            status=OrderStatus.CANCELLED if fate == "closed" else OrderStatus.PAID,
            lines=(Line(line_ref="1", quantity=1, list_fen=15_920, buyer_paid_fen=15_920),),
            created_at=at,
            paid_at=paid,
            cancelled_at=at + 1 if fate == "closed" else None,
            updated_at=at,
            buyer_id=buyer,
            broadcast_ref=show.public_id,
        ),
        refunds=(refund,) if fate == "refunded" else (),
    )


async def told(shop, events: list[Event]) -> None:
    """Through the inbox and intake, as any order."""
    async with database.transaction():
        await record_own(
            [
                recording.OwnFact(
                    centre_id=shop.centre_id,
                    platform=shop.platform,
                    shop_ref=shop.shop_ref,
                    order_ref=event.order_ref,
                    native_type=str(event.type),
                    native_id=f"{event.order_ref}.{ids.public_id()}",
                    event=event,
                )
                for event in events
            ],
            now=NOW,
        )
    while await intake.run_once(now=NOW + DAY, lease_seconds=30):
        pass
