"""Two schemes as they were met: a show that buys from itself, a shop that cashes vouchers out by night."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor, Grant, system
from livehub.accounts.models import Role, User
from livehub.demo import cast
from livehub.demo.comparing import Redeemed
from livehub.demo.seeding import Seeded
from livehub.merchants.models import Merchant, Store
from livehub.sandbox import catalogue
from livehub.sandbox.spec import LineSpec, OrderSpec, RefundSpec
from livehub.settlement import case_queries, evaluating
from livehub.vouchers import campaigns, codes, enrolments, identity, links, rounds
from livehub.vouchers.campaigns import NewCampaign
from livehub.vouchers.claims import ClaimDesk
from livehub.vouchers.models import Template, Validity
from livehub.vouchers.new_kinds import NewTemplate
from livehub.vouchers.redemptions import RedeemDesk

KEPT_FEN = (19_900, 14_900, 16_900, 15_900, 12_000)  # the orders that were real: 796 yuan
PHONES, EACH = 12, 3  # of the merchant by night; three vouchers a phone
FACE_FEN, THRESHOLD_FEN = 1000, 4000
FIRST_SECONDS = 40  # between claim and use, a second more with each
STRAW_MEN = 4


class Heat(Struct, frozen=True):
    """How many orders an inflated show has, how many are of four buyers, and how many were real."""

    orders: int = 599
    straw: int = 586
    kept: int = len(KEPT_FEN)

    @property
    def undone(self) -> int:
        """Refunded, or closed without payment."""
        return self.orders - self.kept


WHOLE = Heat()
TENTH = Heat(orders=60, straw=59, kept=1)  # the same shares to a percent, for a story of a minute


def signals(heat: Heat) -> dict[str, tuple[int, int]]:
    """The rules that catch them, each with its number and what that is out of; the median is in seconds."""
    uses = PHONES * EACH
    return {
        "buyer_concentration": (heat.straw, heat.orders),
        "undone_orders": (heat.undone, heat.orders),
        "exact_threshold": (uses, uses),
        "repeat_people": (uses, uses),
        "night_share": (uses, uses),
        "quick_use": (FIRST_SECONDS + (uses - 1) // 2, uses),
    }


def inflated(
    heat: Heat, *, shop: str, starts_at_ms: int, minutes: int, room_ref: str, author: str
) -> list[OrderSpec]:
    """The orders of a show: its last ones are real, every second other is refunded and the rest closed."""
    product = catalogue.products("doudian")[0].product_ref
    step = minutes * 60_000 // (heat.orders + 1)
    plan = []
    for n in range(heat.orders):
        at = starts_at_ms + step * (n + 1)
        kept = n - heat.undone
        closed = kept < 0 and n % 2 == 1
        spec = OrderSpec(
            shop=shop,
            buyer_id=f"straw{n % STRAW_MEN}" if n < heat.straw else "",
            lines=[LineSpec(product_ref=product, price_fen=KEPT_FEN[kept] if kept >= 0 else None)],
            room_ref=room_ref,
            author_ref=author,
            created_at_ms=at,
            paid_at_ms=None if closed else at + 5_000,
            cancelled_at_ms=at + 60_000 if closed else None,
        )
        if kept < 0 and not closed:
            spec.refunds = [RefundSpec(applied_at_ms=at + 60_000, succeeded_at_ms=at + 600_000)]
        plan.append(spec)
    return plan


async def cash_out(
    world: Seeded, claims: ClaimDesk, redeems: RedeemDesk, *, night: datetime
) -> list[Redeemed]:
    """Twelve phones, three vouchers each, orders of exactly 40.00 between two and four, within a minute."""
    clerk = system("demo", centre_id=world.centre_id)
    merchant = await Merchant.get(centre_id=world.centre_id, name=cast.MERCHANTS[1][0])
    store = await Store.filter(merchant_id=merchant.id).order_by("id").first()
    assert store is not None  # noqa: S101 -- the cast has stores
    slug, templates = await _campaign(world, merchant, clerk, at=night - timedelta(hours=12))
    till = Actor(
        kind="system", name="demo", centre_id=world.centre_id,
        grants=(Grant(Role.MERCHANT, merchant_id=merchant.id),),
    )  # fmt: skip
    found = []
    for n in range(PHONES * EACH):
        if n % EACH == 0:
            phone = f"173{secrets.randbelow(10**8):08d}"
        at = night + timedelta(minutes=3 * n)
        claimed_at = at - timedelta(seconds=FIRST_SECONDS + n)
        person = await identity.enter(phone, centre_id=world.centre_id, now=claimed_at)
        claimed = await claims.claim(
            slug, claimant=person, key=secrets.token_hex(8), now=claimed_at, template=templates[n % EACH]
        )
        used = await redeems.redeem(
            codes.qr(claimed.voucher, now=at),
            merchant_id=merchant.id,
            store_id=store.id,
            order_fen=THRESHOLD_FEN,
            key=secrets.token_hex(8),
            actor=till,
            receipt_no=f"Y{n + 1:03d}",
            now=at,
        )
        found.append(Redeemed(THRESHOLD_FEN, used.subsidy_fen, offline=True))
    return found


async def look(*, centre_id: int, now: datetime) -> int:
    """What the morning's task does, once the sales are in; returns how many cases wait for somebody."""
    await evaluating.run_all(now=now)
    return await case_queries.open_count(centre_id)


async def _campaign(
    world: Seeded, merchant: Merchant, clerk: Actor, *, at: datetime
) -> tuple[str, list[str]]:
    """A campaign of three kinds of 满40减10: (slug of its link, public ids of the kinds)."""
    officer = await _person(world, Role.BUREAU, bureau_id=world.bureau_ids[0])
    finance = await _person(world, Role.FINANCE)
    wanted = NewCampaign(
        name="夜市小吃券",
        issuer_name=cast.BUREAUS[0][0],
        purpose="夜间消费",
        budget_fen=EACH * 100 * FACE_FEN,
    )
    campaign = await campaigns.draft(
        wanted, bureau_id=world.bureau_ids[0], centre_id=world.centre_id, actor=officer, now=at
    )
    await campaigns.submit(campaign.id, actor=officer, now=at)
    await campaigns.countersign(campaign.id, actor=finance, now=at)
    await campaigns.start(campaign.id, actor=clerk, now=at)
    round_ = await rounds.schedule(
        campaign.id,
        templates=[
            NewTemplate(
                name=f"夜市小吃券·{name}",
                face_fen=FACE_FEN,
                threshold_fen=THRESHOLD_FEN,
                quantity=100,
                validity=Validity.DAYS_FROM_CLAIM,
                validity_n=7,
            )
            for name in ("海鲜", "烧烤", "糖水")
        ],
        claim_from=at,
        claim_until=at + timedelta(days=30),
        actor=clerk,
        now=at,
    )
    await rounds.open_round(round_.id, actor=clerk, now=at)
    await enrolments.enrol(campaign.id, merchant_id=merchant.id, actor=clerk, now=at)
    link = await database.unit(lambda: links.create(round_.id, actor=clerk, now=at))
    templates = await Template.filter(round_id=round_.id).order_by("id")
    return link.slug, [each.public_id for each in templates]


async def _person(world: Seeded, role: Role, *, bureau_id: int = 0) -> Actor:
    user = await User.get(login=world.logins[str(role)])
    grant = Grant(role, bureau_id=bureau_id)
    return Actor(kind="user", id=user.id, name=user.name, centre_id=world.centre_id, grants=(grant,))
