"""One worker of a rush, as a process of its own: everybody claims, the outcomes are printed as JSON."""

from __future__ import annotations

import asyncio
import json
import sys

from livehub import database, process
from livehub.settings import load
from livehub.vouchers.claims import ClaimDesk, Claimed
from livehub.vouchers.identity import ClaimantRef
from tests.factories.vouchers import NOW


async def main(slug: str) -> None:
    settings = load()
    await process.start(settings)
    rows = await database.fetch("SELECT id, public_id, centre_id, person_key FROM claimant ORDER BY id")
    people = [ClaimantRef(**{**row, "person_key": bytes(row["person_key"])}) for row in rows]
    desk = ClaimDesk(settings)
    desk.start()
    print("ready", flush=True)
    sys.stdin.readline()
    answers = await asyncio.gather(
        *(desk.claim(slug, claimant=person, key="same", now=NOW) for person in people), return_exceptions=True
    )
    await desk.stop()
    outcomes = [
        [each.voucher, each.hit] if isinstance(each, Claimed) else [getattr(each, "code", repr(each)), False]
        for each in answers
    ]
    print(json.dumps({"outcomes": outcomes, "fallbacks": desk.fallbacks}), flush=True)
    await process.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
