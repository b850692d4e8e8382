"""From a number to its lines, its order, its message and its bytes; and who may not."""

from __future__ import annotations

import csv
import io

import pytest

from livehub.accounts.models import AuditEntry, Role
from livehub.kit import clock, outbox
from tests.web.desk.office import Office, links
from tests.web.phones import visible


async def test_a_number_opens_down_to_the_bytes_that_caused_it(office: Office) -> None:
    await office.sell("A1", paid_fen=12_800, disc_fen=200)
    await office.sell("A2", paid_fen=5_000, refund_fen=2_000)
    auditor = await office.visitor(Role.AUDITOR)

    table = await auditor.page("/desk/sales?by=broadcast")
    lines_href = links(table, "/desk/sales/lines")[0]
    lines = await auditor.page(lines_href)
    order = await auditor.page(links(lines, "/desk/orders/")[0])
    message = await auditor.page(links(order, "/desk/inbox/")[0])
    delivery_href = links(message, "/desk/deliveries/")[0]
    status, opened, _ = await auditor.post(f"{delivery_href}/open", reason="核对 3 月抽查第 1 号")
    again = await auditor.page(delivery_href)

    assert "沙田沙虫" in visible(table)
    assert "¥160.00" in visible(lines)  # 128 + 2 + 50 - 20
    assert "2 行相加 = ¥160.00" in visible(lines)
    assert "A 平台给出直播间" in visible(order)
    assert "成交额 G2 ¥130.00" in visible(order)
    assert "签名有效" in visible(message)
    assert status == 200
    assert '"order_ref":"A1"' in html_text(opened)
    assert '"order_ref":"A1"' not in html_text(again)
    assert "核对 3 月抽查第 1 号" in visible(again)
    entry = await AuditEntry.get(action="evidence.opened")
    assert (entry.actor_name, "核对 3 月抽查第 1 号" in entry.detail) == (auditor.name, True)


@pytest.mark.parametrize("basis", ["G1", "G2", "G3"])
@pytest.mark.parametrize("axis", ["event", "session"])
async def test_the_lines_add_up_to_the_number_on_every_basis(office: Office, basis: str, axis: str) -> None:
    await office.sell("A1", paid_fen=12_800, disc_fen=200)
    await office.sell("A2", paid_fen=5_000, refund_fen=2_000)
    await office.sell("A3", paid_fen=700, room_ref="")
    manager = await office.visitor()
    expected = {"G1": "¥185.00", "G2": "¥187.00", "G3": "¥167.00"}[basis]

    lines = visible(await manager.page(f"/desk/sales/lines?basis={basis}&axis={axis}"))

    assert f"3 行相加 = {expected}" in lines
    assert lines.count(expected) >= 2


async def test_a_number_as_of_an_instant_leaves_out_what_came_later(office: Office) -> None:
    await office.sell("A1", paid_fen=10_000)
    before = clock.local(clock.now()).isoformat(timespec="milliseconds").removesuffix("+08:00")
    await office.sell("A2", paid_fen=5_000)
    manager = await office.visitor()

    then = visible(await manager.page(f"/desk/sales?as_of={before}"))
    now = visible(await manager.page("/desk/sales"))

    assert "历史时点" in then
    assert ("合计 100.00" in then, "合计 150.00" in now) == (True, True)


async def test_a_line_that_was_moved_stands_where_it_is_now(office: Office) -> None:
    await office.sell("A1", paid_fen=10_000, room_ref="bound-later")
    manager = await office.visitor()
    before = visible(await manager.page("/desk/sales/lines"))

    status, _, _ = await manager.post(
        f"/desk/broadcasts/{office.broadcast.public_id}/room",
        platform="standard_webhooks",
        account_ref="erp-2",
        room_ref="bound-later",
    )
    await outbox.hand_out(now=clock.now(), limit=200)
    after = visible(await manager.page("/desk/sales/lines"))

    assert status == 303
    assert ("未归属 U 未归属" in before, "1 行相加 = ¥100.00" in before) == (True, True)
    assert ("沙田沙虫 A 平台给出直播间" in after, "1 行相加 = ¥100.00" in after) == (True, True)


