"""Merchants who redeem and refund on certain days, and finance's two people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.kit import clock, invariants
from livehub.merchants.models import Merchant, Store
from livehub.settings import Settings
from livehub.settlement import batches, collecting, responses
from livehub.settlement.models import SettlementBatch
from livehub.vouchers import enrolments, refunds
from livehub.vouchers.refunds import Refunded
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW, a_claimant, a_kind, a_merchant
from tests.vouchers.test_redemptions import Till, a_till

DAY = timedelta(days=1)
D = clock.local_day(NOW)
MORNING = clock.at_local(D + DAY, hour=6, minute=30)  # of the day after D


class Counter(Struct):
    """A merchant at her till."""

    merchant: Merchant
    store: Store
    cashier: Actor


class Town(Struct):
    """A campaign of a few kinds, two merchants, and those who settle with them."""

    till: Till
    faces: dict[int, int]  # face -> which template
    first: Counter
    second: Counter
    clerk: Actor  # finance, who submits
    payer: Actor  # finance, who pays

    async def used(self, counter: Counter, face_fen: int, *, now: datetime = NOW) -> str:
        """A voucher of this face, claimed on D, used on an order of 100 yuan: the redemption's public id."""
        voucher = await self.till.voucher(await a_claimant(self.till.world), template=self.faces[face_fen])
        done = await self.till.redeem(
            voucher,
            10_000,
            merchant_id=counter.merchant.id,
            store_id=counter.store.id,
            actor=counter.cashier,
            key=f"k{voucher.id}",
            receipt_no=f"R{voucher.id}",
            now=now,
        )
        return done.redemption

    async def refunded(
        self, redemption: str, fen: int | None = None, *, now: datetime = NOW, no: str = "T1"
    ) -> Refunded:
        return await database.unit(
            lambda: refunds.refund(
                redemption,
                refund_no=no,
                refund_fen=fen,
                key=f"{redemption}.{no}",
                source="desk",
                reason="顾客退货",
                actor=self.payer,
                now=now,
            )
        )

    async def run(self, day: date = D, *, now: datetime | None = None) -> collecting.Ran:
        return await collecting.run(
            day, actor=self.clerk, now=now or clock.at_local(day + DAY, hour=6, minute=30)
        )

    async def submit(self, batch: SettlementBatch, *, now: datetime = MORNING) -> SettlementBatch:
        return await database.unit(lambda: batches.submit(batch.public_id, actor=self.clerk, now=now))

    async def paid(self, batch: SettlementBatch, *, now: datetime = MORNING) -> SettlementBatch:
        """Submitted where it was not yet, confirmed by the merchant, and paid."""
        if batch.state == "draft":
            batch = await self.submit(batch, now=now)
        counter = self.first if batch.merchant_id == self.first.merchant.id else self.second
        await responses.confirm(batch.public_id, actor=counter.cashier, now=now)
        return await database.unit(
            lambda: batches.pay(batch.public_id, reference="P-1", actor=self.payer, now=now)
        )


@asynccontextmanager
async def a_town(db: Settings, *faces: int, quantity: int = 9) -> AsyncIterator[Town]:
    kinds = [
        a_kind(face_fen=face, threshold_fen=max(face, 2_000), quantity=quantity, validity_n=20)
        for face in faces
    ]
    async with a_till(db, *kinds) as till:
        world = till.world
        merchant, store = await a_merchant(world, "铁山港鱼档")
        await enrolments.enrol(world.campaign.id, merchant_id=merchant.id, actor=world.officer, now=NOW)
        scope = {"centre_id": world.bureau.centre_id}
        yield Town(
            till=till,
            faces={face: number for number, face in enumerate(faces)},
            first=Counter(till.merchant, till.store, till.cashier),
            second=Counter(merchant, store, an_actor(Role.MERCHANT, merchant_id=merchant.id, **scope)),
            clerk=an_actor(Role.FINANCE, **scope),
            payer=an_actor(Role.FINANCE, **scope),
        )


async def of(counter: Counter, day: date = D) -> SettlementBatch:
    return await SettlementBatch.get(merchant_id=counter.merchant.id, day=clock.day_number(day))


async def broken() -> list[str]:
    """What ``livehub audit`` finds wrong with vouchers and settlement."""
    return [
        line
        for each in invariants.discover(["livehub.vouchers", "livehub.settlement"])
        for line in await each.check()
    ]
