"""How amounts, shares and instants are written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from livehub.web import rendering, show

NOW = datetime(2026, 3, 6, 12, 41, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (show.yuan(12846305), "128,463.05"),
        (show.yuan(0), "0.00"),
        (show.yuan(None), "—"),
        (show.yuan_sign(-450), "-¥4.50"),
        (show.yuan_sign(12846305), "¥128,463.05"),
        (show.yuan_short(3000), "30"),
        (show.yuan_short(3050), "30.50"),
        (show.wan(12846305), "12.85 万"),
        (show.wan(99999), ""),
        (show.wan(20_000_000_000), "2.00 亿"),
        (show.count(1206), "1,206"),
        (show.count(None), "—"),
        (show.percent(71, 1206), "5.9%"),
        (show.percent(1, 3), "33.3%"),
        (show.percent(1, 0, "尚无订单"), "—（尚无订单）"),
        (show.percent(None, 5), "—"),
        (show.percent(4_757_300, 5_000_000), "95.1%"),
        (show.ratio(180_500_000_000, 14_500_000_000), "12.45"),
        (show.ratio(942_930_000, 329_770_000), "2.86"),
        (show.ratio(5, 0), "—"),
        (show.share(1180, 2000), "59.0%"),
        (show.share(3, 2), "100%"),
        (show.share(0, 0), "0%"),
        (show.hm(NOW), "20:41"),
        (show.hms(NOW), "20:41:07"),
        (show.hm_end(datetime(2026, 3, 6, 16, 0, tzinfo=UTC)), "24:00"),
        (show.md(NOW), "3月6日"),
        (show.md_week(date(2026, 3, 6)), "3月6日 周五"),
        (show.md_week(datetime(2026, 3, 6, 17, 0, tzinfo=UTC)), "3月7日 周六"),
        (show.until(datetime(2026, 3, 12, 16, 0, tzinfo=UTC)), "3月12日 24:00"),
        (show.until(datetime(2026, 6, 24, 12, 0, tzinfo=UTC)), "6月24日 20:00"),
        (show.until(datetime(2024, 2, 29, 16, 0, tzinfo=UTC)), "2月29日 24:00"),
        (show.instant(NOW), "2026-03-06 20:41:07"),
        (show.iso(NOW), "2026-03-06T20:41:07+08:00"),
        (show.since(NOW - timedelta(seconds=59), NOW), "刚刚"),
        (show.since(NOW - timedelta(seconds=200), NOW), "3 分钟前"),
        (show.since(NOW - timedelta(days=2), NOW), "2 天前"),
        (show.lasting(0.31), "0.3 秒"),
        (show.lasting(2500), "41 分钟"),
        (show.lasting(7500), "2 小时 5 分"),
        (show.phone("17000000012"), "170****0012"),
        (show.phone("hello"), "****"),
        (show.grouped("8KQ27MXW4TZC9HNV"), "8KQ2 7MXW 4TZC 9HNV"),
        (show.size(412), "412 B"),
        (show.size(3174), "3.1 KB"),
    ],
)
def test_written_for_people(shown: str, expected: str) -> None:
    assert shown == expected


def test_a_link_replaces_one_value_and_drops_the_empty_ones() -> None:
    query = {"state": "parked", "page": "3", "q": ""}

    assert rendering.link("/desk/inbox", query, page="", sort="-at") == "/desk/inbox?state=parked&sort=-at"
    assert rendering.link("/desk/inbox", {}) == "/desk/inbox"


def test_a_qr_code_is_dark_on_white_and_escapes_its_title() -> None:
    drawn = rendering.qr("https://example.test/c/k7m2", 'a<b>"')

    assert drawn.startswith("<svg")
    assert "#fff" in drawn
    assert "<b>" not in drawn


def test_what_people_typed_is_escaped() -> None:
    html = rendering.fragment(
        "error.html",
        error_status=404,
        code="NOT_FOUND",
        message="<script>alert(1)</script>",
        details=[],
        retry_after=None,
        request_id="",
        is_phone=False,
        home="/desk",
        again="",
    )

    assert "<script>alert" not in html
    assert "&lt;script&gt;" in html
