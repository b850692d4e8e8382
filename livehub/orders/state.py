"""The state of an order: a merge of facts in which order, repetition and batching do not matter.

Every scalar is (version, value) and the greatest version wins; after-sales are a map of such records;
what is still to be fetched is a map of maxima. Each of these is a join-semilattice, so the merge is
commutative, associative and idempotent (tests/orders/test_state.py).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from livehub.platforms.contract import Event, Line, OrderStatus, RefundSnapshot, RefundStatus

ORDER = "order"  # the key of the order itself among what must be fetched

Version = tuple[int, int, int, str]  # (update_time ms, pull over push, status rank, digest hex)

_SOURCE_RANK = {"push": 0, "own": 0, "pull": 1}


class Stamp(Struct, frozen=True):
    """Where a fact stands among the others: its source and the digest of its message."""

    source: str
    digest: str  # hex


class VersionedRefund(Struct, frozen=True):
    """One after-sale and the version that won."""

    version: Version
    value: RefundSnapshot


class OrderState(Struct, omit_defaults=True):
    """Everything known of one order; mutated only by ``merge``."""

    fields: dict[str, tuple[Version, Any]] = {}
    lines: tuple[Version, tuple[Line, ...]] | None = None
    refunds: dict[str, VersionedRefund] = {}
    wanted: dict[str, int] = {}  # order or after-sale id -> business time of the newest thin message
    covered: dict[str, int] = {}  # the same -> up to when a full answer covers it
    first_seen: int = 0  # the earliest business time of any fact, ms

    def get(self, name: str) -> Any:
        """The winning value of a scalar, or None."""
        found = self.fields.get(name)
        return None if found is None else found[1]

    @property
    def complete(self) -> bool:
        """Whether the lines, and so the money, are known."""
        return self.lines is not None

    def outstanding(self) -> list[str]:
        """What a thin message asked for and no answer covers yet."""
        open_keys = [key for key, at in self.wanted.items() if at > self.covered.get(key, -1)]
        if self.lines is None and ORDER not in open_keys:
            open_keys.append(ORDER)
        return sorted(open_keys)

    @property
    def told_at(self) -> int:
        """The newest update of the order itself that its platform told of; 0 for none."""
        return max(self.wanted.get(ORDER, 0), self.covered.get(ORDER, 0))

    def amount_of(self, key: str) -> tuple[int | None, int | None]:
        """(update it is of, what the buyer paid or got back by an after-sale); None is unknown."""
        if key == ORDER:
            if self.lines is None:
                return None, None
            return self.lines[0][0], sum(line.buyer_paid_fen for line in self.lines[1])
        refund = self.refunds.get(key)
        if refund is None:
            return None, None
        succeeded = refund.value.status is RefundStatus.SUCCEEDED
        return refund.version[0], refund.value.refunded_fen if succeeded else None

    @property
    def pending(self) -> bool:
        """Whether a fetch is outstanding."""
        return bool(self.outstanding())


def decode(text: str) -> OrderState:
    """The state of its stored text; an empty text is the empty state."""
    return _DECODER.decode(text) if text else OrderState()


def encode(state: OrderState) -> str:
    """Canonical JSON: equal states give equal bytes."""
    return _ENCODER.encode(state).decode()


def merge(state: OrderState, event: Event, stamp: Stamp) -> bool:
    """Merge one fact into the state; whether that changed it."""
    source = _SOURCE_RANK[stamp.source]
    order = event.order
    status = order.status if order else event.status
    at = order.updated_at if order else event.status_at
    version = (at, source, int(status or 0), stamp.digest)
    changed = _see(state, _business_time(event))
    if status is not None:
        changed |= _put(state, "status", version, int(status))
    changed |= _put(state, "created_at", version, event.created_at)
    changed |= _put(state, "paid_at", version, event.paid_at)
    if order is not None:
        for name in _SNAPSHOT_FIELDS:
            changed |= _put(state, name, version, getattr(order, name))
        changed |= _put(state, "excluded", version, int(order.excluded))
        if state.lines is None or version > state.lines[0]:
            state.lines = (version, order.lines)
            changed = True
        changed |= _raise(state.covered, ORDER, max(order.updated_at, event.covers_until))
    for refund in event.refunds:
        changed |= _merge_refund(state, refund, source, stamp)
        changed |= _raise(state.covered, refund.refund_ref, max(refund.updated_at, event.covers_until))
    return _want(state, event) or changed


_SNAPSHOT_FIELDS = (
    "created_at",
    "paid_at",
    "finished_at",
    "cancelled_at",
    "buyer_id",
    "voucher_code",
    "broadcast_ref",
)


def _see(state: OrderState, at: int) -> bool:
    if not at or (state.first_seen and state.first_seen <= at):
        return False
    state.first_seen = at
    return True


def _put(state: OrderState, name: str, version: Version, value: Any) -> bool:
    if value is None or value == "":  # unknown never overwrites
        return False
    held = state.fields.get(name)
    if held is not None and version <= held[0]:
        return False
    state.fields[name] = (version, value)
    return True


def _merge_refund(state: OrderState, refund: RefundSnapshot, source: int, stamp: Stamp) -> bool:
    version = (refund.updated_at, source, int(refund.status), stamp.digest)
    held = state.refunds.get(refund.refund_ref)
    if held is not None and version <= held.version:
        return False
    state.refunds[refund.refund_ref] = VersionedRefund(version, refund)
    return True


def _want(state: OrderState, event: Event) -> bool:
    if event.refund_ref and not event.refunds:
        return _raise(state.wanted, event.refund_ref, event.status_at)
    if event.order is None and not event.refunds:
        return _raise(state.wanted, ORDER, event.status_at)
    return False


def _raise(maxima: dict[str, int], key: str, value: int) -> bool:
    held = maxima.get(key)
    if held is not None and value <= held:
        return False
    maxima[key] = max(value, 0)
    return True


def instants(event: Event) -> list[int]:
    """Every time a fact tells of that may come to be its order's payment, placing or first sign."""
    paid = [event.paid_at, event.order.paid_at if event.order else None]
    return [at for at in (*_times(event), *paid) if at]


def _business_time(event: Event) -> int:
    """The earliest that a fact tells of; 0 when it tells of none."""
    return min(filter(None, _times(event)), default=0)


def _times(event: Event) -> list[int | None]:
    times = [event.status_at, event.created_at]
    if event.order is not None:
        times += [event.order.created_at, event.order.updated_at]
    return [*times, *(refund.updated_at for refund in event.refunds)]


def display_status(state: OrderState) -> str:
    """What a person is told: computed from the merged state, never stored as a fact."""
    if not state.complete:
        return "incomplete"
    succeeded = [each.value for each in state.refunds.values() if each.value.status is RefundStatus.SUCCEEDED]
    assert state.lines is not None  # noqa: S101 -- complete
    paid = sum(line.buyer_paid_fen for line in state.lines[1])
    refunded = sum(refund.refunded_fen or 0 for refund in succeeded)
    if state.get("paid_at") is None:
        return "closed" if state.get("status") == OrderStatus.CANCELLED else "created"
    if succeeded and refunded >= paid:
        return "fully_refunded"
    if succeeded:
        return "partially_refunded"
    return _NAMES.get(state.get("status"), "paid")


_NAMES = {
    OrderStatus.PARTIALLY_SHIPPED: "partially_shipped",
    OrderStatus.SHIPPED: "shipped",
    OrderStatus.FINISHED: "finished",
}

_DECODER = msgspec.json.Decoder(OrderState)
_ENCODER = msgspec.json.Encoder(order="sorted")
