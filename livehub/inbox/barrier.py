"""What a transaction read before a mapping was committed is written before the mapping's listener looks.

Intake reads shops, rooms and products, and books by them. A listener of a new mapping looks for what was
booked without it. Without a barrier it would not see a transaction that read before the mapping's commit
and commits after the listener's look: that order would stay where it is for good. On SQLite the write
lock, taken at BEGIN, is the barrier.
"""

from __future__ import annotations

from livehub import database

_KEY = 7_105_001  # of PostgreSQL's advisory locks; the application uses no other of this number


async def enter() -> None:
    """Before reading mappings, until the current transaction ends; many may be inside at once."""
    if database.dialect() == "postgres":
        await database.execute(f"SELECT pg_advisory_xact_lock_shared({_KEY})")


async def outwait() -> None:
    """Wait for all who entered before; in a transaction that holds no row yet."""
    if database.dialect() == "postgres":
        await database.execute(f"SELECT pg_advisory_lock({_KEY})")
        await database.execute(f"SELECT pg_advisory_unlock({_KEY})")
