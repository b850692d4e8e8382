"""On the air: start, end, again, abandoned; the platform's room; the rundown's cues."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.actors import Actor, system
from livehub.accounts.errors import OutOfScope, PermissionMissing
from livehub.accounts.models import AuditEntry
from livehub.kit import clock, outbox
from livehub.kit.errors import Invalid
from livehub.kit.states import WrongState
from livehub.platforms.errors import UnknownPlatform
from livehub.settings import Settings
from rooms import booking, facts, matching, onair, queries, rundown
from rooms.errors import AccountElsewhere, CueRefused, NotApproved, NotItsTime, NotOnAir
from rooms.models import Booking, BookingState, Broadcast, BroadcastRun, BroadcastState, Cue
from rooms.rundown import Kind, Planned
from streamers.models import StreamerAccount
from tests.factories.merchants import a_product
from tests.factories.rooms import House, a_booking, a_broadcast, a_house, checked, local
from tests.factories.streamers import a_streamer

JOB = system("rooms.end_abandoned")


def _herself(house: House) -> Actor:
    return Actor(kind="streamer", id=house.streamer.id, name="主播", centre_id=house.centre.id)


async def _live(house: House) -> Broadcast:
    planned = await a_broadcast(house, local(3, 20), minutes=120)
    return await onair.start(planned.public_id, actor=_herself(house), now=local(3, 20))


def _listen() -> list:
    heard: list = []

    async def listener(fact, now) -> None:
        heard.append(fact)

    kinds = [
        each for each in vars(facts).values() if isinstance(each, type) and each.__module__ == facts.__name__
    ]
    outbox.connect({kind: {"tests": listener} for kind in kinds})
    return heard


async def test_a_broadcast_runs_twice_and_ends(db: Settings) -> None:
    heard = _listen()
    house = await a_house()
    planned = await a_broadcast(house, local(3, 20), minutes=120)
    me, ref = _herself(house), planned.public_id

    await onair.start(ref, actor=me, now=local(3, 19, 45))
    await onair.end(ref, actor=me, now=local(3, 20, 30))
    await onair.start(ref, actor=house.manager, now=local(3, 20, 40))
    ended = await onair.end(ref, actor=me, now=local(3, 22, 5))

    runs = await BroadcastRun.filter(broadcast_id=planned.id).order_by("id")
    assert [(each.started_at, each.ended_at) for each in runs] == [
        (local(3, 19, 45), local(3, 20, 30)),
        (local(3, 20, 40), local(3, 22, 5)),
    ]
    assert (ended.state, ended.started_at, ended.ended_at) == (
        BroadcastState.ENDED,
        local(3, 19, 45),
        local(3, 22, 5),
    )
    assert (await Booking.get(id=planned.booking_id)).state is BookingState.CHECKED_IN
    assert await booking.close_past(actor=JOB, now=local(3, 22, 30)) == 1
    assert (await Booking.get(id=planned.booking_id)).state is BookingState.COMPLETED
    assert (await Broadcast.get(id=planned.id)).state is BroadcastState.ENDED
    await outbox.hand_out(now=local(4, 0))
    told = [(type(each).__name__, each.run) for each in heard if hasattr(each, "run")]
    assert told == [
        ("BroadcastStarted", 1),
        ("BroadcastEnded", 1),
        ("BroadcastStarted", 2),
        ("BroadcastEnded", 2),
    ]


async def test_starting_twice_at_once_makes_one_run(db: Settings) -> None:
    house = await a_house()
    planned = await a_broadcast(house, local(3, 20))

    results = await asyncio.gather(
        *(
            database.unit(lambda: onair.start(planned.public_id, actor=house.manager, now=local(3, 20)))
            for _ in range(4)
        ),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in results) == [
        "Broadcast",
        "WrongState",
        "WrongState",
        "WrongState",
    ]
    assert await BroadcastRun.all().count() == 1
    assert await AuditEntry.filter(action="broadcast.started").count() == 1


async def test_nobody_starts_what_is_not_approved_or_not_theirs_or_not_now(db: Settings) -> None:
    house = await a_house()
    waiting = await a_booking(house, local(4, 20))
    unapproved = await Broadcast.get(booking_id=waiting.id)
    planned = await a_broadcast(house, local(3, 20))
    stranger = Actor(kind="streamer", id=house.streamer.id + 1, name="别人", centre_id=house.centre.id)

    with pytest.raises(NotApproved):
        await onair.start(unapproved.public_id, actor=house.manager, now=local(4, 20))
    with pytest.raises(NotItsTime):
        await onair.start(planned.public_id, actor=house.manager, now=local(3, 19, 29))
    with pytest.raises(NotItsTime):
        await onair.start(planned.public_id, actor=house.manager, now=local(3, 21, 30))
    with pytest.raises(PermissionMissing):
        await onair.start(planned.public_id, actor=stranger, now=local(3, 20))
    with pytest.raises(PermissionMissing):
        await onair.start(planned.public_id, actor=house.officers[0], now=local(3, 20))
    with pytest.raises(OutOfScope):
        await onair.start(planned.public_id, actor=house.officers[1], now=local(3, 20))
    with pytest.raises(NotOnAir):
        await onair.end(planned.public_id, actor=house.manager, now=local(3, 20))
    with pytest.raises(NotOnAir):
        await onair.heartbeat(planned.public_id, actor=house.manager, now=local(3, 20))


async def test_what_went_on_air_is_not_cancelled(db: Settings) -> None:
    house = await a_house()
    live = await _live(house)
    booked = await Booking.get(id=live.booking_id)
    with pytest.raises(WrongState):
        await booking.cancel(booked.public_id, actor=house.officers[0], now=local(3, 20, 5))
    assert await booking.close_past(actor=JOB, now=local(4, 1)) == 0  # it is still on air


async def test_an_abandoned_broadcast_ends_five_minutes_after_its_last_pulse(db: Settings) -> None:
    house = await a_house()
    live = await _live(house)
    await onair.heartbeat(live.public_id, actor=_herself(house), now=local(3, 20, 40))
    await onair.pulse({live.id: local(3, 20, 50)})  # an order that was attributed
    await onair.pulse({live.id: local(3, 20, 45)})  # an earlier one, heard of later

    assert await onair.end_abandoned(actor=JOB, now=local(3, 20, 54)) == 0
    assert await onair.end_abandoned(actor=JOB, now=local(3, 21, 10)) == 1
    assert await onair.end_abandoned(actor=JOB, now=local(3, 21, 10)) == 0

    ended = await Broadcast.get(id=live.id)
    assert (ended.state, ended.ended_at, ended.flags) == (BroadcastState.ENDED, local(3, 20, 55), "abandoned")
    assert (await BroadcastRun.get(broadcast_id=live.id)).ended_at == local(3, 20, 55)
    again = await onair.start(live.public_id, actor=_herself(house), now=local(3, 21, 15))
    assert (again.state, again.flags) == (BroadcastState.LIVE, "")


async def test_a_platform_room_leads_to_its_broadcast(db: Settings) -> None:
    heard = _listen()
    house = await a_house()
    live = await _live(house)
    [(platform, author, _)] = await queries.accounts_of(live.id)
    ours = {"platform": platform, "account_ref": author, "room_ref": "7312"}

    await onair.bind_room(live.public_id, **ours, actor=house.manager, now=local(3, 20, 1))
    await onair.bind_room(
        live.public_id, **ours, actor=house.manager, now=local(3, 20, 2)
    )  # says nothing new

    match = matching.Match(
        broadcast_id=live.id,
        streamer_id=house.streamer.id,
        started_at_ms=clock.to_ms(local(3, 20)),
        ended_at_ms=None,
        business_day=20260303,
    )
    assert await matching.by_room([("doudian", "7312"), ("doudian", "9"), ("kuaishou", "7312")]) == {
        ("doudian", "7312"): [match]
    }
    assert await matching.by_account([("doudian", author), ("doudian", "nobody")]) == {
        ("doudian", author): [match]
    }
    assert await matching.by_room([]) == {}
    await outbox.hand_out(now=local(4, 0))
    assert [each.room_ref for each in heard if isinstance(each, facts.AccountBound)] == ["7312"]
    assert [each.public_id for each in await queries.on_air(house.centre.id)] == [live.public_id]


async def test_a_platform_room_is_in_one_broadcast_only(db: Settings) -> None:
    house = await a_house()
    live = await _live(house)
    other = await a_streamer(house.centre)
    next_one = await a_broadcast(house, local(4, 20), streamer=other.public_id)
    account = await StreamerAccount.get(streamer_id=house.streamer.id)
    await onair.bind_room(
        live.public_id,
        platform="doudian",
        account_ref=account.account_ref,
        room_ref="7312",
        actor=house.manager,
        now=local(3, 20),
    )

    theirs = {"account_ref": "88", "actor": house.manager, "now": local(3, 21)}
    with pytest.raises(AccountElsewhere):
        await onair.bind_room(next_one.public_id, platform="doudian", room_ref="7312", **theirs)
    with pytest.raises(UnknownPlatform):
        await onair.bind_room(next_one.public_id, platform="nowhere", room_ref="7313", **theirs)
    with pytest.raises(Invalid):
        await onair.bind_room(next_one.public_id, platform="doudian", room_ref="", **theirs)
    bound = await onair.bind_room(next_one.public_id, platform="doudian", room_ref="7313", **theirs)
    assert bound.account_ref == "88"  # a guest's account


async def test_an_account_matches_only_what_went_on_air(db: Settings) -> None:
    house = await a_house()
    planned = await a_broadcast(house, local(3, 20))
    [(platform, author, _)] = await queries.accounts_of(planned.id)
    assert await matching.by_account([(platform, author)]) == {}


async def test_a_voucher_cue_is_planned_and_fired(db: Settings) -> None:
    heard = _listen()
    house = await a_house()
    product = await a_product(house.centre)
    planned = await a_broadcast(house, local(3, 20), minutes=120)
    cues = await rundown.plan(
        planned.public_id,
        cues=[
            Planned(kind=Kind.PRODUCT, title="沙虫干", length_s=600, product=product.public_id),
            Planned(
                kind=Kind.VOUCHER,
                title="满 100 减 20",
                offset_s=600,
                length_s=900,
                template_ref="tpl2345abcdefgh7",
                quantity=200,
                window_s=1200,
            ),
        ],
        actor=house.officers[0],
        now=local(3, 9),
    )
    me, voucher = _herself(house), cues[1].public_id

    with pytest.raises(NotOnAir):
        await rundown.fire(voucher, actor=me, now=local(3, 20))
    await checked(planned, now=local(3, 19))
    await onair.start(planned.public_id, actor=me, now=local(3, 20))
    await rundown.fire(cues[0].public_id, actor=me, now=local(3, 20, 1))
    await rundown.fire(voucher, actor=me, now=local(3, 20, 10))
    with pytest.raises(WrongState):
        await rundown.fire(voucher, actor=me, now=local(3, 20, 11))
    with pytest.raises(WrongState):
        await rundown.plan(planned.public_id, cues=[], actor=house.officers[0], now=local(3, 20, 12))
    extra = await rundown.add(
        planned.public_id,
        cue=Planned(kind=Kind.CLOSING, title="感谢"),
        actor=house.officers[0],
        now=local(3, 21),
    )
    await rundown.skip(extra.public_id, actor=me, now=local(3, 21, 30))

    shown = await queries.cues(planned.id)
    assert [(each.position, each.kind, each.state) for each in shown] == [
        (1, "product", "done"),
        (2, "voucher", "on_air"),
        (3, "closing", "skipped"),
    ]
    assert (shown[0].product_id, shown[1].fired_at) == (product.id, local(3, 20, 10))
    await outbox.hand_out(now=local(4, 0))
    fired = [each for each in heard if isinstance(each, facts.CueFired)]
    assert [(each.cue_ref, each.template_ref, each.quantity, each.window_s) for each in fired] == [
        (cues[0].public_id, "", 0, 0),
        (voucher, "tpl2345abcdefgh7", 200, 1200),
    ]


async def test_what_is_wrong_with_a_rundown_is_named_cue_by_cue(db: Settings) -> None:
    house = await a_house(commerce_allowed=False)
    planned = await a_broadcast(house, local(3, 20), minutes=120)
    wrong = [
        Planned(kind=Kind.PRODUCT, title="沙虫干", length_s=600, product="nothing"),
        Planned(kind=Kind.VOUCHER, title=" ", offset_s=500, length_s=7000, window_s=1500),
    ]

    with pytest.raises(CueRefused) as refusal:
        await rundown.plan(planned.public_id, cues=wrong, actor=house.officers[0], now=local(3, 9))

    assert [(each.field, each.expected) for each in refusal.value.details] == [
        ("cues[0].product", ""),
        ("cues[0].product", ""),
        ("cues[1].title", "1 到 60 个字"),
        ("cues[1].template_ref", ""),
        ("cues[1].quantity", "1 或以上"),
        ("cues[1].window_s", "1 到 1200 秒"),
        ("cues[1].offset_s", "600 秒以后"),
        ("cues", "不超过 7200 秒"),
    ]
    assert refusal.value.details[-1].reason == "环节总长超出场次 300 秒"
    assert await Cue.all().count() == 0


async def test_a_rundown_is_planned_by_its_own_bureau(db: Settings) -> None:
    house = await a_house()
    planned = await a_broadcast(house, local(3, 20))
    with pytest.raises(OutOfScope):
        await rundown.plan(planned.public_id, cues=[], actor=house.officers[1], now=local(3, 9))
    with pytest.raises(PermissionMissing):
        await rundown.plan(planned.public_id, cues=[], actor=_herself(house), now=local(3, 9))


async def test_a_streamer_sees_her_own_broadcasts(db: Settings) -> None:
    house = await a_house()
    planned = await a_broadcast(house, local(3, 20))
    other = await a_streamer(house.centre)
    hers = await a_broadcast(house, local(4, 20), streamer=other.public_id)

    shown = await queries.broadcasts_of(house.streamer.id, since=local(3, 0), until=local(5, 0))
    assert [each.public_id for each in shown] == [planned.public_id]
    assert (
        await queries.broadcast(planned.public_id, actor=_herself(house))
    ).streamer == house.streamer.stage_name
    with pytest.raises(Exception, match="NOT_FOUND"):
        await queries.broadcast(hers.public_id, actor=_herself(house))
    page = await queries.latest_broadcasts(actor=house.manager, state="checked", size=1)
    assert ([each.public_id for each in page.items], page.total, page.pages) == ([hers.public_id], 2, 2)
    named = await queries.broadcasts_by_id([planned.id, planned.id])
    assert named[planned.id].business_day.isoformat() == "2026-03-03"
    assert planned.planned_end_at - planned.planned_start_at == timedelta(hours=1)
