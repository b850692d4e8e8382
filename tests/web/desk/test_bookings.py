"""The centre's answer to who asked for a room."""

from __future__ import annotations

from livehub.accounts.models import Role
from rooms.models import Booking, BookingState
from tests.factories.rooms import a_booking, local
from tests.web.desk.office import Office
from tests.web.phones import hidden, visible


async def test_a_manager_approves(office: Office) -> None:
    asked = await a_booking(office.house, local(4, 20), title="合浦大蚝")
    manager = await office.visitor()

    shown = visible(await manager.page("/desk/bookings?state=submitted"))
    status, _, where = await manager.post(f"/desk/bookings/{asked.public_id}/approve", version=asked.version)
    after = visible(await manager.page(where))

    assert ("合浦大蚝" in shown, "待审批" in shown) == (True, True)
    assert status == 303
    assert "已批准" in after
    assert (await Booking.get(id=asked.id)).state is BookingState.APPROVED


async def test_a_rejection_needs_its_reason_and_keeps_what_was_typed(office: Office) -> None:
    asked = await a_booking(office.house, local(4, 20))
    manager = await office.visitor()
    path = f"/desk/bookings/{asked.public_id}/reject"

    empty, body, _ = await manager.post(path, version=asked.version, reason="  ")
    long, kept, _ = await manager.post(path, version=asked.version, reason="久" * 201)
    done, _, _ = await manager.post(path, version=asked.version, reason="当天设备检修")

    assert (empty, long, done) == (422, 422, 303)
    assert "请填写" in visible(body)
    assert "久" * 201 in kept
    refused = await Booking.get(id=asked.id)
    assert (refused.state, refused.reason) == (BookingState.REJECTED, "当天设备检修")
    assert "当天设备检修" in visible(await manager.page("/desk/bookings?state=rejected"))


async def test_what_somebody_else_decided_is_told_on_the_page(office: Office) -> None:
    asked = await a_booking(office.house, local(4, 20))
    manager = await office.visitor()
    await manager.post(f"/desk/bookings/{asked.public_id}/approve", version=asked.version)

    status, body, _ = await manager.post(f"/desk/bookings/{asked.public_id}/approve", version=asked.version)
    missing, _, _ = await manager.post("/desk/bookings/nosuchbooking/approve", version=1)

    assert (status, missing) == (409, 404)
    assert "这条排期已经处理过了" in visible(body)


async def test_several_are_approved_at_once_and_the_rest_is_named(office: Office) -> None:
    one, two, gone = [await a_booking(office.house, local(day, 20)) for day in (4, 5, 6)]
    manager = await office.visitor()
    await manager.post(f"/desk/bookings/{gone.public_id}/reject", version=gone.version, reason="改期")
    token = hidden(await manager.page("/desk"), "csrf")
    chosen = [("csrf", token)] + [("chosen", f"{each.public_id}:{each.version}") for each in (one, two, gone)]

    async with manager.session.post("/desk/bookings/approve", data=chosen, allow_redirects=False) as answer:
        body = visible(await answer.text())
    nothing, empty, _ = await manager.post("/desk/bookings/approve")

    assert "已处理 2 个" in body
    assert "1 个没有批准：这条排期已经处理过了" in body
    states = {each.id: each.state for each in await Booking.all()}
    assert [states[each.id] for each in (one, two, gone)] == [
        BookingState.APPROVED, BookingState.APPROVED, BookingState.REJECTED,
    ]  # fmt: skip
    assert (nothing, "请先勾选" in visible(empty)) == (422, True)


async def test_two_people_approve_where_the_room_asks_for_it(office: Office) -> None:
    room = office.house.room
    room.approvals = 2
    await room.save()
    asked = await a_booking(office.house, local(4, 20))
    first = await office.visitor(Role.MANAGER)

    status, _, where = await first.post(f"/desk/bookings/{asked.public_id}/approve", version=asked.version)
    again, body, _ = await first.post(f"/desk/bookings/{asked.public_id}/approve", version=asked.version + 1)
    second = await office.visitor(Role.STAFF)
    done, _, _ = await second.post(f"/desk/bookings/{asked.public_id}/approve", version=asked.version + 1)

    assert (status, again, done) == (303, 403, 303)
    assert "二审" in visible(await second.page(where))
    assert "须由另一个人完成" in visible(body)


async def test_auditors_read_and_officers_see_their_own(office: Office) -> None:
    asked = await a_booking(office.house, local(4, 20), title="合浦大蚝")
    auditor = await office.visitor(Role.AUDITOR)
    other = await office.visitor(Role.BUREAU, bureau=1)

    page = await auditor.page("/desk/bookings")
    status, _, _ = await auditor.post(f"/desk/bookings/{asked.public_id}/approve", version=1)
    hers, _, _ = await other.post(f"/desk/bookings/{asked.public_id}/approve", version=1)

    assert ("合浦大蚝" in visible(page), f"{asked.public_id}/approve" in page) == (True, False)
    assert (status, hers) == (403, 403)
    assert "合浦大蚝" not in visible(await other.page("/desk/bookings"))
    assert (await Booking.get(id=asked.id)).state is BookingState.SUBMITTED


async def test_a_form_without_its_token_does_nothing(office: Office) -> None:
    asked = await a_booking(office.house, local(4, 20))
    manager = await office.visitor()

    status, _, _ = await manager.post(f"/desk/bookings/{asked.public_id}/approve", csrf="", version=1)

    assert status == 403
    assert (await Booking.get(id=asked.id)).state is BookingState.SUBMITTED
