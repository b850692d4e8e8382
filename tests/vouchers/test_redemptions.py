"""Redeeming at a merchant: once, on one order, above the threshold, in time, and nothing given away to guessers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import pytest

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.database.rows import unnest
from livehub.inbox import layout
from livehub.kit.errors import Invalid
from livehub.merchants.models import Merchant, MerchantStatus, Store
from livehub.settings import Settings
from livehub.vouchers import codes, enrolments, failed_codes, hot, ledger, redeem_reads
from livehub.vouchers.claims import ClaimDesk
from livehub.vouchers.errors import (
    AlreadyUsed,
    BelowThreshold,
    Expired,
    IdempotencyMismatch,
    LimitShopDay,
    QrStale,
    Stacking,
    TooManyFailedCodes,
    VoucherUnknown,
    WrongMerchant,
)
from livehub.vouchers.identity import ClaimantRef
from livehub.vouchers.models import Account, Redemption, Template, Voucher, VoucherState
from livehub.vouchers.redemptions import RedeemDesk, Redeemed
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW, World, a_claimant, a_crowd, a_kind, a_merchant, a_world, warm

PHONE = "13900008877"


class Till(msgspec.Struct, kw_only=True):
    """A merchant's counter with desks behind it."""

    world: World
    merchant: Merchant
    store: Store
    cashier: Actor
    claims: ClaimDesk
    desks: list[RedeemDesk]

    async def voucher(self, claimant: ClaimantRef, *, template: int = 0, key: str = "k", at=NOW) -> Voucher:
        claimed = await self.claims.claim(
            self.world.link.slug,
            claimant=claimant,
            key=key,
            now=at,
            template=self.world.templates[template].public_id,
        )
        return await Voucher.get(public_id=claimed.voucher)

    async def redeem(
        self, voucher: Voucher | str, order_fen: int = 32_600, *, desk: int = 0, **given
    ) -> Redeemed:
        at = given.pop("now", NOW)
        text = voucher if isinstance(voucher, str) else codes.qr(voucher.public_id, now=at)
        values = {
            "merchant_id": self.merchant.id,
            "store_id": self.store.id,
            "order_fen": order_fen,
            "key": "tap",
            "actor": self.cashier,
            "now": at,
        }
        return await self.desks[desk].redeem(text, **(values | given))


@asynccontextmanager
async def a_till(settings: Settings, *kinds, workers: int = 1, **changes) -> AsyncIterator[Till]:
    world = await a_world(*kinds, **changes)
    merchant, store = await a_merchant(world)
    await enrolments.enrol(world.campaign.id, merchant_id=merchant.id, actor=world.officer, now=NOW)
    claims, desks = ClaimDesk(settings), [RedeemDesk(settings) for _ in range(workers)]
    await warm()
    for each in (claims, *desks):
        each.start()
    try:
        yield Till(
            world=world,
            merchant=merchant,
            store=store,
            cashier=an_actor(Role.MERCHANT, merchant_id=merchant.id, centre_id=world.bureau.centre_id),
            claims=claims,
            desks=desks,
        )
    finally:
        for each in (claims, *desks):
            await each.stop()


def shown(voucher: Voucher) -> str:
    return codes.shown(voucher.code_sealed, voucher=voucher.public_id)


