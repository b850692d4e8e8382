"""Fetches that no push asked for: a platform's list named what is not known, or not as it is now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.platforms.contract import Event, FetchKind


class Ask(Struct, frozen=True, kw_only=True):
    """One order or after-sale that is to be read; ``order_ref`` '' and ``wanted_at`` 0 where nobody knows."""

    shop_id: int
    shop_ref: str
    kind: FetchKind
    order_ref: str
    ref: str
    wanted_at: int = 0


_ASK = {
    "shop_id": "bigint",
    "kind": "text",
    "shop_ref": "text",
    "order_ref": "text",
    "ref": "text",
    "wanted_at": "bigint",
    "at": "bigint",
}


async def ask(asks: Iterable[Ask], *, now: datetime) -> None:
    """Let them be fetched, in the current transaction; what waits already keeps its turn."""
    at = clock.to_ms(now)
    rows = {
        (each.shop_id, str(each.kind), each.ref): (
            each.shop_id, str(each.kind), each.shop_ref, each.order_ref, each.ref, each.wanted_at, at,
        )
        for each in asks
    }  # fmt: skip
    await database.write_rows(_ASK, list(rows.values()), _upsert())


def _upsert() -> str:
    now = database.now_ms()
    return (
        "INSERT INTO fetch_job (endpoint_id, shop_id, kind, shop_ref, order_ref, ref, wanted_at, message_id,"
        " status, due_at, attempts, lease_until, lease_token, last_error, created_at)"
        " SELECT s.endpoint_id, v.shop_id, v.kind, v.shop_ref, v.order_ref, v.ref, v.wanted_at,"
        f" 0, 'waiting', {now}, 0, 0, 0, '', v.at FROM v JOIN shop s ON s.id = v.shop_id"
        " WHERE s.endpoint_id IS NOT NULL ORDER BY v.shop_id, v.kind, v.ref"
        " ON CONFLICT (shop_id, kind, ref) DO UPDATE SET status = 'waiting',"
        " order_ref = CASE WHEN fetch_job.order_ref = '' THEN excluded.order_ref"
        " ELSE fetch_job.order_ref END,"
        " wanted_at = CASE WHEN excluded.wanted_at > fetch_job.wanted_at THEN excluded.wanted_at"
        " ELSE fetch_job.wanted_at END,"
        " attempts = CASE WHEN fetch_job.status = 'waiting' THEN fetch_job.attempts ELSE 0 END,"
        " due_at = CASE WHEN fetch_job.status = 'waiting' THEN fetch_job.due_at ELSE excluded.due_at END"
    )


async def order_known(job_id: int, shop_id: int, event: Event, *, now: datetime) -> None:
    """The reply said whose after-sale it is: its order is asked for too, unless it is known."""
    await database.execute("UPDATE fetch_job SET order_ref = $1 WHERE id = $2", event.order_ref, job_id)
    known = await database.fetch_one(
        "SELECT 1 AS known FROM sales_order WHERE shop_id = $1 AND order_ref = $2 AND complete",
        shop_id,
        event.order_ref,
    )
    if known is None:
        order = Ask(
            shop_id=shop_id,
            shop_ref=event.shop_ref,
            kind=FetchKind.ORDER,
            order_ref=event.order_ref,
            ref=event.order_ref,
        )
        await ask([order], now=now)


async def waiting(endpoint_id: int) -> int:
    """How many fetches of an endpoint wait, counted to a thousand."""
    row = await database.fetch_one(
        "SELECT count(*) AS n FROM (SELECT 1 FROM fetch_job WHERE status = 'waiting' AND endpoint_id = $1"
        " LIMIT 1000) t",
        endpoint_id,
    )
    return int(row["n"]) if row else 0
