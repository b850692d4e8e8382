"""What somebody says to a case stands beside it for good."""

from __future__ import annotations

from datetime import datetime

from livehub.accounts.actors import Actor
from livehub.settlement.case_models import CaseNote


async def add(case_id: int, *, step: str, text: str, actor: Actor, now: datetime) -> None:
    """Keep a sentence, in the current transaction."""
    await CaseNote.create(
        case_id=case_id, step=step, text=text.strip(), by_id=actor.id, by_name=actor.name, at=now
    )
