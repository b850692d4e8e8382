"""人工认定 over real HTTP: on an order's page and on a show's list of loose lines; who did it is shown."""

from __future__ import annotations

from datetime import timedelta

from livehub import database
from livehub.accounts.models import Role
from tests.factories.platforms import a_shop
from tests.factories.rooms import a_broadcast, local
from tests.web.desk.office import EVENING, Office, links
from tests.web.phones import visible


async def classes() -> dict[str, int]:
    rows = await database.fetch(
        "SELECT attribution, sum(buyer_paid) AS fen FROM rollup_bucket GROUP BY attribution"
    )
    return {row["attribution"]: int(row["fen"]) for row in rows if row["fen"]}


async def test_a_clerk_assigns_a_line_on_the_orders_page_and_takes_it_back(office: Office) -> None:
    await office.sell("A/1", paid_fen=7000, room_ref="")
    staff = await office.visitor(Role.STAFF)
    path = links(await staff.page("/desk/sales/lines?attribution=U"), "/desk/orders/")[0]
    assert path.endswith("/A%2F1")
    assert f'value="{office.broadcast.public_id}"' in await staff.page(path)

    wrong = await staff.post(f"{path}/assign", lines="A/1-1", broadcast="", reason="")
    assert (wrong[0], "请写明依据" in wrong[1]) == (422, False)  # the broadcast is asked for first
    assert "没有这一场直播" in wrong[1]
    wrong = await staff.post(
        f"{path}/assign", lines="A/1-1", broadcast=office.broadcast.public_id, reason="x"
    )
    assert (wrong[0], "请写明依据" in wrong[1]) == (422, True)
    assert (await staff.post(f"{path}/assign", broadcast=office.broadcast.public_id, reason="核对小票"))[
        0
    ] == 422
    assert await classes() == {"U": 7000}

    done = await staff.post(
        f"{path}/assign", lines="A/1-1", broadcast=office.broadcast.public_id, reason="主播核对了小票"
    )
    assert (done[0], done[2]) == (303, f"{path}?done=lines-given")
    assert await classes() == {"M": 7000}
    shown = visible(await staff.page(path))
    assert f"{staff.name} 于" in shown
    assert ("M 人工认定" in shown, "主播核对了小票" in shown, "人工认定记录" in shown) == (True, True, True)
    answer = visible(await staff.page("/desk/sales?by=attribution&attribution=M"))
    assert "M 人工认定" in answer

    done = await staff.post(f"{path}/take-back", lines="A/1-1", reason="认错了")
    assert (done[0], done[2]) == (303, f"{path}?done=lines-taken-back")
    assert await classes() == {"U": 7000}
    assert "收回" in visible(await staff.page(path))


async def test_loose_lines_of_a_shows_shops_and_hours_are_offered_and_given_together(office: Office) -> None:
    other = await a_shop(office.house.bureaus[1], endpoint=office.endpoint, shop_ref="erp-2")
    for n in range(3):
        await office.sell(f"L{n}", paid_fen=1000, room_ref="", at=EVENING - timedelta(minutes=n + 1))
    await office.sell("of-the-room", paid_fen=500)
    await office.sell("long-before", paid_fen=700, room_ref="", at=EVENING - timedelta(hours=3))
    await office.sell("next-door", paid_fen=900, room_ref="", shop_ref=other.shop_ref)
    staff, officer = await office.visitor(Role.STAFF), await office.visitor(Role.BUREAU)
    path = f"/desk/broadcasts/{office.broadcast.public_id}/unattributed"

    shown = await staff.page(path)
    assert [each in visible(shown) for each in ("L0", "L2", "of-the-room", "long-before", "next-door")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert path in await staff.page(f"/desk/broadcasts/{office.broadcast.public_id}")
    assert path in await staff.page(f"/desk/sales/lines?broadcast={office.broadcast.public_id}")
    theirs = await officer.page(path)
    assert ("L0" in theirs, 'type="checkbox"' in theirs) == (True, False)

    lines = f"{office.shop.public_id}/L0/L0-1"
    assert (await officer.post(path, lines=lines, reason="核对小票"))[0] == 403
    assert (await staff.post(path, reason="核对小票"))[0] == 422
    assert (await staff.post(path, lines="nonsense", reason="核对小票"))[0] == 422
    done = await staff.post(path, lines=lines, reason="核对小票")

    assert (done[0], done[2]) == (303, f"{path}?done=lines-given")
    assert await classes() == {"A": 500, "M": 1000, "U": 3600}
    assert "L0" not in visible(await staff.page(path))


async def test_a_show_that_has_not_begun_has_no_loose_lines(office: Office) -> None:
    await office.sell("L0", paid_fen=1000, room_ref="")
    planned = await a_broadcast(office.house, local(3, 20))
    staff = await office.visitor(Role.STAFF)

    page = visible(await staff.page(f"/desk/broadcasts/{planned.public_id}/unattributed"))

    assert "还没有开播" in page
    assert (await staff.get("/desk/broadcasts/nobody/unattributed"))[0] == 404
    assert (await staff.get(f"/desk/broadcasts/{planned.public_id}/unattributed?after=7"))[0] == 422
    assert (await staff.get("/desk/sales?attribution=X"))[0] == 422
