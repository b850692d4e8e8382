"""Any sequence of uses, refunds, sweeps and days: the ledger is conserved and no fen of a subsidy is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub import process
from livehub.settings import Settings
from livehub.vouchers import expiry, funnel, latch, ledger, refund_policy, round_ends
from livehub.vouchers.errors import VoucherRefused
from livehub.vouchers.models import Account, Campaign, Redemption, Voucher
from livehub.vouchers.refund_policy import Used
from tests.factories.vouchers import NOW, a_claimant, a_kind
from tests.vouchers.test_redemptions import Till, a_till
from tests.vouchers.test_refunds import asked, broken

VOUCHERS, FACE, DAYS = 3, 1_999, 3
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.integers(0, VOUCHERS - 1), st.integers(2_000, 2_100)),
        st.tuples(st.just("refund"), st.integers(0, 5), st.integers(1, 2_100)),
        st.tuples(st.just("refund"), st.integers(0, 5), st.just(0)),  # all that is left
        st.tuples(st.just("wait"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("sweep"), st.just(0), st.just(0)),
    ),
    min_size=4,
    max_size=14,
)


async def _play(settings: Settings, preset: str, actions: list[tuple[str, int, int]]) -> None:
    latch.clear()
    EXECUTOR_CACHE.clear()  # Tortoise keeps one engine's SQL by the connection's name
    await process.start(settings)
    try:
        kind = a_kind(face_fen=FACE, threshold_fen=2_000, quantity=VOUCHERS + 1, validity_n=DAYS)
        async with a_till(settings, kind) as till:
            await Campaign.filter(id=till.world.campaign.id).update(refund_preset=preset)
            vouchers = [await till.voucher(await a_claimant(till.world)) for _ in range(VOUCHERS)]
            days = 0
            for n, action in enumerate(actions):
                days += action[1] if action[0] == "wait" else 0
                await _step(till, vouchers, n, action, now=NOW + timedelta(days=days, minutes=11 * n))
                await _agree(till, preset)
        assert await broken() == []
    finally:
        await process.stop()


async def _step(till: Till, vouchers: list[Voucher], n: int, action: tuple[str, int, int], *, now) -> None:
    kind, first, second = action
    try:
        if kind == "use":
            await till.redeem(vouchers[first], second, key=f"u{n}", receipt_no=f"N{n}", now=now)
        elif kind == "refund":
            rows = await Redemption.filter(campaign_id=till.world.campaign.id).order_by("id")
            if first < len(rows):
                await asked(till, rows[first].public_id, second or None, refund_no=f"T{n}", now=now)
        elif kind == "sweep":
            await round_ends.close_due(now=now)
            await expiry.sweep(now=now)
            await round_ends.finish_due(now=now)
    except VoucherRefused:
        return


async def _agree(till: Till, preset: str) -> None:
    sums = await ledger.balances(till.world.campaign.id)
    rows = await Redemption.filter(campaign_id=till.world.campaign.id)
    rule = refund_policy.registry()[preset]
    assert ledger.is_conserved(sums)
    assert min(fen for kind, fen in sums.items() if kind is not Account.TREASURY) >= 0
    assert sums[Account.PAYABLE] == sum(row.subsidy_fen - row.recovered_fen for row in rows)
    for row in rows:
        assert row.recovered_fen == rule.recovered(Used(row.order_fen, row.subsidy_fen), row.refunded_fen)
    seen = await funnel.of(till.world.campaign.id, now=NOW)
    states = seen.issued + seen.locked + seen.redeemed + seen.refunded + seen.expired + seen.revoked
    assert seen.cap == seen.unclaimed + states
    assert sums[Account.HELD] == FACE * (seen.issued + seen.locked)


def test_sequences_lose_nothing(settings: Settings) -> None:
    @hypothesis_settings(max_examples=12, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from(sorted(refund_policy.registry())), ACTIONS)
    def run(preset: str, actions: list[tuple[str, int, int]]) -> None:
        asyncio.run(_play(settings, preset, actions))

    run()
