"""A platform's order that carries our code redeems the voucher once, dated by its payment."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest

from livehub import database
from livehub.inbox import recording
from livehub.kit import clock, ids, invariants, outbox
from livehub.orders import intake, redaction
from livehub.platforms.contract import Event, EventType, Line, OrderSnapshot, OrderStatus
from livehub.platforms.models import Shop
from livehub.settings import Settings
from livehub.vouchers import drops, ledger, links
from livehub.vouchers.models import Account, Redemption, Voucher, VoucherState
from rooms.facts import BookingApproved
from tests.factories.facts import record_own
from tests.factories.vouchers import NOW, a_broadcast, a_claimant, a_kind
from tests.vouchers.test_redemptions import Till, a_till, shown

PAID = NOW + timedelta(hours=1)


async def an_order(till: Till, index: bytes, **given) -> None:
    """A paid order that carries a voucher code, through inbox, intake and outbox."""
    await push_order(till, index, **given)
    await settle()


async def push_order(
    till: Till,
    index: bytes,
    *,
    order_ref: str = "E100",
    list_fen: int = 15_000,
    subsidy_fen: int = 2_000,
    paid_at: datetime = PAID,
) -> None:
    """The same, told and not worked on yet."""
    shop = await the_shop(till)
    at = clock.to_ms(paid_at)
    order = OrderSnapshot(
        status=OrderStatus.PAID,
        lines=(
            Line(
                line_ref="1",
                quantity=1,
                list_fen=list_fen + 500,
                merchant_disc_fen=500,
                voucher_subsidy_fen=subsidy_fen,
                buyer_paid_fen=list_fen - subsidy_fen,
            ),
        ),
        paid_at=at,
        updated_at=at,
        voucher_code=index.hex(),
    )
    event = Event(
        type=EventType.ORDER_PAID,
        shop_ref=shop.shop_ref,
        order_ref=order_ref,
        status_at=at,
        paid_at=at,
        order=order,
    )
    async with database.transaction():
        await record_own(
            [
                recording.OwnFact(
                    centre_id=shop.centre_id,
                    platform=shop.platform,
                    shop_ref=shop.shop_ref,
                    order_ref=order_ref,
                    native_type="order.paid",
                    native_id=order_ref,
                    event=event,
                )
            ],
            now=paid_at,
        )


async def the_shop(till: Till) -> Shop:
    """The ERP's shop, made with its first order."""
    shop, _ = await Shop.get_or_create(
        platform="standard_webhooks",
        shop_ref="erp1",
        defaults={
            "public_id": ids.public_id(),
            "centre_id": till.world.bureau.centre_id,
            "bureau_id": till.world.bureau.id,
            "name": "ERP",
            "created_at": NOW,
        },
    )
    return shop


async def settle() -> None:
    now = NOW + timedelta(days=30)
    while await intake.run_once(now=now, lease_seconds=30):
        pass
    while await outbox.hand_out(now=now):
        pass
    assert await database.fetch("SELECT last_error FROM outbox_message WHERE status <> 'done'") == []
    assert await database.fetch("SELECT last_error FROM inbox_message WHERE status <> 'applied'") == []


async def test_an_order_with_our_code_redeems_the_voucher_at_most_once(db: Settings) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        await an_order(till, voucher.code_index)
        async with database.transaction():
            await database.execute(
                "UPDATE outbox_message SET status = 'waiting', lease_until = 0"
            )  # told once more
        await settle()

    row = await Redemption.get(voucher_id=voucher.id)
    assert (row.order_no, row.at, row.order_fen, row.subsidy_fen) == (
        "E100",
        PAID,
        15_000,
        2_000,
    )
    assert (await Voucher.get(id=voucher.id)).state is VoucherState.REDEEMED
    sums = await ledger.balances(till.world.campaign.id)
    assert (sums[Account.PAYABLE], sums[Account.HELD]) == (2_000, 0)
    assert [each.name for each in invariants.discover(["livehub.vouchers"]) if await each.check()] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"index": bytes(16)}, "VOUCHER_UNKNOWN"),
        ({"list_fen": 9_999}, "BELOW_THRESHOLD"),
        ({"subsidy_fen": 1_999}, "SUBSIDY_MISMATCH"),
        ({"subsidy_fen": 0}, "SUBSIDY_MISMATCH"),
        ({"paid_at": NOW + timedelta(days=8)}, "EXPIRED"),
        ({"paid_at": NOW - timedelta(days=1)}, "NOT_YET_VALID"),
    ],
)
async def test_what_does_not_fit_is_counted_and_audited(
    db: Settings, changes: dict[str, object], code: str
) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        await an_order(till, **({"index": voucher.code_index} | changes))

    assert await Redemption.all().count() == 0
    assert (await Voucher.get(id=voucher.id)).state is VoucherState.ISSUED
    counted = await database.fetch("SELECT reason, count FROM refusal_count")
    assert counted == [{"reason": code, "count": 1}]
    (entry,) = await database.fetch("SELECT detail FROM audit_entry WHERE result = 'refused'")
    assert msgspec.json.decode(entry["detail"])["code"] == code


