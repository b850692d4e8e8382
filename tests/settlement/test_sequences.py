"""Any interleaving of uses, refunds, runs and payments: each fen stands once, and the ledger says the same."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub import database, process
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.settings import Settings
from livehub.settlement import (
    amounts,
    batches,
    closing,
    holds,
    queries,
    repayment_queries,
    repayments,
    responses,
)
from livehub.settlement.models import SettlementBatch
from livehub.settlement.repayment_models import SettlementRepayment
from livehub.vouchers import latch, ledger
from livehub.vouchers.models import Account, Redemption
from tests.factories.vouchers import NOW
from tests.settlement.merchants import DAY, D, Town, a_town, broken

FACES = (1_999, 3_500)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.integers(0, 1), st.sampled_from(FACES)),
        st.tuples(st.just("refund"), st.integers(0, 5), st.sampled_from((0, 0, 1, 3_333))),
        st.tuples(st.just("day"), st.just(0), st.just(0)),
        st.tuples(
            st.sampled_from(("submit", "confirm", "dispute", "reopen", "pay")), st.integers(0, 3), st.just(0)
        ),
        st.tuples(st.just("repay"), st.integers(0, 3), st.sampled_from((0, 1, 1_999))),
        st.tuples(st.sampled_from(("received", "withdraw")), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("hold"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("lift"), st.just(0), st.just(0)),
    ),
    min_size=6,
    max_size=22,
)


async def _play(settings: Settings, actions: list[tuple[str, int, int]]) -> None:
    latch.clear()
    EXECUTOR_CACHE.clear()  # Tortoise keeps one engine's SQL by the connection's name
    await process.start(settings)
    try:
        async with a_town(settings, *FACES, quantity=30) as town:
            days = 0
            for n, action in enumerate(actions):
                days += action[0] == "day"
                try:
                    await _step(town, n, action, days=days)
                except LivehubError:
                    continue
            await _agree(town)
            await _finish(town, days=days)
    finally:
        await process.stop()


async def _step(town: Town, n: int, action: tuple[str, int, int], *, days: int) -> None:
    kind, first, second = action
    now = NOW + days * DAY + timedelta(minutes=11 * n)
    if kind == "use":
        await town.used((town.first, town.second)[first], second, now=now)
    elif kind == "refund":
        rows = await Redemption.filter(campaign_id=town.till.world.campaign.id).order_by("id")
        if first < len(rows):
            await town.refunded(rows[first].public_id, second or None, now=now, no=f"T{n}")
    elif kind == "day":
        await town.run(D + (days - 1) * DAY)
    elif kind == "hold":
        rows = await Redemption.filter(campaign_id=town.till.world.campaign.id).order_by("-id")
        if first < len(rows):
            await holds.place(redemption=rows[first].public_id, reason="核对", actor=town.clerk, now=now)
    elif kind == "lift":
        for each in await queries.holds(town.clerk.centre_id):
            await holds.lift(each.id, actor=town.payer, now=now)
    elif kind in ("repay", "received", "withdraw"):
        await _paid_back(town, n, action, now=now)
    else:
        found = await _batches(town).order_by("-id")
        if first < len(found):
            await _stepped(town, kind, found[first].public_id, now=now)


async def _paid_back(town: Town, n: int, action: tuple[str, int, int], *, now: datetime) -> None:
    kind, first, fen = action
    if kind == "repay":
        debts = await repayment_queries.debts(actor=town.clerk)
        if first < len(debts):
            await repayments.note(
                debts[first].batch,
                amount_fen=fen or debts[first].owed_fen,
                reference=f"S{n}",
                received_on=clock.local_day(now),
                actor=town.clerk,
                now=now,
            )
        return
    found = await SettlementRepayment.filter(campaign_id=town.till.world.campaign.id).order_by("-id")
    if first >= len(found):
        return
    if kind == "received":
        await repayments.confirm(found[first].public_id, actor=town.payer, now=now)
    else:
        await repayments.withdraw(found[first].public_id, reason="记错", actor=town.clerk, now=now)


async def _stepped(town: Town, kind: str, batch: str, *, now) -> None:
    match kind:
        case "submit":
            await batches.submit(batch, actor=town.clerk, now=now)
        case "confirm":
            await responses.confirm(batch, reason="电话", actor=town.clerk, now=now)
        case "dispute":
            await responses.dispute(batch, reason="不对", actor=town.clerk, now=now)
        case "reopen":
            await batches.reopen(batch, answer="核对过", actor=town.clerk, now=now)
        case "pay":
            await batches.pay(batch, reference="P", actor=town.payer, now=now)


async def _agree(town: Town) -> None:
    sums = await ledger.balances(town.till.world.campaign.id)
    assert ledger.is_conserved(sums)
    assert sums[Account.RECEIVABLE] <= 0
    assert min(fen for kind, fen in sums.items() if kind not in ledger.MAY_BE_NEGATIVE) >= 0
    assert await broken() == []


async def _finish(town: Town, *, days: int) -> None:
    """With all holds lifted and all batches paid, merchants have what was used less what came back."""
    later = NOW + (days + 1) * DAY
    await _step(town, 0, ("lift", 0, 0), days=days)
    await town.run(D + days * DAY)
    for batch in await _batches(town).exclude(state="paid").order_by("id"):
        for kind in ("reopen", "submit", "confirm", "pay"):
            try:
                await _stepped(town, kind, batch.public_id, now=later)
            except LivehubError:
                continue
    await _agree(town)
    assert await _batches(town).exclude(state="paid").count() == 0
    (rows,) = await database.fetch(
        "SELECT coalesce(sum(subsidy_fen - recovered_fen), 0) AS net_fen, count(*) AS used FROM redemption"
        " WHERE campaign_id = $1",
        town.till.world.campaign.id,
    )
    sums = await ledger.balances(town.till.world.campaign.id)
    assert sums[Account.PAYABLE] == 0
    assert sums[Account.PAID] + sums[Account.RECEIVABLE] == int(rows["net_fen"])
    (lines,) = await database.fetch(
        "SELECT count(*) AS n FROM settlement_line l JOIN settlement_batch b ON b.id = l.batch_id"
        " WHERE l.refund_id = 0 AND b.campaign_id = $1",
        town.till.world.campaign.id,
    )
    assert int(lines["n"]) == int(rows["used"])
    assert (await town.run(D + days * DAY)).lines == 0
    assert await closing.settle_due(now=later) == 0  # the campaign runs


def _batches(town: Town):
    return SettlementBatch.filter(campaign_id=town.till.world.campaign.id)


def test_sequences_settle_each_fen_once(settings: Settings) -> None:
    @hypothesis_settings(max_examples=12, deadline=None, derandomize=True, database=None)
    @given(ACTIONS)
    def run(actions: list[tuple[str, int, int]]) -> None:
        asyncio.run(_play(settings, actions))

    run()


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_payment_is_never_negative_and_no_fen_is_lost(
    used: int, back: int, late: int, carried: int
) -> None:
    found = amounts.reckon(
        redeemed_fen=used, recovered_fen=min(used, back), late_fen=late, carried_in_fen=carried
    )

    assert found.pay_fen >= 0
    assert found.net_fen == 0 or found.net_fen <= carried + late
    left = carried + late - found.net_fen
    assert found.pay_fen - left == used - min(used, back) - late - carried
    assert found.pay_fen == 0 or left == 0
