"""Any sequence of claims, redemptions, drops of time and closings keeps every invariant and matches a plain model."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub import process
from livehub.kit import invariants
from livehub.settings import Settings
from livehub.vouchers import campaigns, latch, ledger, rounds
from livehub.vouchers.claims import Claimed
from livehub.vouchers.errors import VoucherRefused
from livehub.vouchers.models import Account, Voucher
from livehub.vouchers.redemptions import Redeemed
from tests.factories.vouchers import NOW, a_claimant, a_kind
from tests.vouchers.test_redemptions import Till, a_till

PEOPLE = 4
QUANTITY = 5
FACE, THRESHOLD = 2000, 2000
DAYS = 3  # of validity, and until the claim window ends
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.integers(0, PEOPLE - 1), st.integers(0, 2)),
        st.tuples(st.just("redeem"), st.integers(0, QUANTITY - 1), st.integers(THRESHOLD - 1, THRESHOLD + 2)),
        st.tuples(st.just("wait"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("pause"), st.just(0), st.just(0)),
        st.tuples(st.just("close"), st.just(0), st.just(0)),
    ),
    min_size=4,
    max_size=14,
)


class Model:
    """What must come of it, in the plainest words."""

    def __init__(self) -> None:
        self.answered: dict[tuple[int, int], str] = {}
        self.taken: dict[int, int] = {}
        self.until: dict[str, int] = {}
        self.day = 0
        self.paused = self.closed = False
        self.used: dict[str, int] = {}

    def may_claim(self, person: int) -> bool:
        is_open = not (self.paused or self.closed) and self.day < DAYS
        return is_open and self.taken.get(person, 0) < 2 and len(self.until) < QUANTITY

    def subsidy(self, voucher: str, order_fen: int) -> int:
        """0: refused."""
        if voucher in self.used or self.day >= self.until[voucher] or order_fen < THRESHOLD:
            return 0
        return min(FACE, order_fen - 1)


async def _step(till: Till, model: Model, people: list, n: int, action: tuple[str, int, int]) -> None:
    kind, first, second = action
    world, now = till.world, NOW + timedelta(days=model.day, minutes=11 * n)
    if kind == "claim":
        latch.clear()
        answer = await _tried(
            till.claims.claim(world.link.slug, claimant=people[first], key=f"k{second}", now=now)
        )
        if (first, second) in model.answered:
            assert isinstance(answer, Claimed)
            assert (answer.voucher, answer.hit) == (model.answered[first, second], True)
        elif model.may_claim(first):
            assert isinstance(answer, Claimed)
            model.answered[first, second] = answer.voucher
            model.taken[first] = model.taken.get(first, 0) + 1
            model.until[answer.voucher] = model.day + DAYS
        else:
            assert isinstance(answer, VoucherRefused)
    elif kind == "redeem" and first < len(model.until):
        voucher = list(model.until)[first]
        expected = model.subsidy(voucher, second)
        answer = await _tried(till.redeem(await Voucher.get(public_id=voucher), second, key=f"r{n}", now=now))
        if expected:
            assert isinstance(answer, Redeemed)
            assert answer.subsidy_fen == expected
            model.used[voucher] = expected
        else:
            assert isinstance(answer, VoucherRefused)
    elif kind == "wait":
        model.day += first
    elif kind == "pause":
        verb = campaigns.resume if model.paused else campaigns.pause
        await verb(world.campaign.id, actor=world.officer, now=now)
        model.paused = not model.paused
    elif kind == "close" and not model.closed:
        await rounds.close_round(world.round.id, actor=world.officer, now=now)
        model.closed = True


async def _tried(work) -> object:
    try:
        return await work
    except VoucherRefused as refusal:
        return refusal


async def _agree(till: Till, model: Model) -> None:
    sums = await ledger.balances(till.world.campaign.id)
    held = FACE * (len(model.until) - len(model.used))
    paid = sum(model.used.values())
    rest = FACE * (QUANTITY - len(model.until))
    assert sums[Account.HELD] == held
    assert sums[Account.PAYABLE] == paid
    assert sums[Account.UNISSUED] == (0 if model.closed else rest)
    assert sums[Account.RELEASED] == FACE * len(model.used) - paid + (rest if model.closed else 0)
    assert ledger.is_conserved(sums)


async def _play(settings: Settings, actions: list[tuple[str, int, int]]) -> None:
    latch.clear()
    EXECUTOR_CACHE.clear()  # Tortoise keeps one engine's SQL by the connection's name
    await process.start(settings)
    try:
        kind = a_kind(
            face_fen=FACE,
            threshold_fen=THRESHOLD,
            quantity=QUANTITY,
            validity_n=DAYS,
            rules={"per_person": {"limit": 2}},
        )
        model = Model()
        async with a_till(settings, kind) as till:
            people = [await a_claimant(till.world) for _ in range(PEOPLE)]
            for n, action in enumerate(actions):
                await _step(till, model, people, n, action)
                await _agree(till, model)
        for each in invariants.discover(["livehub.vouchers"]):
            assert await each.check() == []
    finally:
        await process.stop()


def test_sequences_match_the_model(settings: Settings) -> None:
    @hypothesis_settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(ACTIONS)
    def run(actions: list[tuple[str, int, int]]) -> None:
        asyncio.run(_play(settings, actions))

    run()
