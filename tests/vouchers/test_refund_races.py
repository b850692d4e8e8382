"""Two at one redemption: whoever comes second finds what the first has done, and no fen is moved twice."""

from __future__ import annotations

import pytest

from livehub.settings import Settings
from livehub.vouchers import codes
from livehub.vouchers.after_models import RedemptionRefund
from livehub.vouchers.errors import AlreadyRefunded, AlreadyUsed
from livehub.vouchers.models import Account, Redemption, Template, Voucher
from livehub.vouchers.redemptions import Redeemed
from livehub.vouchers.refunds import Refunded
from tests.contention import kinds, meet
from tests.factories.vouchers import NOW, a_claimant
from tests.vouchers.test_redemptions import Till, a_till
from tests.vouchers.test_refunds import asked, broken, lies, used

VOUCHERS = "SELECT 1 FROM voucher FOR UPDATE"
ACCOUNTS = "SELECT 1 FROM ledger_account FOR UPDATE"  # what a refund writes last


def refunding(till: Till, redemption: str, number: str, refund_fen: int | None = None, key: str = ""):
    return lambda: asked(till, redemption, refund_fen, refund_no=number, key=key or number)


async def test_two_full_refunds_at_once_are_one(db: Settings) -> None:
    async with a_till(db) as till:
        _, redemption = await used(till)

        answers = await meet(db, VOUCHERS, *[refunding(till, redemption, n) for n in ("T1", "T2")])

        assert kinds(answers) == ["AlreadyRefunded", "Refunded"]
        assert await lies(till, Account.HELD, Account.PAYABLE) == (2_000, 0)
        assert (await Template.get()).redeemed == 0
        assert await broken() == []


async def test_two_parts_at_once_take_no_more_than_there_is(db: Settings) -> None:
    async with a_till(db) as till:
        _, redemption = await used(till)

        answers = await meet(
            db, ACCOUNTS, *[refunding(till, redemption, n, 6_000) for n in ("T1", "T2", "T3")]
        )

        assert kinds(answers) == ["RefundTooMuch", "RefundTooMuch", "Refunded"]
        assert (await Redemption.get()).refunded_fen == 6_000
        assert await lies(till, Account.RELEASED, Account.PAYABLE) == (1_200, 800)
        assert await broken() == []


@pytest.mark.parametrize("keys", [("k1", "k1"), ("k1", "k2")])
async def test_one_number_told_twice_at_once_is_one_refund(db: Settings, keys: tuple[str, str]) -> None:
    async with a_till(db) as till:
        _, redemption = await used(till)

        answers = await meet(
            db, ACCOUNTS, *[refunding(till, redemption, "T1", 4_000, key=key) for key in keys]
        )

        assert kinds(answers) == ["Refunded", "Refunded"]
        assert sorted(each.hit for each in answers) == [False, True]
        assert await RedemptionRefund.all().count() == 1
        assert await lies(till, Account.RELEASED, Account.PAYABLE) == (800, 1_200)


async def test_one_key_for_two_redemptions_at_once_counts_for_one(db: Settings) -> None:
    async with a_till(db) as till:
        _, first = await used(till)
        _, second = await used(till, receipt_no="R2", key="tap2")

        answers = await meet(
            db, ACCOUNTS, *[refunding(till, each, "T1", 4_000, key="k") for each in (first, second)]
        )

        assert kinds(answers) == ["IdempotencyMismatch", "Refunded"]
        assert await RedemptionRefund.all().count() == 1


async def test_a_voucher_that_comes_back_is_used_once_more_by_one_of_two_tills(db: Settings) -> None:
    async with a_till(db, workers=2) as till:
        voucher, redemption = await used(till)
        await asked(till, redemption)

        answers = await meet(
            db,
            VOUCHERS,
            *[
                lambda n=n: till.redeem(voucher, 10_000, desk=n, key=f"again{n}", receipt_no=f"N{n}")
                for n in range(2)
            ],
        )

        assert kinds(answers) == ["AlreadyUsed", "Redeemed"]
        assert await lies(till, Account.HELD, Account.PAYABLE) == (0, 2_000)
        assert await broken() == []


async def test_a_refund_against_the_next_use_of_its_voucher(db: Settings) -> None:
    async with a_till(db) as till:
        voucher, redemption = await used(till)
        text = codes.qr(voucher.public_id, now=NOW)

        answers = await meet(
            db,
            VOUCHERS,
            refunding(till, redemption, "T1"),
            lambda: till.redeem(text, 10_000, key="next", receipt_no="N1"),
            refunding(till, redemption, "T2"),
        )

        assert isinstance(answers[0], Refunded)
        assert isinstance(answers[1], (AlreadyUsed, Redeemed))
        assert isinstance(answers[2], AlreadyRefunded)
        assert await broken() == []


async def test_a_claimant_has_one_voucher_whatever_came_back(db: Settings) -> None:
    async with a_till(db) as till:
        claimant = await a_claimant(till.world)
        voucher = await till.voucher(claimant)
        for n in range(3):
            done = await till.redeem(
                await Voucher.get(id=voucher.id), 10_000, key=f"u{n}", receipt_no=f"N{n}"
            )
            await asked(till, done.redemption, refund_no=f"T{n}")
        assert await Redemption.all().count() == 3
        assert (await Template.get()).redeemed == 0
        assert await lies(till, Account.HELD, Account.PAYABLE) == (2_000, 0)
        assert await broken() == []
