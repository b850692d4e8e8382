"""Campaigns with money, rounds, links, claimants and live broadcasts for tests of vouchers."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau, Role
from livehub.kit import clock, ids, sealing
from livehub.merchants.models import Merchant, MerchantStatus, Store
from livehub.vouchers import campaigns, identity, links, new_kinds, rounds
from livehub.vouchers.identity import ClaimantRef
from livehub.vouchers.models import Campaign, ClaimLink, Round, Template, Validity
from rooms.models import (
    Booking,
    BookingKind,
    BookingState,
    Broadcast,
    BroadcastAccount,
    BroadcastState,
    Room,
    Theme,
)
from streamers.models import Person, Streamer, StreamerStatus
from tests.factories.accounts import a_bureau, an_actor

NOW = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)  # 20:00 in Beihai

_numbers = itertools.count(1)


class World(Struct, kw_only=True):
    """A running campaign with one open round and a link to it."""

    bureau: Bureau
    officer: Actor
    finance: Actor
    staff: Actor
    campaign: Campaign
    round: Round
    templates: list[Template]
    link: ClaimLink | None

    @property
    def template(self) -> Template:
        return self.templates[0]


def a_kind(**changes) -> new_kinds.NewTemplate:
    """满 100 减 20, 1,000 of them, for seven days."""
    values = {
        "name": "满100减20",
        "face_fen": 2000,
        "threshold_fen": 10_000,
        "quantity": 1000,
        "validity": Validity.DAYS_FROM_CLAIM,
        "validity_n": 7,
    }
    return new_kinds.NewTemplate(**(values | changes))


def an_item(face: int, threshold: int, *, n: int = 1, **changes) -> new_kinds.NewItem:
    """满 threshold 减 face, in yuan, so many in a pack."""
    values = {
        "name": f"满{threshold}减{face}",
        "face_fen": face * 100,
        "threshold_fen": threshold * 100,
        "n": n,
        "validity": Validity.DAYS_FROM_CLAIM,
        "validity_n": 7,
    }
    return new_kinds.NewItem(**(values | changes))


def a_pack(*items: new_kinds.NewItem, **changes) -> new_kinds.NewPack:
    """杭州 II: 100-20, 200-35, 300-45, worth 100 yuan together; ten of them."""
    items = items or (an_item(20, 100), an_item(35, 200), an_item(45, 300))
    return new_kinds.NewPack(**({"name": "惠民券包", "quantity": 10, "items": items} | changes))


async def a_world(
    *kinds: new_kinds.NewTemplate | new_kinds.NewPack,
    budget_fen: int | None = None,
    now: datetime = NOW,
    min_pay_fen: int = 1,
    mode: str = "rush",
) -> World:
    """The whole way: drafted, submitted, countersigned, started, scheduled, opened, and linked but for rosters."""
    kinds = kinds or (a_kind(),)
    packs = [kind for kind in kinds if isinstance(kind, new_kinds.NewPack)]
    bureau = await a_bureau()
    scope = {"centre_id": bureau.centre_id}
    officer = an_actor(Role.BUREAU, bureau_id=bureau.id, **scope)
    finance, staff = an_actor(Role.FINANCE, **scope), an_actor(Role.STAFF, **scope)
    campaign = await campaigns.draft(
        campaigns.NewCampaign(
            name="惠农消费券",
            issuer_name="北海市人民政府",
            budget_fen=budget_fen or sum(kind.face_fen * kind.quantity for kind in kinds),
            min_pay_fen=min_pay_fen,
        ),
        bureau_id=bureau.id,
        centre_id=bureau.centre_id,
        actor=officer,
        now=now,
    )
    await campaigns.submit(campaign.id, actor=officer, now=now)
    await campaigns.countersign(campaign.id, actor=finance, now=now)
    await campaigns.start(campaign.id, actor=officer, now=now)
    planned = await rounds.schedule(
        campaign.id,
        templates=[kind for kind in kinds if not isinstance(kind, new_kinds.NewPack)],
        packs=packs,
        claim_from=now - timedelta(hours=1),
        claim_until=now + timedelta(days=3),
        actor=officer,
        now=now,
        mode=mode,
    )
    opened = await rounds.open_round(planned.id, actor=officer, now=now)
    link = await links.create(planned.id, actor=officer, now=now) if mode == "rush" else None
    return World(
        bureau=bureau,
        officer=officer,
        finance=finance,
        staff=staff,
        campaign=await Campaign.get(id=campaign.id),
        round=opened,
        templates=await Template.filter(round_id=planned.id).order_by("id"),
        link=link,
    )


async def a_claimant(world: World, phone: str = "", now: datetime = NOW) -> ClaimantRef:
    """Somebody whose phone was verified."""
    return await identity.enter(
        phone or f"139{next(_numbers):08d}", centre_id=world.bureau.centre_id, now=now
    )


async def a_crowd(world: World, size: int) -> list[ClaimantRef]:
    """Many verified people at once."""
    ring, at = sealing.ring(), clock.to_ms(NOW)
    people = [(ids.public_id(), f"138{next(_numbers):08d}") for _ in range(size)]
    rows = await database.with_rows(
        {
            "public_id": "text",
            "centre_id": "bigint",
            "person_key": "bytea",
            "sealed": "bytea",
            "at": "bigint",
        },
        [
            (
                public_id,
                world.bureau.centre_id,
                identity.phone_index(phone),
                ring.seal_text(phone, place=identity.PHONE_PLACE),
                at,
            )
            for public_id, phone in people
        ],
        "INSERT INTO claimant (public_id, centre_id, person_key, phone_sealed, created_at)"
        " SELECT public_id, centre_id, person_key, sealed, at FROM v"
        " RETURNING id, public_id, centre_id, person_key",
    )
    return [
        ClaimantRef(
            id=row["id"],
            public_id=row["public_id"],
            centre_id=row["centre_id"],
            person_key=bytes(row["person_key"]),
        )
        for row in rows
    ]


async def a_merchant(
    world: World, name: str = "侨港海味馆", status: MerchantStatus = MerchantStatus.APPROVED
) -> tuple[Merchant, Store]:
    """A merchant with a store."""
    merchant = await Merchant.create(
        public_id=ids.public_id(),
        centre_id=world.bureau.centre_id,
        name=name,
        status=status,
        created_at=NOW,
    )
    store = await Store.create(public_id=ids.public_id(), merchant_id=merchant.id, name="总店")
    return merchant, store


async def a_broadcast(
    world: World, *, platforms: tuple[str, ...] = ("doudian",), state: BroadcastState = BroadcastState.LIVE
) -> Broadcast:
    """A broadcast of the world's bureau on these platforms, live unless told otherwise."""
    number = next(_numbers)
    centre_id = world.bureau.centre_id
    room = await Room.create(
        public_id=ids.public_id(),
        centre_id=centre_id,
        code=f"R{number}",
        name="农特直播间",
        theme=Theme.AGRI_SPECIALTY,
    )
    person = await Person.create(public_id=ids.public_id(), centre_id=centre_id, name="阿海", created_at=NOW)
    streamer = await Streamer.create(
        public_id=ids.public_id(),
        centre_id=centre_id,
        person_id=person.id,
        stage_name="海哥",
        status=StreamerStatus.ACTIVE,
    )
    booking = await Booking.create(
        public_id=ids.public_id(),
        centre_id=centre_id,
        room_id=room.id,
        bureau_id=world.bureau.id,
        kind=BookingKind.LIVE,
        title="海鸭蛋专场",
        start_at=NOW,
        end_at=NOW + timedelta(hours=2),
        setup_min=0,
        turnover_min=0,
        state=BookingState.APPROVED,
        created_by_id=1,
        created_at=NOW,
    )
    broadcast = await Broadcast.create(
        public_id=ids.public_id(),
        centre_id=centre_id,
        booking_id=booking.id,
        room_id=room.id,
        bureau_id=world.bureau.id,
        streamer_id=streamer.id,
        title="海鸭蛋专场",
        state=state,
        business_day=clock.business_day(NOW, boundary_hour=6),
        planned_start_at=NOW,
        planned_end_at=NOW + timedelta(hours=2),
        started_at=NOW,
    )
    for platform in platforms:
        await BroadcastAccount.create(
            broadcast_id=broadcast.id, platform=platform, account_ref=f"author{number}"
        )
    return broadcast


async def warm() -> None:
    """Open several connections, so that two desks really work at the same moment."""
    if database.dialect() == "postgres":
        await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.05)") for _ in range(4)))
