"""The bridge on the desk: every step opens to its lines, and what is not paid is never a sale."""

from __future__ import annotations

from livehub.accounts.models import Role
from tests.web.desk.office import EVENING, Office, links
from tests.web.phones import visible


async def test_the_steps_of_the_bridge_open_to_their_lines(office: Office) -> None:
    await office.sell("A1", paid_fen=12_800, disc_fen=200)
    await office.sell("A2", paid_fen=5_000, refund_fen=2_000)
    await office.place("A3", paid_fen=3_000)
    await office.place("A4", paid_fen=900, status="cancelled")
    manager = await office.visitor()

    page = await manager.page("/desk/bridge")
    text = visible(page)
    unpaid = await manager.page(
        next(each for each in links(page, "/desk/bridge/lines") if "term=unpaid" in each)
    )

    for step in (
        "下单额 G0 按下单日，含未付款和已关闭的订单 219.00",
        "− 未付款 已下单，半小时还没有付款 30.00",
        "− 未付款关闭 没有付款就关闭的订单 9.00",
        "＝ 成交额 G2 商家应收，不含运费 180.00",
        "− 退款 按退款成功日 20.00",
        "＝ 净成交额 G3 大屏和报表默认口径 160.00",
        "− 平台优惠 由平台承担，商家照收 2.00",
        "＝ 支付额 G1 买家实际支付，不含运费 178.00",
        "逐项相加，分毫不差",
    ):
        assert step in text, text
    assert ("¥30.00" in visible(unpaid), "A3" in unpaid, "A1" in unpaid, "待付款" in unpaid) == (
        True,
        True,
        False,
        True,
    )


async def test_a_narrower_bridge_keeps_its_narrowing_and_a_bureau_sees_its_own(office: Office) -> None:
    await office.sell("A1", paid_fen=12_800)
    await office.place("A3", paid_fen=3_000, room_ref="")
    manager = await office.visitor()
    next_door = await office.visitor(Role.BUREAU, bureau=1)

    narrow = visible(await manager.page("/desk/bridge?attribution=U"))
    theirs = visible(await next_door.page("/desk/bridge"))

    assert ("归属：U 未归属 ×" in narrow, "按下单日，含未付款和已关闭的订单 30.00" in narrow) == (True, True)
    assert "按下单日，含未付款和已关闭的订单 0.00" in theirs


async def test_a_step_is_exported(office: Office) -> None:
    await office.place("A3", paid_fen=3_000)
    manager = await office.visitor()

    body = (await manager.get("/desk/bridge/lines.csv?term=unpaid"))[1]

    head, row = body.lstrip("\ufeff").splitlines()
    assert (head.endswith(",未付款"), row.endswith(",30.00"), f"{EVENING:%Y-%m-%d}" in row) == (
        True,
        True,
        True,
    )


async def test_an_unknown_step_is_told(office: Office) -> None:
    manager = await office.visitor()

    status, body, _ = await manager.get("/desk/bridge/lines?term=G9")

    assert (status, "不在可选范围内" in body) == (422, True)
