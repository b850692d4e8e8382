"""Ask every hold rule about the day that is over, broadcasts that ended, and orders that came too late."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from livehub import database
from livehub.accounts.actors import system
from livehub.kit import clock
from livehub.settlement import evidence, holding, opening, signals
from livehub.settlement.case_models import Subject
from livehub.settlement.opening import About
from livehub.settlement.signals import Late, MerchantDay, Seen, Show
from livehub.vouchers.facts import LateRedemptionSeen

_UNCOLLECTED = (
    "SELECT x.broadcast_id FROM campaign c JOIN redemption r ON r.campaign_id = c.id"
    " JOIN voucher x ON x.id = r.voucher_id AND x.broadcast_id > 0"
    f" WHERE c.centre_id = $1 AND {holding.COLLECTABLE.format(until='$4')}"
)
SHOW_DAYS = 7  # a broadcast is asked about each morning for so long: refunds come after it


async def run_all(*, now: datetime) -> int:
    """Every centre's yesterday, its broadcasts of the last days, and late orders; returns new cases."""
    day = clock.local_day(now) - timedelta(days=1)
    opened = 0
    for row in await database.fetch("SELECT id FROM centre ORDER BY id"):
        opened += await merchants(row["id"], day, now=now)
        opened += await broadcasts(row["id"], day, now=now)
    return opened + await late_orders(now=now)


async def merchants(centre_id: int, day: date, *, now: datetime) -> int:
    """Every merchant that redeemed on a day, for each bureau whose vouchers it took.

    And on earlier days of which something is still to be collected: days that were missed are asked about
    before they are settled.
    """
    opened = 0
    asked = {(*each, day) for each in await evidence.merchants_of(centre_id, day)}
    asked |= set(await evidence.uncollected(centre_id, day))
    for merchant_id, bureau_id, day_ in sorted(asked, key=lambda each: (each[2], *each[:2])):
        about = About(
            subject=Subject.MERCHANT,
            subject_id=merchant_id,
            centre_id=centre_id,
            bureau_id=bureau_id,
            day=day_,
        )
        seen = await evidence.merchant_day(merchant_id, bureau_id, day_)
        opened += await _ask(MerchantDay, seen, about, now=now)
    return opened


async def broadcasts(centre_id: int, day: date, *, now: datetime) -> int:
    """Every broadcast that ended within a week up to a business day.

    And earlier ones whose vouchers are still to be collected: however long nobody asked, a broadcast is
    asked about before they are settled. What is older and has none of them holds no money back.
    """
    rows = await database.fetch(
        "SELECT id, bureau_id, business_day FROM broadcast WHERE centre_id = $1 AND business_day <= $3"
        f" AND state IN ('ended', 'reviewed') AND (business_day > $2 OR id IN ({_UNCOLLECTED})) ORDER BY id",
        centre_id,
        clock.day_number(day - timedelta(days=SHOW_DAYS)),
        clock.day_number(day),
        clock.to_ms(clock.at_local(day + timedelta(days=1))),
    )
    opened = 0
    for row in rows:
        about = About(
            subject=Subject.BROADCAST,
            subject_id=row["id"],
            centre_id=centre_id,
            bureau_id=row["bureau_id"],
            day=clock.day_of_number(row["business_day"]),
        )
        opened += await _ask(Show, await evidence.show(row["id"]), about, now=now)
    return opened


async def late_orders(*, now: datetime) -> int:
    """Late redemptions behind no case: of before there were cases, or whose fact got lost."""
    rows = await database.fetch(
        "SELECT l.id FROM late_redemption l WHERE NOT EXISTS (SELECT 1 FROM integrity_case c"
        " JOIN case_row w ON w.case_id = c.id AND w.kind = 'late' AND w.row_id = l.id"
        f" WHERE c.subject = '{Subject.VOUCHER}' AND c.subject_id = l.voucher_id"
        " AND c.rule = 'late_redemption') ORDER BY l.id"
    )
    return sum([await _late(row["id"], now=now) for row in rows])


async def on_late_redemption(fact: LateRedemptionSeen, now: datetime) -> None:
    """Matching noted an order that came too late: it has its case at once."""
    await _late(fact.late_id, now=now)


async def _late(late_id: int, *, now: datetime) -> int:
    row = await database.fetch_one(
        "SELECT l.voucher_id, l.seen_at, c.centre_id, c.bureau_id FROM late_redemption l"
        " JOIN campaign c ON c.id = l.campaign_id WHERE l.id = $1",
        late_id,
    )
    if row is None:
        return 0
    about = About(
        subject=Subject.VOUCHER,
        subject_id=row["voucher_id"],
        centre_id=row["centre_id"],
        bureau_id=row["bureau_id"],
        day=clock.local_day(clock.from_ms(row["seen_at"])),
    )
    return await _ask(Late, await evidence.late(late_id), about, now=now)


async def _ask(kind: type[Seen], seen: Seen, about: About, *, now: datetime) -> int:
    """Each rule about one thing; a case for each that has something to say."""
    actor = system("jobs.integrity", centre_id=about.centre_id)
    opened = 0
    for rule in signals.about(kind):
        params = rule.params()
        found = rule.judge(seen, params)
        if found:
            opened += await opening.by_rule(rule, about, found, params=params, actor=actor, now=now)
    return opened
