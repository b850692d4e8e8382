"""The inbox: what came, why it is stuck, and putting it back."""

from __future__ import annotations

import csv
import io

import pytest

from livehub import database
from livehub.accounts.models import AuditEntry, Role
from livehub.inbox import queries
from livehub.inbox.models import InboxMessage, SignatureFailure
from livehub.inbox.queries import Search
from livehub.kit import clock
from livehub.orders import intake
from tests.factories.accounts import an_actor
from tests.web.desk.office import EVENING, Office, links
from tests.web.phones import visible


async def test_a_stuck_message_says_why_and_is_put_back_for_a_reason(office: Office) -> None:
    await office.sell("D1", currency="USD")
    staff = await office.visitor(Role.STAFF)
    shown = await staff.page("/desk/inbox?status=parked&reason=currency")
    href = links(shown, "/desk/inbox/")[0]

    page = visible(await staff.page(href))
    empty, body, _ = await staff.post(f"{href}/replay", reason="")
    done, _, where = await staff.post(f"{href}/replay", reason="已与商户核实")
    queued = await InboxMessage.get()
    twice, refused, _ = await staff.post(f"{href}/replay", reason="再来一次")
    await intake.run_once(now=clock.now(), lease_seconds=30)
    after = visible(await staff.page(where))

    assert ("币种不是人民币" in page, "重放这一条" in page) == (True, True)
    assert (empty, "请填写" in visible(body)) == (422, True)
    assert (done, queued.status) == (303, "received")
    assert (twice, "只有已隔离或已放弃的消息可以重放" in visible(refused)) == (409, True)
    assert ("已隔离" in after, "已与商户核实" in after) == (True, True)
    assert (await AuditEntry.get(action="inbox.replayed")).actor_name == staff.name


async def test_the_list_is_searched_by_number_shop_state_and_time(office: Office) -> None:
    await office.sell("A1", name="msg-of-a1")
    await office.sell("A2", shop_ref="nobody-registered")
    staff = await office.visitor(Role.STAFF)

    async def numbers(query: str) -> list[str]:
        page = await staff.page(f"/desk/inbox/export.csv?{query}")
        return sorted(row[6] for row in list(csv.reader(io.StringIO(page)))[1:])

    assert await numbers("") == ["A1", "A2"]
    assert await numbers("q=A2") == ["A2"]
    assert await numbers("q=A1") == await numbers("q=msg-of-a1") == ["A1"]
    assert await numbers(f"shop={office.shop.public_id}") == await numbers("status=applied") == ["A1"]
    assert await numbers("shop=-") == await numbers("reason=shop") == ["A2"]
    assert await numbers("from=2026-03-02T20:00&to=2026-03-02T21:00") == ["A1", "A2"]
    assert await numbers("to=2026-03-02T20:00") == []
    assert await numbers("platform=doudian") == []
    assert "未登记店铺" in visible(await staff.page("/desk/inbox?shop=-"))


async def test_depth_age_and_refusals_are_on_top(office: Office) -> None:
    await office.push("W1")
    await office.sell("D1", currency="USD")
    await office.push("W2")
    assert await office.push("bad", secret="whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX") == 401
    at = clock.to_ms(EVENING) // 3_600_000 * 3_600_000
    await SignatureFailure.create(platform="doudian", endpoint_id=0, hour=clock.from_ms(at), count=4)
    await SignatureFailure.create(
        platform="doudian", endpoint_id=0, hour=clock.from_ms(at - 86_400_000), count=99
    )
    staff = await office.visitor(Role.STAFF)

    health = await queries.health(
        actor=an_actor(Role.STAFF, centre_id=office.house.centre.id), now=clock.now()
    )
    page = visible(await staff.page("/desk/inbox"))

    assert (health.waiting, health.parked, health.dead) == (1, 1, 0)
    assert health.oldest_at is not None
    assert health.refused >= 4
    assert health.refused < 99
    assert "待处理 1 最早一条已等" in page
    assert "已隔离 1" in page


async def test_nothing_of_a_refused_delivery_is_kept(office: Office) -> None:
    assert await office.push("bad", secret="whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX") == 401
    staff = await office.visitor(Role.STAFF)

    assert "还没有收到推送" in visible(await staff.page("/desk/inbox"))


async def test_another_centres_messages_do_not_exist(office: Office) -> None:
    await office.sell("A1")
    await database.execute("UPDATE inbox_message SET centre_id = 99")
    await database.execute("UPDATE inbox_delivery SET centre_id = 99")
    message = await InboxMessage.get()
    staff = await office.visitor(Role.STAFF)

    assert "还没有收到推送" in visible(await staff.page("/desk/inbox"))
    assert (await staff.get(f"/desk/inbox/{message.id}"))[0] == 404
    assert (await staff.get(f"/desk/deliveries/{message.delivery_id}"))[0] == 404
    assert (await staff.post(f"/desk/inbox/{message.id}/replay", reason="越权"))[0] == 404


async def test_bytes_are_opened_by_auditors_for_a_reason_only(office: Office) -> None:
    await office.sell("A1")
    message = await InboxMessage.get()
    path = f"/desk/deliveries/{message.delivery_id}"
    staff, auditor = await office.visitor(Role.STAFF), await office.visitor(Role.AUDITOR)

    seen = visible(await staff.page(path))
    refused, _, _ = await staff.post(f"{path}/open", reason="想看看")
    unsaid, body, _ = await auditor.post(f"{path}/open", reason=" ")
    replay, _, _ = await auditor.post(f"/desk/inbox/{message.id}/replay", reason="重放")

    assert "只有审计员可以打开原始字节" in seen
    assert (refused, unsaid, replay) == (403, 422, 403)
    assert "请填写" in visible(body)
    assert await AuditEntry.filter(action="evidence.opened").count() == 0


async def test_bytes_that_were_erased_leave_their_digest(office: Office) -> None:
    await office.sell("A1")
    await database.execute("UPDATE inbox_delivery SET body_sealed = NULL")
    message = await InboxMessage.get()
    auditor = await office.visitor(Role.AUDITOR)
    path = f"/desk/deliveries/{message.delivery_id}"

    page = visible(await auditor.page(path))
    status, _, _ = await auditor.post(f"{path}/open", reason="核对")

    assert "保存期满" in page
    assert status == 410


@pytest.mark.parametrize("search", [Search(q="nothing"), Search(status="waiting"), Search(shop="-")])
async def test_counting_stops_where_it_is_told(office: Office, search: Search) -> None:
    for number in range(3):
        await office.push(f"A{number}", shop_ref="nobody")
    reader = an_actor(Role.STAFF, centre_id=office.house.centre.id)

    every = await queries.messages(search, actor=reader)
    two = await queries.messages(search, actor=reader, count_to=2)

    expected = 0 if search.q else 3
    assert (every.total, two.total) == (expected, min(expected, 2))
    assert len(two.items) == expected
