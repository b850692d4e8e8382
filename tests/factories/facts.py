"""Facts of our own in the inbox, told one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from livehub import database
from livehub.inbox import layout
from livehub.inbox.layout import Origin
from livehub.inbox.recording import OwnFact
from livehub.kit import clock


async def record_own(facts: Sequence[OwnFact], *, now: datetime) -> list[int]:
    """Put facts into the inbox in the current transaction; returns the ids of those it did not know."""
    at = clock.to_ms(now)
    rows = [
        layout.fact_row(
            layout.encode_fact([own.event]),
            event=own.event,
            origin=Origin(0, own.centre_id, own.platform),
            delivery_id=0,
            source="own",
            native_type=own.native_type,
            native_id=own.native_id,
            element=b"",
            at=at,
        )
        for own in facts
    ]
    return [row["id"] for row in await database.with_rows(layout.MESSAGE, rows, layout.insert_message())]
