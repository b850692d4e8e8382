"""Evidence of sales: lines, the entries they are the sums of, and the messages that caused the entries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import msgspec

from livehub import database
from livehub.inbox import layout
from livehub.kit import clock
from livehub.kit.tables import Cell
from livehub.reports import line_rows
from livehub.reports.forms import Ask

LINE_HEAD = (*line_rows.KEY, *line_rows.NAMES, *line_rows.MEASURES)
ENTRY_HEAD = (*line_rows.KEY, *line_rows.MEASURES, "message", "reason", "applied_at")
MESSAGE_HEAD = (
    *("message", "order", "shop", "platform", "type", "source", "verdict", "status", "received_at"),
    *("delivery_sha256", "host", "request_id", "fact_sha256"),
)
FACTS = "facts.jsonl"
_NO_MESSAGE = 0


async def lines(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of lines.csv."""
    async for page in line_rows.lines(ask):
        yield [[row[name] for name in LINE_HEAD] for row in page]


async def entries(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of entries.csv: one for each change, with the message that caused it."""
    async for page in line_rows.entries(ask):
        yield [
            [
                *(row[name] for name in (*line_rows.KEY, *line_rows.MEASURES)),
                _message(row["message_id"]),
                row["reason"],
                clock.from_ms(row["applied_at"]),
            ]
            for row in page
        ]


def _message(number: int) -> str:
    return str(number) if number != _NO_MESSAGE else ""


async def messages(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of messages.csv: every message about the orders that was in by then."""
    async for page in _told(ask):
        yield [
            [
                str(row["id"]),
                row["order_ref"],
                row["shop"],
                row["platform"],
                row["native_type"],
                row["source"],
                row["verdict"],
                row["status"],
                clock.from_ms(row["received_at"]),
                bytes(row["sha256"]).hex() if row["sha256"] is not None else "",
                row["host"],
                row["request_id"],
                sha256(row["fact"].encode()).hexdigest() if row["fact"] else "",
            ]
            for row in page
        ]


async def facts(ask: Ask) -> AsyncIterator[bytes]:
    """The lines of facts.jsonl: each message with its normalised events, without personal data."""
    async for page in _told(ask):
        yield b"".join(
            msgspec.json.encode({"message": str(row["id"]), "fact": msgspec.Raw(row["fact"].encode())})
            + b"\n"
            for row in page
            if row["fact"]
        )


async def _told(ask: Ask) -> AsyncIterator[list[dict[str, Any]]]:
    wanted = await line_rows.orders(ask)
    for start in range(0, len(wanted), line_rows.ORDERS_AT_A_TIME):
        some = ", ".join(map(str, wanted[start : start + line_rows.ORDERS_AT_A_TIME]))
        named = await database.fetch(
            "SELECT o.order_ref, o.platform, s.shop_ref, s.public_id FROM sales_order o"
            f" JOIN shop s ON s.id = o.shop_id WHERE o.id IN ({some}) ORDER BY o.id"
        )
        keys = {layout.order_key(row["platform"], row["shop_ref"], row["order_ref"]): row for row in named}
        found = await database.with_rows(
            {"wanted": "text"},
            [(key,) for key in keys],
            "SELECT m.id, m.order_key, m.platform, m.native_type, m.source, m.status, m.received_at, m.fact,"
            " coalesce(d.verdict, 'own') AS verdict, d.sha256, coalesce(d.host, '') AS host,"
            " coalesce(d.request_id, '') AS request_id FROM v JOIN inbox_message m"
            " ON m.order_key = v.wanted AND m.order_key <> ''"
            f" LEFT JOIN inbox_delivery d ON d.id = m.delivery_id WHERE m.received_at <= {ask.as_of_ms}"
            " ORDER BY m.id",
        )
        yield [
            {
                **row,
                "order_ref": keys[row["order_key"]]["order_ref"],
                "shop": keys[row["order_key"]]["public_id"],
            }
            for row in found
        ]
