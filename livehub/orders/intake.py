"""From the inbox into the ledger: understand a batch, apply it, mark it, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
import prometheus_client
import structlog
from msgspec import Struct
from prometheus_client import Histogram

from livehub import database
from livehub.inbox import barrier, layout, queue
from livehub.inbox.models import MessageStatus
from livehub.inbox.queue import Leased, Outcome
from livehub.kit import clock
from livehub.kit.heads import Head
from livehub.orders import fetching, identity, ledger
from livehub.orders.redaction import redacted
from livehub.orders.state import Stamp
from livehub.platforms import queries as platforms
from livehub.platforms import registry
from livehub.platforms.contract import BadSignature, Covers, Event, Fetch, FetchKind, Malformed
from rooms import onair

log = structlog.get_logger(__name__)

BATCH = 500
RETRY_MS = 1000
OLDEST_MS = 1_420_041_600_000  # 2015-01-01 in Asia/Shanghai
AHEAD_MS = 24 * 3600 * 1000
IDENTITY = "identity"  # a reason of parked: the order's money does not add up

Bodies = dict[int, tuple[bytes, str]]  # delivery id -> its bytes, its headers

APPLIED = prometheus_client.Counter("livehub_intake_messages_total", "Messages by outcome", ["status"])
BATCHES = Histogram(
    "livehub_intake_batch_size",
    "Messages taken together",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
SECONDS = Histogram("livehub_intake_batch_seconds", "Time to understand and apply a batch")
FRESHNESS = Histogram(
    "livehub_freshness_seconds",
    "From acknowledgement to the number",
    buckets=(0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)


class Understood(Struct, frozen=True):
    """A message with what it says, or why it cannot be booked."""

    message: Leased
    events: tuple[Event, ...] = ()
    parked: str = ""  # reason
    error: str = ""

    @property
    def fact(self) -> str:
        """The normalised events as stored; '' when there are none."""
        return layout.encode_fact(self.events) if self.events else ""


async def run_once(*, now: datetime, lease_seconds: int, limit: int = BATCH, head: Head | None = None) -> int:
    """Take a batch through; returns how many messages were taken, 0 when nothing was due."""
    leased = await queue.lease(limit=limit, seconds=lease_seconds, head=head)
    if not leased:
        return 0
    BATCHES.observe(len(leased))
    try:
        with SECONDS.time():
            await _work_through(leased, now=now)
    except database.DatabaseUnavailable:
        await queue.release(leased, wait_ms=RETRY_MS)
        raise
    return len(leased)


async def _work_through(leased: Sequence[Leased], *, now: datetime) -> None:
    poison = [message for message in leased if message.attempts >= queue.POISON_AT]
    alone = [message for message in leased if message.attempts == queue.ALONE_AT]
    together = [message for message in leased if message.attempts < queue.ALONE_AT]
    if poison:
        log.error("intake.poison", messages=[message.id for message in poison])
        await _park_poison(poison, error="three attempts ended without an outcome", now=now)
    if together:
        await _process(together, now=now)
    for message in alone:
        try:
            await queue.begin(message)
        except queue.LeaseLost:
            log.warning("intake.lease_lost", messages=1)
        else:
            await _process([message], now=now)


async def _process(batch: Sequence[Leased], *, now: datetime) -> None:
    try:
        await _apply(batch, now=now)
    except queue.LeaseLost:
        log.warning("intake.lease_lost", messages=len(batch))
    except database.DatabaseUnavailable:
        raise
    except Exception as error:
        if len(batch) > 1:
            log.warning("intake.batch_failed", messages=len(batch), error=repr(error))
            for message in batch:
                await _process([message], now=now)
            return
        log.exception("intake.message_failed", message=batch[0].id)
        await _park_poison(batch, error=repr(error), now=now)


async def _apply(batch: Sequence[Leased], *, now: datetime) -> None:
    understood = await understand(batch, now=now)
    await database.unit(lambda: apply(understood, now=now))
    booked_at = clock.to_ms(clock.now())
    for each in understood:
        FRESHNESS.observe(max(0.0, (booked_at - each.message.received_at) / 1000))


async def apply(understood: Sequence[Understood], *, now: datetime) -> None:
    """Book what was understood and mark every message; in the current transaction."""
    await barrier.enter()
    await database.prefer_indexes()
    shops = await platforms.shops_by_ref(
        sorted({(each.message.platform, event.shop_ref) for each in understood for event in each.events})
    )
    facts: list[ledger.Applicable] = []
    outcomes: list[Outcome] = []
    applicable: list[Understood] = []
    for each in understood:
        missing = [e for e in each.events if (each.message.platform, e.shop_ref) not in shops]
        if each.events and missing:
            outcomes.append(
                _outcome(
                    each,
                    MessageStatus.PARKED,
                    reason="shop",
                    error=f"unknown shop {missing[0].shop_ref} on {each.message.platform}",
                )
            )
            continue
        applicable.append(each)
        for event in each.events:
            shop = shops[each.message.platform, event.shop_ref]
            stamp = Stamp(each.message.source, each.message.digest.hex())
            facts.append(
                ledger.Applicable(
                    each.message.id, stamp, shop.centre_id, shop.id, each.message.platform, event
                )
            )
    applied = await ledger.apply(facts, now=now)
    await fetching.want(facts, applied, now=now)
    await onair.pulse(applied.beats)
    for each in applicable:
        if each.parked:
            outcomes.append(_outcome(each, MessageStatus.PARKED, reason=each.parked, error=each.error))
        elif not each.events:
            outcomes.append(_outcome(each, MessageStatus.IGNORED))
        else:
            changed = each.message.id in applied.changed
            outcomes.append(_outcome(each, MessageStatus.APPLIED if changed else MessageStatus.STALE))
    await queue.settle(outcomes, now=now)
    for status, count in Counter(outcome.status for outcome in outcomes).items():
        APPLIED.labels(str(status)).inc(count)


def _outcome(each: Understood, status: MessageStatus, *, reason: str = "", error: str = "") -> Outcome:
    key = ""
    if each.events:
        first = each.events[0]
        key = layout.order_key(each.message.platform, first.shop_ref, first.order_ref)
    unread = reason == "shop" and each.parked  # nothing of it is booked yet: read anew when the shop is there
    return Outcome(
        each.message, status, reason=reason, error=error, fact="" if unread else each.fact, order_key=key
    )


async def understand(batch: Sequence[Leased], *, now: datetime) -> list[Understood]:
    """Translate messages into events without personal data; nothing is written."""
    unread = [message for message in batch if not message.fact or message.reason == IDENTITY]
    bodies = await _plain_bodies(unread)
    natives: dict[int, Sequence[object]] = {}
    found: list[Understood] = []
    for message in batch:
        try:
            if message.fact and message.reason == IDENTITY:
                found.append(_judged_anew(message, bodies, natives, now=now))
            elif message.fact:
                found.append(_checked(message, tuple(layout.decode_fact(message.fact)), now=now))
            else:
                found.append(_checked(message, _read(message, bodies, natives), now=now))
        except Malformed as malformed:
            found.append(Understood(message, parked=malformed.reason, error=malformed.detail))
    return found


async def _plain_bodies(unread: Sequence[Leased]) -> Bodies:
    """The bytes of their deliveries; what was encrypted is opened, and missing where nothing opens it."""
    bodies = await queue.bodies({message.delivery_id for message in unread})
    sealed = {
        message.delivery_id: message
        for message in unread
        if message.source == "push" and registry.get(message.platform).covers is not Covers.BODY
    }
    openers = await platforms.openers({message.endpoint_id for message in sealed.values()}) if sealed else {}
    for delivery_id in sealed.keys() & bodies.keys():
        message = sealed[delivery_id]
        raw, headers = bodies.pop(delivery_id)
        try:
            plain = registry.get(message.platform).reopen(credential=openers[message.endpoint_id], raw=raw)
        except (BadSignature, KeyError):
            log.warning("intake.not_opened", delivery=delivery_id, platform=message.platform)
        else:
            bodies[delivery_id] = (plain, headers)
    return bodies


def _judged_anew(
    message: Leased, bodies: Bodies, natives: dict[int, Sequence[object]], *, now: datetime
) -> Understood:
    """A replay of parked(identity), from the bytes; what was merged when it was parked stays in its fact."""
    merged = tuple(layout.decode_fact(message.fact))
    try:
        if message.source == "pull":
            events = _read_pull(message, bodies, about=merged[0])
        else:
            events = _read(message, bodies, natives)
        again = _checked(message, events, now=now)
    except Malformed as malformed:
        return Understood(message, merged, parked=IDENTITY, error=malformed.detail)
    fresh = tuple(event for event in again.events if event not in merged)
    return msgspec.structs.replace(again, events=merged + fresh)


def _read(message: Leased, bodies: Bodies, natives: dict[int, Sequence[object]]) -> tuple[Event, ...]:
    adapter = registry.get(message.platform)
    if message.delivery_id not in natives:
        raw, headers = _body(message, bodies)
        natives[message.delivery_id] = adapter.split(raw, headers=_HEADERS.decode(headers))
    native = natives[message.delivery_id][message.position]
    return tuple(redacted(event, platform=message.platform) for event in adapter.normalise(native))  # type: ignore[arg-type]  # Natives of this very adapter


def _read_pull(message: Leased, bodies: Bodies, *, about: Event) -> tuple[Event, ...]:
    """A fetched order: only orders have lines, and so an identity."""
    raw, _ = _body(message, bodies)
    fetch = Fetch(FetchKind.ORDER, about.shop_ref, about.order_ref, about.order_ref)
    event = registry.get(message.platform).read_reply(fetch, raw)
    event = msgspec.structs.replace(event, covers_until=about.covers_until)
    return (redacted(event, platform=message.platform),)


_HEADERS = msgspec.json.Decoder(dict[str, str])


def _body(message: Leased, bodies: Bodies) -> tuple[bytes, str]:
    if message.delivery_id not in bodies:
        raise Malformed("schema", "its bytes are no longer kept, or no secret opens them")
    return bodies[message.delivery_id]


def _checked(message: Leased, events: tuple[Event, ...], *, now: datetime) -> Understood:
    """Park what cannot be booked; an order whose money does not add up stays incomplete."""
    latest = clock.to_ms(now) + AHEAD_MS
    for event in events:
        for at in _times(event):
            if at is not None and not OLDEST_MS <= at <= latest:
                raise Malformed("time", f"business time {at} is outside 2015 .. now + 1 day")
        line = identity.broken_line(event)
        if line is not None:
            return Understood(
                message,
                tuple(part for each in events for part in _without_order(each)),
                parked=IDENTITY,
                error=f"line {line.line_ref}: list {line.list_fen} is not its parts",
            )
    return Understood(message, events)


def _times(event: Event) -> Iterator[int | None]:
    """Every instant of an event: each may date a bucket, or decide which message is the newest."""
    yield from (event.status_at, event.created_at, event.paid_at)
    if event.order is not None:
        order = event.order
        yield from (order.created_at, order.paid_at, order.finished_at, order.cancelled_at, order.updated_at)
    for refund in event.refunds:
        yield from (refund.applied_at, refund.succeeded_at, refund.updated_at)


def _without_order(event: Event) -> tuple[Event, ...]:
    """A thin event, by which the order waits for a better answer, and its after-sales by themselves."""
    if event.order is None:
        return (event,)
    thin = msgspec.structs.replace(event, order=None, refunds=())
    return (thin, msgspec.structs.replace(event, order=None)) if event.refunds else (thin,)


async def _park_poison(messages: Sequence[Leased], *, error: str, now: datetime) -> None:
    outcomes = [Outcome(each, MessageStatus.PARKED, reason="poison", error=error) for each in messages]
    try:
        await database.unit(lambda: queue.settle(outcomes, now=now))
    except queue.LeaseLost:
        log.warning("intake.lease_lost", messages=len(messages))