async def test_the_table_and_its_lines_leave_as_files_that_excel_cannot_misread(office: Office) -> None:
    await office.sell("6920000000000000001", paid_fen=10_050, refund_fen=10_050)
    await office.sell("=HYPERLINK(1)", paid_fen=5_000, title="@SUM(A1)")
    manager = await office.visitor()

    table = rows(await manager.page("/desk/sales/export.csv?by=shop"))
    lines = rows(await manager.page("/desk/sales/lines.csv?basis=G2"))

    assert table[0][:6] == ["编号", "名称", "支付额 G1", "成交额 G2", "退款", "净成交额 G3"]
    assert table[1][1:6] == ["北海优选", "150.50", "150.50", "100.50", "50.00"]
    assert [row[2] for row in lines[1:]] == ["\t6920000000000000001", "'=HYPERLINK(1)"]
    assert [row[9] for row in lines[1:]] == ["100.50", "50.00"]


async def test_an_officer_sees_her_bureaus_sales_and_no_others(office: Office) -> None:
    await office.sell("A1", paid_fen=10_000)
    hers = await office.visitor(Role.BUREAU, bureau=0)
    shown = visible(await hers.page("/desk/sales"))
    order_href = links(await hers.page("/desk/sales/lines"), "/desk/orders/")[0]
    other = await office.visitor(Role.BUREAU, bureau=1)

    assert "合计 100.00" in shown
    assert "这段时间没有成交" in visible(await other.page("/desk/sales"))
    assert "没有明细" in visible(await other.page("/desk/sales/lines"))
    assert (await other.get(order_href))[0] == 404
    assert (await hers.get("/desk/inbox"))[0] == 403
    await hers.session.close()


async def test_an_order_number_may_hold_what_an_address_may_not(office: Office) -> None:
    await office.sell("A/1?b=2#c%41", paid_fen=10_000)
    manager = await office.visitor()

    lines = await manager.page("/desk/sales/lines")
    order = await manager.page(links(lines, "/desk/orders/")[0])

    assert "A/1?b=2#c%41" in visible(order)


async def test_sales_are_refused_to_those_without_the_right(office: Office) -> None:
    admin = await office.visitor(Role.ADMIN)

    for path in ("/desk/sales", "/desk/sales/lines", "/desk/sales/export.csv", "/desk/orders/x/y"):
        assert (await admin.get(path))[0] == 403
    status, _, where = await stranger(office, "/desk/sales")
    shared = await stranger(office, "/desk/sales?basis=G2&by=town")
    assert (status, where) == (303, "/login?next=/desk/sales")
    assert shared[2] == "/login?next=/desk/sales%3Fbasis%3DG2%26by%3Dtown"


@pytest.mark.parametrize(
    "query", ["basis=G9", "from=yesterday", "page=0", "by=moon", "as_of=12", "from=2026-02-30"]
)
async def test_an_address_that_says_nonsense_is_told_so(office: Office, query: str) -> None:
    manager = await office.visitor()

    status, body, _ = await manager.get(f"/desk/sales?{query}")

    assert status == 422
    assert "填写的内容有误" in visible(body)


async def test_the_day_of_a_row_narrows_its_lines(office: Office) -> None:
    await office.sell("A1", paid_fen=10_000)
    manager = await office.visitor()

    href = links(await manager.page("/desk/sales?by=day"), "/desk/sales/lines")[0]

    assert "from=2026-03-02&to=2026-03-03" in href
    assert "1 行相加 = ¥100.00" in visible(await manager.page(href))


def rows(text: str) -> list[list[str]]:
    """A file's rows; it begins with the mark Excel needs."""
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:])))


def html_text(html: str) -> str:
    return html.replace("&#34;", '"').replace("&quot;", '"')


async def stranger(office: Office, path: str) -> tuple[int, str, str]:
    async with office.site.get(path) as answer:
        return answer.status, await answer.text(), answer.headers.get("Location", "")
