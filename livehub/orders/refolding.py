"""The books from their beginning: every order's state and contribution made anew from the facts.

Safe while the service runs: orders are compared in batches as they are committed, and what looks wrong is
looked at again in one transaction that holds the locks intake takes. Without ``apply`` that transaction is
taken back, so a comparison says exactly what an application would do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.inbox import barrier, layout
from livehub.inbox.models import MessageStatus
from livehub.orders import contribution, folding, ledger, mending, rollup, state
from livehub.orders.contribution import Contribution
from livehub.orders.held import Held
from livehub.orders.mending import Repair
from livehub.platforms import queries as platforms

BATCH = 500  # orders whose facts are in memory at once
WIDE = 2000  # orders of which only the names are
SAMPLES = 20


class Refolded(Struct, kw_only=True):
    """What the facts say against what the books say."""

    orders: int = 0
    missing: int = 0  # orders that facts tell of and nobody keeps
    untold: int = 0  # orders that no fact tells of; they are left as they are
    orphans: int = 0  # orders of which only entries are left; these are taken back
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
        return any((*orders, self.buckets))


class _TakenBack(Exception):
    """Ends a comparison's transaction."""


async def refold(*, apply: bool, actor: Actor, now: datetime) -> Refolded:
    """Compare everything; with ``apply`` replace what differs, by recorded entries. In batches of its own."""
    found = Refolded()
    last = ""
    while keys := await _keys(last):
        last = keys[-1]
        found.orders += len(keys)
        suspects = await _suspects(keys)
        if suspects:
            await _settle(suspects, found, apply=apply, now=now)
    await _count_untold(found)
    await _take_orphans_back(found, apply=apply, now=now)
    if apply:
        found.buckets += (await rollup.rebuild(now=now))["differed"]
        await _tell(found, actor=actor, now=now)
    else:
        found.buckets += len(await rollup.differing_buckets())
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


async def _settle(keys: Sequence[str], found: Refolded, *, apply: bool, now: datetime) -> None:
    try:
        async with database.transaction():
            await _make_anew(keys, found, now=now)
            if not apply:
                raise _TakenBack
    except _TakenBack:
        return


async def _make_anew(keys: Sequence[str], found: Refolded, *, now: datetime) -> None:
    """Lock the orders, fold them once more and book the difference; in the current transaction."""
    await barrier.enter()
    facts = await _applicable(keys)
    before = {order.id for order in (await _kept(keys)).values()}
    locked = await ledger.lock(facts, now=now)
    folded = await folding.fold(keys)
    by_key = {_key_of(fact): locked[fact.key] for fact in facts}
    for key, order in sorted(by_key.items()):
        anew = folded.get(key, state.OrderState())
        order.changed = order.relined = state.encode(order.state) != state.encode(anew)
        if order.id not in before:
            found.missing += 1
            _note(found, f"{key}: facts tell of it and nobody keeps it")
        elif order.changed:
            found.states += 1
            _note(found, f"{key}: its state is not the fold of its facts")
        order.state = anew
    settled = await mending.settle(list(by_key.values()), days=(), now=now)
    found.waiting += 0 if settled.all_told else len(by_key)
    _count(settled.repairs, {order.id: key for key, order in by_key.items()}, found)


def _count(repairs: Sequence[Repair], names: Mapping[int, str], found: Refolded) -> None:
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


async def _take_orphans_back(found: Refolded, *, apply: bool, now: datetime) -> None:
    """Orders that are gone while entries speak for them: with ``apply`` entries take these back."""
    last = 0
    while rows := await database.fetch(
        "SELECT e.order_id, o.id AS kept FROM (SELECT DISTINCT order_id FROM contribution_entry"
        f" WHERE order_id > $1 ORDER BY order_id LIMIT {WIDE}) e LEFT JOIN sales_order o ON o.id = e.order_id"
        " ORDER BY e.order_id",
        last,
    ):
        last = rows[-1]["order_id"]
        left = await mending.entries_of([row["order_id"] for row in rows if row["kept"] is None])
        found.orphans += len(left)
        changes = [
            rollup.Change(order_id, contribution.difference({}, booked), reason="repair")
            for order_id, booked in left.items()
        ]
        if apply and changes:
            await database.unit(partial(rollup.book, changes, now=now))


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
