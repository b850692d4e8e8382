"""Whatever is sold, refunded, used and brought back: packs say what the rollups say, within a bounded memory."""

from __future__ import annotations

import asyncio
import tempfile
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub import database, process
from livehub.kit.errors import LivehubError
from livehub.reports import figures, forms, leverage
from livehub.reports.packs import building, checking
from livehub.reports.packs.building import Pack, Stretch
from livehub.settings import Settings
from livehub.vouchers import latch
from livehub.vouchers.models import Redemption
from tests.factories.reports import Books, an_empty_month, book, composed, numbers, packed
from tests.factories.vouchers import NOW
from tests.reports.packs.test_checking import on_one_engine

HOUR = timedelta(hours=1)
REFS = ("worm", "egg", "unmapped")
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("sell"), st.integers(0, 4), st.integers(1, 90_000)),
        st.tuples(st.just("refund"), st.integers(0, 4), st.integers(1, 90_000)),
        st.tuples(st.just("use"), st.integers(0, 1), st.sampled_from((2_000, 3_500))),
        st.tuples(st.just("back"), st.integers(0, 5), st.sampled_from((0, 1, 3_333))),
    ),
    min_size=4,
    max_size=14,
)
Action = tuple[str, int, int]


async def _play(settings: Settings, actions: list[Action], folder: Path) -> None:
    latch.clear()
    EXECUTOR_CACHE.clear()  # Tortoise keeps one engine's SQL by the connection's name
    await process.start(settings)
    try:
        async with an_empty_month(settings) as books:
            sold: dict[int, int] = {}
            for n, action in enumerate(actions, start=1):
                try:
                    await _step(books, n, action, sold)
                except LivehubError:
                    continue
            await book(NOW + 24 * HOUR)
            await _agree(books, folder)
    finally:
        await process.stop()


async def _step(books: Books, n: int, action: Action, sold: dict[int, int]) -> None:
    kind, which, fen = action
    at = NOW + n * timedelta(minutes=7)
    if kind == "use":
        counter = books.town.first if which else books.town.second
        await books.town.used(counter, fen, now=at)
    elif kind == "back":
        uses = await Redemption.all().order_by("id")
        await books.town.refunded(uses[which % len(uses)].public_id if uses else "none", fen or None, now=at, no=f"T{n}")  # fmt: skip
    else:
        sold.setdefault(which, fen)
        lines = ((REFS[which % 3], sold[which], which + 1), ("egg", 777, 1))
        refunded = {"1": min(fen, sold[which])} if kind == "refund" else {}
        await books.sell(
            f"O{which}",
            *lines,
            paid_at=NOW,
            told_at=at,
            refunded=refunded,
            room=books.room if which % 2 else "",
        )


async def _agree(books: Books, folder: Path) -> None:
    scope = replace(books.ask().scope(), as_of=None)
    whole = await figures.total(scope)
    _, month = await composed(books, "monthly")
    for table in ("sales_by_theme", "sales_by_platform"):
        total = numbers(month, table)["合计"]
        assert total == [
            whole.g2_fen,
            whole.refund_fen,
            whole.g3_fen,
            whole.orders,
            whole.units,
            whole.pending,
        ]
    pulled = await leverage.of(centre_id=books.house.centre.id)
    assert numbers(month, "leverage")["合计"] == [
        pulled.redemptions, pulled.order_fen, pulled.subsidy_fen, pulled.order_fen - pulled.net_order_fen,
        pulled.subsidy_fen - pulled.net_subsidy_fen, pulled.order_fen, pulled.net_order_fen, pulled.threshold_fen,
        pulled.kept_threshold_fen,
    ]  # fmt: skip
    for kind in ("monthly", "origins", "voucher_funds"):
        found = checking.check(await packed(books, kind, folder))
        assert {each.name: each.wrong for each in found.checks if each.wrong} == {}, kind


def test_packs_are_what_the_rollups_say(settings: Settings) -> None:
    @hypothesis_settings(max_examples=6, deadline=None, derandomize=True, database=None)
    @given(ACTIONS)
    def run(actions: list[Action]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_play(settings, actions, Path(folder)))

    run()


async def multiplied(orders: int) -> None:
    """The order A and its entries so many times more, by SQL of SQLite."""
    order = await database.fetch_one("SELECT * FROM sales_order WHERE order_ref = 'A'")
    entry = await database.fetch_one("SELECT * FROM contribution_entry LIMIT 1")
    assert order is not None
    assert entry is not None
    ours, theirs = ([name for name in row if name != "id"] for row in (order, entry))
    await database.execute(
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {orders})"
        f" INSERT INTO sales_order ({', '.join(ours)})"
        f" SELECT {', '.join('o.' + name if name != 'order_ref' else chr(39) + 'X' + chr(39) + ' || n.i' for name in ours)}"
        " FROM n, sales_order o WHERE o.order_ref = 'A'"
    )
    await database.execute(
        f"INSERT INTO contribution_entry ({', '.join(theirs)})"
        f" SELECT {', '.join('e.' + name if name != 'order_id' else 'x.id' for name in theirs)}"
        " FROM sales_order x, contribution_entry e JOIN sales_order o ON o.id = e.order_id"
        " WHERE o.order_ref = 'A' AND x.order_ref LIKE 'X%'"
    )


@pytest.mark.slow
@on_one_engine
async def test_fifty_thousand_lines_are_packed_and_checked_within_a_bounded_memory(
    db: Settings, tmp_path: Path
) -> None:
    lines, most, path = 50_000, 64 * 1024 * 1024, tmp_path / "pack.zip"
    async with an_empty_month(db) as books:
        await books.sell("A", ("worm", 12_800, 1), room=books.room)
        await multiplied(lines)
        ask, document = await composed(books, "monthly")
        pack = Pack(content=forms.encoded(document), ask=ask, signature={}, stretch=Stretch(0, 0, 0))
        biggest = 0
        tracemalloc.start()
        with path.open("wb") as file:
            async for piece in building.pieces(pack):
                biggest = max(biggest, len(piece.data))
                file.write(piece.data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < most
    assert biggest < 4 * building.PIECE
    found = checking.check(path)
    assert {each.name: each.wrong for each in found.checks if each.wrong} == {}
    assert numbers(document, "sales_by_theme")["合计"][3] == lines + 1
