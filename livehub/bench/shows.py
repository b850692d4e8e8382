"""A town's evenings on air: broadcasts bound to platform rooms, and vouchers claimed on their links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor, Grant, system
from livehub.accounts.models import Role
from livehub.kit import clock, ids, outbox, sealing
from livehub.vouchers import campaigns, claim_rows, codes, hot, identity, ledger, new_kinds, rounds
from livehub.vouchers.campaigns import NewCampaign
from livehub.vouchers.models import Account, Template, Validity
from rooms import booking, onair, prechecks, registry, shop_accounts
from rooms.models import Broadcast, Theme
from rooms.wishes import Wish
from streamers import ages
from streamers import registry as streamers

ROOMS = 4
MINUTES = 120
BORN = date(1988, 8, 8)
FACE_FEN, THRESHOLD_FEN = 5000, 18_000
ALWAYS = 2880  # minutes after midnight: open around the clock
AT_ONCE = 2000


class Show(Struct, frozen=True, kw_only=True):
    """One broadcast, by what an order says of it; an order takes a code from the end of the list."""

    broadcast_id: int
    streamer_id: int
    link_id: int
    platform: str
    room_ref: str
    author_ref: str
    starts_at: datetime
    codes: list[str] = msgspec.field(default_factory=list)


class Stage(Struct, frozen=True, kw_only=True):
    """Where shows are held: rooms and streamers by their public ids, two streamers to a room."""

    centre_id: int
    bureau_id: int
    platform: str
    rooms: Sequence[str]
    streamers: Sequence[str]

    @property
    def clerk(self) -> Actor:
        """Who books and starts."""
        return system("bench", centre_id=self.centre_id)


async def stage(*, centre_id: int, bureau_id: int, platform: str, now: datetime) -> Stage:
    """Open the rooms and register the streamers, each with an account on the platform."""
    clerk = system("bench", centre_id=centre_id)
    rooms = [
        await registry.open_room(
            registry.Plan(
                code=f"R{n}",
                name=f"{n} 号间",
                theme=Theme.AGRI_SPECIALTY,
                opens_minute=0,
                closes_minute=ALWAYS,
            ),
            centre_id=centre_id,
            actor=clerk,
            now=now,
        )
        for n in range(ROOMS)
    ]
    known = []
    for n in range(2 * ROOMS):
        streamer = await streamers.create(
            f"主播{n}", name=f"陈海{n}", town="侨港镇", centre_id=centre_id, actor=clerk, now=now
        )
        await streamers.add_account(
            streamer.public_id, platform=platform, account_ref=_author(n), actor=clerk, now=now
        )
        await ages.note(streamer.public_id, born_on=BORN, actor=clerk, now=now)
        known.append(streamer.public_id)
    return Stage(
        centre_id=centre_id,
        bureau_id=bureau_id,
        platform=platform,
        rooms=[room.public_id for room in rooms],
        streamers=known,
    )


async def sell_on_accounts(on: Stage, shops: Sequence[str], *, now: datetime) -> None:
    """Let shops (public ids) sell on the accounts of the first room's streamers."""
    for shop in shops:
        for streamer in range(2):
            await shop_accounts.bind(
                shop, platform=on.platform, account_ref=_author(streamer), actor=on.clerk, now=now
            )


async def evenings(on: Stage, *, first: datetime, days: int) -> list[Show]:
    """One show a room and day, each over; the first begins at ``first``, which is a whole quarter."""
    numbers = [
        await _hold(on, room=room, streamer=2 * room + day % 2, starts_at=first + timedelta(days=day))
        for day in range(days)
        for room in range(len(on.rooms))
    ]
    return await _told(numbers)


async def on_air(on: Stage, *, now: datetime) -> list[Show]:
    """One show a room, on air since now."""
    quarter = timedelta(minutes=15)
    starts_at = now + quarter - (now - datetime.min.replace(tzinfo=now.tzinfo)) % quarter
    numbers = [
        await _hold(on, room=room, streamer=2 * room, starts_at=starts_at, since=now)
        for room in range(len(on.rooms))
    ]
    return await _told(numbers)


async def _hold(
    on: Stage, *, room: int, streamer: int, starts_at: datetime, since: datetime | None = None
) -> int:
    """A broadcast from its booking to its end, or on air ``since`` an instant; its id."""
    wish = Wish(
        room=on.rooms[room],
        bureau_id=on.bureau_id,
        title="沙田沙虫",
        starts_at=starts_at,
        minutes=MINUTES,
        streamer=on.streamers[streamer],
    )
    asked_at = since or starts_at - timedelta(days=1)
    booked = await booking.request(wish, actor=on.clerk, now=asked_at)
    await booking.approve(booked.public_id, actor=on.clerk, now=asked_at)
    show = await Broadcast.get(booking_id=booked.id)
    wanted = await prechecks.standing(show.id)
    await prechecks.sign(
        show.public_id, ticked=wanted.items, role="anchor", actor=on.clerk, now=since or starts_at
    )
    await onair.start(show.public_id, actor=on.clerk, now=since or starts_at)
    await onair.bind_room(
        show.public_id,
        platform=on.platform,
        account_ref=_author(streamer),
        room_ref=f"73{show.id:017}",
        actor=on.clerk,
        now=since or starts_at,
    )
    if since is None:
        await onair.end(show.public_id, actor=on.clerk, now=starts_at + timedelta(minutes=MINUTES))
    return int(show.id)


