"""A lottery of a running campaign at any step of its way, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor, system
from livehub.accounts.models import Role
from livehub.kit import clock, ids
from livehub.vouchers import draws, entries, links, lotteries, rounds
from livehub.vouchers.entries import Lot
from livehub.vouchers.identity import ClaimantRef
from livehub.vouchers.lotteries import NewLottery
from livehub.vouchers.models import ClaimLink, Round
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW, World, a_crowd, a_kind, a_world

DAY = timedelta(days=1)
UNTIL = NOW + 2 * DAY  # the sign-up ends
DRAW = UNTIL + timedelta(minutes=30)
OPENS = DRAW + timedelta(hours=12)
CLOSES = OPENS + 10 * DAY
RANDOMNESS = "02 07 11 18 23 31 + 09"
JOBS = system("jobs.lotteries")


class Drawing(Struct, kw_only=True):
    """A lottery's round, its link, and who may do what."""

    world: World
    round: Round
    link: ClaimLink
    countersigner: Actor

    async def enter(self, *people: ClaimantRef, now=NOW, platform: str = "") -> list[object]:
        """Sign these people up, in one batch."""
        return await settled([self.lot(each, now=now, platform=platform) for each in people])

    def lot(self, person: ClaimantRef, *, now=NOW, platform: str = "") -> Lot:
        return Lot(
            round_id=self.round.id,
            platform=platform,
            link_id=self.link.id,
            claimant=person,
            ip="",
            request_id="",
            now=now,
        )

    async def drawn(self, *, now=DRAW) -> None:
        """Freeze, enter, confirm and draw."""
        await lotteries.freeze(self.round.id, actor=JOBS, now=now)
        await draws.enter(self.round.id, RANDOMNESS, actor=self.world.officer, now=now)
        await draws.confirm(self.round.id, RANDOMNESS, actor=self.countersigner, now=now)

    async def opened(self, *, now=OPENS) -> None:
        await rounds.open_round(self.round.id, actor=JOBS, now=now)

    async def winners(self) -> list[str]:
        rows = await database.fetch(
            "SELECT e.public_id FROM lottery_winner w JOIN lottery_entry e ON e.id = w.entry_id"
            " WHERE w.round_id = $1 ORDER BY w.place",
            self.round.id,
        )
        return [row["public_id"] for row in rows]


async def settled(lots: Sequence[Lot]) -> list[object]:
    async with database.transaction():
        return list(await entries.settle(lots))


def announced(**changes) -> NewLottery:
    """Two days of sign-up, the number at their end, the draw half an hour later."""
    values = {
        "signup_from": NOW,
        "signup_until": UNTIL,
        "source": "中国福利彩票双色球第 2026058 期开奖号码",
        "source_at": UNTIL + timedelta(minutes=15),
        "draw_at": DRAW,
    }
    return NewLottery(**(values | changes))


async def a_lottery(kind: rounds.NewTemplate | None = None, *, signup: bool = True) -> Drawing:
    """A campaign with a lottery whose sign-up is open, unless told otherwise."""
    kind = kind or a_kind(quantity=3)
    world = await a_world(a_kind(quantity=1), budget_fen=2_000 + kind.face_fen * kind.quantity)
    planned = await lotteries.schedule(
        world.campaign.id,
        announced(),
        template=kind,
        claim_from=OPENS,
        claim_until=CLOSES,
        actor=world.officer,
        now=NOW,
    )
    link = await links.create(planned.id, actor=world.officer, now=NOW)
    if signup:
        await lotteries.open_signup(planned.id, actor=JOBS, now=NOW)
    countersigner = an_actor(Role.FINANCE, centre_id=world.bureau.centre_id)
    return Drawing(world=world, round=planned, link=link, countersigner=countersigner)


async def many_entries(drawing: Drawing, size: int) -> list[ClaimantRef]:
    """A crowd that has signed up, written at once."""
    people: list[ClaimantRef] = []
    for start in range(0, size, 5_000):
        people += await a_crowd(drawing.world, min(5_000, size - start))
    at = clock.to_ms(NOW)
    columns = {
        "id": "bigint",
        "public_id": "text",
        "round_id": "bigint",
        "person_key": "bytea",
        "at": "bigint",
    }
    for start in range(0, size, 5_000):
        await database.write_rows(
            columns,
            [
                (ids.row_id(at), ids.public_id(), drawing.round.id, each.person_key, at)
                for each in people[start : start + 5_000]
            ],
            "INSERT INTO lottery_entry (id, public_id, round_id, platform, person_key, link_id, at)"
            " SELECT id, public_id, round_id, '', person_key, 0, at FROM v",
        )
    return people
