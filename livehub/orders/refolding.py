"""The books from their beginning: every order's state and contribution made anew from the facts.

Safe while the service runs: orders are compared in batches as they are committed. What looks wrong is looked
at again: without ``apply`` in a snapshot that holds nothing, with it in short transactions under the locks
that intake takes. Both see the same, so a comparison says what an application would do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.inbox import barrier, layout
from livehub.inbox.models import MessageStatus
from livehub.kit import clock
from livehub.orders import contribution, folding, former, ledger, mending, rollup, state
from livehub.orders.contribution import Contribution
from livehub.orders.held import Held, Sums
from livehub.orders.mending import Repair
from livehub.platforms import queries as platforms

BATCH = 500  # orders whose facts are in memory at once
LOCKED = 50  # of them that are held in one transaction
MINUTES = timedelta(minutes=rollup.MINUTES_KEPT)
WIDE = 2000  # orders of which only the names are
SAMPLES = 20


class Refolded(Struct, kw_only=True):
    """What the facts say against what the books say."""

    orders: int = 0
    missing: int = 0  # orders that facts tell of and nobody keeps
    untold: int = 0  # orders that no fact tells of; they are left as they are
    orphans: int = 0  # orders of which only entries are left; these are taken back
    words: int = 0  # orders under another number, of which clerks had said something under the former
    states: int = 0  # not the fold of their facts
    contributions: int = 0  # booked otherwise than the state says
    entries: int = 0  # not adding up to it
    buckets: int = 0  # not the sum of their entries
    waiting: int = 0  # orders not judged, since mappings are not told to their listeners yet
    samples: list[str] = []

    @property
    def differ(self) -> bool:
        """Whether anything is not what the facts say."""
        orders = (self.missing, self.untold, self.orphans, self.states, self.contributions, self.entries)
        return any((*orders, self.words, self.buckets))


async def refold(*, apply: bool, actor: Actor, now: datetime) -> Refolded:
    """Compare everything; with ``apply`` replace what differs, by recorded entries. In batches of its own."""
    found = Refolded()
    numbers, restored = await former.numbers(), set[int]()
    last = ""
    while keys := await _keys(last):
        last = keys[-1]
        found.orders += len(keys)
        suspects = await _suspects(keys)
        for start in range(0, len(suspects), LOCKED):
            some = suspects[start : start + LOCKED]
            if apply:
                await _settle(some, found, numbers, now=now)
            else:
                await _compare(some, found, numbers, restored)
        await _carry_words_over(keys, found, numbers, apply=apply, now=now)
    await _count_untold(found)
    await _take_orphans_back(found, restored=restored, apply=apply, now=now)
    await _look_at_buckets(found, apply=apply, now=now)
    if apply:
        await _tell(found, actor=actor, now=now)
    return found


async def _keys(last: str) -> list[str]:
    """The next orders that facts tell of."""
    rows = await database.fetch(
        "SELECT DISTINCT order_key FROM inbox_message WHERE order_key > $1 AND order_key <> ''"
        f" AND fact <> '' AND (status IN ('{MessageStatus.APPLIED}', '{MessageStatus.STALE}')"
        f" OR reason = 'identity') ORDER BY order_key LIMIT {BATCH}",
        last,
    )
    return [row["order_key"] for row in rows]


async def _suspects(keys: Sequence[str]) -> list[str]:
    """Orders of which the fold, what is booked and the entries do not say the same."""
    folded = await folding.fold(keys)
    kept = await _kept(keys)
    fresh = await ledger.recomputed(list(kept.values()))
    entries = await mending.entries_of([order.id for order in kept.values()])
    return [key for key in keys if not _is_right(key, kept, folded, fresh, entries)]


def _is_right(
    key: str,
    kept: Mapping[str, Held],
    folded: Mapping[str, state.OrderState],
    fresh: Mapping[int, Contribution],
    entries: Mapping[int, Contribution],
) -> bool:
    order = kept.get(key)
    return (
        order is not None
        and order.state == folded.get(key)
        and fresh[order.id] == order.booked == entries.get(order.id, {})
    )


async def _kept(keys: Collection[str]) -> dict[str, Held]:
    """Orders by their keys, as they are committed now."""
    rows = await database.with_rows(
        {"order_key": "text", "platform": "text", "shop_ref": "text", "order_ref": "text"},
        sorted(await _parts(keys)),
        f"SELECT v.order_key AS order_key, {ledger.HELD} FROM v JOIN shop s ON s.platform = v.platform"
        " AND s.shop_ref = v.shop_ref JOIN sales_order o ON o.shop_id = s.id AND o.order_ref = v.order_ref",
    )
    return {row["order_key"]: ledger.held(row) for row in rows}


async def _parts(keys: Collection[str]) -> set[tuple[str, str, str, str]]:
    """(key, platform, shop, order) of orders: a shop's reference may hold the sign that parts them."""
    return {
        (fact.order_key, fact.platform, fact.event.shop_ref, fact.event.order_ref)
        for fact in await folding.told(keys)
    }


