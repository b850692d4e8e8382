"""Refunds of a redeemed order: the split, the ledger, the voucher's fate, once however often it is asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import OutOfScope, PermissionMissing
from livehub.accounts.models import Role
from livehub.kit import invariants
from livehub.kit.errors import Invalid, NotFound
from livehub.settings import Settings
from livehub.vouchers import ledger, refunds, rounds
from livehub.vouchers.after_models import RedemptionRefund
from livehub.vouchers.errors import (
    AlreadyRefunded,
    AlreadyUsed,
    BudgetExhausted,
    IdempotencyMismatch,
    RefundTooLate,
    RefundTooMuch,
    SoldOut,
)
from livehub.vouchers.models import (
    Account,
    Campaign,
    Redemption,
    RedemptionState,
    Template,
    Voucher,
    VoucherState,
)
from livehub.vouchers.refund_reads import Fate
from livehub.vouchers.refunds import Refunded
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW, a_claimant, a_kind
from tests.vouchers.test_redemptions import Till, a_till

DAY = timedelta(days=1)
FUNDS = (Account.AVAILABLE, Account.HELD, Account.RELEASED, Account.PAYABLE, Account.RECEIVABLE)


async def asked(till: Till, redemption: str, refund_fen: int | None = None, **given) -> Refunded:
    """A refund at the till's merchant, as a unit of its own."""
    values = {
        "refund_no": "T1",
        "key": f"{redemption[:16]}.{given.get('refund_no', 'T1')}",
        "source": "till",
        "actor": till.cashier,
        "now": NOW,
    } | given
    return await database.unit(lambda: refunds.refund(redemption, refund_fen=refund_fen, **values))


async def lies(till: Till, *kinds: Account) -> tuple[int, ...]:
    sums = await ledger.balances(till.world.campaign.id)
    assert ledger.is_conserved(sums)
    return tuple(sums[kind] for kind in kinds or FUNDS)


async def broken() -> list[str]:
    return [each.name for each in invariants.discover(["livehub.vouchers"]) if await each.check()]


async def used(till: Till, order_fen: int = 10_000, **given) -> tuple[Voucher, str]:
    """A voucher that paid for an order, and the redemption's public id."""
    voucher = await till.voucher(await a_claimant(till.world))
    done = await till.redeem(voucher, order_fen, **given)
    return voucher, done.redemption


async def test_a_partial_refund_is_shared_and_the_voucher_stays_used(db: Settings) -> None:
    async with a_till(db) as till:
        voucher, redemption = await used(till)

        made = await asked(till, redemption, 5_000)

        assert (made.cash_fen, made.clawback_fen, made.left_fen) == (4_000, 1_000, 5_000)
        assert (made.restored, made.fate) == (False, Fate.PART)
        assert await lies(till, Account.HELD, Account.RELEASED, Account.PAYABLE) == (0, 1_000, 1_000)
        assert await broken() == []
    row = await Redemption.get(public_id=redemption)
    assert (row.state, row.refunded_fen, row.recovered_fen) == (
        RedemptionState.PARTIALLY_REFUNDED,
        5_000,
        1_000,
    )
    assert (await Voucher.get(id=voucher.id)).state is VoucherState.REDEEMED


async def test_a_full_refund_in_time_gives_the_voucher_back_with_its_old_expiry(db: Settings) -> None:
    async with a_till(db) as till:
        voucher, redemption = await used(till)

        made = await asked(till, redemption)
        again = await Voucher.get(id=voucher.id)

        assert (made.cash_fen, made.clawback_fen, made.restored) == (8_000, 2_000, True)
        assert (again.state, again.valid_until) == (VoucherState.ISSUED, voucher.valid_until)
        assert await lies(till, Account.HELD, Account.RELEASED, Account.PAYABLE) == (2_000, 0, 0)
        assert (await Template.get(id=till.world.template.id)).redeemed == 0
        second = await till.redeem(again, key="again", receipt_no="R2")
        assert second.redemption != redemption
        assert await lies(till, Account.HELD, Account.PAYABLE) == (0, 2_000)
        with pytest.raises(AlreadyRefunded):
            await asked(till, redemption, 1, refund_no="T2")
        assert await broken() == []


