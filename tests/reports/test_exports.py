"""Each kind of report against sums written down by hand, and what it says where there is nothing."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from livehub.reports import composing
from livehub.reports.basis import Axis, Basis
from livehub.settings import Settings
from rooms.models import Broadcast
from streamers.training import attendance
from streamers.training.attendance import Mark
from streamers.training.course_models import Presence
from tests.factories.reports import a_month, an_empty_month, composed, figures, numbers
from tests.factories.rooms import local
from tests.factories.training import a_lesson, an_ended_school
from tests.factories.vouchers import NOW
from tests.settlement.merchants import D, of

# Of May: A 12,800 + 3,000; B 5,000 less 2,000; C 700; three tills of 10,000 less 4,000 and 10,000.
G2, REFUNDS, G3 = 51_500, 16_000, 35_500


async def test_the_month(db: Settings) -> None:
    async with a_month(db) as books:
        _, month = await composed(books, "monthly")

    assert numbers(month, "broadcasts") == {"农特": [1, 95], "合计": [1, 95]}
    assert numbers(month, "sales_by_theme") == {
        "农特": [15_800, 0, 15_800, 1, 3, 0],
        "未归属场次": [35_700, 16_000, 19_700, 5, 5, 0],
        "合计": [G2, REFUNDS, G3, 6, 8, 0],
    }
    assert numbers(month, "sales_by_platform") == {
        "抖店": [21_500, 2_000, 19_500, 3, 5, 0],
        "线下核销": [30_000, 14_000, 16_000, 3, 3, 0],
        "合计": [G2, REFUNDS, G3, 6, 8, 0],
    }
    assert numbers(month, "sales_by_town") == {
        "产地不明": [30_700, 14_000, 16_700, 4],
        "沙田镇": [17_800, 2_000, 15_800, 2],
        "侨港镇": [3_000, 0, 3_000, 2],
        "合计": [G2, REFUNDS, G3, 8],
    }
    assert numbers(month, "sales_by_product") == {
        "未映射商品": [30_700, 14_000, 16_700, 4],
        "沙虫干": [17_800, 2_000, 15_800, 2],
        "海鸭蛋": [3_000, 0, 3_000, 2],
        "合计": [G2, REFUNDS, G3, 8],
    }
    # 49,500 funded; 2,000 + 3,500 + 3,500 claimed and used; 1,400 (3,500 x 4,000 / 10,000) and 3,500 came back.
    assert numbers(month, "fund_moves")["合计"] == [49_500, 9_000, 9_000, 4_900, 0, 0, 0]
    pulled = numbers(month, "leverage")["合计"]
    assert pulled == [3, 30_000, 9_000, 14_000, 4_900, 30_000, 16_000, 9_000, 5_500]
    texts = {head: each.text for head, each in figures(month, "leverage")[("合计",)].items()}
    assert (texts["毛杠杆"], texts["退款后杠杆"], texts["设计下限"]) == ("3.33", "3.90", "1.00")
    assert numbers(month, "training") == {"合计": [0, 0, 0]}


async def test_as_it_was_known_and_by_the_day_of_the_show(db: Settings) -> None:
    async with a_month(db) as books:
        _, early = await composed(books, "monthly", as_of=NOW + timedelta(hours=30))
        _, by_show = await composed(books, "monthly", axis=Axis.SESSION, basis=Basis.G1)

    # Before B's refund was told and C was paid; of the tills nothing was booked yet: their facts waited.
    assert numbers(early, "sales_by_platform")["抖店"] == [20_800, 0, 20_800, 2, 4, 0]
    assert numbers(early, "leverage")["合计"][:5] == [3, 30_000, 9_000, 14_000, 4_900]
    # The shopper paid 30,000 less 9,000 at the tills.
    assert numbers(by_show, "sales_by_platform")["合计"] == [21_500 + 21_000, 6, 8, 0]


async def test_the_ledger_of_broadcasts(db: Settings) -> None:
    async with a_month(db) as books:
        _, found = await composed(books, "broadcast_ledger", axis=Axis.SESSION)
        show = await Broadcast.get(id=books.show.id)

    (row,) = [each for table in found.tables if table.name == "ledger" for each in table.rows]
    assert row.names[0] == "2026-05-20"
    assert row.names[5:] == ("05-20 17:00", "05-20 17:00", "05-20 18:35")
    assert [each.numerator for each in row.figures] == [95, 15_800, 0, 15_800, 1, 3, 0]
    assert row.figures[0].opens == f"/desk/broadcasts/{show.public_id}"


async def test_voucher_money(db: Settings) -> None:
    async with a_month(db) as books:
        _, found = await composed(books, "voucher_funds")
        name = books.town.till.world.campaign.name
        _, other = await composed(books, "voucher_funds", campaign="nobody")

    # Unissued 49,500 - 9,000; held the voucher that came back; released 1,400; payable 9,000 - 4,900.
    assert numbers(found, "fund_balances")[name] == [0, 40_500, 3_500, 1_400, 4_100, 0, 0, 0]
    uses = sorted([each.numerator for each in row.figures] for row in _rows(found, "uses"))
    assert uses == [[10_000, 2_000, 0, 0], [10_000, 3_500, 4_000, 1_400], [10_000, 3_500, 10_000, 3_500]]
    assert list(numbers(other, "leverage")) == ["合计"]
    gross = figures(other, "leverage")[("合计",)]["毛杠杆"]
    assert (gross.text, gross.denominator, gross.why) == ("—", 0, "没有核销")


async def test_the_settlement_sheet(db: Settings) -> None:
    async with a_month(db) as books:
        town = books.town
        await town.run(D)
        await town.submit(await of(town.first))
        _, found = await composed(books, "settlement_sheet")

    # The first merchant: 2,000 and 3,500 used, 3,500 back before it was settled. The other's is a draft.
    rows = _rows(found, "payees")
    assert [(row.names[1], row.names[2], row.figures[0].numerator) for row in rows] == [
        (town.first.merchant.name, "", 2_000),
        ("", "", 2_000),
    ]
    assert numbers(found, "batches")["合计"] == [2_000, 5_500, 3_500, 0, 0]


async def test_origins_always_show_what_nobody_knows(db: Settings) -> None:
    async with a_month(db) as books:
        _, found = await composed(books, "origins")

    reach = figures(found, "reach")
    unknown = reach[("产地不明占净成交额",)]["数"]
    assert (unknown.numerator, unknown.denominator, unknown.text) == (16_700, 35_500, "47.04%")
    assert reach[("有成交的供货商户",)]["数"].numerator == 1
    assert reach[("分户发放的农户",)]["数"].text == "—"


async def test_of_nothing_there_are_zeroes_and_no_share(db: Settings) -> None:
    async with an_empty_month(db) as books:
        _, nothing = await composed(books, "origins")

    assert numbers(nothing, "sales_by_town") == {"产地不明": [0, 0, 0, 0], "合计": [0, 0, 0, 0]}
    assert figures(nothing, "reach")[("产地不明占净成交额",)]["数"].text == "—"


async def test_training_counts_times_and_people(db: Settings) -> None:
    school, people = await an_ended_school()
    lesson = await a_lesson(school, local(4, 9))
    marks = [
        Mark(enrolment=each.public_id, status=status)
        for each, status in zip(people, (Presence.LEFT_EARLY, Presence.ABSENT), strict=True)
    ]
    await attendance.mark(lesson.public_id, marks, actor=school.staff, now=local(4, 12))
    async with an_empty_month(db) as books:
        ask = books.ask()
    march = replace(
        ask,
        centre_id=school.house.centre.id,
        bureau_id=school.bureau.id,
        since=ask.since.replace(month=3),
        until=ask.since.replace(month=4),
    )
    found = await composing.compose(march, composing.kind("monthly"))

    assert numbers(found, "training")["合计"] == [3, 2, 2]


def _rows(document, table: str):
    (found,) = [each for each in document.tables if each.name == table]
    return found.rows