async def test_a_redemption_moves_the_money_and_becomes_an_order(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        redeemed = await till.redeem(voucher)

    assert (redeemed.order_fen, redeemed.subsidy_fen, redeemed.paid_fen) == (32_600, 2000, 30_600)
    assert (await Voucher.get(id=voucher.id)).state is VoucherState.REDEEMED
    assert (await Template.get(id=till.world.template.id)).redeemed == 1
    row = await Redemption.get(public_id=redeemed.redemption)
    assert row.order_no == redeemed.redemption
    sums = await ledger.balances(till.world.campaign.id)
    assert (sums[Account.HELD], sums[Account.PAYABLE], sums[Account.RELEASED]) == (0, 2000, 0)
    assert ledger.is_conserved(sums)
    (message,) = await database.fetch("SELECT id, platform, shop_ref, fact, source FROM inbox_message")
    assert (message["id"], message["platform"], message["source"]) == (row.message_id, "offline", "own")
    assert message["shop_ref"] == till.merchant.public_id
    (event,) = layout.decode_fact(message["fact"])
    assert event.order is not None
    (line,) = event.order.lines
    assert (line.list_fen, line.voucher_subsidy_fen, line.buyer_paid_fen) == (32_600, 2000, 30_600)
    assert event.order.voucher_code == voucher.code_index.hex()


async def test_the_typed_code_needs_the_phones_last_digits(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world, phone=PHONE))
        code = shown(voucher)
        grouped = " ".join(code[i : i + 4] for i in range(0, len(code), 4)).lower()

        with pytest.raises(Invalid):
            await till.redeem(code)
        with pytest.raises(VoucherUnknown):
            await till.redeem(code, phone_tail="0000")
        redeemed = await till.redeem(grouped, phone_tail=PHONE[-4:])

    assert redeemed.voucher == voucher.public_id


@pytest.mark.parametrize("workers", [1, 2])
async def test_one_voucher_on_five_orders_is_used_once(db: Settings, workers: int) -> None:
    async with a_till(db, workers=workers) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        answers = await asyncio.gather(
            *(till.redeem(voucher, key=f"k{n}", receipt_no=f"r{n}", desk=n % workers) for n in range(5)),
            return_exceptions=True,
        )
        fallbacks = sum(desk.fallbacks for desk in till.desks)

    assert Counter(type(each) for each in answers) == {Redeemed: 1, AlreadyUsed: 4}
    assert await Redemption.all().count() == 1
    assert (await ledger.balances(till.world.campaign.id))[Account.PAYABLE] == 2000
    assert fallbacks == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_one_person_at_one_counter_without_receipts_uses_one_voucher(
    db: Settings, workers: int
) -> None:
    async with a_till(db, a_kind(rules={"per_person": {"limit": 5}}), workers=workers) as till:
        claimant = await a_claimant(till.world)
        vouchers = [await till.voucher(claimant, key=f"k{n}") for n in range(5)]
        answers = await asyncio.gather(
            *(till.redeem(each, key=f"k{n}", desk=n % workers) for n, each in enumerate(vouchers)),
            return_exceptions=True,
        )
        assert Counter(type(each) for each in answers) == {Redeemed: 1, Stacking: 4}
        used = {each.voucher for each in answers if isinstance(each, Redeemed)}
        (other, *_) = [each for each in vouchers if each.public_id not in used]
        later = await till.redeem(other, key="later", now=NOW + timedelta(minutes=11))

    assert later.voucher == other.public_id


async def test_a_crowd_is_settled_without_a_second_look(db: Settings) -> None:
    async with a_till(db, workers=2) as till:
        vouchers = [await till.voucher(each) for each in await a_crowd(till.world, 60)]
        answers = await asyncio.gather(
            *(till.redeem(each, key=f"k{n}", desk=n % 2) for _ in range(2) for n, each in enumerate(vouchers))
        )

    assert Counter(each.hit for each in answers) == {False: 60, True: 60}
    assert await Redemption.all().count() == 60
    assert [(each.misses, each.fallbacks) for each in till.desks] == [(0, 0)] * 2