async def test_a_full_refund_after_the_expiry_releases_the_money(db: Settings) -> None:
    async with a_till(db) as till:
        voucher, redemption = await used(till)

        made = await asked(till, redemption, now=voucher.valid_until + timedelta(seconds=1))

        assert (made.cash_fen, made.clawback_fen, made.fate) == (8_000, 2_000, Fate.LATE)
        assert await lies(till, Account.HELD, Account.RELEASED, Account.PAYABLE) == (0, 2_000, 0)
        assert await broken() == []
    assert (await Voucher.get(id=voucher.id)).state is VoucherState.REFUNDED
    assert (await Redemption.get(public_id=redemption)).state is RedemptionState.REFUNDED
    assert (await Template.get(id=till.world.template.id)).redeemed == 1


async def test_an_order_refunded_in_parts_ends_exactly_and_never_gives_the_voucher_back(
    db: Settings,
) -> None:
    async with a_till(db, a_kind(face_fen=3_000)) as till:
        voucher, redemption = await used(till)

        made = [
            await asked(till, redemption, fen, refund_no=f"T{n}")
            for n, fen in enumerate((3_333, 3_333, 3_333, 1))
        ]

        assert [each.cash_fen for each in made] == [2_334, 2_333, 2_333, 0]
        assert [each.clawback_fen for each in made] == [999, 1_000, 1_000, 1]
        assert [each.fate for each in made] == [Fate.PART, Fate.PART, Fate.PART, Fate.PARTS]
        with pytest.raises(AlreadyRefunded):
            await asked(till, redemption, 1, refund_no="T5")
        again = await asked(till, redemption, 3_333, refund_no="T1", key="other")
        assert (again.hit, again.cash_fen, again.left_fen) == (True, 2_333, 3_334)
        assert await lies(till, Account.RELEASED, Account.PAYABLE) == (3_000, 0)
        assert await broken() == []
    assert (await Voucher.get(id=voucher.id)).state is VoucherState.REFUNDED


async def test_the_same_key_and_the_same_number_are_answered_alike(db: Settings) -> None:
    async with a_till(db) as till:
        _, redemption = await used(till)

        first = await asked(till, redemption, 4_000, key="k1")
        by_key = await asked(till, redemption, 4_000, key="k1")
        by_number = await asked(till, redemption, 4_000, key="k2")

        assert [each.hit for each in (first, by_key, by_number)] == [False, True, True]
        assert {(each.cash_fen, each.left_fen, each.at) for each in (first, by_key, by_number)} == {
            (3_200, 6_000, NOW)
        }
        with pytest.raises(IdempotencyMismatch):
            await asked(till, redemption, 4_001, key="k1")
        with pytest.raises(IdempotencyMismatch):
            await asked(till, redemption, 4_001, key="k3")
        assert await RedemptionRefund.all().count() == 1
        assert await lies(till, Account.RELEASED, Account.PAYABLE) == (800, 1_200)


@pytest.mark.parametrize(
    ("preset", "refund_fen", "shares", "fate"),
    [
        ("hubei2025", None, (8_000, 2_000), Fate.NEVER),
        ("hubei2025", 5_000, (4_000, 1_000), Fate.PART),
        ("yunnan", None, (8_000, 2_000), Fate.RETURNED),
        ("zhuhai", 5_000, (4_000, 1_000), Fate.PART),
        ("yiwu", 5_000, (4_000, 1_000), Fate.PART),
        ("luohu", 5_000, (3_000, 2_000), Fate.PART),
        ("luohu", None, (8_000, 2_000), Fate.RETURNED),
    ],
)
async def test_each_preset_has_its_way(
    db: Settings, preset: str, refund_fen: int | None, shares: tuple[int, int], fate: Fate
) -> None:
    async with a_till(db) as till:
        await Campaign.filter(id=till.world.campaign.id).update(refund_preset=preset)
        voucher, redemption = await used(till)

        made = await asked(till, redemption, refund_fen)

        assert ((made.cash_fen, made.clawback_fen), made.fate) == (shares, fate)
        state = {Fate.RETURNED: VoucherState.ISSUED, Fate.PART: VoucherState.REDEEMED}
        assert (await Voucher.get(id=voucher.id)).state is state.get(fate, VoucherState.REFUNDED)
        assert await broken() == []


