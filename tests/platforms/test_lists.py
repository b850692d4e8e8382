"""Lists read as their platforms write them: what is named, what is asked next, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livehub.platforms import registry
from livehub.platforms.contract import (
    Credential,
    FetchKind,
    Listed,
    Lister,
    ListPage,
    Malformed,
    ReplyRefused,
    Window,
)

DAY_MS = 86_400_000
START = 1_760_000_000_000
CREDENTIAL = Credential("app", ("sign:key",), "token")
LISTERS = {each.name: each.lister for each in registry.all() if each.lister is not None}


def lister(name: str) -> Lister:
    found = registry.get(name).lister
    assert found is not None
    return found


def window(kind: FetchKind = FetchKind.ORDER) -> Window:
    return Window(kind, "900001", START, START + DAY_MS)


def told(**body: Any) -> bytes:
    return json.dumps(body).encode()


def doudian_page(*seconds: int) -> bytes:
    rows = [{"order_id": str(n), "update_time": at} for n, at in enumerate(seconds, start=1)]
    return told(code=10000, msg="success", data={"shop_order_list": rows})


def asked(name: str, kind: FetchKind, page: str = "") -> dict[str, Any]:
    call = lister(name).call(window(kind), page, credential=CREDENTIAL, now_ms=START)
    found: dict[str, Any] = json.loads(call.body or call.query["param"])
    return {"path": call.path, **found}


def test_doudian_asks_oldest_first_with_both_ends_included() -> None:
    assert asked("doudian", FetchKind.ORDER) == {
        "path": "/order/searchList", "update_time_start": 1_760_000_000, "update_time_end": 1_760_086_399,
        "order_by": "update_time", "order_asc": True, "page": 0, "size": 100,
    }  # fmt: skip
    assert asked("doudian", FetchKind.REFUND, "1760000777|2") == {
        "path": "/afterSale/List", "update_start_time": 1_760_000_777, "update_end_time": 1_760_086_399,
        "order_by": ["update_time asc"], "page": 2, "size": 100,
    }  # fmt: skip


def test_kuaishou_asks_by_update_with_its_cursor() -> None:
    times = {"beginTime": START, "endTime": START + DAY_MS - 1, "pageSize": 50, "queryType": 2, "sort": 2}
    assert asked("kuaishou", FetchKind.ORDER, "abc") == {
        "path": "/open/order/cursor/list", **times, "orderViewStatus": 1, "cursor": "abc",
    }  # fmt: skip
    assert asked("kuaishou", FetchKind.REFUND) == {
        "path": "/open/seller/order/refund/pcursor/list", **times, "type": 9, "currentPage": 1, "pcursor": "",
    }  # fmt: skip


def test_wechat_store_asks_by_update_with_its_key() -> None:
    assert asked("wechat_store", FetchKind.ORDER) == {
        "path": "/channels/ec/order/list/get", "page_size": 100,
        "update_time_range": {"start_time": 1_760_000_000, "end_time": 1_760_086_399},
    }  # fmt: skip
    assert asked("wechat_store", FetchKind.REFUND, "k") == {
        "path": "/channels/ec/aftersale/getaftersalelist", "next_key": "k",
        "begin_update_time": 1_760_000_000, "end_update_time": 1_760_086_399,
    }  # fmt: skip


def test_a_page_that_is_not_full_is_the_last() -> None:
    row = {"order_id": "1", "shop_id": 900001, "update_time": 1_760_000_001, "pay_amount": 1000,
           "post_amount": 200, "promotion_pay_amount": 50}  # fmt: skip

    page = lister("doudian").read(window(), "", told(code=10000, data={"shop_order_list": [row]}))

    assert page == ListPage(
        (Listed(ref="1", order_ref="1", shop_ref="900001", updated_at=1_760_000_001_000, amount_fen=750),)
    )


@pytest.mark.parametrize(
    ("page", "times", "following"),
    [
        ("", [1_760_000_000 + n for n in range(100)], "1760000099|0"),  # on from the newest update
        ("", [1_760_000_000] * 100, "1760000000|1"),  # all of one second: its next page
        ("1760000000|1", [1_760_000_000] * 99 + [1_760_000_005], "1760000005|0"),
        ("", [1_760_000_099 - n for n in range(100)], "1760000000|1"),  # not in order: by number
        ("1760000000|3", [1_760_000_050] * 100, "1760000050|0"),
    ],
)
def test_the_next_page_begins_at_the_newest_update(page: str, times: list[int], following: str) -> None:
    assert lister("doudian").read(window(), page, doudian_page(*times)).following == following


@given(st.integers(0, 400), st.integers(1, 90), st.data())
def test_what_is_updated_meanwhile_hides_nothing_else(count: int, a_second: int, data: st.DataObject) -> None:
    """Orders leave the window while it is read: every order that stays in it is listed all the same."""
    alive = {f"o{n}": START // 1000 + n // a_second for n in range(count)}
    seen: set[str] = set()
    page = ""
    while True:
        call = json.loads(lister("doudian").call(window(), page, credential=CREDENTIAL, now_ms=START).body)
        rows = sorted((at, ref) for ref, at in alive.items() if at >= call["update_time_start"])
        shown = rows[call["page"] * 100 : (call["page"] + 1) * 100]
        orders = [{"order_id": ref, "update_time": at} for at, ref in shown]
        read = lister("doudian").read(window(), page, told(code=10000, data={"shop_order_list": orders}))
        seen |= {row.ref for row in read.rows}
        if not read.following:
            break
        page = read.following
        for ref in data.draw(st.lists(st.sampled_from(sorted(seen)), max_size=5)):
            alive.pop(ref, None)  # updated again: beyond the window's end now

    assert alive.keys() <= seen


def test_after_sales_of_doudian_name_their_order_and_what_went_back() -> None:
    def item(status: int, **more: Any) -> dict[str, Any]:
        info = {"aftersale_id": "7", "update_time": 1_760_000_001, "refund_status": status, **more}
        return {"aftersale_info": info, "order_info": {"shop_order_id": "1"}}

    items = [
        item(3, real_refund_amount=500, refund_post_amount=100),
        item(1, real_refund_amount=500),
        item(3),
    ]

    page = lister("doudian").read(window(FetchKind.REFUND), "", told(code=10000, data={"items": items}))

    assert [(row.ref, row.order_ref, row.amount_fen) for row in page.rows] == [
        ("7", "1", 400), ("7", "1", None), ("7", "1", None),
    ]  # fmt: skip


@pytest.mark.parametrize("cursor", ["", "nomore", "same"])
def test_kuaishou_ends_where_its_cursor_does(cursor: str) -> None:
    order = {"orderBaseInfo": {"oid": 1, "updateTime": START + 5}}
    raw = told(result=1, data={"orderList": [order], "cursor": cursor})

    assert lister("kuaishou").read(window(), "same", raw).following == ""
    assert lister("kuaishou").read(window(), "other", raw).following == ("same" if cursor == "same" else "")


def test_after_sales_of_kuaishou_that_moved_no_money_have_no_amount() -> None:
    base = {"refundId": 7, "oid": 1, "refundFee": 300, "updateTime": START + 5}
    rows = [
        {**base, "status": 60, "handlingWay": 10},
        {**base, "status": 60, "handlingWay": 3},
        {**base, "status": 10, "handlingWay": 10},
    ]

    page = lister("kuaishou").read(
        window(FetchKind.REFUND), "", told(result=1, data={"refundOrderInfoList": rows, "pcursor": "nomore"})
    )

    assert [row.amount_fen for row in page.rows] == [300, None, None]


def test_wechat_store_lists_ids_alone() -> None:
    orders = lister("wechat_store").read(
        window(), "", told(errcode=0, order_id_list=[37, "38"], has_more=True, next_key="k")
    )
    refunds = lister("wechat_store").read(
        window(FetchKind.REFUND),
        "k",
        told(errcode=0, after_sale_order_id_list=[9], has_more=True, next_key="k"),
    )

    assert orders == ListPage((Listed(ref="37", order_ref="37"), Listed(ref="38", order_ref="38")), "k")
    assert refunds == ListPage((Listed(ref="9"),))  # a key that stands still is the end


@pytest.mark.parametrize(
    ("name", "raw", "retry"),
    [
        ("doudian", told(code=30001, msg="access_token"), False),
        ("doudian", told(code=20000, msg="busy"), True),
        ("kuaishou", told(result=28, error_msg="access_token 不存在"), False),
        ("kuaishou", told(result=100, error_msg="系统繁忙"), True),
        ("wechat_store", told(errcode=40001, errmsg="token"), True),
        ("wechat_store", told(errcode=47001, errmsg="data format error"), False),
    ],
)
def test_a_refusal_says_whether_to_ask_again(name: str, raw: bytes, retry: bool) -> None:
    with pytest.raises(ReplyRefused) as refused:
        lister(name).read(window(), "", raw)

    assert refused.value.retry is retry


@pytest.mark.parametrize("name", LISTERS)
@pytest.mark.parametrize("kind", FetchKind)
@given(
    raw=st.binary(max_size=60)
    | st.sampled_from(
        [b"[]", b"{}", b"null", b'{"code":10000,"data":[]}', b'{"result":1,"data":{"orderList":[{}]}}']
    )
)
def test_no_reply_does_more_than_be_refused(name: str, kind: FetchKind, raw: bytes) -> None:
    try:
        page = LISTERS[name].read(window(kind), "", raw)
    except (Malformed, ReplyRefused):
        return
    assert page.rows == ()
