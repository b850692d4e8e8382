"""Packs as they are: which vouchers are in them, and what a public id names that can be given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from livehub import database

# Everything a round gives, by an id that a claim's slot knows it by: a template that is in no pack, or a
# pack, whose id stands below zero.
OFFERS = (
    "(SELECT t.id, t.round_id, t.public_id FROM voucher_template t WHERE NOT EXISTS"
    " (SELECT 1 FROM voucher_pack_item i WHERE i.template_id = t.id)"
    " UNION ALL SELECT -p.id, p.round_id, p.public_id FROM voucher_pack p)"
)
# Of a pack, how many vouchers it holds.
SIZES = "(SELECT pack_id, sum(n) AS size FROM voucher_pack_item GROUP BY pack_id)"
_CONTENTS = (
    "SELECT p.id, p.public_id, p.round_id, p.name, p.rules, i.template_id, i.n FROM voucher_pack p"
    " JOIN voucher_pack_item i ON i.pack_id = p.id"
)


class Item(Struct, frozen=True):
    """So many vouchers of a template."""

    template_id: int
    n: int


class Contents(Struct, frozen=True, kw_only=True):
    """A pack, its items in the order of their templates; it never changes."""

    id: int
    public_id: str
    round_id: int
    name: str
    rules: str
    items: tuple[Item, ...]

    @property
    def size(self) -> int:
        """How many vouchers it holds."""
        return sum(item.n for item in self.items)

    @property
    def first(self) -> Item:
        """The item that stands for the pack where one template is locked or counted."""
        return self.items[0]


async def of_ids(ids: Collection[int], *, by_index: bool = False) -> dict[int, Contents]:
    """Packs by their ids; ``by_index``: outside the current transaction."""
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(each,) for each in sorted(ids)],
        f"{_CONTENTS} JOIN v ON v.wanted = p.id ORDER BY i.template_id",
        by_index=by_index,
    )
    return _gathered(rows)


async def of_template(template_id: int) -> Contents | None:
    """The pack a template belongs to; None: it is given by itself."""
    rows = await database.fetch(
        f"{_CONTENTS} WHERE p.id = (SELECT pack_id FROM voucher_pack_item WHERE template_id = $1)"
        " ORDER BY i.template_id",
        template_id,
    )
    return next(iter(_gathered(rows).values()), None)


async def template_of(public_id: str) -> tuple[int, int] | None:
    """(row id, centre) of the template by which a public id is put out: its own, or its pack's first one.

    None for what is not given by itself.
    """
    row = await database.fetch_one(
        "SELECT CASE WHEN o.id > 0 THEN o.id ELSE (SELECT min(i.template_id) FROM voucher_pack_item i"
        f" WHERE i.pack_id = -o.id) END AS template_id, c.centre_id FROM {OFFERS} o"
        " JOIN campaign_round r ON r.id = o.round_id JOIN campaign c ON c.id = r.campaign_id"
        " WHERE o.public_id = $1",
        public_id,
    )
    return None if row is None else (int(row["template_id"]), int(row["centre_id"]))


async def only_offer(round_id: int) -> int:
    """What a round gives that gives one thing; LookupError for any other round."""
    rows = await database.fetch(f"SELECT o.id FROM {OFFERS} o WHERE o.round_id = $1", round_id)
    if len(rows) != 1:
        raise LookupError("a round that gives one thing")
    return int(rows[0]["id"])


async def of_round(round_id: int) -> list[Contents]:
    """The packs of a round."""
    rows = await database.fetch(f"{_CONTENTS} WHERE p.round_id = $1 ORDER BY p.id, i.template_id", round_id)
    return list(_gathered(rows).values())


def _gathered(rows: Collection[Mapping[str, Any]]) -> dict[int, Contents]:
    items: dict[int, list[Item]] = {}
    for row in rows:
        items.setdefault(row["id"], []).append(Item(row["template_id"], row["n"]))
    return {
        row["id"]: Contents(
            id=row["id"],
            public_id=row["public_id"],
            round_id=row["round_id"],
            name=row["name"],
            rules=row["rules"],
            items=tuple(items[row["id"]]),
        )
        for row in rows
    }
