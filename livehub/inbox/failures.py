"""How many deliveries were refused for their signature: counted here, written now and then."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import datetime

import structlog

from livehub import database
from livehub.kit import clock

log = structlog.get_logger(__name__)

EVERY_SECONDS = 2.0
HOUR_MS = 3_600_000

_UPSERT = (
    "INSERT INTO signature_failure (platform, endpoint_id, hour, count) SELECT platform, endpoint_id, hour,"
    " count"
    " FROM v WHERE true ON CONFLICT (platform, endpoint_id, hour)"
    " DO UPDATE SET count = signature_failure.count + excluded.count"
)


class SignatureFailures:
    """This worker's count; a stranger can raise a number in memory and nothing else."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int, int]] = Counter()
        self._writer: asyncio.Task[None] | None = None

    def count(self, platform: str, endpoint_id: int, *, now: datetime) -> None:
        """One more refusal; endpoint 0 is one nobody knows."""
        self._counts[platform, endpoint_id, clock.to_ms(now) // HOUR_MS * HOUR_MS] += 1

    def start(self) -> None:
        """Write every few seconds from now on."""
        self._writer = asyncio.create_task(self._write_forever(), name="signature-failures")

    async def stop(self) -> None:
        """Write what is left, then end; harmless when called twice."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted; kept for the next time when the database is away."""
        counts, self._counts = self._counts, Counter()
        try:
            async with database.transaction():
                await database.with_rows(
                    {"platform": "text", "endpoint_id": "bigint", "hour": "bigint", "count": "int"},
                    [(*key, counts[key]) for key in sorted(counts)],
                    _UPSERT,
                )
        except database.DatabaseUnavailable:
            self._counts.update(counts)

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            if self._counts:
                try:
                    await self.flush()
                except Exception:
                    log.exception("signature_failures.not_written")
