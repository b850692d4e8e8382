"""Any sequence of claims of packs, uses, refunds, sweeps and a closing keeps every invariant and a plain model."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub import database, process
from livehub.kit import invariants
from livehub.settings import Settings
from livehub.vouchers import expiry, latch, ledger, refunds, rounds
from livehub.vouchers.claims import Claimed
from livehub.vouchers.errors import VoucherRefused
from livehub.vouchers.models import Account, Template, Voucher
from livehub.vouchers.redemptions import Redeemed
from tests.factories.vouchers import NOW, a_claimant, a_pack, an_item
from tests.vouchers.test_redemptions import Till, a_till

PEOPLE, PACKS = 4, 3
DAYS = 3  # of validity, and until the claim window ends
ITEMS = (
    an_item(5, 20, n=2, validity_n=DAYS, merchants_only=True),
    an_item(30, 100, validity_n=DAYS, merchants_only=True),
)
PACK_FEN = sum(item.face_fen * item.n for item in ITEMS)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.integers(0, PEOPLE - 1), st.integers(0, 1)),
        st.tuples(st.just("use"), st.integers(0, 3 * PACKS - 1), st.integers(-1, 1)),
        st.tuples(st.just("refund"), st.integers(0, 3 * PACKS - 1), st.just(0)),
        st.tuples(st.just("wait"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("sweep"), st.just(0), st.just(0)),
        st.tuples(st.just("close"), st.just(0), st.just(0)),
    ),
    min_size=4,
    max_size=14,
)


class Held:
    """One voucher of a pack, as it must be."""

    def __init__(self, public_id: str, face_fen: int, threshold_fen: int, until: int) -> None:
        self.public_id, self.face_fen, self.threshold_fen = public_id, face_fen, threshold_fen
        self.until, self.state, self.redemption = until, "issued", ""


class Model:
    """What must come of it, in the plainest words."""

    def __init__(self) -> None:
        self.answered: dict[tuple[int, int], tuple[str, ...]] = {}
        self.vouchers: list[Held] = []
        self.day = 0
        self.closed = False

    def may_claim(self, person: int) -> bool:
        has_one = any(who == person for who, _ in self.answered)
        return not (self.closed or has_one) and self.day < DAYS and len(self.answered) < PACKS

    def fen(self, state: str) -> int:
        return sum(each.face_fen for each in self.vouchers if each.state == state)


async def _step(till: Till, model: Model, people: list, n: int, action: tuple[str, int, int]) -> None:
    kind, first, second = action
    now = NOW + timedelta(days=model.day, minutes=5 * n)
    if kind == "claim":
        await _claim(till, model, people[first], (first, second), now)
    elif kind == "use" and first < len(model.vouchers):
        await _use(till, model, model.vouchers[first], n, second, now)
    elif kind == "refund" and first < len(model.vouchers):
        await _refund(till, model, model.vouchers[first], n, now)
    elif kind == "wait":
        model.day += first
    elif kind == "sweep":
        await expiry.sweep(now=now)
        for each in model.vouchers:
            if each.state == "issued" and model.day >= each.until:
                each.state = "expired"
    elif kind == "close" and not model.closed:
        await rounds.close_round(till.world.round.id, actor=till.world.officer, now=now)
        model.closed = True


async def _claim(till: Till, model: Model, who, key: tuple[int, int], now: datetime) -> None:
    latch.clear()
    answer = await _tried(till.claims.claim(till.world.link.slug, claimant=who, key=f"k{key[1]}", now=now))
    if key in model.answered:
        assert isinstance(answer, Claimed)
        assert (tuple(_names(answer)), answer.hit) == (model.answered[key], True)
    elif model.may_claim(key[0]):
        assert isinstance(answer, Claimed)
        given = [answer, *answer.more]
        assert [each.face_fen for each in given] == [500, 500, 3000]
        model.answered[key] = tuple(_names(answer))
        model.vouchers += [
            Held(each.voucher, each.face_fen, each.threshold_fen, model.day + DAYS) for each in given
        ]
    else:
        assert isinstance(answer, VoucherRefused)


async def _use(till: Till, model: Model, held: Held, n: int, more_fen: int, now: datetime) -> None:
    order_fen = held.threshold_fen + more_fen
    answer = await _tried(
        till.redeem(
            await Voucher.get(public_id=held.public_id), order_fen, key=f"u{n}", receipt_no=f"r{n}", now=now
        )
    )
    if held.state == "issued" and model.day < held.until and more_fen >= 0:
        assert isinstance(answer, Redeemed)
        assert answer.subsidy_fen == held.face_fen
        held.state, held.redemption = "redeemed", answer.redemption
    else:
        assert isinstance(answer, VoucherRefused)


async def _refund(till: Till, model: Model, held: Held, n: int, now: datetime) -> None:
    if held.state != "redeemed":
        return
    done = await database.unit(
        lambda: refunds.refund(
            held.redemption, refund_no=f"T{n}", key=f"t{n}", source="till", actor=till.cashier, now=now
        )
    )
    assert done.clawback_fen == held.face_fen
    held.state = "issued" if model.day < held.until else "refunded"


def _names(claimed: Claimed) -> list[str]:
    return [each.voucher for each in (claimed, *claimed.more)]


async def _tried(work) -> object:
    try:
        return await work
    except VoucherRefused as refusal:
        return refusal


async def _agree(till: Till, model: Model) -> None:
    sums = await ledger.balances(till.world.campaign.id)
    rest = PACK_FEN * (PACKS - len(model.answered))
    assert sums[Account.HELD] == model.fen("issued")
    assert sums[Account.PAYABLE] == model.fen("redeemed")
    assert sums[Account.UNISSUED] == (0 if model.closed else rest)
    assert sums[Account.RELEASED] == (
        model.fen("expired") + model.fen("refunded") + (rest if model.closed else 0)
    )
    assert ledger.is_conserved(sums)
    templates = await Template.filter(round_id=till.world.round.id).order_by("id")
    assert [each.issued for each in templates] == [2 * len(model.answered), len(model.answered)]


async def _play(settings: Settings, actions: list[tuple[str, int, int]]) -> None:
    latch.clear()
    EXECUTOR_CACHE.clear()  # Tortoise keeps one engine's SQL by the connection's name
    await process.start(settings)
    try:
        model = Model()
        async with a_till(settings, a_pack(*ITEMS, quantity=PACKS)) as till:
            people = [await a_claimant(till.world) for _ in range(PEOPLE)]
            for n, action in enumerate(actions):
                await _step(till, model, people, n, action)
                await _agree(till, model)
        for each in invariants.discover(["livehub.vouchers"]):
            assert await each.check() == []
    finally:
        await process.stop()


def test_sequences_of_packs_match_the_model(settings: Settings) -> None:
    @hypothesis_settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(ACTIONS)
    def run(actions: list[tuple[str, int, int]]) -> None:
        asyncio.run(_play(settings, actions))

    run()
