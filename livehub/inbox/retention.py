"""The sealed bytes of deliveries end with their time; digest, verdict, headers and facts stay.

How long is said by the shops that a delivery names, the most patient of them; where it names none that is
registered, by the shops of its endpoint. What is still to be taken in, or may be put back into the queue,
keeps its bytes.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor, system
from livehub.inbox.models import MessageStatus
from livehub.kit import clock
from livehub.platforms.models import EVIDENCE_DAYS

LOOK = 5000  # deliveries that are looked at in one statement
BATCH = 500  # erased in one transaction

_DAY_MS = 86_400_000
_DONE = ", ".join(f"'{each}'" for each in (MessageStatus.APPLIED, MessageStatus.IGNORED, MessageStatus.STALE))
_OF_DELIVERY = "m.delivery_id = inbox_delivery.id AND m.delivery_id > 0"  # facts of our own are in no index
_DAYS = (
    "coalesce((SELECT max(s.evidence_days) FROM inbox_message m JOIN shop s ON s.platform = m.platform"
    f" AND s.shop_ref = m.shop_ref WHERE {_OF_DELIVERY}),"
    " (SELECT max(s.evidence_days) FROM shop s WHERE s.endpoint_id = inbox_delivery.endpoint_id),"
    f" {EVIDENCE_DAYS})"
)
_OVER = (
    "body_sealed IS NOT NULL"
    f" AND received_at < {{now}} - {_DAYS} * CAST({_DAY_MS} AS bigint)"
    f" AND NOT EXISTS (SELECT 1 FROM inbox_message m WHERE {_OF_DELIVERY}"
    f" AND m.status NOT IN ({_DONE}))"
)
_KEPT = (
    f"SELECT id, received_at, {_OVER.format(now='$1')} AS over FROM inbox_delivery"
    " WHERE body_sealed IS NOT NULL AND received_at < $2 AND (received_at, id) > ($3, $4)"
    " ORDER BY received_at, id LIMIT "
)
_ERASE = (
    f"UPDATE inbox_delivery SET body_sealed = NULL WHERE id IN (SELECT id FROM v)"
    f" AND {_OVER.format(now='(SELECT max(now) FROM v)')} RETURNING id, centre_id, received_at"
)


async def erase_due(*, now: datetime) -> int:
    """Erase the bytes whose time is over, in small transactions; returns how many deliveries it were."""
    row = await database.fetch_one("SELECT min(evidence_days) AS days FROM shop")
    shortest = min(EVIDENCE_DAYS, row["days"] or EVIDENCE_DAYS) if row else EVIDENCE_DAYS
    at, before = clock.to_ms(now), clock.to_ms(now - timedelta(days=shortest))
    last, erased = (-1, 0), 0
    while rows := await database.fetch(f"{_KEPT}{LOOK}", at, before, *last):
        last = rows[-1]["received_at"], rows[-1]["id"]
        over = [row["id"] for row in rows if row["over"]]
        for start in range(0, len(over), BATCH):
            erased += await database.unit(partial(_erase, over[start : start + BATCH], now))
    return erased


async def _erase(numbers: list[int], now: datetime) -> int:
    rows = await database.with_rows(
        {"id": "bigint", "now": "bigint"}, [(number, clock.to_ms(now)) for number in numbers], _ERASE
    )
    of_centre: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        of_centre[row["centre_id"]].append(row)
    entries = [
        _entry(found, actor=system("erase_evidence", centre_id=centre)) for centre, found in of_centre.items()
    ]
    await audit.write_many(entries, now=now)
    return len(rows)


def _entry(rows: list[dict[str, Any]], *, actor: Actor) -> audit.Entry:
    """How many of a centre's deliveries lost their bytes in one transaction, and from which to which."""
    return audit.Entry(
        action="evidence.erased",
        actor=actor,
        about=("delivery", str(min(row["id"] for row in rows))),
        detail={
            "deliveries": len(rows),
            "last": str(max(row["id"] for row in rows)),
            "received_until": clock.from_ms(max(row["received_at"] for row in rows)).isoformat(),
        },
    )
