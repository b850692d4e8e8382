"""How many buy, what, when, and what comes back: drawn from a seed, by the figures of a real centre."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from livehub.sandbox import catalogue
from livehub.sandbox.spec import LineSpec, OrderSpec, ProductSpec, RefundSpec

MEDIAN_ORDERS = 315  # of one broadcast; with this sigma the mean is about 840
SIGMA = 1.4
TAIL_SHARE = 0.11  # of the orders come after the show, within 30 days
PARTIAL_SHARE = 0.25  # of the refunds give back only a part

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000


def chance(seed: int) -> Random:
    """Chance that repeats itself, for a demo or a test."""
    return Random(seed)


def orders_of_broadcast(rng: Random, *, scale: float = 1.0) -> int:
    """How many orders one broadcast brings, after-show tail included; at least one."""
    return max(1, round(rng.lognormvariate(math.log(MEDIAN_ORDERS), SIGMA) * scale))


def plan_broadcast_orders(  # noqa: PLR0913 -- a broadcast is all of these
    *,
    shop: str,
    products: Sequence[ProductSpec],
    starts_at_ms: int,
    ends_at_ms: int,
    until_ms: int,
    orders: int,
    seed: int,
    room_ref: str = "",
    author_ref: str = "",
    author_name: str = "",
    broadcast_ref: str = "",
) -> list[OrderSpec]:
    """The orders of one broadcast with all that happened to them up to ``until_ms``, by time of order."""
    rng = Random(seed)
    plan = []
    for _ in range(orders):
        created = _created_at(starts_at_ms, ends_at_ms, rng=rng)
        spec = OrderSpec(
            shop=shop,
            lines=basket(products, rng=rng),
            room_ref=room_ref,
            author_ref=author_ref,
            author_name=author_name,
            broadcast_ref=broadcast_ref,
            created_at_ms=created,
        )
        _let_it_live(spec, created, until_ms=until_ms, rng=rng)
        if created <= until_ms:
            plan.append(spec)
    return sorted(plan, key=lambda spec: spec.created_at_ms or 0)


def basket(products: Sequence[ProductSpec], *, rng: Random) -> list[LineSpec]:
    """One to three products, mostly one of each, with the discounts of the day."""
    wanted = min(len(products), rng.choices((1, 2, 3), (82, 15, 3))[0])
    chosen: dict[str, ProductSpec] = {}
    weights = [_item_weight(product) for product in products]
    while len(chosen) < wanted:
        product = rng.choices(products, weights)[0]
        chosen[product.product_ref] = product
    return [_line(product, rng=rng) for product in chosen.values()]


def _line(product: ProductSpec, *, rng: Random) -> LineSpec:
    quantity = rng.choices((1, 2, 3), (86, 11, 3))[0]
    full = product.price_fen * quantity
    merchant = full * rng.choices((0, 5, 8, 12), (30, 30, 25, 15))[0] // 100
    left = full - merchant
    return LineSpec(
        product_ref=product.product_ref,
        quantity=quantity,
        price_fen=product.price_fen,
        merchant_disc_fen=merchant,
        platform_disc_fen=left * rng.randint(2, 6) // 100 if rng.random() < 0.3 else 0,
        talent_disc_fen=left // 50 if rng.random() < 0.1 else 0,
        pay_disc_fen=min(left // 20, rng.randint(50, 300)) if rng.random() < 0.15 else 0,
        freight_fen=800 if rng.random() < 0.08 else 0,
    )


def _item_weight(product: ProductSpec) -> int:
    try:
        return catalogue.item_of(product.product_ref).weight
    except KeyError:
        return 5


def _refund_rate(line: LineSpec) -> float:
    try:
        return catalogue.item_of(line.product_ref).refund_rate
    except KeyError:
        return 0.1


def _created_at(starts_at: int, ends_at: int, *, rng: Random) -> int:
    """Most during the show, a little more in its later half; the rest in the days after."""
    if rng.random() < TAIL_SHARE:
        return ends_at + min(30 * _DAY, round(rng.expovariate(1 / (4 * _DAY))))
    return starts_at + round(rng.betavariate(1.6, 1.3) * (ends_at - starts_at))


def _let_it_live(spec: OrderSpec, created: int, *, until_ms: int, rng: Random) -> None:
    """Pay, ship, finish and refund as far as ``until_ms`` allows."""
    if rng.random() < 0.06:
        spec.cancelled_at_ms = _known(created + 30 * _MINUTE, until_ms)
        return
    paid = created + rng.randint(3, 90) * _SECOND
    spec.paid_at_ms = _known(paid, until_ms)
    if spec.paid_at_ms is None:
        return
    spec.refunds = _refunds(spec, paid, until_ms=until_ms, rng=rng)
    if any(refund.applied_at_ms < paid + 6 * _HOUR for refund in spec.refunds):
        return
    shipped = paid + round(rng.uniform(4, 40) * _HOUR)
    spec.shipped_at_ms = _known(shipped, until_ms)
    if spec.shipped_at_ms is not None:
        spec.finished_at_ms = _known(shipped + round(rng.uniform(4, 12) * _DAY), until_ms)


def _refunds(spec: OrderSpec, paid: int, *, until_ms: int, rng: Random) -> list[RefundSpec]:
    refunds = []
    for position, line in enumerate(spec.lines):
        applied = paid + _refund_delay(rng)
        if rng.random() >= _refund_rate(line) or applied > until_ms:
            continue
        ended = _known(applied + round(rng.uniform(0.2, 3.0) * _DAY), until_ms)
        refused = rng.random() < 0.04
        refund = RefundSpec(
            line=position,
            kind="refund_only" if rng.random() < 0.6 else "return_refund",
            cash_fen=_partial_cash(line, rng=rng),
            applied_at_ms=applied,
            succeeded_at_ms=None if refused else ended,
            closed_at_ms=ended if refused else None,
        )
        refunds.append(refund)
    return refunds


def _partial_cash(line: LineSpec, *, rng: Random) -> int | None:
    """None for all of it; else a part that is surely less than what the buyer paid."""
    if rng.random() >= PARTIAL_SHARE:
        return None
    discounts = line.merchant_disc_fen + line.platform_disc_fen + line.talent_disc_fen + line.pay_disc_fen
    return ((line.price_fen or 0) * line.quantity - discounts) * rng.randint(10, 60) // 100


def _refund_delay(rng: Random) -> int:
    """40 % within two hours, 35 % within a week, the rest up to twenty days."""
    low, high = rng.choices(
        ((_MINUTE, 2 * _HOUR), (2 * _HOUR, 7 * _DAY), (7 * _DAY, 20 * _DAY)), (40, 35, 25)
    )[0]
    return round(rng.uniform(low, high))


def _known(at: int, until_ms: int) -> int | None:
    return at if at <= until_ms else None