async def test_a_voucher_is_not_redeemed_by_a_second_order(db: Settings) -> None:
    async with a_till(db, a_kind(rules={"per_person": {"limit": 2}})) as till:
        claimant = await a_claimant(till.world)
        first, second = [await till.voucher(claimant, key=key) for key in ("a", "b")]
        await an_order(till, first.code_index)
        await an_order(till, first.code_index, order_ref="E101")
        redeemed = await till.redeem(second)
        await an_order(till, second.code_index, order_ref="E102")

    orders = {row.voucher_id: row.order_no for row in await Redemption.all()}
    assert orders == {first.id: "E100", second.id: redeemed.order_no}
    counted = await database.fetch("SELECT reason, sum(count) AS n FROM refusal_count GROUP BY reason")
    assert counted == [{"reason": "ALREADY_USED", "n": 2}]


async def test_orders_of_a_broadcasts_vouchers_are_attributed_to_it(db: Settings) -> None:
    async with a_till(db) as till:
        world = till.world
        broadcast = await a_broadcast(world)
        await links.on_booking_approved(
            BookingApproved(
                booking_id=1,
                broadcast_id=broadcast.id,
                centre_id=broadcast.centre_id,
                bureau_id=world.bureau.id,
                at_ms=0,
            ),
            NOW,
        )
        drop = await drops.plan(
            broadcast.id,
            template_id=world.template.id,
            quantity=5,
            window_s=600,
            actor=world.staff,
            now=NOW,
        )
        await drops.open_drop(drop.id, actor=world.staff, now=NOW)
        (link,) = await database.fetch("SELECT slug FROM claim_link WHERE broadcast_id = $1", broadcast.id)
        claimed = await till.claims.claim(link["slug"], claimant=await a_claimant(world), key="k", now=NOW)
        await an_order(till, (await Voucher.get(public_id=claimed.voucher)).code_index)
        second = await till.claims.claim(link["slug"], claimant=await a_claimant(world), key="k", now=NOW)
        await till.redeem(await Voucher.get(public_id=second.voucher), 32_600)
        await settle()

    booked = await database.fetch(
        "SELECT broadcast_id, streamer_id, attribution, sum(buyer_paid) AS buyer_paid,"
        " sum(voucher_subsidy) AS voucher_subsidy FROM rollup_bucket"
        " GROUP BY broadcast_id, streamer_id, attribution HAVING sum(orders) > 0"
    )
    assert booked == [
        {
            "broadcast_id": broadcast.id,
            "streamer_id": broadcast.streamer_id,
            "attribution": "B",
            "buyer_paid": 13_000 + 30_600,
            "voucher_subsidy": 4_000,
        }
    ]


@pytest.mark.parametrize("typed", ["{0}", " {1} ", "{2}", "{1}\n"])
async def test_a_code_is_found_as_the_buyer_entered_it(db: Settings, typed: str) -> None:
    async with a_till(db) as till:
        voucher = await till.voucher(await a_claimant(till.world))
    code = shown(voucher)
    grouped = " ".join(code[i : i + 4] for i in range(0, len(code), 4))
    order = OrderSnapshot(
        status=OrderStatus.PAID,
        lines=(),
        updated_at=1,
        voucher_code=typed.format(code, grouped, grouped.lower().replace(" ", "-")),
    )
    event = Event(type=EventType.ORDER_PAID, shop_ref="erp1", order_ref="E1", status_at=1, order=order)

    stored = redaction.redacted(event, platform="standard_webhooks").order

    assert stored is not None
    assert stored.voucher_code == voucher.code_index.hex()
