"""The sandbox's own truth: orders with their lines and after-sales, in integer fen and milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

NO_SALES = frozenset({10, 11, 12})  # 抖店 trade_type: sample, zero-yuan draw, author's sample


@dataclass(kw_only=True)
class Line:
    """One line; the list price is the sum of the five parts, freight apart."""

    line_ref: str
    product_ref: str
    sku_ref: str
    title: str
    quantity: int
    price_fen: int
    merchant_disc_fen: int
    platform_disc_fen: int
    talent_disc_fen: int
    pay_disc_fen: int
    voucher_subsidy_fen: int
    buyer_paid_fen: int
    freight_fen: int
    room_ref: str
    author_ref: str
    author_name: str

    @property
    def list_fen(self) -> int:
        """What it would cost without any discount."""
        return self.price_fen * self.quantity

    @property
    def other_disc_fen(self) -> int:
        """The author's and the payment channel's discounts."""
        return self.talent_disc_fen + self.pay_disc_fen

    @property
    def g2_fen(self) -> int:
        """What the merchant receives before fees: list less his own discount."""
        return self.buyer_paid_fen + self.platform_disc_fen + self.other_disc_fen + self.voucher_subsidy_fen


@dataclass(kw_only=True)
class Refund:
    """One after-sale of one line; money moved only if it succeeded and is no exchange."""

    refund_ref: str
    line: Line
    kind: str
    cash_fen: int
    freight_fen: int
    applied_fen: int
    quantity: int
    applied_at: int
    succeeded_at: int | None = None
    closed_at: int | None = None

    @property
    def moves_money(self) -> bool:
        """Exchanges give goods back, not money."""
        return self.kind != "exchange"

    @property
    def updated_at(self) -> int:
        """The last thing that happened to it."""
        return self.succeeded_at or self.closed_at or self.applied_at

    @property
    def is_open(self) -> bool:
        """Neither succeeded nor closed yet."""
        return self.succeeded_at is None and self.closed_at is None


@dataclass(kw_only=True)
class Order:
    """One order of one shop."""

    shop_ref: str
    order_ref: str
    buyer_id: str
    lines: list[Line]
    broadcast_ref: str
    voucher_code: str
    trade_type: int
    receiver_tel: str
    created_at: int
    paid_at: int | None = None
    shipped_at: int | None = None
    finished_at: int | None = None
    cancelled_at: int | None = None
    refunds: list[Refund] = field(default_factory=list)
    told: set[str] = field(default_factory=set)  # message ids that were made of it

    @property
    def is_sale(self) -> bool:
        """Paid, and neither a sample nor a draw."""
        return self.paid_at is not None and self.trade_type not in NO_SALES

    @property
    def updated_at(self) -> int:
        """The last thing that happened to the order or to one of its after-sales."""
        return max([at for _, at in self.steps()] + [refund.updated_at for refund in self.refunds])

    def steps(self) -> list[tuple[str, int]]:
        """What happened to the order itself, in the order of life."""
        steps = [
            ("created", self.created_at),
            ("paid", self.paid_at),
            ("shipped", self.shipped_at),
            ("finished", self.finished_at),
            ("cancelled", self.cancelled_at),
        ]
        return [(name, at) for name, at in steps if at is not None]

    def status(self, *, at: int | None = None) -> str:
        """How far it got, as far as was known at ``at``."""
        return [name for name, when in self.steps() if at is None or when <= at][-1]


class Numbers:
    """Ids of 19 digits that also differ from those of an earlier run: they start at the present."""

    def __init__(self, *, now_ms: int) -> None:
        self._next = count((now_ms - 1_700_000_000_000) * 1000)

    def order(self) -> str:
        """An order's or a line's id."""
        return str(6_900_000_000_000_000_000 + next(self._next))

    def refund(self) -> str:
        """An after-sale's id."""
        return str(7_100_000_000_000_000_000 + next(self._next))


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """Parts of ``total`` by weight that add up to it; what is left over goes to the largest remainders."""
    whole = sum(weights)
    if whole == 0:
        return [total, *[0] * (len(weights) - 1)]
    parts = [total * weight // whole for weight in weights]
    missing = total - sum(parts)
    for i in sorted(range(len(weights)), key=lambda i: -(total * weights[i] % whole))[:missing]:
        parts[i] += 1
    return parts