async def test_money_of_a_restored_voucher_is_never_promised_twice(db: Settings) -> None:
    kind = a_kind(face_fen=10_000, quantity=1)
    async with a_till(db, kind) as till:
        _, redemption = await used(till, 30_000)
        await asked(till, redemption)
        assert await lies(till, Account.AVAILABLE, Account.HELD, Account.RELEASED) == (0, 10_000, 0)
        with pytest.raises(SoldOut):
            await till.claims.claim(
                till.world.link.slug, claimant=await a_claimant(till.world), key="b", now=NOW
            )
        with pytest.raises(BudgetExhausted):
            await a_round(till, kind)


async def test_a_face_that_shrank_is_filled_up_from_what_was_released(db: Settings) -> None:
    kind = a_kind(face_fen=10_000, threshold_fen=10_000, quantity=1)
    async with a_till(db, kind) as till:
        voucher, redemption = await used(till)
        assert await lies(till, Account.RELEASED, Account.PAYABLE) == (1, 9_999)

        made = await asked(till, redemption)

        assert (made.cash_fen, made.clawback_fen, made.restored) == (1, 9_999, True)
        assert await lies(till, Account.HELD, Account.RELEASED, Account.PAYABLE) == (10_000, 0, 0)
        assert (await Voucher.get(id=voucher.id)).state is VoucherState.ISSUED
        assert await broken() == []


async def test_a_face_that_cannot_be_filled_up_is_not_promised_again(db: Settings) -> None:
    kind = a_kind(face_fen=10_000, threshold_fen=10_000, quantity=1)
    async with a_till(db, kind) as till:
        voucher, redemption = await used(till)
        await gone(till, Account.RELEASED, 1)

        made = await asked(till, redemption)

        assert (made.clawback_fen, made.restored, made.fate) == (9_999, False, Fate.ROLLED)
        assert await lies(till, Account.HELD, Account.RELEASED, Account.PAYABLE) == (0, 9_999, 0)
        assert (await Voucher.get(id=voucher.id)).state is VoucherState.REFUNDED
        assert await broken() == []


async def test_a_refund_after_the_settlement_is_owed_back(db: Settings) -> None:
    async with a_till(db) as till:
        _, redemption = await used(till)
        await Redemption.filter(public_id=redemption).update(settled_at=NOW)

        await asked(till, redemption, 5_000)

        assert await lies(till, Account.PAYABLE, Account.RECEIVABLE, Account.RELEASED) == (
            2_000,
            -1_000,
            1_000,
        )
        assert await broken() == []


@pytest.mark.parametrize(
    ("round_state", "campaign_state", "into"),
    [
        ("finished", "ended", Account.RELEASED),
        ("rolled", "running", Account.AVAILABLE),
        ("returned", "ended", Account.RELEASED),
        ("rolled", "settled", Account.TREASURY_RETURN),
    ],
)
async def test_recovered_money_goes_where_its_rounds_money_went(
    db: Settings, round_state: str, campaign_state: str, into: Account
) -> None:
    async with a_till(db) as till:
        voucher, redemption = await used(till)
        await database.execute("UPDATE campaign_round SET status = $1", round_state)
        await database.execute("UPDATE campaign SET status = $1", campaign_state)
        (before,) = await lies(till, into)

        await asked(till, redemption, 5_000, now=voucher.valid_until)

        assert await lies(till, into) == (before + 1_000,)


