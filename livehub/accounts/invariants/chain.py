"""Every bureau's audit chain is whole, and no entry was left out of it."""

from __future__ import annotations

from livehub.accounts import chain
from livehub.kit.invariants import Invariant


async def check() -> list[str]:
    """What is wrong with the chains."""
    wrong = [line for head in await chain.heads() for line in await chain.verify(head.bureau_id)]
    forgotten = await chain.forgotten()
    return [*wrong, *([f"{forgotten} audit entries will never be linked"] if forgotten else [])]


INVARIANT = Invariant("accounts.chain", "审计记录的哈希链完整", check)
