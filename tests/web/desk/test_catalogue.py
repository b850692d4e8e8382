"""商户 and 商品 over real HTTP: listed, registered, changed, decided on, and refused beside the field."""

from __future__ import annotations

from datetime import date

from livehub import database
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import clock, outbox
from livehub.merchants import registry
from livehub.merchants.models import Merchant, MerchantStatus, Product, SelectionReview
from livehub.vouchers import enrolments
from livehub.vouchers.models import Campaign
from rooms import rundown
from tests.factories.accounts import a_centre
from tests.factories.merchants import a_merchant, a_paper, a_product, a_store
from tests.web.desk.office import Office
from tests.web.desk.test_broadcasts import a_template
from tests.web.phones import visible

MERCHANTS, PRODUCTS = "/desk/merchants", "/desk/products"
SHRIMP = {"name": "虾酱 200g", "category": "prepackaged", "price": "26.50", "town": "侨港镇"}


async def test_a_merchant_is_registered_approved_and_suspended(office: Office) -> None:
    staff = await office.visitor(Role.STAFF)

    status, html, _ = await staff.post(MERCHANTS, name="", town="侨港镇")
    assert (status, 'id="name-wrong"' in html, 'value="侨港镇"' in html) == (422, True, True)
    done = await staff.post(MERCHANTS, name="老侨港海味", town="侨港镇")
    made = await Merchant.get()
    here = f"{MERCHANTS}/{made.public_id}"
    assert (done[0], done[2], made.status) == (303, f"{here}?done=merchant-added", MerchantStatus.PENDING)
    assert (await staff.post(f"{here}/stores", store_name="侨港店", address="港口路 1 号"))[0] == 303
    status, html, _ = await staff.post(f"{here}/stores", store_name="")
    assert (status, 'id="store_name-wrong"' in html) == (422, True)
    for verb, status_ in (("approve", MerchantStatus.APPROVED), ("suspend", MerchantStatus.SUSPENDED)):
        assert (await staff.post(f"{here}/{verb}"))[0] == 303
        assert (await Merchant.get()).status is status_
    page = visible(await staff.page(here))
    assert ("侨港店" in page, "已停用" in page, "未结算" in page) == (True, True, False)
    assert "老侨港海味" in visible(await staff.page(f"{MERCHANTS}?name=侨港&status=suspended"))
    assert "没有符合条件的商户" in visible(await staff.page(f"{MERCHANTS}?status=approved"))
    assert (await staff.get(f"{MERCHANTS}?status=gone"))[0] == 422
    finance = await office.visitor(Role.FINANCE)
    assert "未结算 ¥0.00" in visible(await finance.page(here))
    assert (await finance.post(f"{here}/approve"))[0] == 403


async def test_an_officer_sees_the_merchants_of_her_bureaus_campaigns(office: Office) -> None:
    house = office.house
    await a_template(office)
    merchant, other = await a_merchant(house.centre), await a_merchant(house.centre, "别处的商户")
    await a_store(merchant)
    campaign = await Campaign.get()
    await enrolments.enrol(campaign.id, merchant_id=merchant.id, actor=house.officers[0], now=clock.now())
    officer = await office.visitor(Role.BUREAU)

    page = visible(await officer.page(MERCHANTS))
    assert ("侨港海鲜楼" in page, "别处的商户" in page, "登记商户" in page) == (True, False, False)
    shown = visible(await officer.page(f"{MERCHANTS}/{merchant.public_id}"))
    assert (campaign.name in shown, "已参加" in shown, "未结算" in shown) == (True, True, False)
    assert (await officer.get(f"{MERCHANTS}/{other.public_id}"))[0] == 404
    await officer.session.close()
    next_door = await office.visitor(Role.BUREAU, bureau=1)
    assert (await next_door.get(f"{MERCHANTS}/{merchant.public_id}"))[0] == 404
    staff = await office.visitor(Role.STAFF)
    stranger = await a_merchant(await a_centre())
    for path in (f"{MERCHANTS}/{stranger.public_id}", f"{MERCHANTS}/nobody"):
        assert (await staff.get(path))[0] == 404
        assert (await staff.post(f"{path}/approve"))[0] == 404
        assert (await staff.post(f"{path}/stores", store_name="店"))[0] == 404


