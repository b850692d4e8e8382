"""口径桥: from what was placed to what was sold and kept, each difference a term with lines of its own.

``G0 - unpaid - closed - paid outside + placed outside = G2`` and ``G2 - refunds = G3``; beside them
``G2 - platform_disc - other_disc - voucher_subsidy = G1``, and freight on top. An order that is placed on one
day and paid on another stands in G0 on the first and in G2 on the second: a scope that holds only one of
them says so, and in one that holds both nothing is left of it.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from livehub.kit.paging import Page
from livehub.reports import drill, figures, settlement
from livehub.reports.basis import G2_SQL
from livehub.reports.drill import LineAmount
from livehub.reports.figures import Scope


class Term(StrEnum):
    """One step of the bridge; G0 to G3 are its pillars."""

    G0 = "G0"
    UNPAID = "unpaid"
    CLOSED = "closed"
    PAID_OUTSIDE = "paid_outside"
    PLACED_OUTSIDE = "placed_outside"
    G2 = "G2"
    REFUNDS = "refunds"
    G3 = "G3"
    PLATFORM_DISC = "platform_disc"
    OTHER_DISC = "other_disc"
    VOUCHER_SUBSIDY = "voucher_subsidy"
    SOLD_OUTSIDE = "sold_outside"
    REFUNDED_OUTSIDE = "refunded_outside"
    UNSETTLED = "unsettled"
    UNMATCHED = "unmatched"
    OVER_SETTLED = "over_settled"
    G4 = "G4"
    G1 = "G1"
    FREIGHT = "freight"
    G1_FREIGHT = "G1_freight"

    @property
    def sql(self) -> str:
        """What one row ``r`` adds to it, in fen; of settled terms nothing, they are asked of lines."""
        return _SQL[self]

    @property
    def is_of_lines(self) -> bool:
        """Whether only lines above 0 belong to it: inside the scope the days of a line cancel out."""
        return self in _OF_LINES

    @property
    def only(self) -> str:
        """What holds for every row that adds to it, where an index knows these rows."""
        return _ONLY.get(self, "")

    @property
    def sign(self) -> int:
        """How it stands in its equation: -1 is taken away, 1 is added, 0 is a pillar."""
        return _SIGNS.get(self, 0)


_SQL = {
    Term.G0: f"{G2_SQL} + r.placed_unpaid + r.placed_closed + r.placed_shift",
    Term.UNPAID: "r.placed_unpaid",
    Term.CLOSED: "r.placed_closed",
    Term.PAID_OUTSIDE: "r.placed_shift",
    Term.PLACED_OUTSIDE: "-r.placed_shift",
    Term.G2: G2_SQL,
    Term.REFUNDS: "r.refund_done",
    Term.G3: f"{G2_SQL} - r.refund_done",
    Term.PLATFORM_DISC: "r.platform_disc",
    Term.OTHER_DISC: "r.other_disc",
    Term.VOUCHER_SUBSIDY: "r.voucher_subsidy",
    Term.SOLD_OUTSIDE: "r.refund_done - r.refund_sale",
    Term.REFUNDED_OUTSIDE: "r.refund_sale - r.refund_done",
    Term.G1: "r.buyer_paid",
    Term.FREIGHT: "r.freight",
    Term.G1_FREIGHT: "r.buyer_paid + r.freight",
}
_OF_LINES = (Term.PAID_OUTSIDE, Term.PLACED_OUTSIDE, Term.SOLD_OUTSIDE, Term.REFUNDED_OUTSIDE)
_REFUNDED = "(r.refund_done <> 0 OR r.refund_sale <> 0)"
_ONLY = {
    Term.PAID_OUTSIDE: "r.placed_shift <> 0",  # an index has these rows
    Term.PLACED_OUTSIDE: "r.placed_shift <> 0",
    Term.SOLD_OUTSIDE: _REFUNDED,
    Term.REFUNDED_OUTSIDE: _REFUNDED,
}
_SIGNS = {
    Term.UNPAID: -1,
    Term.CLOSED: -1,
    Term.PAID_OUTSIDE: -1,
    Term.PLACED_OUTSIDE: 1,
    Term.REFUNDS: -1,
    Term.SOLD_OUTSIDE: 1,
    Term.REFUNDED_OUTSIDE: -1,
    Term.UNSETTLED: -1,
    Term.UNMATCHED: -1,
    Term.OVER_SETTLED: 1,
    Term.PLATFORM_DISC: -1,
    Term.OTHER_DISC: -1,
    Term.VOUCHER_SUBSIDY: -1,
    Term.FREIGHT: 1,
}
EQUATIONS: tuple[tuple[Term, tuple[Term, ...], Term], ...] = (
    (Term.G0, (Term.UNPAID, Term.CLOSED, Term.PAID_OUTSIDE, Term.PLACED_OUTSIDE), Term.G2),
    (Term.G2, (Term.REFUNDS,), Term.G3),
    (
        Term.G3,
        (Term.SOLD_OUTSIDE, Term.REFUNDED_OUTSIDE, Term.UNSETTLED, Term.UNMATCHED, Term.OVER_SETTLED),
        Term.G4,
    ),
    (Term.G2, (Term.PLATFORM_DISC, Term.OTHER_DISC, Term.VOUCHER_SUBSIDY), Term.G1),
    (Term.G1, (Term.FREIGHT,), Term.G1_FREIGHT),
)


class Bridge(Struct, frozen=True, kw_only=True):
    """Every term in fen, and how many orders have no amount yet."""

    fen: dict[Term, int]
    pending: int

    def open_fen(self) -> list[int]:
        """By how much each equation fails to close: zeroes."""
        return [
            self.fen[start] + sum(term.sign * self.fen[term] for term in steps) - self.fen[end]
            for start, steps, end in EQUATIONS
        ]


async def of(scope: Scope) -> Bridge:
    """The bridge of a scope. The pillars and most steps are sums of buckets; what days part, of lines."""
    whole = [term for term in _SQL if not term.is_of_lines]
    sums = await figures.sums(scope, {str(term): term.sql for term in whole} | {"pending": "r.pending"})
    fen = {term: sums[str(term)] for term in whole}
    for term in _OF_LINES:
        fen[term] = await drill.sum_above(scope, term.sql, only=term.only)
    fen |= {Term(name): amount for name, amount in (await settlement.sums(scope)).items()}
    return Bridge(fen={term: fen[term] for term in Term}, pending=sums["pending"])


async def lines(scope: Scope, term: Term, *, number: int = 1, size: int = 50) -> Page[LineAmount]:
    """The order lines that add up to a term, largest first."""
    if str(term) in settlement.AMOUNTS:
        return await settlement.lines(scope, str(term), number=number, size=size)
    return await drill.amounts(
        scope, term.sql, only=term.only, above=term.is_of_lines, number=number, size=size
    )