async def test_two_taps_are_one_and_another_body_is_refused(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        first, second = await asyncio.gather(till.redeem(voucher), till.redeem(voucher))
        later = await till.redeem(codes.qr(voucher.public_id, now=NOW), now=NOW + timedelta(minutes=5))
        with pytest.raises(IdempotencyMismatch):
            await till.redeem(voucher, 40_000)

    assert sorted([first.hit, second.hit]) == [False, True]
    assert {each.redemption for each in (first, second, later)} == {first.redemption}
    assert await Redemption.all().count() == 1


async def test_hangzhou_price_order(db: Settings) -> None:
    """A3: 100-20, 200-35, 300-45; at most two vouchers of one person in one shop on one day."""
    limit = {"per_shop_day": {"limit": 2}, "per_person": {"limit": 3}}
    kinds = [
        a_kind(name=f"{threshold}-{face}", face_fen=face * 100, threshold_fen=threshold * 100, rules=limit)
        for threshold, face in ((100, 20), (200, 35), (300, 45))
    ]
    async with a_till(db, *kinds) as till:
        claimant = await a_claimant(till.world)
        hundred = await till.voucher(claimant, key="a")
        two_hundred = await till.voucher(claimant, template=1, key="b")
        second = await till.voucher(claimant, key="c")
        third = await till.voucher(claimant, key="d")

        with pytest.raises(BelowThreshold):
            await till.redeem(two_hundred, 10_150, receipt_no="1")
        with pytest.raises(BelowThreshold):
            await till.redeem(hundred, 9_999, receipt_no="1")
        redeemed = await till.redeem(hundred, 10_150, receipt_no="1")
        with pytest.raises(Stacking):
            await till.redeem(second, 10_150, key="2", receipt_no="1")
        exact = await till.redeem(second, 10_000, key="3", receipt_no="2")
        with pytest.raises(LimitShopDay):
            await till.redeem(third, 10_000, key="4", receipt_no="3")
        tomorrow = await till.redeem(third, 10_000, key="5", receipt_no="3", now=NOW + timedelta(hours=4))

    assert (redeemed.paid_fen, redeemed.subsidy_fen, exact.paid_fen) == (8_150, 2_000, 8_000)
    assert tomorrow.subsidy_fen == 2_000


async def test_the_shopper_always_pays_the_minimum(db: Settings) -> None:
    async with a_till(db, a_kind(face_fen=1000, threshold_fen=1000), min_pay_fen=100) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        redeemed = await till.redeem(voucher, 1000)

    assert (redeemed.subsidy_fen, redeemed.paid_fen) == (900, 100)
    sums = await ledger.balances(till.world.campaign.id)
    assert (sums[Account.PAYABLE], sums[Account.RELEASED], sums[Account.HELD]) == (900, 100, 0)


async def test_expiry_is_decided_by_the_time_of_use(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        with pytest.raises(Expired):
            await till.redeem(voucher, now=voucher.valid_until)
        redeemed = await till.redeem(voucher, now=voucher.valid_until - timedelta(milliseconds=1))

    assert redeemed.voucher == voucher.public_id


async def test_only_enrolled_approved_merchants_redeem(db: Settings) -> None:
    async with a_till(db) as till:
        world = till.world
        voucher = await till.voucher(await a_claimant(world))
        stranger, strange_store = await a_merchant(world, name="路边店")
        cashier = an_actor(Role.MERCHANT, merchant_id=stranger.id, centre_id=world.bureau.centre_id)
        with pytest.raises(WrongMerchant):
            await till.redeem(voucher, merchant_id=stranger.id, store_id=strange_store.id, actor=cashier)
        await enrolments.suspend(
            world.campaign.id, merchant_id=till.merchant.id, reason="抽查", actor=world.officer, now=NOW
        )
        with pytest.raises(WrongMerchant):
            await till.redeem(voucher)
        await enrolments.approve(
            world.campaign.id, merchant_id=till.merchant.id, actor=world.officer, now=NOW
        )
        await Merchant.filter(id=till.merchant.id).update(status=MerchantStatus.SUSPENDED)
        with pytest.raises(WrongMerchant):
            await till.redeem(voucher)
        await Merchant.filter(id=till.merchant.id).update(status=MerchantStatus.APPROVED)
        await till.redeem(voucher)


async def test_unknown_foreign_and_revoked_codes_look_alike(db: Settings) -> None:
    async with a_till(db) as till:
        revoked = await till.voucher(await a_claimant(till.world, phone=PHONE))
        await Voucher.filter(id=revoked.id).update(state=VoucherState.REVOKED)
        elsewhere = await a_world()
        foreign = (
            await till.claims.claim(
                elsewhere.link.slug, claimant=await a_claimant(elsewhere, phone=PHONE), key="k", now=NOW
            )
        ).voucher
        said = []
        for text in (
            codes.qr("aaaaaaaaaaaaaaaa", now=NOW),
            codes.qr(foreign, now=NOW),
            codes.qr(revoked.public_id, now=NOW),
            shown(revoked),
            "not a code at all",
        ):
            with pytest.raises(VoucherUnknown) as caught:
                await till.redeem(text, phone_tail=PHONE[-4:])
            said.append((caught.value.status, caught.value.code, caught.value.message))

    assert len(set(said)) == 1


async def test_wrong_codes_are_limited_and_a_success_is_still_repeated(db: Settings) -> None:
    async with a_till(db) as till:
        first, second = [await till.voucher(await a_claimant(till.world)) for _ in range(2)]
        redeemed = await till.redeem(first)
        for n in range(failed_codes.LIMIT_USER):
            with pytest.raises(VoucherUnknown):
                await till.redeem("nonsense", key=f"n{n}", phone_tail="0000")
        with pytest.raises(TooManyFailedCodes) as caught:
            await till.redeem(second, key="other")
        again = await till.redeem(first)
        later = NOW + timedelta(seconds=failed_codes.SECONDS)
        await till.redeem(second, key="later", now=later)

    assert caught.value.retry_after
    assert again.redemption == redeemed.redemption


async def test_a_qr_code_lives_a_minute_at_most(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        screenshot = codes.qr(voucher.public_id, now=NOW)
        with pytest.raises(QrStale):
            await till.redeem(screenshot, now=NOW + timedelta(seconds=60))
        redeemed = await till.redeem(screenshot, now=NOW + timedelta(seconds=59))

    assert redeemed.voucher == voucher.public_id


async def test_wrong_codes_of_a_machine_do_not_shut_out_the_user_of_the_same_number(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        machine = msgspec.structs.replace(till.cashier, kind="token")
        for n in range(failed_codes.LIMIT_USER):
            with pytest.raises(VoucherUnknown):
                await till.redeem("nonsense", key=f"m{n}", phone_tail="0000", actor=machine)
        with pytest.raises(TooManyFailedCodes):
            await till.redeem(voucher, key="over", actor=machine)
        redeemed = await till.redeem(voucher)

    assert redeemed.voucher == voucher.public_id


async def test_a_plan_made_while_nothing_was_redeemed_walks_no_index(db: Settings) -> None:
    if database.dialect() == "sqlite":
        pytest.skip("SQLite plans each statement by its indexes alone")
    async with a_till(db) as till:
        await till.voucher(await a_claimant(till.world))
        await database.execute("ANALYZE")
        nothing = ", ".join(["'{}'"] * len(redeem_reads._ASKED))
        async with database.transaction():
            await hot.prefer_indexes()
            await database.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            asked = f"v({', '.join(redeem_reads._ASKED)}) AS (SELECT * FROM {unnest(redeem_reads._ASKED)})"
            await database.execute(f"PREPARE asked AS WITH {asked} {redeem_reads._QUESTION}")
            plan = [row["QUERY PLAN"] for row in await database.fetch(f"EXPLAIN EXECUTE asked({nothing})")]
            await database.execute("DEALLOCATE asked")

    conditions = [each.strip() for each in plan if "Index Cond:" in each]
    assert "Index Cond: (claimant_id = x.claimant_id)" in conditions
    assert not [each for each in conditions if "merchant_id > 0" in each or "nth" in each]
    assert not [each for each in plan if "idx_redemption" in each or "Seq Scan" in each]


async def test_vouchers_that_are_redeemed_in_the_order_of_their_claims_stay_in_their_pages(
    db: Settings,
) -> None:
    if database.dialect() == "sqlite":
        pytest.skip("SQLite writes a row in its place")
    async with a_till(db) as till:
        await asyncio.gather(*(till.voucher(each) for each in await a_crowd(till.world, 60)))
        async with database.transaction():
            await database.execute("UPDATE voucher SET state = 'redeemed', version = version + 1")
            moved = await database.fetch_one(
                "SELECT pg_stat_get_xact_tuples_updated(c.oid) AS written,"
                " pg_stat_get_xact_tuples_hot_updated(c.oid) AS stayed FROM pg_class c WHERE c.relname = 'voucher'"
            )

    assert moved == {"written": 60, "stayed": 60}
