"""The bridge, a statement from its file to its explanation, and a month's closing, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from playwright.async_api import expect

from livehub.accounts.models import Role
from tests.browser.phone import CHROMIUM, fits, picture
from tests.browser.test_desk import seat, sit_down
from tests.factories.statements import a_file, a_row
from tests.site import Site
from tests.web.desk.office import EVENING, Office, an_office

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(EVENING, tick=True):
        yield


async def a_busy_office(site: Site) -> Office:
    office = await an_office(site)
    for n in range(8):
        await office.sell(f"69205123456789012{n:02}", paid_fen=12_800 + n * 1_100, disc_fen=200 * (n % 3))
    await office.sell("6920512345678901299", paid_fen=39_900, refund_fen=20_000)
    await office.place("6920512345678901298", paid_fen=3_000)
    await office.place("6920512345678901297", paid_fen=900, status="cancelled")
    return office


def statement(folder: Path, *, wrong: bool = False) -> Path:
    rows = [
        a_row(f"69205123456789012{n:02}", f"{128 + n * 11 + 2 * (n % 3)}.00", entry=f"L{n}", fee="-6.40")
        for n in range(6)
    ]
    rows += [
        a_row("6920512345678901299", "199.80", entry="L8"),
        a_row("6920500000000000000", "45.00", entry="L9"),
    ]
    rows += [a_row("6.92E+18", "12.345")] if wrong else []
    rows.append(("合计", *[""] * 7))
    path = folder / ("待改.csv" if wrong else "抖店-2026年3月-结算明细.csv")
    path.write_bytes(a_file(rows, encoding="gbk"))
    return path


@pytest.mark.parametrize("width", [1360, 390])
async def test_a_statement_from_its_file_to_its_explanation(client: Site, tmp_path: Path, width: int) -> None:
    office = await a_busy_office(client)
    async with seat(client, width=width) as page:
        await sit_down(page, office, Role.FINANCE)
        for wrong in (True, False):
            await page.goto("/desk/statements")
            await page.select_option("#shop", office.shop.public_id)
            await page.select_option("#source", "generic")
            await page.set_input_files("#file", statement(tmp_path, wrong=wrong))
            await picture(page, f"desk-statements-{width}")
            await page.get_by_role("button", name="上传并检查").click()
            await expect(page.get_by_text("文件里有什么")).to_be_visible()
            assert await fits(page)
            await picture(page, f"desk-statement-{'wrong' if wrong else 'draft'}-{width}")
        await page.get_by_role("button", name="导入 8 行").click()
        await expect(page.get_by_text("核对结果")).to_be_visible()
        assert await fits(page)
        await picture(page, f"desk-statement-{width}")
        await page.get_by_placeholder("为什么不一致").first.fill("平台扣了 0.20 元运费险")
        await page.get_by_role("button", name="记下").first.click()
        await expect(page.get_by_text("已记下说明")).to_be_visible()
        await page.goto("/desk/statements/differences")
        assert await fits(page)
        await picture(page, f"desk-differences-{width}")
        await page.goto("/desk/bridge")
        await expect(page.get_by_text("逐项相加，分毫不差")).to_be_visible()
        assert await fits(page)
        await picture(page, f"desk-bridge-{width}")
        await page.get_by_role("row", name="未付款关闭").get_by_role("link").click()
        await expect(page.get_by_role("link", name="6920512345678901297")).to_be_visible()
        assert await fits(page)
        await picture(page, f"desk-bridge-lines-{width}")
        await page.goto("/desk/statements")
        await picture(page, f"desk-statements-list-{width}")


@pytest.mark.parametrize("width", [1360, 390])
async def test_a_month_is_reconciled_closed_and_adjusted(client: Site, width: int) -> None:
    office = await a_busy_office(client)
    with time_machine.travel(EVENING + timedelta(days=31), tick=True):
        async with seat(client, width=width) as page:
            await sit_down(page, office, Role.FINANCE)
            await page.goto("/desk/periods")
            await page.get_by_role("link", name="2026 年 3 月").click()
            await picture(page, f"desk-period-open-{width}")
            await page.get_by_role("button", name="核对全部").click()
            await page.get_by_role("button", name="关账").click()
            await expect(page.get_by_text("关账快照").first).to_be_visible()
            with time_machine.travel(EVENING + timedelta(days=31, hours=1), tick=True):
                await office.sell("6920512345678901296", paid_fen=2_600)
                await page.reload()
                await expect(page.get_by_text("迟到或更正的订单")).to_be_visible()
                assert await fits(page)
                await picture(page, f"desk-period-{width}")
                await page.goto("/desk/periods")
                assert await fits(page)
                await picture(page, f"desk-periods-{width}")
                await page.goto("/desk/sales?from=2026-03-01&to=2026-04-05")
                await picture(page, f"desk-sales-states-{width}")
