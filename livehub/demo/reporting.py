"""The first bureau's reports: last month's signed by a second officer and handed in, this month's a draft."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from livehub.accounts.actors import Actor, Grant
from livehub.accounts.models import Bureau, Role, User
from livehub.demo.seeding import Seeded
from livehub.kit import clock
from livehub.reports import documents
from livehub.reports.documents import NewReport
from livehub.reports.reviews import SETTLED

KIND = "monthly"
BOOKED = timedelta(seconds=5)  # after which a batch of the running jobs is committed
PREPARER, SIGNER = "officer", "officer4"


async def tell(world: Seeded, *, now: datetime) -> None:
    """As known now: nothing of the history is still on its way, so nobody has to wait until it cannot be."""
    bureau = await Bureau.get(id=world.bureau_ids[0])
    preparer, signer = [await _officer(world, login) for login in (PREPARER, SIGNER)]
    at = now - BOOKED + SETTLED
    this = clock.local_day(now).replace(day=1)
    last = (this - timedelta(days=1)).replace(day=1)
    made = await documents.prepare(_month(bureau, last), actor=preparer, now=now)
    seen = await documents.read(made.public_id, actor=signer, now=at)
    await documents.sign(made.public_id, sha256=seen.sha256, as_of=seen.ask.as_of, actor=signer, now=at)
    await documents.submit(
        made.public_id, reference=f"北农报〔{last.year}〕{last.month} 号", actor=signer, now=at
    )
    await documents.prepare(_month(bureau, this), actor=preparer, now=now)


def _month(bureau: Bureau, first: date) -> NewReport:
    until = (first + timedelta(days=32)).replace(day=1)
    return NewReport(kind=KIND, bureau=bureau.public_id, since=first, until=until)


async def _officer(world: Seeded, login: str) -> Actor:
    user = await User.get(login=f"{login}-{world.tag}" if world.tag else login)
    grant = Grant(Role.BUREAU, bureau_id=world.bureau_ids[0])
    return Actor(kind="user", id=user.id, name=user.name, centre_id=world.centre_id, grants=(grant,))
