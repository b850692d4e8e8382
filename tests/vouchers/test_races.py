"""Two at one campaign, link, order or code: whoever comes second finds what the first has done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import clock
from livehub.orders.facts import OrderVoucherSeen
from livehub.platforms.models import Shop
from livehub.settings import Settings
from livehub.vouchers import (
    campaigns,
    drops,
    enrolments,
    hot,
    identity,
    latch,
    ledger,
    links,
    matching,
    rounds,
)
from livehub.vouchers.claims import ClaimDesk
from livehub.vouchers.models import (
    Account,
    Claimant,
    ClaimLink,
    Drop,
    MerchantEnrolment,
    Redemption,
    Round,
    Voucher,
)
from tests.contention import held, kinds, meet
from tests.factories.accounts import a_bureau, an_actor
from tests.factories.vouchers import NOW, World, a_broadcast, a_claimant, a_kind, a_merchant, a_world, warm
from tests.vouchers.test_drops import the_link
from tests.vouchers.test_identity import PHONE, a_code
from tests.vouchers.test_redemptions import a_till

ONE_TEMPLATE = "SELECT 1 FROM voucher_template FOR UPDATE"


@pytest.fixture(autouse=True)
def _open_latch() -> None:
    latch.clear()


@asynccontextmanager
async def two_desks(settings: Settings) -> AsyncIterator[tuple[ClaimDesk, ClaimDesk]]:
    opened = ClaimDesk(settings), ClaimDesk(settings)
    await warm()
    for desk in opened:
        desk.start()
    try:
        yield opened
    finally:
        for desk in opened:
            await desk.stop()


async def test_two_countersign_at_once_and_the_money_comes_once(db: Settings) -> None:
    bureau = await a_bureau()
    scope = {"centre_id": bureau.centre_id}
    officer = an_actor(Role.BUREAU, bureau_id=bureau.id, **scope)
    new = campaigns.NewCampaign(name="惠农", issuer_name="北海市", budget_fen=100_000)
    draft = await campaigns.draft(new, bureau_id=bureau.id, **scope, actor=officer, now=NOW)
    await campaigns.submit(draft.id, actor=officer, now=NOW)

    answers = await meet(
        db,
        "SELECT 1 FROM campaign FOR UPDATE",
        *[lambda: campaigns.countersign(draft.id, actor=an_actor(Role.FINANCE, **scope), now=NOW)] * 2,
    )

    assert kinds(answers) == ["Campaign", "WrongState"]
    assert await ledger.balance(ledger.Key(draft.id, Account.AVAILABLE)) == 100_000


def scheduling(world: World, quantity: int):
    return lambda: rounds.schedule(
        world.campaign.id,
        templates=[a_kind(quantity=quantity)],
        claim_from=NOW,
        claim_until=NOW + timedelta(days=1),
        actor=world.officer,
        now=NOW,
    )


async def test_what_is_left_of_a_budget_is_allocated_once(db: Settings) -> None:
    world = await a_world(a_kind(quantity=10), budget_fen=30_000)

    answers = await meet(db, "SELECT 1 FROM ledger_account FOR UPDATE", *[scheduling(world, 4)] * 3)

    assert kinds(answers) == ["BudgetExhausted", "BudgetExhausted", "Round"]
    assert (await ledger.balances(world.campaign.id))[Account.AVAILABLE] == 2_000


async def test_two_rounds_scheduled_at_once_come_one_after_the_other(db: Settings) -> None:
    world = await a_world(a_kind(quantity=10), budget_fen=100_000)

    answers = await meet(db, "SELECT 1 FROM ledger_account FOR UPDATE", *[scheduling(world, 4)] * 2)

    assert kinds(answers) == ["Round", "Round"]
    assert sorted(each.seq for each in await Round.all()) == [1, 2, 3]


async def test_a_round_closed_twice_at_once_releases_its_money_once(db: Settings) -> None:
    world = await a_world(a_kind(quantity=10))

    answers = await meet(
        db,
        "SELECT 1 FROM voucher_template, campaign_round FOR UPDATE",
        *[lambda: rounds.close_round(world.round.id, actor=world.officer, now=NOW)] * 2,
    )

    assert kinds(answers) == ["Round", "WrongState"]
    sums = await ledger.balances(world.campaign.id)
    assert (sums[Account.UNISSUED], sums[Account.RELEASED]) == (0, 20_000)


async def test_a_claim_that_waited_while_its_round_was_closed_is_refused(db: Settings) -> None:
    world = await a_world(a_kind(quantity=10))
    person = await a_claimant(world)

    async with two_desks(db) as (desk, _):
        answers = await meet(
            db,
            ONE_TEMPLATE,
            lambda: rounds.close_round(world.round.id, actor=world.officer, now=NOW),
            lambda: desk.claim(world.link.slug, claimant=person, key="k", now=NOW),
        )

    assert kinds(answers) == ["Ended", "Round"]
    assert await Voucher.all().count() == 0


async def test_a_claim_that_waited_while_its_campaign_was_paused_is_refused(db: Settings) -> None:
    if db.is_sqlite:
        pytest.skip("one writer at a time: a claim waits before it reads anything")
    world = await a_world(a_kind(quantity=10))
    person = await a_claimant(world)

    async with two_desks(db) as (desk, _):
        answers = await meet(
            db,
            ONE_TEMPLATE,
            lambda: desk.claim(world.link.slug, claimant=person, key="k", now=NOW),
            lambda: campaigns.pause(world.campaign.id, actor=world.officer, now=NOW),
        )

    assert kinds(answers) == ["Campaign", "Paused"]
    assert await Voucher.all().count() == 0


async def test_a_links_quota_holds_over_two_kinds_at_two_desks(db: Settings) -> None:
    world = await a_world(a_kind(), a_kind(face_fen=1000))
    link = await links.create(world.round.id, actor=world.officer, now=NOW, quota=1)
    people = [await a_claimant(world) for _ in range(2)]

    async with two_desks(db) as desks:
        answers = await meet(
            db,
            "SELECT 1 FROM claim_link FOR UPDATE",
            *(
                lambda desk=desk, who=who, kind=kind: desk.claim(
                    link.slug, claimant=who, key="k", now=NOW, template=kind.public_id
                )
                for desk, who, kind in zip(desks, people, world.templates, strict=True)
            ),
        )

    assert kinds(answers) == ["Claimed", "SoldOut"]
    assert (await ClaimLink.get(id=link.id)).claims == await Voucher.all().count() == 1


async def test_one_order_takes_one_voucher_of_two_people_at_two_tills(db: Settings) -> None:
    async with a_till(db, workers=2) as till:
        vouchers = [await till.voucher(await a_claimant(till.world)) for _ in range(2)]

        answers = await meet(
            db,
            ONE_TEMPLATE,
            *(
                lambda n=n, each=each: till.redeem(each, key=f"k{n}", receipt_no="r1", desk=n)
                for n, each in enumerate(vouchers)
            ),
        )

    assert kinds(answers) == ["Redeemed", "Stacking"]
    assert await Redemption.all().count() == 1


async def test_one_key_for_two_kinds_at_two_desks_gives_one_voucher(db: Settings) -> None:
    world = await a_world(a_kind(), a_kind(face_fen=1000))
    person = await a_claimant(world)
    other = await links.create(world.round.id, actor=world.officer, now=NOW)

    async with two_desks(db) as desks:
        answers = await meet(
            db,
            "LOCK TABLE idempotency_record IN SHARE MODE",
            *(
                lambda desk=desk, slug=slug, kind=kind: desk.claim(
                    slug, claimant=person, key="same", now=NOW, template=kind.public_id
                )
                for desk, slug, kind in zip(
                    desks, (world.link.slug, other.slug), world.templates, strict=True
                )
            ),
        )

    assert kinds(answers) == ["Claimed", "IdempotencyMismatch"]
    assert await Voucher.all().count() == 1


async def test_two_plans_at_once_stay_within_the_stock(db: Settings) -> None:
    world = await a_world(a_kind(quantity=100))
    broadcast = await a_broadcast(world)

    answers = await meet(db, ONE_TEMPLATE, *[planning(world, broadcast.id, 0, quantity=60)] * 2)

    assert kinds(answers) == ["Drop", "DropTooMany"]
    assert await drops.left_to_plan(world.template.id) == 40


def planning(world: World, broadcast_id: int, template: int, *, quantity: int = 10):
    return lambda: drops.plan(
        broadcast_id,
        template_id=world.templates[template].id,
        quantity=quantity,
        window_s=600,
        actor=world.staff,
        now=NOW,
    )


async def test_two_drops_of_two_kinds_opened_at_once_are_one_open_drop(db: Settings) -> None:
    world = await a_world(a_kind(), a_kind(face_fen=1000))
    broadcast = await a_broadcast(world)
    planned = [await planning(world, broadcast.id, n)() for n in range(2)]

    answers = await meet(
        db,
        "SELECT 1 FROM voucher_drop FOR UPDATE",
        *(lambda each=each: drops.open_drop(each.id, actor=world.staff, now=NOW) for each in planned),
    )

    assert kinds(answers) == ["Drop", "DropAlreadyOpen"]
    assert await Drop.filter(state="open").count() == 1


async def test_a_link_leads_to_the_next_drop_although_the_last_is_remembered_sold_out(db: Settings) -> None:
    world = await a_world()
    broadcast = await a_broadcast(world)
    link = await the_link(world, broadcast)
    answers: list[object] = []

    async with two_desks(db) as (desk, _):
        for _ in range(2):
            drop = await planning(world, broadcast.id, 0, quantity=1)()
            await drops.open_drop(drop.id, actor=world.staff, now=NOW)
            for _ in range(2):
                claim = desk.claim(link.slug, claimant=await a_claimant(world), key="k", now=NOW)
                answers += await asyncio.gather(claim, return_exceptions=True)
            await drops.close_drop(drop.id, actor=world.staff, now=NOW)

    assert [type(each).__name__ for each in answers] == ["Claimed", "SoldOut"] * 2
    assert sorted(each.claimed for each in await Drop.all()) == [1, 1]


async def test_a_drop_closed_during_a_claim_counts_it(db: Settings) -> None:
    if db.is_sqlite:
        pytest.skip("one writer at a time: nothing is closed during a claim")
    world = await a_world()
    broadcast = await a_broadcast(world)
    link = await the_link(world, broadcast)
    drop = await planning(world, broadcast.id, 0)()
    await drops.open_drop(drop.id, actor=world.staff, now=NOW)
    person = await a_claimant(world)

    async with two_desks(db) as (desk, _):
        answers = await meet(
            db,
            "SELECT 1 FROM ledger_account FOR UPDATE",
            lambda: desk.claim(link.slug, claimant=person, key="k", now=NOW),
            lambda: drops.close_drop(drop.id, actor=world.staff, now=NOW),
        )

    assert kinds(answers) == ["Claimed", "Drop"]
    (closed,) = await AuditEntry.filter(action="drop.closed")
    assert '"claimed":1' in closed.detail


async def test_a_part_of_a_drop_opened_twice_at_once_leaves_the_rest_planned(db: Settings) -> None:
    world = await a_world()
    broadcast = await a_broadcast(world)
    drop = await planning(world, broadcast.id, 0, quantity=100)()

    answers = await meet(
        db,
        "SELECT 1 FROM voucher_drop FOR UPDATE",
        *[lambda: drops.open_drop(drop.id, actor=world.staff, now=NOW, quantity=30)] * 2,
    )

    assert kinds(answers) == ["Drop", "DropAlreadyOpen"]
    assert sorted((each.state, each.quantity) for each in await Drop.all()) == [("open", 30), ("planned", 70)]


async def test_a_voucher_at_the_till_and_on_an_order_at_once_is_used_once(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        fact = OrderVoucherSeen(
            order_id=1,
            centre_id=till.world.bureau.centre_id,
            shop_id=1,
            platform="doudian",
            order_ref="o1",
            voucher_index=voucher.code_index.hex(),
            paid_at_ms=clock.to_ms(NOW),
            order_fen=32_600,
            subsidy_fen=2000,
            message_id=1,
        )
        answers = await meet(
            db,
            "SELECT 1 FROM voucher_template FOR UPDATE",
            lambda: till.redeem(voucher),
            lambda: database.unit(lambda: matching.on_order_voucher_seen(fact, NOW)),
        )

    assert kinds(answers) == ["NoneType", "Redeemed"]
    assert await Redemption.all().count() == 1
    assert await AuditEntry.filter(action="voucher.redeemed", result="refused").count() == 1


async def test_clicks_are_added_in_the_order_in_which_claims_lock_links(db: Settings) -> None:
    world = await a_world()
    await links.create(world.round.id, actor=world.officer, now=NOW)
    one, other = await ClaimLink.all().order_by("id")
    await ClaimLink.filter(id=other.id).update(slug="a")  # so that it lies first, and comes first
    await ClaimLink.filter(id=one.id).update(slug="z")
    clicks = links.clicks()
    for slug in ("z", "a"):
        clicks.count({slug: 1})

    async with held(db, f"SELECT 1 FROM claim_link WHERE id = {one.id} FOR UPDATE") as holder:
        flushing = asyncio.ensure_future(clicks.flush())
        await holder.until_waiting(1)
        has_nothing = await holder.gets(f"SELECT 1 FROM claim_link WHERE id = {other.id} FOR UPDATE")
    await flushing

    assert has_nothing
    assert [each.clicks for each in await ClaimLink.all()] == [1, 1]


@pytest.mark.parametrize("how", ["in the statement", "before it"])
async def test_a_batch_counts_in_the_order_of_ids(db: Settings, how: str) -> None:
    world = await a_world(*(a_kind(face_fen=1000 + n) for n in range(30)))
    numbers = sorted(each.id for each in world.templates)
    step = hot.count("stock", "voucher_template", "issued", per="template_id")

    async def run() -> None:
        await hot.prefer_indexes()
        if how == "before it" and database.dialect() == "postgres":
            given = "s_stock(id, n) AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]))"
            sql = f"WITH ok AS (SELECT 1 AS done), {given}{hot.add(step)} SELECT done FROM ok"
            await database.fetch(sql, numbers[::-1], [1] * len(numbers))
            return
        await hot.run({"template_id": "bigint"}, [{"template_id": each} for each in numbers[::-1]], [step])

    for number in (
        numbers[0],
        numbers[10],
        numbers[20],
    ):  # without an order one of them may come first by chance
        async with held(db, f"SELECT 1 FROM voucher_template WHERE id = {number} FOR UPDATE") as holder:
            running = asyncio.ensure_future(database.unit(run))
            await holder.until_waiting(1)
            has_nothing = await holder.gets(f"SELECT 1 FROM voucher_template WHERE id > {number} FOR UPDATE")
        await running

        assert has_nothing


CHANGED = {"revoked": "VoucherUnknown", "expired": "Expired", "locked": "Locked"}


@pytest.mark.parametrize(("state", "answer"), CHANGED.items())
async def test_a_voucher_changed_while_a_tap_is_decided(db: Settings, state: str, answer: str) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        answers = await meet(
            db,
            "SELECT 1 FROM voucher FOR UPDATE",
            lambda: database.execute(
                f"UPDATE voucher SET state = '{state}', locked_until = $1, version = version + 1",
                clock.to_ms(NOW + timedelta(minutes=15)),
            ),
            lambda: till.redeem(voucher),
        )

    assert kinds(answers) == sorted(["int", answer])
    assert await Redemption.all().count() == 0


async def test_one_tap_at_two_desks_is_answered_alike(db: Settings) -> None:
    async with a_till(db, workers=2) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        answers = await meet(
            db,
            "SELECT 1 FROM voucher FOR UPDATE",
            *(lambda n=n: till.redeem(voucher, desk=n) for n in range(2)),
        )

    assert kinds(answers) == ["Redeemed", "Redeemed"]
    assert await Redemption.all().count() == 1


async def test_a_phone_verified_at_two_doors_is_one_person(db: Settings) -> None:
    world = await a_world()

    people = await asyncio.gather(*(a_claimant(world, phone=PHONE) for _ in range(2)))

    assert people[0] == people[1]
    assert await Claimant.all().count() == 1


async def test_a_code_tried_three_times_at_once_is_right_once(db: Settings) -> None:
    centre_id = (await a_bureau()).centre_id
    code = await a_code(centre_id)

    answers = await meet(
        db,
        "SELECT 1 FROM one_time_code FOR UPDATE",
        *[lambda: identity.check_code(PHONE, code, now=NOW)] * 3,
    )

    assert kinds(answers) == ["CodeWrong", "CodeWrong", "NoneType"]


@pytest.mark.parametrize("has_shop", [False, True])
async def test_a_merchant_enrolled_twice_at_once_is_enrolled_and_noted_once(
    db: Settings, has_shop: bool
) -> None:
    world = await a_world()
    merchant, _ = await a_merchant(world)
    if has_shop:
        await Shop.create(
            public_id="shop",
            centre_id=merchant.centre_id,
            bureau_id=world.bureau.id,
            platform=enrolments.OFFLINE,
            shop_ref=merchant.public_id,
            name=merchant.name,
            created_at=NOW,
        )

    answers = await meet(
        db,
        "LOCK TABLE shop, merchant_enrolment, ledger_account IN SHARE MODE",
        *[lambda: enrolments.enrol(world.campaign.id, merchant_id=merchant.id, actor=world.officer, now=NOW)]
        * 2,
    )

    assert kinds(answers) == ["MerchantEnrolment", "MerchantEnrolment"]
    assert await MerchantEnrolment.all().count() == await Shop.all().count() == 1
    assert await AuditEntry.filter(action="enrolment.approved").count() == 1
    payable = await database.fetch("SELECT 1 AS one FROM ledger_account WHERE kind = 'campaign:payable'")
    assert len(payable) == 1
