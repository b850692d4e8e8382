"""主播, 商户 and 商品 in a real browser: their main path and a refusal each, on a desk and on a narrow screen."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from playwright.async_api import expect

from livehub.accounts.models import Role
from tests.browser.phone import CHROMIUM, fits, picture
from tests.browser.test_desk import _evening, seat, sit_down
from tests.factories.merchants import a_merchant, a_paper, a_product
from tests.factories.outcomes import aired, sold
from tests.factories.rooms import a_broadcast, a_room, local
from tests.factories.streamers import a_streamer
from tests.site import Site
from tests.web.desk.office import EVENING, an_office

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
evening = _evening
SUNDAY = local(1, 12)


@pytest.mark.parametrize("width", [1360, 390])
async def test_a_streamer_is_registered_and_another_reckoned(client: Site, width: int) -> None:
    office, ten = await an_office(client), timedelta(minutes=10)
    house, room = office.house, await a_room(office.house.centre)
    hers = await a_streamer(house.centre, stage_name="岛上阿明")
    for number, (minutes, fen, back) in enumerate(((90, 318_060, 21_200), (120, 184_400, 0), (45, 9_900, 0))):
        show = await a_broadcast(
            house, SUNDAY + timedelta(days=number - 2), now=EVENING - timedelta(days=9), room=room.public_id, streamer=hers.public_id,
            title=("涠洲岛民宿", "沙田沙虫", "烟楼大蚝")[number], check=False,
        )  # fmt: skip
        show = await aired(show, SUNDAY + timedelta(days=number - 2) + number * ten, minutes=minutes)
        await sold(office.shop, show, f"p{number}", fen=fen, back=back)
    await a_broadcast(house, local(5, 12), room=room.public_id, streamer=hers.public_id, check=False)
    sizes = f"-{width}"
    async with seat(client, width=width) as page:
        await sit_down(page, office, Role.MANAGER)
        await page.goto("/desk/streamers/new")
        await page.fill("#stage_name", "退渔阿姐")
        await page.fill("#name", "陈阿海")
        await page.fill("#identity", "990101199501010019")
        await page.get_by_role("button", name="登记").click()
        await expect(page.locator("#identity-wrong")).to_contain_text("校验位不对")
        await expect(page.locator("#name")).to_have_value("陈阿海")
        await picture(page, f"desk-streamer-new{sizes}")
        assert await fits(page)
        await page.fill("#identity", "990101199501010015")
        await page.get_by_role("button", name="登记").click()
        await expect(page.get_by_role("status")).to_contain_text("已登记")
        await page.get_by_role("button", name="生成新的手机链接").click()
        await expect(page.locator("[data-streamer-link]")).to_contain_text("/s/")
        assert await fits(page)
        await page.goto("/desk/streamers")
        await picture(page, f"desk-streamers{sizes}")
        assert await fits(page)
        await page.get_by_role("link", name="岛上阿明").click()
        await expect(page.get_by_role("heading", name="名次")).to_be_visible()
        await picture(page, f"desk-streamer{sizes}")
        assert await fits(page)
        await page.get_by_role("link", name="2,968.60").click()
        await expect(page.locator("main")).to_contain_text("p0")
        await page.goto("/desk/streamers/ranking")
        await picture(page, f"desk-streamer-ranking{sizes}")
        assert await fits(page)


@pytest.mark.parametrize("width", [1360, 390])
async def test_a_merchant_and_its_product_from_registration_to_selection(client: Site, width: int) -> None:
    office, sizes = await an_office(client), f"-{width}"
    house = office.house
    other = await a_merchant(house.centre, "烟楼大蚝合作社")
    for number, ends in enumerate((date(2026, 3, 6), date(2026, 3, 1), None)):
        product = await a_product(house.centre, ("大蚝 2.5kg", "沙虫干 250g", "海鸭蛋 30 枚")[number])
        await a_paper(product, "inspection_report", valid_to=ends)
    async with seat(client, width=width) as page:
        await sit_down(page, office, Role.MANAGER)
        await page.goto("/desk/merchants")
        await page.fill("#name", "老侨港海味行")
        await page.fill("#town", "侨港镇")
        await page.get_by_role("button", name="登记", exact=True).click()
        await expect(page.get_by_role("status")).to_contain_text("已登记")
        await page.fill("#store_name", "侨港店")
        await page.get_by_role("button", name="登记门店").click()
        await page.get_by_role("button", name="批准").click()
        await expect(page.get_by_role("status")).to_contain_text("已批准")
        await picture(page, f"desk-merchant{sizes}")
        assert await fits(page)
        await page.get_by_role("link", name="登记商品").click()
        await page.fill("#name", "虾酱 200g")
        await page.select_option("#category", "prepackaged")
        await page.fill("#price", "二十六")
        await page.get_by_role("button", name="登记", exact=True).click()
        await expect(page.locator("#price-wrong")).to_contain_text("金额")
        await picture(page, f"desk-product-new{sizes}")
        assert await fits(page)
        await page.fill("#price", "26.50")
        await page.get_by_role("button", name="登记", exact=True).click()
        await expect(page.get_by_role("status")).to_contain_text("已登记")
        await page.get_by_role("button", name="不通过", exact=True).click()
        await expect(page.locator("#reasons-wrong")).to_contain_text("请写明理由")
        await page.fill("#reasons", "样品咸度不稳，换批次再送")
        await page.get_by_role("button", name="有条件通过").click()
        await expect(page.locator("main")).to_contain_text("换批次再送")
        await picture(page, f"desk-product{sizes}")
        assert await fits(page)
        await page.goto("/desk/products?within=7")
        await expect(page.get_by_role("row")).to_have_count(3)
        await page.goto("/desk/products")
        await picture(page, f"desk-products{sizes}")
        assert await fits(page)
        await page.goto("/desk/merchants")
        await expect(page.locator("main")).to_contain_text(other.name)
        await picture(page, f"desk-merchants{sizes}")
        assert await fits(page)
