"""Facts into order states, and each change of a contribution into the buckets, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock, outbox
from livehub.orders import attribution, contribution, rollup, state
from livehub.orders.attribution import Sold
from livehub.orders.contribution import Contribution, Place
from livehub.orders.facts import OrderRefunded, OrderVoucherSeen
from livehub.orders.held import Held, Sums
from livehub.orders.state import OrderState, Stamp
from livehub.platforms.contract import Event, Line, RefundSnapshot

CHUNK = 200  # orders whose states are held in memory at once while they are booked anew

OrderKey = tuple[int, str]  # (shop id, order reference): also the order in which rows are locked


class Applicable(Struct, frozen=True):
    """One understood fact of one order, and the message it came in."""

    message_id: int
    stamp: Stamp
    centre_id: int
    shop_id: int
    platform: str
    event: Event

    @property
    def key(self) -> OrderKey:
        """The order it is about."""
        return (self.shop_id, self.event.order_ref)


class Applied(Struct, frozen=True):
    """What a batch did: which messages changed a state, and what is now to be fetched."""

    changed: frozenset[int]
    orders: Mapping[OrderKey, Held]
    beats: Mapping[int, datetime]  # broadcast id -> the newest payment that says it is on air


async def apply(facts: Sequence[Applicable], *, now: datetime) -> Applied:
    """Merge facts, book the differences and return what changed; in the current transaction."""
    locked = await lock(facts, now=now)
    bound = await _bindings(locked.values(), facts)
    changed: set[int] = set()
    changes: list[rollup.Change] = []
    for fact in facts:
        order = locked[fact.key]
        before, lines = contribution.grounds(order.state), _stored_lines(order.state)
        was_told, given_back = order.voucher_told, contribution.succeeded(order.state)
        if not state.merge(order.state, fact.event, fact.stamp):
            continue
        order.changed = True
        order.relined = order.relined or _stored_lines(order.state) != lines
        changed.add(fact.message_id)
        if contribution.grounds(order.state) != before:
            delta = order.book(_contribution(order, bound))
            if delta:
                changes.append(rollup.Change(order.id, delta, message_id=fact.message_id))
        await _tell_vouchers(order, message_id=fact.message_id, now=now)
        if was_told and contribution.succeeded(order.state) != given_back:
            await _tell_refund(order, now=now)
    await store([order for order in locked.values() if order.changed], now=now)
    await rollup.book(changes, now=now)
    return Applied(frozenset(changed), locked, _beats(changes))


def _beats(changes: Iterable[rollup.Change]) -> dict[int, datetime]:
    """Only what the platform says: who is on air by our own conclusion (D) would be kept on air by it."""
    newest: dict[int, int] = {}
    for change in changes:
        for key in change.delta:
            if key.attribution == "A" and key.minute:
                newest[key.broadcast_id] = max(newest.get(key.broadcast_id, 0), key.minute)
    return {broadcast: clock.from_ms(minute * 60_000) for broadcast, minute in newest.items()}


async def book_anew(order_ids: Iterable[int], *, reason: str, now: datetime) -> int:
    """Recompute the contributions of orders and book the differences; returns how many moved.

    All orders are locked before the first bucket, as intake does it: else the two wait for each other.
    """
    wanted = sorted(set(order_ids))
    await hold(wanted)
    changes: list[rollup.Change] = []
    for start in range(0, len(wanted), CHUNK):
        orders = await lock_ids(wanted[start : start + CHUNK])
        bound = await _bindings(orders, ())
        for order in orders:
            delta = order.book(_contribution(order, bound))
            if delta:
                changes.append(rollup.Change(order.id, delta, reason=reason))
                order.changed = True
        await store([order for order in orders if order.changed], now=now)
    await rollup.book(changes, now=now)
    return len(changes)


async def book_all_anew(*, reason: str, now: datetime) -> int:
    """Book every order anew from its state, some at a time; returns how many were booked otherwise."""
    last, moved = 0, 0
    while True:
        rows = await database.fetch(
            f"SELECT id FROM sales_order WHERE id > $1 ORDER BY id LIMIT {CHUNK}", last
        )
        if not rows:
            return moved
        last = rows[-1]["id"]
        async with database.transaction():
            moved += await book_anew([row["id"] for row in rows], reason=reason, now=now)


async def hold(order_ids: Sequence[int]) -> None:
    """Lock orders in key order without reading their states; in the current transaction."""
    if database.dialect() == "postgres":
        await database.with_rows(
            {"id": "bigint"},
            [(each,) for each in order_ids],
            "SELECT o.id FROM v JOIN sales_order o ON o.id = v.id ORDER BY o.shop_id, o.order_ref"
            " FOR UPDATE OF o",
        )


async def lock(facts: Iterable[Applicable], *, now: datetime) -> dict[OrderKey, Held]:
    """Insert empty states for new orders, then lock all of them, both in key order.

    Without the insert a new order would be locked by nobody and counted twice.
    """
    first = {fact.key: fact for fact in reversed(list(facts))}
    at = clock.to_ms(now)
    await database.write_rows(
        {"centre_id": "bigint", "shop_id": "bigint", "platform": "text", "order_ref": "text", "at": "bigint"},
        [(first[key].centre_id, key[0], first[key].platform, key[1], at) for key in sorted(first)],
        f"INSERT INTO sales_order ({EMPTY}) SELECT {EMPTY_OF_V} FROM v WHERE true"
        " ON CONFLICT (shop_id, order_ref) DO NOTHING",
    )
    rows = await database.with_rows(
        {"shop_id": "bigint", "order_ref": "text"},
        sorted(first),
        f"SELECT {HELD} FROM v JOIN sales_order o ON o.shop_id = v.shop_id AND o.order_ref = v.order_ref"
        f" ORDER BY o.shop_id, o.order_ref {_for_update()}",
    )
    return {(row["shop_id"], row["order_ref"]): held(row) for row in rows}


EMPTY = (
    "centre_id, shop_id, platform, order_ref, state, contribution, revision, status, complete, pending,"
    " told_at, over_refund, first_seen_at, g2_fen, refund_fen, buyer_key, voucher_index, changed_at"
)
EMPTY_OF_V = (
    "centre_id, shop_id, platform, order_ref, '', '', 0, 'incomplete', false, true, 0, false, at, 0, 0, '',"
    " '', at"
)


async def lock_ids(order_ids: Sequence[int]) -> list[Held]:
    """Some of the orders that are held, with their states."""
    rows = await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in order_ids],
        f"SELECT {HELD} FROM v JOIN sales_order o ON o.id = v.id ORDER BY o.shop_id, o.order_ref"
        f" {_for_update()}",
    )
    return [held(row) for row in rows]


HELD = (
    "o.id AS id, o.centre_id AS centre_id, o.shop_id AS shop_id, o.platform AS platform, o.order_ref AS"
    " order_ref, o.state AS state, o.contribution AS contribution, o.g2_fen AS g2_fen, o.refund_fen AS"
    " refund_fen, o.over_refund AS over_refund, o.voucher_index AS voucher_index,"
    " o.left_unpaid_at AS left_unpaid_at"
)


def _for_update() -> str:
    return "FOR UPDATE OF o" if database.dialect() == "postgres" else ""


def held(row: Mapping[str, Any]) -> Held:
    """The order of a row of HELD."""
    return Held(
        id=row["id"],
        centre_id=row["centre_id"],
        shop_id=row["shop_id"],
        platform=row["platform"],
        order_ref=row["order_ref"],
        state=state.decode(row["state"]),
        contribution=row["contribution"],
        sums=Sums(row["g2_fen"], row["refund_fen"], bool(row["over_refund"])),
        voucher_told=bool(row["voucher_index"]),
        is_left_unpaid=row["left_unpaid_at"] > 0,
    )


async def _bindings(locked: Iterable[Held], facts: Sequence[Applicable]) -> attribution.Bindings:
    orders = list(locked)
    sold = [
        _sold(order, line) for order in orders for line in (order.state.lines[1] if order.state.lines else ())
    ]
    sold += [
        Sold(fact.centre_id, fact.shop_id, fact.platform, fact.event.order.broadcast_ref, line)
        for fact in facts
        if fact.event.order is not None
        for line in fact.event.order.lines
    ]
    return await attribution.bindings([order.id for order in orders], sold, at=_instants(orders, facts))


def _instants(orders: Iterable[Held], facts: Iterable[Applicable]) -> Iterator[tuple[int, int]]:
    """(shop, ms) of every time by which a line may be attributed when the facts are merged."""
    for order in orders:
        yield order.shop_id, contribution.attributed_by(order.state)
    for fact in facts:
        for at in state.instants(fact.event):
            yield fact.shop_id, at


def _sold(order: Held, line: Line) -> Sold:
    code = order.state.get("broadcast_ref") or ""
    return Sold(order.centre_id, order.shop_id, order.platform, code, line)


async def recomputed(orders: Sequence[Held]) -> dict[int, Contribution]:
    """What the states say now, by order id; nothing is written."""
    bound = await _bindings(orders, ())
    return {order.id: _contribution(order, bound) for order in orders}


def _contribution(order: Held, bound: attribution.Bindings) -> Contribution:
    def attribute(line: Line, paid_at: int) -> contribution.Attributed:
        return bound.attribute(order.id, _sold(order, line), paid_at)

    return contribution.of(
        order.state,
        place=Place(order.centre_id, order.shop_id),
        attribute=attribute,
        product_of=lambda ref: bound.product(order.shop_id, ref),
        is_left_unpaid=order.is_left_unpaid,
    )


async def tell_anew(
    order: Held, *, given_back: Sequence[RefundSnapshot], message_id: int, now: datetime
) -> None:
    """Tell what an order that was made anew says of vouchers and refunds; twice does no harm."""
    was_told = order.voucher_told
    await _tell_vouchers(order, message_id=message_id, now=now)
    if order.voucher_told and contribution.succeeded(order.state) != list(given_back):
        await _tell_refund(order, now=now)
    order.changed |= order.voucher_told != was_told


async def _tell_vouchers(order: Held, *, message_id: int, now: datetime) -> None:
    """Once per order: a paid, complete order that carries a voucher code."""
    index, paid_at = order.state.get("voucher_code"), order.state.get("paid_at")
    if order.voucher_told or not (index and paid_at and order.state.lines):
        return
    order.voucher_told = True
    lines = order.state.lines[1]
    await outbox.record(
        OrderVoucherSeen(
            order_id=order.id,
            centre_id=order.centre_id,
            shop_id=order.shop_id,
            platform=order.platform,
            order_ref=order.order_ref,
            voucher_index=index,
            paid_at_ms=paid_at,
            order_fen=sum(line.list_fen - line.merchant_disc_fen for line in lines),
            subsidy_fen=sum(line.voucher_subsidy_fen for line in lines),
            message_id=message_id,
        ),
        now=now,
    )


async def _tell_refund(order: Held, *, now: datetime) -> None:
    """What came back of an order whose voucher was told; refunds that came before are read with that."""
    await outbox.record(
        OrderRefunded(
            order_id=order.id, shop_id=order.shop_id, platform=order.platform, order_ref=order.order_ref
        ),
        now=now,
    )


async def store(orders: Sequence[Held], *, now: datetime) -> None:
    """Write orders that are locked, and their lines where these are not as they were."""
    at = clock.to_ms(now)
    await database.write_rows(
        _ORDER_COLUMNS,
        [_order_row(order, at) for order in sorted(orders, key=lambda each: (each.shop_id, each.order_ref))],
        "UPDATE sales_order SET "
        + ", ".join(f"{name} = v.{name}" for name in _ORDER_COLUMNS if name != "id")
        + ", revision = revision + 1 FROM v WHERE sales_order.id = v.id",
    )
    await database.write_rows(
        _LINE_COLUMNS,
        [row for order in orders if order.relined for row in _line_rows(order)],
        f"INSERT INTO order_line ({', '.join(_LINE_COLUMNS)}) SELECT {', '.join(_LINE_COLUMNS)} FROM v"
        " WHERE true"
        " ON CONFLICT (order_id, line_ref) DO UPDATE SET product_ref = excluded.product_ref,"
        " room_ref = excluded.room_ref, author_ref = excluded.author_ref, paid_at = excluded.paid_at",
    )


_ORDER_COLUMNS = {
    "id": "bigint",
    "state": "text",
    "contribution": "text",
    "status": "text",
    "complete": "boolean",
    "pending": "boolean",
    "told_at": "bigint",
    "over_refund": "boolean",
    "first_seen_at": "bigint",
    "paid_at": "bigint",
    "g2_fen": "bigint",
    "refund_fen": "bigint",
    "buyer_key": "text",
    "voucher_index": "text",
    "changed_at": "bigint",
}
_LINE_COLUMNS = {
    "order_id": "bigint",
    "line_ref": "text",
    "shop_id": "bigint",
    "platform": "text",
    "product_ref": "text",
    "room_ref": "text",
    "author_ref": "text",
    "paid_at": "bigint",
}


def _order_row(order: Held, at: int) -> tuple[Any, ...]:
    merged = order.state
    return (
        order.id,
        state.encode(merged),
        order.contribution,
        state.display_status(merged),
        merged.complete,
        merged.pending,
        merged.told_at,
        order.sums.over_refund,
        merged.first_seen,
        merged.get("paid_at"),
        order.sums.g2_fen,
        order.sums.refund_fen,
        merged.get("buyer_id") or "",
        merged.get("voucher_code") or "" if order.voucher_told else "",
        at,
    )


def _stored_lines(merged: OrderState) -> tuple[object, ...]:
    """What order_line holds of a state."""
    return (merged.lines[1], contribution.attributed_by(merged)) if merged.lines else ()


def _line_rows(order: Held) -> list[tuple[Any, ...]]:
    lines = order.state.lines[1] if order.state.lines else ()
    at = contribution.attributed_by(order.state)
    return [
        (
            order.id,
            line.line_ref,
            order.shop_id,
            order.platform,
            line.product_ref,
            line.room_ref,
            line.author_ref,
            at,
        )
        for line in lines
    ]