async def _compare(
    keys: Sequence[str], found: Refolded, numbers: Mapping[str, int], restored: set[int]
) -> None:
    """Say what an application would do, of one instant and without holding anybody up."""
    async with _snapshot():
        facts = await _applicable(keys)
        kept = await _kept(keys)
        orders = {_key_of(fact): _empty(fact, -n) for n, fact in enumerate(facts, start=1)}
        for key in orders.keys() & kept.keys():
            orders[key] = kept[key]
        for key in (orders.keys() & numbers.keys()) - kept.keys():
            orders[key].id = numbers[key]
            restored.add(numbers[key])
        _fold_anew(orders, await folding.fold(keys), kept, found)
        judged = await mending.judge(list(orders.values()))
    _count(judged.repairs if judged else None, orders, found)


@asynccontextmanager
async def _snapshot() -> AsyncIterator[None]:
    """Reads of one instant that lock nothing; on SQLite nobody writes meanwhile."""
    async with database.transaction():
        if database.dialect() == "postgres":
            await database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _empty(fact: ledger.Applicable, number: int) -> Held:
    return Held(
        id=number,
        centre_id=fact.centre_id,
        shop_id=fact.shop_id,
        platform=fact.platform,
        order_ref=fact.event.order_ref,
        state=state.OrderState(),
        contribution="",
        sums=Sums(0, 0, over_refund=False),
        voucher_told=False,
        is_left_unpaid=False,
    )


async def _settle(keys: Sequence[str], found: Refolded, numbers: Mapping[str, int], *, now: datetime) -> None:
    """Few orders in a transaction, and each day's sums in another: nobody waits long for either."""

    async def make_anew() -> tuple[mending.Settled, Refolded]:
        counted = msgspec.structs.replace(found, samples=list(found.samples))
        return await _make_anew(keys, counted, numbers, now=now), counted

    settled, counted = await database.unit(make_anew)
    for name in Refolded.__struct_fields__:
        setattr(found, name, getattr(counted, name))
    for day in sorted(settled.days):
        await database.unit(partial(mending.correct, [day], now=now))


async def _make_anew(
    keys: Sequence[str], found: Refolded, numbers: Mapping[str, int], *, now: datetime
) -> mending.Settled:
    """Lock the orders, fold them once more and book the difference; in the current transaction."""
    await barrier.enter()
    facts = await _applicable(keys)
    kept = await _kept(keys)
    lost = {
        fact.key: (numbers[_key_of(fact)], fact)
        for fact in facts
        if _key_of(fact) in numbers and _key_of(fact) not in kept
    }
    await former.restore(lost, now=now)
    locked = await ledger.lock(facts, now=now)
    newest = {_key_of(fact): fact.message_id for fact in sorted(facts, key=lambda fact: fact.message_id)}
    orders = {_key_of(fact): locked[fact.key] for fact in facts}
    given_back = {key: contribution.succeeded(order.state) for key, order in orders.items()}
    _fold_anew(orders, await folding.fold(keys), kept, found)
    for key, order in sorted(orders.items()):
        await ledger.tell_anew(order, given_back=given_back[key], message_id=newest[key], now=now)
    settled = await mending.settle_orders(list(orders.values()), now=now)
    _count(settled.repairs if settled.all_told else None, orders, found)
    return settled


def _fold_anew(
    orders: Mapping[str, Held],
    folded: Mapping[str, state.OrderState],
    kept: Collection[str],
    found: Refolded,
) -> None:
    """Give orders the states that their facts make."""
    for key, order in sorted(orders.items()):
        anew = folded.get(key, state.OrderState())
        order.changed = order.relined = state.encode(order.state) != state.encode(anew)
        if key not in kept:
            found.missing += 1
            _note(found, f"{key}: facts tell of it and nobody keeps it")
        elif order.changed:
            found.states += 1
            _note(found, f"{key}: its state is not the fold of its facts")
        order.state = anew


