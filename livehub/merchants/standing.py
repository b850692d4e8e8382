"""Whether products may be shown on a day, and what of their papers ends soon."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.merchants import requirements
from livehub.merchants.requirements import MERCHANT, PRODUCT, Decision, Lack, Paper

SOON = timedelta(days=30)  # what ends within this time is shown in amber


class Standing(Struct, frozen=True, kw_only=True):
    """A product on a day."""

    product_id: int
    name: str
    category: str
    papers: tuple[Lack, ...]  # what required papers are missing or ended
    selection: tuple[Lack, ...]  # what the selection meeting left undone
    ends: tuple[str, date] | None  # (type, last day) of what ends first

    @property
    def lacks(self) -> tuple[Lack, ...]:
        """Everything that keeps it off the air."""
        return self.papers + self.selection

    @property
    def is_food(self) -> bool:
        """Whether the rules for food bind it."""
        return self.category in requirements.FOOD

    def ends_within(self, day: date) -> int | None:
        """In how many days something ends, when that is soon; below 0 it has ended."""
        if self.ends is None or self.ends[1] > day + SOON:
            return None
        return (self.ends[1] - day).days


async def of_products(numbers: Collection[int], *, day: date) -> dict[int, Standing]:
    """How these products (row ids) stand on a day, by id."""
    wanted = [(number,) for number in sorted(set(numbers))]
    products = await database.with_rows(
        {"id": "bigint"},
        wanted,
        "SELECT p.id, p.name, p.category FROM v JOIN product p ON p.id = v.id",
    )
    papers = await _papers(wanted)
    decisions = await _decisions(wanted)
    return {
        row["id"]: Standing(
            product_id=row["id"],
            name=row["name"],
            category=row["category"],
            papers=tuple(requirements.lacking(row["category"], papers.get(row["id"], []), day)),
            selection=tuple(requirements.unapproved(decisions.get(row["id"]), day)),
            ends=requirements.soonest(papers.get(row["id"], []), decisions.get(row["id"]), day),
        )
        for row in products
    }


async def holding(person_ids: Collection[int], *, type_: str, day: date) -> set[int]:
    """Who of these people has a paper of a type that holds on a day."""
    rows = await database.with_rows(
        {"id": "bigint", "type": "text"},
        [(number, type_) for number in sorted(set(person_ids))],
        "SELECT q.owner_id, q.issued_on, q.valid_to FROM v JOIN qualification q"
        " ON q.owner_kind = 'person' AND q.owner_id = v.id AND q.type = v.type AND q.withdrawn_at IS NULL",
    )
    return {row["owner_id"] for row in rows if _paper("person", type_, row).holds(day)}


async def _papers(wanted: list[tuple[int]]) -> dict[int, list[Paper]]:
    rows = await database.with_rows(
        {"id": "bigint"},
        wanted,
        "SELECT p.id, q.owner_kind, q.type, q.issued_on, q.valid_to FROM v JOIN product p ON p.id = v.id"
        f" JOIN qualification q ON q.withdrawn_at IS NULL AND ((q.owner_kind = '{PRODUCT}' AND"
        f" q.owner_id = p.id) OR (q.owner_kind = '{MERCHANT}' AND q.owner_id = p.merchant_id))",
    )
    found: dict[int, list[Paper]] = {}
    for row in rows:
        found.setdefault(row["id"], []).append(_paper(row["owner_kind"], row["type"], row))
    return found


def _paper(owner: str, type_: str, row: dict[str, int | None]) -> Paper:
    return Paper(owner=owner, type=type_, issued_on=_day(row["issued_on"]), valid_to=_day(row["valid_to"]))


async def _decisions(wanted: list[tuple[int]]) -> dict[int, Decision]:
    rows = await database.with_rows(
        {"id": "bigint"},
        wanted,
        "SELECT r.product_id, r.decision, r.valid_to FROM v JOIN selection_review r ON r.product_id = v.id"
        " ORDER BY r.meeting_on, r.id",
    )
    return {
        row["product_id"]: Decision(decision=row["decision"], valid_to=_day(row["valid_to"])) for row in rows
    }


def _day(number: int | None) -> date | None:
    return None if number is None else clock.day_of_number(number)
