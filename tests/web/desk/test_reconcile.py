"""平台对账: what differs is seen, opened and explained by who may; a bureau sees its own shops alone."""

from __future__ import annotations

import pytest

from livehub import database
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import clock
from livehub.orders.pull_models import SyncCursor, SyncDifference, SyncMark
from livehub.platforms.models import Shop
from tests.factories.differences import a_difference
from tests.factories.platforms import a_shop, an_endpoint
from tests.web.desk.office import Office
from tests.web.phones import visible


async def a_listed_shop(office: Office, *, bureau: int = 0) -> Shop:
    """A shop of 抖店 that is reconciled up to yesterday, with a difference and a window given up."""
    owner = office.house.bureaus[bureau]
    shop = await a_shop(owner, endpoint=await an_endpoint(owner, api_base_url="http://127.0.0.1:9"))
    await a_difference(shop)
    await database.execute(
        "UPDATE sync_cursor SET status = 'dead', last_error = 'refused: 30001: access_token'"
    )
    return shop


async def test_a_difference_is_seen_and_explained_with_its_reason(office: Office) -> None:
    shop = await a_listed_shop(office)
    staff = await office.visitor(Role.STAFF)
    difference = await SyncDifference.get()
    path = f"/desk/reconcile/differences/{difference.public_id}"

    listed = visible(await staff.page("/desk/reconcile"))
    assert "金额不一致" in listed
    assert "128.00" in listed
    assert "127.00" in listed
    assert "超过一天未对账" in listed
    assert "不对账：平台没有清单接口" in listed
    page = visible(await staff.page(path))
    assert "同一次更新，平台清单的金额与本系统不同" in page
    refused, again, _ = await staff.post(f"{path}/explain", reason="other", note="x")
    assert (refused, "情况说明" in again) == (422, True)
    done = await staff.post(f"{path}/explain", reason="price_changed", note="客服确认平台改过价")
    assert (done[0], done[2]) == (303, f"{path}?done=difference-explained")

    explained = visible(await staff.page(path))
    assert "客服确认平台改过价" in explained
    assert "平台改价" in explained
    assert (await staff.post(f"{path}/explain", reason="other", note="再说一次"))[0] == 409
    assert "没有待处理的差异" in visible(await staff.page("/desk/reconcile"))
    assert "已说明" in visible(await staff.page(f"/desk/reconcile?status=explained&shop={shop.public_id}"))
    entry = await AuditEntry.get(action="difference.explained")
    assert (entry.actor_name, "客服确认平台改过价" in entry.detail) == (staff.name, True)


async def test_a_window_that_was_given_up_is_tried_again_or_dropped(office: Office) -> None:
    shop = await a_listed_shop(office)
    manager = await office.visitor()
    window = await SyncCursor.get()
    here = f"/desk/reconcile/shops/{shop.public_id}"

    page = visible(await manager.page(here))
    assert "已放弃" in page
    assert "refused: 30001: access_token" in page
    assert (await manager.post(f"/desk/reconcile/windows/{window.id}/again"))[
        2
    ] == f"{here}?done=window-again"
    assert (await SyncCursor.get()).status == "waiting"
    assert (await manager.post(f"/desk/reconcile/windows/{window.id}/drop", reason="平台停机"))[0] == 409
    await database.execute("UPDATE sync_cursor SET status = 'dead'")
    assert (await manager.post(f"/desk/reconcile/windows/{window.id}/drop", reason=""))[0] == 422
    assert (await manager.post(f"/desk/reconcile/windows/{window.id}/drop", reason="平台当天停机"))[0] == 303
    assert (await SyncMark.get()).reconciled_until == window.window_end


async def test_a_bureau_sees_its_own_shops_and_explains_nothing(office: Office) -> None:
    await a_listed_shop(office, bureau=0)
    theirs = await a_listed_shop(office, bureau=1)
    officer = await office.visitor(Role.BUREAU)
    other = await SyncDifference.get(shop_id=theirs.id)
    own = await SyncDifference.exclude(shop_id=theirs.id).get()

    page = await officer.page("/desk/reconcile?status=all")

    assert (own.order_ref in page, other.order_ref in page, theirs.public_id in page) == (True, False, False)
    assert (await officer.get(f"/desk/reconcile/differences/{other.public_id}"))[0] == 404
    assert (await officer.get(f"/desk/reconcile/shops/{theirs.public_id}"))[0] == 404
    shown = await officer.page(f"/desk/reconcile/differences/{own.public_id}")
    assert "等待中心工作人员核实说明" in visible(shown)
    refused, _, _ = await officer.post(
        f"/desk/reconcile/differences/{own.public_id}/explain", reason="other", note="我来说"
    )
    assert refused == 403


async def test_figures_say_since_when_their_shop_is_not_reconciled(office: Office) -> None:
    manager, officer = await office.visitor(), await office.visitor(Role.BUREAU, bureau=1)
    assert "未对账自" not in visible(await manager.page("/desk/sales"))
    await a_listed_shop(office)

    assert "未对账自" in visible(await manager.page("/desk/sales"))
    assert "1 店未对账" in visible(await manager.page("/wall/"))
    assert "未对账自" not in visible(await officer.page("/desk/sales"))  # not one of her shops
    await database.execute("UPDATE sync_mark SET reconciled_until = $1", clock.to_ms(clock.now()))
    assert "未对账自" not in visible(await manager.page("/desk/sales"))


@pytest.mark.parametrize(
    "query", ["kind=none", "status=none", "q=%00", "page=0", "from=9999-99-99", "shop=x"]
)
async def test_a_list_that_makes_no_sense_is_empty_or_refused(office: Office, query: str) -> None:
    await a_listed_shop(office)
    manager = await office.visitor()

    status, _, _ = await manager.get(f"/desk/reconcile?{query}")

    assert status in {200, 400, 422}