async def test_who_may_refund_and_for_how_long(db: Settings) -> None:
    async with a_till(db) as till:
        _, redemption = await used(till)
        centre_id, bureau_id = till.world.bureau.centre_id, till.world.bureau.id
        late = NOW + refunds.WINDOW

        def somebody(role: Role, **given) -> Actor:
            return an_actor(role, **({"centre_id": centre_id} | given))

        for actor, refusal in (
            (somebody(Role.MERCHANT, merchant_id=till.merchant.id + 1), OutOfScope),
            (somebody(Role.MANAGER, centre_id=centre_id + 1), OutOfScope),
            (somebody(Role.BUREAU, bureau_id=bureau_id), PermissionMissing),
            (somebody(Role.AUDITOR), PermissionMissing),
            (somebody(Role.STAFF), PermissionMissing),
        ):
            with pytest.raises(refusal):
                await asked(till, redemption, 1, actor=actor)
        with pytest.raises(RefundTooLate):
            await asked(till, redemption, 1, now=late)
        with pytest.raises(NotFound):
            await asked(till, "nobody's", 1)
        for n, role in enumerate((Role.MANAGER, Role.FINANCE)):
            made = await asked(till, redemption, 1, actor=somebody(role), now=late, refund_no=f"D{n}")
            assert made.cash_fen == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"refund_fen": 0}, "refund_fen"),
        ({"refund_no": ""}, "refund_no"),
        ({"refund_no": "x" * 41}, "refund_no"),
        ({"key": "键"}, "key"),
        ({"reason": "x" * 81}, "reason"),
    ],
)
async def test_a_form_that_cannot_be_is_refused_by_its_field(
    db: Settings, given: dict[str, object], field: str
) -> None:
    async with a_till(db) as till:
        with pytest.raises(Invalid) as refused:
            await asked(till, "any", **({"key": "k"} | given))
    assert [each.field for each in refused.value.details] == [field]


async def test_too_much_is_refused_with_what_is_left(db: Settings) -> None:
    async with a_till(db) as till:
        _, redemption = await used(till)
        await asked(till, redemption, 3_000)
        with pytest.raises(RefundTooMuch, match=r"还能退 70\.00 元"):
            await asked(till, redemption, 7_001, refund_no="T2")


async def test_a_refunded_order_leaves_the_sales_too(db: Settings) -> None:
    from tests.vouchers.test_matching import settle  # noqa: PLC0415 -- it imports this one's neighbours

    async with a_till(db) as till:
        _, redemption = await used(till)
        await settle()
        await asked(till, redemption, 5_000)
        await settle()
        await asked(till, redemption, refund_no="T2")
        await settle()
        with pytest.raises(AlreadyUsed):
            await till.redeem(await Voucher.get(public_id=(await first()).public_id), key="again")

    (sold,) = await database.fetch(
        "SELECT sum(buyer_paid + voucher_subsidy) AS g2, sum(refund_done) AS back,"
        " sum(refund_cash) AS cash, sum(refunds) AS refunds FROM rollup_bucket"
    )
    assert {name: int(value) for name, value in sold.items()} == {
        "g2": 10_000,
        "back": 10_000,
        "cash": 8_000,
        "refunds": 2,
    }


async def first() -> Voucher:
    return await Voucher.all().order_by("id").first()


async def gone(till: Till, kind: Account, amount_fen: int) -> None:
    """Move money of the round on, as a rollover does."""
    async with database.transaction():
        await ledger.post(
            [
                ledger.Posting(
                    debit=ledger.Key(till.world.campaign.id, kind, till.world.round.id),
                    credit=ledger.Key(till.world.campaign.id, Account.AVAILABLE),
                    amount_fen=amount_fen,
                    kind="rollover",
                )
            ],
            now=NOW,
        )


async def a_round(till: Till, *kinds) -> object:
    return await rounds.schedule(
        till.world.campaign.id,
        templates=kinds,
        claim_from=NOW,
        claim_until=NOW + 3 * DAY,
        actor=till.world.officer,
        now=NOW,
    )
