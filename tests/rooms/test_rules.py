"""Opening hours of the week, the centre's exceptions from them, and equipment."""

from __future__ import annotations

import pytest

from livehub.accounts.errors import PermissionMissing
from livehub.accounts.models import AuditEntry
from livehub.settings import Settings
from rooms import booking, equipment, registry
from rooms.conflicts import Frame, Hours, Span, faults
from rooms.errors import EquipmentRefused, OutsideRules, RoomRefused, SerialTaken, SlotTaken
from rooms.models import BookingKind, ResourceClaim
from rooms.registry import Changes
from tests.contention import kinds, meet
from tests.factories.rooms import NOW, a_booking, a_house, a_room, a_unit, local
from tests.rooms.told import sound

WEEKDAYS = tuple(Hours(day, 540, 1080) for day in range(5))


@pytest.mark.parametrize(
    ("starts_at", "minutes", "weekly", "expected"),
    [
        (local(2, 9), 60, WEEKDAYS, None),  # a Monday
        (local(2, 17), 60, WEEKDAYS, None),  # until the very close
        (local(2, 17, 15), 60, WEEKDAYS, ((540, 1080),)),
        (local(7, 10), 60, WEEKDAYS, ()),  # a Saturday
        (local(3, 1), 60, (Hours(0, 480, 1560),), None),  # Monday's hours go on to Tuesday 02:00
        (local(3, 1, 30), 60, (Hours(0, 480, 1560),), ()),
        (local(2, 13), 60, (Hours(0, 480, 720), Hours(0, 840, 1080)), ((480, 720), (840, 1080))),
        (local(2, 11), 240, (Hours(0, 480, 720), Hours(0, 720, 1080)), ((480, 720), (720, 1080))),
    ],
)
def test_the_week_has_hours_of_its_own(starts_at, minutes, weekly, expected) -> None:
    core = Span(starts_at, starts_at + minutes * (local(2, 0, 1) - local(2, 0)))
    found = [each.expected for each in faults(core, frame=Frame(weekly=weekly), now=NOW)]
    assert found == ([] if expected is None else [expected])


async def test_a_rooms_rules_are_changed_and_the_centre_may_make_an_exception(db: Settings) -> None:
    house = await a_house()
    old = await a_booking(house, local(7, 10))
    await registry.change(
        house.room.public_id, Changes(weekly=WEEKDAYS, max_duration_min=120), actor=house.manager, now=NOW
    )
    for wish, expected in (
        (house.wish(local(8, 10)), "这一天不开放"),
        (house.wish(local(9, 17, 30)), "09:00 到 18:00"),
        (house.wish(local(9, 10), minutes=180), "30 到 120 分钟"),
    ):
        with pytest.raises(OutsideRules) as refusal:
            await booking.request(wish, actor=house.officers[0], now=NOW)
        assert [each.expected for each in refusal.value.details] == [expected]

    wish = house.wish(local(8, 10), override="开海节直播")
    with pytest.raises(PermissionMissing):
        await booking.request(wish, actor=house.officers[0], now=NOW)
    made = await booking.request(wish, actor=house.manager, now=NOW)

    assert made.override_reason == "开海节直播"
    entry = await AuditEntry.get(action="booking.created", object_id=made.public_id)
    assert "开海节直播" in str(entry.detail)
    assert (await AuditEntry.get(action="room.rules")).object_id == house.room.public_id
    assert await ResourceClaim.filter(booking_id=old.id, active=True).count() == 2  # stands as it was
    with pytest.raises(RoomRefused):
        changes = Changes(weekly=(Hours(7, 540, 1080),))
        await registry.change(house.room.public_id, changes, actor=house.manager, now=NOW)
    assert await sound()


async def test_a_unit_is_in_one_room_at_a_time(db: Settings) -> None:
    house = await a_house()
    other, unit = await a_room(house.centre), await a_unit(house)
    kit = (unit.public_id,)
    plain = {"kind": BookingKind.REHEARSAL, "streamer": "", "equipment": kit}
    first = await a_booking(house, local(3, 10), **plain)

    with pytest.raises(SlotTaken) as refusal:  # the buffers are the unit's too
        await a_booking(house, local(3, 11, 15), by=1, room=other.public_id, **plain)
    assert [each["kind"] for each in refusal.value.data["conflicts"]] == ["equipment"]
    assert refusal.value.data["suggestions"][0]["starts_at"] >= local(3, 8)
    await a_booking(house, local(3, 12), by=1, room=other.public_id, **plain)
    assert await sound()

    await booking.cancel(first.public_id, actor=house.officers[0], now=NOW)
    with pytest.raises(SerialTaken):
        again = equipment.Unit(kind="摄像机", name="又一台", serial=unit.serial)
        await equipment.register(again, centre_id=house.centre.id, actor=house.manager, now=NOW)
    with pytest.raises(EquipmentRefused):
        blank = equipment.Unit(kind=" ", name="无", serial="X")
        await equipment.register(blank, centre_id=house.centre.id, actor=house.manager, now=NOW)
    await equipment.set_active(unit.public_id, active=False, actor=house.manager, now=NOW)
    with pytest.raises(OutsideRules):
        await a_booking(house, local(4, 10), **plain)
    assert await sound()


async def test_a_serial_number_is_given_once(db: Settings) -> None:
    house = await a_house()
    unit = equipment.Unit(kind="摄像机", name="索尼 FX3", serial="CAM-1")

    answers = await meet(
        db,
        "LOCK TABLE equipment IN SHARE MODE",
        *[lambda: equipment.register(unit, centre_id=house.centre.id, actor=house.manager, now=NOW)] * 2,
    )

    assert kinds(answers) == ["Equipment", "SerialTaken"]
