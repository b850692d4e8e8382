"""What every process of ours does first and last: keys, wiring, database."""

from __future__ import annotations

from livehub import database, wiring
from livehub.accounts import anchors
from livehub.kit import limits, outbox, sealing
from livehub.settings import Settings


async def start(settings: Settings) -> None:
    """Install the keys and the wiring, open the database; DatabaseUnavailable when it is not there."""
    sealing.install(settings.keyring())
    anchors.install(settings.anchors)
    limits.install(settings)
    outbox.connect(wiring.LISTENERS)
    await database.connect(settings)


async def stop() -> None:
    """Close the database; harmless when called twice."""
    await database.close()
