"""Two lotteries of a campaign of their own: one is over, with its proof, the other one can be entered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from livehub import database
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.models import Role, User
from livehub.demo.seeding import Seeded
from livehub.kit import clock
from livehub.settings import Settings
from livehub.vouchers import campaigns, draws, enrolments, entries, identity, links, lotteries, rounds
from livehub.vouchers.campaigns import NewCampaign
from livehub.vouchers.claims import ClaimDesk
from livehub.vouchers.entries import Lot
from livehub.vouchers.errors import NotDrawn
from livehub.vouchers.identity import ClaimantRef
from livehub.vouchers.lotteries import NewLottery
from livehub.vouchers.models import ClaimLink, Round, Validity
from livehub.vouchers.new_kinds import NewTemplate

PEOPLE, PRIZES, FACE_FEN = 60, 20, 20_000
LEFT = 2  # winners who never come
NUMBER = "02 07 11 18 23 31 + 09"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


async def tell(world: Seeded, settings: Settings) -> str:
    """Both of them, before the jobs run; returns the slug of the one that can be entered."""
    clerk = await _person(world, Role.MANAGER)
    today = clock.at_local(clock.local_day(clock.now()), hour=20)
    finance = await _person(world, Role.FINANCE)
    campaign_id = await _campaign(world, clerk, finance, at=today - 12 * DAY)
    people = [
        await identity.enter(f"1370000{number:04d}", centre_id=world.centre_id, now=today - 10 * DAY)
        for number in range(PEOPLE)
    ]
    over, link = await _announced(campaign_id, clerk, until=today - 7 * DAY)
    await _signed_up(over, link, people, now=today - 8 * DAY)
    await _drawn(over, clerk, finance, until=today - 7 * DAY)
    await _claimed(over, link, people, settings, now=today - 6 * DAY)
    await rounds.close_round(over.id, actor=clerk, now=today - 2 * DAY)
    coming, link = await _announced(campaign_id, clerk, until=today + 2 * DAY)
    await _signed_up(coming, link, people[: PEOPLE // 2], now=clock.now() - HOUR)
    return link.slug


async def _campaign(world: Seeded, clerk: Actor, finance: Actor, *, at: datetime) -> int:
    wanted = NewCampaign(
        name="南珠节 · 摇号消费券",
        issuer_name="北海市农业农村局",
        purpose="一人一签，公开摇号",
        budget_fen=2 * PRIZES * FACE_FEN,
        refund_preset="luohu",
    )
    made = await campaigns.draft(
        wanted, bureau_id=world.bureau_ids[0], centre_id=world.centre_id, actor=clerk, now=at
    )
    await campaigns.submit(made.id, actor=clerk, now=at)
    await campaigns.countersign(made.id, actor=finance, now=at)
    await campaigns.start(made.id, actor=clerk, now=at)
    await enrolments.enrol(made.id, merchant_id=world.merchant_id, actor=clerk, now=at)
    return int(made.id)


async def _announced(campaign_id: int, clerk: Actor, *, until: datetime) -> tuple[Round, ClaimLink]:
    announced = NewLottery(
        signup_from=until - 4 * DAY,
        signup_until=until,
        source=f"中国福利彩票双色球 {clock.local(until):%m 月 %d 日}开奖号码",
        source_at=until + HOUR,
        draw_at=until + 2 * HOUR,
    )
    template = NewTemplate(
        name="南珠节消费券",
        face_fen=FACE_FEN,
        threshold_fen=4 * FACE_FEN,
        quantity=PRIZES,
        validity=Validity.DAYS_FROM_CLAIM,
        validity_n=10,
        merchants_only=True,
    )
    at = until - 5 * DAY
    planned = await lotteries.schedule(
        campaign_id,
        announced,
        template=template,
        claim_from=until + 14 * HOUR,
        claim_until=until + 5 * DAY,
        actor=clerk,
        now=at,
    )
    await lotteries.open_signup(planned.id, actor=clerk, now=until - 4 * DAY)
    return planned, await links.create(planned.id, actor=clerk, now=at)


async def _signed_up(about: Round, link: ClaimLink, people: Sequence[ClaimantRef], *, now: datetime) -> None:
    lots = [
        Lot(round_id=about.id, platform="", link_id=link.id, claimant=each, ip="", request_id="", now=now)
        for each in people
    ]
    await database.unit(lambda: entries.settle(lots))


async def _drawn(about: Round, clerk: Actor, finance: Actor, *, until: datetime) -> None:
    """The officer's number, confirmed by finance, drawn two hours after the sign-up."""
    await lotteries.freeze(about.id, actor=clerk, now=until)
    await draws.enter(about.id, NUMBER, actor=clerk, now=until + HOUR)
    await draws.confirm(about.id, NUMBER, actor=finance, now=until + 2 * HOUR)
    await rounds.open_round(about.id, actor=clerk, now=until + 14 * HOUR)


async def _claimed(
    about: Round, link: ClaimLink, people: Sequence[ClaimantRef], settings: Settings, *, now: datetime
) -> None:
    desk, given = ClaimDesk(settings), 0
    desk.start()
    for each in people:
        if given < PRIZES - LEFT:
            try:
                await desk.claim(link.slug, claimant=each, key=f"demo-{about.id}", now=now)
            except NotDrawn:
                continue
            given += 1
    await desk.stop()


async def _person(world: Seeded, role: Role) -> Actor:
    user = await User.get(login=world.logins[str(role)])
    return Actor(kind="user", id=user.id, name=user.name, centre_id=world.centre_id, grants=(Grant(role),))