async def _told(numbers: Sequence[int]) -> list[Show]:
    """Let everybody hear of the broadcasts, so that their links are made, and describe them."""
    await hand_out()
    rows = await database.fetch(
        "SELECT x.id AS broadcast_id, x.streamer_id, l.id AS link_id, c.platform, c.room_ref,"
        " c.account_ref AS author_ref, x.planned_start_at FROM broadcast x"
        " JOIN broadcast_account c ON c.broadcast_id = x.id"
        " JOIN claim_link l ON l.broadcast_id = x.id ORDER BY x.id"
    )
    return [
        Show(starts_at=clock.from_ms(row.pop("planned_start_at")), **row)
        for row in rows
        if row["broadcast_id"] in set(numbers)
    ]


async def hand_out() -> None:
    """Give every fact that waits to its listeners."""
    while await outbox.hand_out(now=clock.now(), limit=500):
        pass


def _author(number: int) -> str:
    return f"author-{number}"


async def give_vouchers(on: Stage, shows: Sequence[Show], *, count: int, now: datetime) -> None:
    """Vouchers claimed on the links of shows, each by another person as it begins; they get the codes."""
    each = -(-count // len(shows))
    template = await _template(on, quantity=each * len(shows), now=now)
    accounts = {
        name: await ledger.account_id(ledger.Key(template.campaign_id, kind, template.round_id))
        for name, kind in (("unissued_id", Account.UNISSUED), ("held_id", Account.HELD))
    }
    wanted = [show for show in shows for _ in range(each)]
    for first in range(0, len(wanted), AT_ONCE):
        part = wanted[first : first + AT_ONCE]
        people = await _people(range(first, first + len(part)), centre_id=on.centre_id, now=now)
        claims = [_claim(template, show, person) for show, person in zip(part, people, strict=True)]
        rows = [row | accounts for row in claims]
        await database.unit(partial(hot.run, claim_rows.COLUMNS, rows, claim_rows.STEPS))
        for show, row in zip(part, rows, strict=True):
            show.codes.append(codes.shown(row["code_sealed"], voucher=row["public_id"]))


class _Kind(Struct, frozen=True):
    id: int
    campaign_id: int
    round_id: int


async def _template(on: Stage, *, quantity: int, now: datetime) -> _Kind:
    grants = (Grant(Role.BUREAU, bureau_id=on.bureau_id),)
    officer = Actor(kind="user", id=1, centre_id=on.centre_id, grants=grants)
    finance = Actor(kind="user", id=2, centre_id=on.centre_id, grants=(Grant(Role.FINANCE),))
    wanted = NewCampaign(name="基准", issuer_name="基准", budget_fen=FACE_FEN * quantity)
    campaign = await campaigns.draft(
        wanted, bureau_id=on.bureau_id, centre_id=on.centre_id, actor=officer, now=now
    )
    await campaigns.submit(campaign.id, actor=officer, now=now)
    await campaigns.countersign(campaign.id, actor=finance, now=now)
    await campaigns.start(campaign.id, actor=on.clerk, now=now)
    kind = new_kinds.NewTemplate(
        name="基准券",
        face_fen=FACE_FEN,
        threshold_fen=THRESHOLD_FEN,
        quantity=quantity,
        validity=Validity.DAYS_FROM_CLAIM,
        validity_n=7,
    )
    planned = await rounds.schedule(
        campaign.id,
        templates=[kind],
        claim_from=now - timedelta(minutes=1),
        claim_until=now + timedelta(days=1),
        actor=on.clerk,
        now=now,
    )
    await rounds.open_round(planned.id, actor=on.clerk, now=now)
    return _Kind((await Template.get(round_id=planned.id)).id, campaign.id, planned.id)


async def _people(numbers: range, *, centre_id: int, now: datetime) -> Sequence[Mapping[str, Any]]:
    ring, at = sealing.ring(), clock.to_ms(now)
    phones = [f"170{number:08d}" for number in numbers]
    return await database.with_rows(
        {"public_id": "text", "person_key": "bytea", "sealed": "bytea"},
        [
            (ids.public_id(), identity.phone_index(each), ring.seal_text(each, place=identity.PHONE_PLACE))
            for each in phones
        ],
        "INSERT INTO claimant (public_id, centre_id, person_key, phone_sealed, created_at)"
        f" SELECT public_id, {centre_id}, person_key, sealed, {at} FROM v RETURNING id, person_key",
    )


def _claim(template: _Kind, show: Show, person: Mapping[str, Any]) -> dict[str, Any]:
    public_id, at = ids.public_id(), clock.to_ms(show.starts_at)
    code = codes.make(public_id)
    return {
        "id": ids.row_id(at),
        "public_id": public_id,
        "code_index": code.index,
        "code_sealed": code.sealed,
        "template_id": template.id,
        "campaign_id": template.campaign_id,
        "round_id": template.round_id,
        "claimant_id": int(person["id"]),
        "person_key": bytes(person["person_key"]),
        "platform": "",
        "n": 1,
        "link_id": show.link_id,
        "drop_id": 0,
        "offer_id": template.id,
        "counted_link": show.link_id,
        "counted_drop": 0,
        "broadcast_id": show.broadcast_id,
        "streamer_id": show.streamer_id,
        "at": at,
        "valid_from": at,
        "valid_until": clock.to_ms(show.starts_at + timedelta(days=7)),
        "state": "issued",
        "face_fen": FACE_FEN,
        "key": f"claim-{public_id}",
        "body_hash": bytes(16),
        "answer": "{}",
    }
