"""The past weeks' subsidies settled: paid, a late refund netted, one batch disputed, the last one sent."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from livehub import database
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.models import Role, User
from livehub.demo.seeding import Seeded
from livehub.kit import clock
from livehub.settlement import batches, collecting, responses
from livehub.settlement.models import BatchState, SettlementBatch
from livehub.vouchers import refunds
from livehub.vouchers.models import Redemption, RedemptionState

LATE_DAYS = 6  # ago, a customer brings something back that was paid for


async def tell(world: Seeded, *, days: int, today: date) -> int:
    """Settle each of so many days before today as it would have been; returns how many batches."""
    clerk, payer = [await person(world, role) for role in (Role.FINANCE, Role.MANAGER)]
    cashier = await person(world, Role.MERCHANT, merchant_id=world.merchant_id)
    made = 0
    for ago in range(days, 0, -1):
        day = today - timedelta(days=ago)
        if ago == LATE_DAYS:
            await _brought_back(world, clerk, at=clock.at_local(day, hour=11))
        morning = clock.at_local(day + timedelta(days=1), hour=6, minute=30)
        await collecting.run(day, actor=clerk, now=morning)
        for batch in await SettlementBatch.filter(
            centre_id=world.centre_id, day=clock.day_number(day), state=BatchState.DRAFT
        ):
            made += 1
            await _steps(batch.public_id, ago, clerk, payer, cashier, morning=morning)
    return made


async def _steps(
    batch: str, ago: int, clerk: Actor, payer: Actor, cashier: Actor, *, morning: datetime
) -> None:
    """Yesterday's waits for the merchant, the day's before is disputed, earlier ones are paid."""
    hour = timedelta(hours=1)
    await batches.submit(batch, actor=clerk, now=min(morning + 2 * hour, clock.now()))
    if ago == 1:
        return
    if ago == 2:
        await responses.dispute(
            batch, reason="少了一笔 22 点的核销，请核对", actor=cashier, now=morning + 3 * hour
        )
        return
    await responses.confirm(batch, actor=cashier, now=morning + 3 * hour)
    paper = f"ICBC{clock.local(morning):%Y%m%d}{ago:02d}"
    await batches.pay(batch, reference=paper, actor=payer, now=morning + 8 * hour)


async def _brought_back(world: Seeded, clerk: Actor, *, at: datetime) -> None:
    """A whole order comes back after its subsidy was paid: the merchant owes it, and it is netted."""
    found = (
        await Redemption.filter(
            merchant_id=world.merchant_id, state=RedemptionState.CAPTURED, settled_at__isnull=False
        )
        .order_by("-id")
        .first()
    )
    if found is not None:
        await database.unit(
            lambda: refunds.refund(
                found.public_id,
                refund_no="T-0601",
                key=f"demo-{found.public_id}",
                source="desk",
                reason="顾客退货",
                actor=clerk,
                now=at,
            )
        )


async def person(world: Seeded, role: Role, *, bureau_id: int = 0, merchant_id: int = 0) -> Actor:
    """Somebody of a role, as she logs in."""
    user = await User.get(login=world.logins[str(role)])
    grant = Grant(role, bureau_id=bureau_id, merchant_id=merchant_id)
    return Actor(kind="user", id=user.id, name=user.name, centre_id=world.centre_id, grants=(grant,))
