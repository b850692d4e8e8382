"""Settlement statements as platforms export them, and what came of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.orders.statements import drafts, importing, queries
from livehub.orders.statements.models import SettlementStatement
from livehub.orders.statements.queries import Difference, Whole
from tests.factories.accounts import an_actor

GENERIC = ("流水号", "结算时间", "订单号", "子订单号", "销售款", "平台服务费", "佣金", "运费")
DAY = "2026-04-02 08:00:00"


def a_file(rows: Iterable[Sequence[str]], *, head: Sequence[str] = GENERIC, encoding: str = "utf-8") -> bytes:
    return "".join(",".join(row) + "\r\n" for row in (head, *rows)).encode(encoding)


def a_row(
    order: str, sales: str, *, entry: str = "", line: str = "", fee: str = "", day: str = DAY
) -> Sequence[str]:
    return (entry, day, order, line, sales, fee, "", "")


def finance(centre_id: int) -> Actor:
    return an_actor(Role.FINANCE, centre_id=centre_id)


async def looked_at(
    raw: bytes, *, centre_id: int, shop: str = "s", source: str = "generic", name: str = "4月.csv"
) -> SettlementStatement:
    return await drafts.draft(
        raw, name=name, shop=shop, source=source, actor=finance(centre_id), now=clock.now()
    )


async def imported(raw: bytes, *, centre_id: int, now: datetime | None = None, **more: str) -> Whole:
    """A file that was looked at and imported."""
    made = await looked_at(raw, centre_id=centre_id, **more)
    await importing.begin(made.public_id, actor=finance(centre_id), now=now or clock.now())
    await importing.go_on(made.id, now=now or clock.now())
    return await queries.statement(made.public_id, actor=finance(centre_id))


async def differences_of(centre_id: int, *, state: str = "open") -> list[Difference]:
    page = await queries.differences(actor=finance(centre_id), state=state, size=200)
    return list(page.items)


def said(found: Iterable[Difference]) -> list[tuple[str, str, int]]:
    """(kind, order, fen) of differences."""
    return sorted((each.kind, each.order_ref, each.fen) for each in found)