def _count(repairs: Sequence[Repair] | None, orders: Mapping[str, Held], found: Refolded) -> None:
    """What was wrong with orders; None where nobody could judge them."""
    if repairs is None:
        found.waiting += len(orders)
        return
    names = {order.id: key for key, order in orders.items()}
    booked = {each.order_id for each in repairs if each.why == mending.BOOKED}
    entries = {each.order_id for each in repairs if each.why == mending.ENTRIES}
    found.contributions += len(booked)
    found.entries += len(entries)
    for each in sorted(booked):
        _note(found, f"{names[each]}: what is booked is not what its state says")
    for each in sorted(entries):
        _note(found, f"{names[each]}: its entries do not add up to what its state says")


async def _applicable(keys: Sequence[str]) -> list[ledger.Applicable]:
    facts = await folding.told(keys)
    shops = await platforms.shops_by_ref({(fact.platform, fact.event.shop_ref) for fact in facts})
    return [
        ledger.Applicable(fact.message_id, fact.stamp, shop.centre_id, shop.id, fact.platform, fact.event)
        for fact in facts
        if (shop := shops.get((fact.platform, fact.event.shop_ref))) is not None
    ]


def _key_of(fact: ledger.Applicable) -> str:
    return layout.order_key(fact.platform, fact.event.shop_ref, fact.event.order_ref)


async def _count_untold(found: Refolded) -> None:
    last = 0
    while rows := await database.fetch(
        "SELECT o.id, o.platform, o.order_ref, EXISTS (SELECT 1 FROM inbox_message m WHERE m.order_key <> ''"
        " AND m.order_key = o.platform || ':' || s.shop_ref || ':' || o.order_ref) AS is_told"
        f" FROM sales_order o JOIN shop s ON s.id = o.shop_id WHERE o.id > $1 ORDER BY o.id LIMIT {WIDE}",
        last,
    ):
        last = rows[-1]["id"]
        for row in rows:
            if not row["is_told"]:
                found.untold += 1
                _note(
                    found, f"{row['platform']}:{row['order_ref']}: no fact tells of it; it is left as it is"
                )


async def _carry_words_over(
    keys: Sequence[str], found: Refolded, numbers: Mapping[str, int], *, apply: bool, now: datetime
) -> None:
    """An order that has another number than it had keeps what clerks said of it."""
    changed = [key for key in keys if key in numbers]
    kept = await _kept(changed) if changed else {}
    of = {order.id: numbers[key] for key, order in kept.items() if order.id != numbers[key]}
    for number in await former.words(of):
        found.words += 1
        if apply:
            await database.unit(partial(former.carry_over, number, former=of[number], now=now))


async def _take_orphans_back(
    found: Refolded, *, restored: Collection[int], apply: bool, now: datetime
) -> None:
    """Orders that are gone while entries speak for them: with ``apply`` entries take these back.

    ``restored``: those that an application would have made anew by now.
    """
    async for some in former.gone():
        left = await mending.entries_of([each for each in some if each not in restored])
        found.orphans += len(left)
        changes = [
            rollup.Change(order_id, contribution.difference({}, booked), reason="repair")
            for order_id, booked in left.items()
        ]
        if apply and changes:
            await database.unit(partial(rollup.book, changes, now=now))


async def _look_at_buckets(found: Refolded, *, apply: bool, now: datetime) -> None:
    """Day by day; with ``apply`` the minutes that are kept follow."""
    recent = clock.day_number(clock.local_day(now - MINUTES))
    async for day in rollup.days():
        differing = await rollup.differing_rows(*day)
        if apply and (differing or day[1] >= recent):
            found.buckets += len(await database.unit(partial(mending.correct, [day], now=now)))
        else:
            found.buckets += differing


def _note(found: Refolded, sentence: str) -> None:
    if len(found.samples) < SAMPLES:
        found.samples.append(sentence)


async def _tell(found: Refolded, *, actor: Actor, now: datetime) -> None:
    detail = {
        name: getattr(found, name)
        for name in (
            "orders",
            "missing",
            "orphans",
            "words",
            "states",
            "contributions",
            "entries",
            "buckets",
            "waiting",
        )
    }

    async def write() -> None:
        await audit.write("books.refolded", actor=actor, now=now, about=("books", ""), detail=detail)

    await database.unit(write)
