"""Orders that are gone while entries speak for them: which they were, and what clerks had said of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from livehub import database
from livehub.kit import clock
from livehub.orders import ledger
from livehub.orders.ledger import Applicable, OrderKey

WIDE = 2000  # orders whose entries are looked at in one statement


async def gone() -> AsyncIterator[list[int]]:
    """The numbers that entries name and no order has, some at a time."""
    last = 0
    while rows := await database.fetch(
        "SELECT e.order_id, o.id AS kept FROM (SELECT DISTINCT order_id FROM contribution_entry"
        f" WHERE order_id > $1 ORDER BY order_id LIMIT {WIDE}) e LEFT JOIN sales_order o ON o.id = e.order_id"
        " ORDER BY e.order_id",
        last,
    ):
        last = rows[-1]["order_id"]
        if some := [row["order_id"] for row in rows if row["kept"] is None]:
            yield some


async def numbers() -> dict[str, int]:
    """Order key -> the number that it had, of the orders that are gone: by what caused their entries."""
    found: dict[str, int] = {}
    async for some in gone():
        rows = await database.with_rows(
            {"id": "bigint"},
            [(each,) for each in some],
            "SELECT m.order_key AS order_key, max(e.order_id) AS id FROM v JOIN contribution_entry e"
            " ON e.order_id = v.id JOIN inbox_message m ON m.id = e.message_id"
            " WHERE m.order_key <> '' GROUP BY m.order_key",
        )
        for row in rows:
            found[row["order_key"]] = max(row["id"], found.get(row["order_key"], 0))
    return found


async def restore(numbers_of: Mapping[OrderKey, tuple[int, Applicable]], *, now: datetime) -> None:
    """Empty orders under the numbers they had: what was said and settled of them is theirs again."""
    at = clock.to_ms(now)
    await database.write_rows(
        {
            "id": "bigint",
            "centre_id": "bigint",
            "shop_id": "bigint",
            "platform": "text",
            "order_ref": "text",
            "at": "bigint",
        },
        [
            (number, fact.centre_id, fact.shop_id, fact.platform, fact.event.order_ref, at)
            for _, (number, fact) in sorted(numbers_of.items(), key=lambda each: each[0])
        ],
        f"INSERT INTO sales_order (id, {ledger.EMPTY}) SELECT id, {ledger.EMPTY_OF_V} FROM v WHERE true"
        " ON CONFLICT DO NOTHING",
    )


async def words(numbers_of: Mapping[int, int]) -> list[int]:
    """Of orders, number now -> number then, those of whose lines clerks said something only then."""
    rows = await database.with_rows(
        {"id": "bigint", "former": "bigint"},
        sorted(numbers_of.items()),
        f"SELECT DISTINCT v.id AS id FROM v JOIN line_assignment a ON a.order_id = v.former WHERE {_NEW}",
    )
    return sorted(row["id"] for row in rows)


@database.atomic
async def carry_over(order_id: int, *, former: int, now: datetime) -> None:
    """Say of an order what clerks had said of it under its former number, and book it by that."""
    await ledger.hold([order_id])
    await database.execute(
        f"INSERT INTO line_assignment (order_id, {_WORD}) SELECT CAST($1 AS bigint), {_WORD} FROM"
        " (SELECT CAST($1 AS bigint) AS id, CAST($2 AS bigint) AS former) v JOIN line_assignment a"
        f" ON a.order_id = v.former WHERE {_NEW} ORDER BY a.id",
        order_id,
        former,
    )
    await ledger.book_anew([order_id], reason="clerk", now=now)


_WORD = "line_ref, broadcast_id, streamer_id, reason, actor_id, actor_name, at"
# A word under a former number, on a line of which nothing was said since.
_NEW = "NOT EXISTS (SELECT 1 FROM line_assignment n WHERE n.order_id = v.id AND n.line_ref = a.line_ref)"