async def test_a_product_is_noted_changed_and_says_what_it_lacks(office: Office) -> None:
    staff = await office.visitor(Role.STAFF)
    merchant = await a_merchant(office.house.centre)
    stranger = await a_merchant(await a_centre())

    status, html, _ = await staff.post(f"{PRODUCTS}/new", **{**SHRIMP, "price": "很贵"})
    assert (status, 'id="price-wrong"' in html, "虾酱 200g" in html) == (422, True, True)
    refused = await staff.post(f"{PRODUCTS}/new", **SHRIMP, merchant=stranger.public_id)
    assert (refused[0], 'id="merchant-wrong"' in refused[1]) == (422, True)
    refused = await staff.post(f"{PRODUCTS}/new", **{**SHRIMP, "category": "jewels"})
    assert (refused[0], 'id="category-wrong"' in refused[1]) == (422, True)
    done = await staff.post(f"{PRODUCTS}/new", **SHRIMP, merchant=merchant.public_id)
    made = await Product.get()
    here = f"{PRODUCTS}/{made.public_id}"
    assert (done[0], done[2], made.price_fen) == (303, f"{here}?done=product-added", 2650)
    page = visible(await staff.page(here))
    assert ("缺食品生产许可证（SC）" in page, "还没有上选品会" in page, "侨港海鲜楼" in page) == (True,) * 3

    edit = await staff.page(f"{here}/edit")
    assert 'value="26.50"' in edit
    changed = {**SHRIMP, "category": "handicraft", "price": "30", "town": "沙田镇"}
    assert (await staff.post(f"{here}/edit", **changed))[0] == 303
    assert (await staff.post(f"{here}/edit", **changed))[0] == 303
    now = await Product.get()
    assert (now.category, now.price_fen, now.town, now.merchant_id) == ("handicraft", 3000, "沙田镇", None)
    (entry,) = await AuditEntry.filter(action="product.changed")  # the same again changes nothing
    assert "prepackaged" in str(entry.detail)
    assert "待选品" in visible(await staff.page(here))
    officer = await office.visitor(Role.BUREAU)
    assert (await officer.post(f"{here}/edit", **changed))[0] == 403
    for path in (f"{PRODUCTS}/nobody", f"{PRODUCTS}/{(await a_product(await a_centre())).public_id}"):
        assert (await staff.get(path))[0] == 404
        for verb in ("edit", "listings", "reviews"):
            sent = {
                **changed,
                "meeting_on": "2026-03-01",
                "decision": "approved",
                "shop": "x",
                "product_ref": "x",
            }
            assert (await staff.post(f"{path}/{verb}", **sent))[0] == 404


async def test_a_meeting_decides_by_a_button_and_reasons_are_asked_for(office: Office) -> None:
    staff = await office.visitor(Role.STAFF)
    product = await a_product(office.house.centre, "大蚝", papers=False)
    await a_paper(product, "conformity_cert", valid_to=date(2026, 3, 8))
    here = f"{PRODUCTS}/{product.public_id}"

    status, html, _ = await staff.post(f"{here}/reviews", meeting_on="2026-03-02", decision="rejected")
    assert (status, 'id="reasons-wrong"' in html, "请写明理由" in html) == (422, True, True)
    early = {"meeting_on": "2026-03-02", "decision": "approved", "valid_to": "2026-03-01"}
    status, html, _ = await staff.post(f"{here}/reviews", **early)
    assert (status, 'id="valid_to-wrong"' in html) == (422, True)
    assert await SelectionReview.all().count() == 0
    sent = {"meeting_on": "2026-03-02", "decision": "conditional", "reasons": "净含量要标清"}
    assert (await staff.post(f"{here}/reviews", **sent))[0] == 303
    page = visible(await staff.page(here))
    assert ("有条件通过" in page, "净含量要标清" in page, "可上播" in page, "还有 6 天" in page) == (
        True,
    ) * 4

    for query, is_there in (
        ("within=7", True), ("within=5", False), ("state=ready", True), ("state=lacking", False),
        ("town=沙田镇&category=edible_agri", True), ("town=侨港镇", False), ("name=蚝", True), ("page=2", False),
    ):  # fmt: skip
        assert ("大蚝" in visible(await staff.page(f"{PRODUCTS}?{query}"))) is is_there, query
    assert (await staff.get(f"{PRODUCTS}?within=soon"))[0] == 422


async def test_a_listing_gives_past_orders_to_the_product_and_shows_are_named(office: Office) -> None:
    staff, officer = await office.visitor(Role.STAFF), await office.visitor(Role.BUREAU, bureau=1)
    product = await a_product(office.house.centre, "大蚝")
    here = f"{PRODUCTS}/{product.public_id}"
    await office.sell("A1", paid_fen=7_000)
    await rundown.add(
        office.broadcast.public_id,
        cue=rundown.Planned(kind=rundown.Kind.PRODUCT, title="大蚝", product=product.public_id),
        actor=office.house.manager,
        now=clock.now(),
    )
    assert "¥0.00" in visible(await staff.page(here))

    status, html, _ = await staff.post(f"{here}/listings", shop="nobody", product_ref="p1")
    assert (status, 'id="shop-wrong"' in html) == (422, True)
    assert (await staff.post(f"{here}/listings", shop=office.shop.public_id, product_ref="p1"))[0] == 303
    while await outbox.hand_out(now=clock.now()):
        pass
    page = visible(await staff.page(here))
    assert ("¥70.00" in page, "p1" in page, "沙田沙虫" in page) == (True, True, True)
    link = f"/desk/sales/lines?product={product.public_id}&amp;from=2026-02-01&amp;to=2026-03-03&amp;basis=G3"
    assert link in await staff.page(here)
    assert "A1" in visible(await staff.page(link.replace("&amp;", "&")))
    other = visible(await officer.page(here))
    assert ("¥70.00" in other, "p1" in other, "沙田沙虫" in other) == (False, False, False)
    assert await database.fetch("SELECT 1 FROM product_map WHERE product_ref = 'p1'")
    assert registry.CATEGORIES
