"""Vouchers in packs: one that a town may claim by a link, one for the households of a roster."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from livehub.accounts.actors import system
from livehub.accounts.models import Role
from livehub.demo import settling
from livehub.demo.seeding import Seeded
from livehub.merchants.models import Store
from livehub.settings import Settings
from livehub.vouchers import campaigns, codes, direct, enrolments, identity, links, queries, rounds
from livehub.vouchers.campaigns import NewCampaign
from livehub.vouchers.claims import ClaimDesk
from livehub.vouchers.models import Campaign, Validity
from livehub.vouchers.new_kinds import NewItem, NewPack
from livehub.vouchers.redemptions import RedeemDesk
from streamers.training.importing import Mode

CITY = ((20, 100, 1), (35, 200, 1), (45, 300, 1))  # 杭州 II: yuan off, from so many yuan, in each pack
VILLAGE = ((5, 20, 6), (15, 50, 2), (30, 100, 1))  # 中卫, 农产品
PACKS, CLAIMED = 200, 24
HOUSEHOLDS, ON_ROSTER = 60, 30
A_DAY = 2  # of one person in one shop


async def give(world: Seeded, settings: Settings, *, now: datetime) -> None:
    """Fill the pages of packs and of a direct round; everything is made by the verbs that the pages use."""
    await _to_the_town(world, settings, now=now)
    await _to_households(world, settings, now=now)


def a_pack(name: str, kinds: tuple[tuple[int, int, int], ...], *, quantity: int, days: int) -> NewPack:
    """Yuan off from so many yuan, so many of each in a pack."""
    return NewPack(
        name=name,
        quantity=quantity,
        items=tuple(
            NewItem(
                name=f"满{threshold}减{face}",
                face_fen=face * 100,
                threshold_fen=threshold * 100,
                n=n,
                validity=Validity.DAYS_FROM_CLAIM,
                validity_n=days,
                merchants_only=True,
                rules={"per_shop_day": {"limit": A_DAY}},
            )
            for face, threshold, n in kinds
        ),
    )


async def _to_the_town(world: Seeded, settings: Settings, *, now: datetime) -> None:
    pack = a_pack("惠民消费券包", CITY, quantity=PACKS, days=7)
    campaign = await _campaign("惠民消费券包", pack, world, now=now)
    clerk = system("demo", centre_id=world.centre_id)
    round_ = await rounds.schedule(
        campaign.id,
        packs=[pack],
        claim_from=now,
        claim_until=now + timedelta(days=7),
        actor=clerk,
        now=now,
    )
    await rounds.open_round(round_.id, actor=clerk, now=now)
    link = await links.create(round_.id, actor=clerk, now=now)
    desk = ClaimDesk(settings)
    desk.start()
    try:
        for _ in range(CLAIMED):
            person = await identity.enter(_phone(), centre_id=world.centre_id, now=now)
            await desk.claim(link.slug, claimant=person, key=secrets.token_hex(8), now=now)
    finally:
        await desk.stop()


async def _to_households(world: Seeded, settings: Settings, *, now: datetime) -> None:
    pack = a_pack("惠农券包", VILLAGE, quantity=HOUSEHOLDS, days=60)
    campaign = await _campaign("农产品定向消费券", pack, world, now=now)
    clerk = system("demo", centre_id=world.centre_id)
    round_ = await rounds.schedule(
        campaign.id,
        packs=[pack],
        claim_from=now,
        claim_until=now + timedelta(days=30),
        actor=clerk,
        now=now,
        mode="direct",
    )
    await rounds.open_round(round_.id, actor=clerk, now=now)
    phones = [_phone() for _ in range(ON_ROSTER)]
    rows = [f"ZW{n:04d},{phone}" for n, phone in enumerate(phones, start=1)]
    rows.append("ZW0031,1390000")  # as rosters are
    raw = "\n".join(("户号,手机号", *rows)).encode()
    await direct.take(
        raw, round_id=round_.id, mode=Mode.PARTIAL, name="沙坡头农户名册.csv", actor=clerk, now=now
    )
    household = await identity.enter(phones[0], centre_id=world.centre_id, now=now)
    await _use(await queries.vouchers_of(household.id, now=now), world, settings, now=now)


async def _use(mine: list[queries.Mine], world: Seeded, settings: Settings, *, now: datetime) -> None:
    """A household buys what its vouchers ask for, as often as it may in a day."""
    store = await Store.get(public_id=world.store_ref)
    till = await settling.person(world, Role.MERCHANT, merchant_id=world.merchant_id)
    desk = RedeemDesk(settings)
    desk.start()
    try:
        for n, each in enumerate(mine[:A_DAY]):
            at = now + timedelta(seconds=n)
            await desk.redeem(
                codes.qr(each.id, now=at),
                merchant_id=world.merchant_id,
                store_id=store.id,
                order_fen=each.threshold_fen,
                key=secrets.token_hex(8),
                actor=till,
                now=at,
                receipt_no=f"G{n + 1}",
            )
    finally:
        await desk.stop()


async def _campaign(name: str, pack: NewPack, world: Seeded, *, now: datetime) -> Campaign:
    """Drafted for the first bureau, countersigned by finance, running, with a merchant in it."""
    clerk = system("demo", centre_id=world.centre_id)
    officer = await settling.person(world, Role.BUREAU, bureau_id=world.bureau_ids[0])
    finance = await settling.person(world, Role.FINANCE)
    wanted = NewCampaign(name=name, issuer_name="北海市人民政府", budget_fen=pack.face_fen * pack.quantity)
    campaign = await campaigns.draft(
        wanted, bureau_id=world.bureau_ids[0], centre_id=world.centre_id, actor=officer, now=now
    )
    await campaigns.submit(campaign.id, actor=officer, now=now)
    await campaigns.countersign(campaign.id, actor=finance, now=now)
    await campaigns.start(campaign.id, actor=clerk, now=now)
    await enrolments.enrol(campaign.id, merchant_id=world.merchant_id, actor=clerk, now=now)
    return campaign


def _phone() -> str:
    return f"171{secrets.randbelow(10**8):08d}"
