"""商户 and 商品 as the desk looks them up: lists that are searched, and what is on file of one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit import clock, searching
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page, window
from livehub.merchants import queries, standing
from livehub.merchants.queries import MerchantView, ProductView
from livehub.merchants.standing import Standing

READY, LACKING, UNSELECTED = STATES = ("ready", "lacking", "unselected")


class MerchantRow(Struct, frozen=True, kw_only=True):
    """A merchant in the list."""

    id: str  # public id
    name: str
    town: str
    status: str
    stores: int
    products: int
    ended: int  # papers of hers that have ended and count still


class PaperOf(Struct, frozen=True, kw_only=True):
    """A paper that counts, of a merchant or a product."""

    id: str
    type: str
    number: str
    valid_to: date | None
    days_left: int | None  # below 0: it has ended


class OnShelf(Struct, frozen=True, kw_only=True):
    """A product in the list, as it stands today."""

    product: ProductView
    merchant: str
    merchant_id: str  # public id, '' = of none that the reader may see
    state: str  # see STATES
    standing: Standing
    days_left: int | None  # of what ends first; below 0: it has ended


class Review(Struct, frozen=True, kw_only=True):
    """What a selection meeting decided."""

    meeting_on: date
    decision: str
    valid_to: date | None
    reasons: str
    decided_by: str
    at: datetime


class Listing(Struct, frozen=True, kw_only=True):
    """What a shop calls the product."""

    shop_name: str
    platform: str
    product_ref: str


class Whole(Struct, frozen=True, kw_only=True):
    """What is on file of a product."""

    row: OnShelf
    papers: tuple[PaperOf, ...]
    merchants_papers: tuple[PaperOf, ...]  # some of them count for the product too
    reviews: tuple[Review, ...]  # the newest meeting first
    listings: tuple[Listing, ...]


async def merchants(
    *, actor: Actor, today: date, name: str = "", status: str = "", number: int = 1, size: int = 50
) -> Page[MerchantRow]:
    """A page of the merchants the actor may see, those that wait for approval first, then by name."""
    number, size, limit, offset = window(number=number, size=size)
    where = (
        f"FROM merchant m WHERE m.centre_id = $1 AND {_visible(actor)}"
        " AND ($2 = '' OR lower(m.name) LIKE $2 ESCAPE '!') AND ($3 = '' OR m.status = $3)"
        " AND CAST($4 AS int) > 0"
    )
    args = (actor.centre_id, searching.like(name), status, clock.day_number(today))
    counted = await database.fetch_one(f"SELECT count(*) AS n {where}", *args)
    rows = await database.fetch(
        "SELECT m.public_id AS id, m.name, m.town, m.status,"
        " (SELECT count(*) FROM store s WHERE s.merchant_id = m.id) AS stores,"
        " (SELECT count(*) FROM product p WHERE p.merchant_id = m.id) AS products,"
        " (SELECT count(*) FROM qualification q WHERE q.owner_kind = 'merchant' AND q.owner_id = m.id"
        f" AND q.withdrawn_at IS NULL AND q.valid_to < $4) AS ended {where}"
        " ORDER BY CASE WHEN m.status = 'pending' THEN 0 ELSE 1 END, m.name, m.id"
        f" LIMIT {limit} OFFSET {offset}",
        *args,
    )
    return Page([MerchantRow(**row) for row in rows], number, size, int(counted["n"]) if counted else 0)


async def merchant(public_id: str, *, actor: Actor) -> MerchantView:
    """One merchant the actor may see, or NotFound."""
    row = await database.fetch_one(
        "SELECT m.id, m.public_id, m.name, m.town, m.status FROM merchant m"
        f" WHERE m.public_id = $1 AND m.centre_id = $2 AND {_visible(actor)}",
        public_id,
        actor.centre_id,
    )
    if row is None:
        raise NotFound
    return MerchantView(**row)


async def products(
    *,
    actor: Actor,
    today: date,
    state: str = "",
    town: str = "",
    category: str = "",
    name: str = "",
    within: int | None = None,
    number: int = 1,
    size: int = 50,
) -> Page[OnShelf]:
    """A page of the centre's products by name.

    ``state``: see STATES; ``within``: only those of which something ends in so many days, or has ended.
    """
    number, size, _, offset = window(number=number, size=size)
    found = [
        each
        for each in await _shelf(actor, today=today)
        if (not state or each.state == state)
        and (not town or each.product.town == town)
        and (not category or each.product.category == category)
        and (not name or name.strip().lower() in each.product.name.lower())
        and (within is None or (each.days_left is not None and each.days_left <= within))
    ]
    return Page(found[offset : offset + size], number, size, len(found))


async def products_of(merchant_id: int, *, actor: Actor, today: date) -> list[OnShelf]:
    """The products of a merchant (row id), by name."""
    return await _shelf(actor, today=today, merchant_id=merchant_id)


async def towns(centre_id: int) -> list[str]:
    """Where products come from, by name."""
    rows = await database.fetch(
        "SELECT DISTINCT town FROM product WHERE centre_id = $1 AND town <> '' ORDER BY town", centre_id
    )
    return [row["town"] for row in rows]


async def product(public_id: str, *, actor: Actor, today: date) -> Whole:
    """What is on file of one product; NotFound when the actor's centre has none of that id."""
    found = await database.fetch_one(
        "SELECT id, centre_id, merchant_id FROM product WHERE public_id = $1", public_id
    )
    if found is None:
        raise NotFound
    require(actor, Permission.MERCHANT_READ, centre_id=found["centre_id"])
    (row,) = await _shelf(actor, today=today, product_id=found["id"])
    reviews = await database.fetch(
        "SELECT meeting_on, decision, valid_to, reasons, decided_by, at FROM selection_review"
        " WHERE product_id = $1 ORDER BY meeting_on DESC, id DESC",
        found["id"],
    )
    listings = await database.fetch(
        "SELECT s.name AS shop_name, s.platform, m.product_ref FROM product_map m JOIN shop s"
        f" ON s.id = m.shop_id WHERE m.product_id = $1{_of_bureaus(actor, 's')}"
        " ORDER BY s.name, m.product_ref",
        found["id"],
    )
    return Whole(
        row=row,
        papers=tuple(await papers_of("product", found["id"], today=today)),
        merchants_papers=tuple(await papers_of("merchant", found["merchant_id"], today=today))
        if row.merchant_id
        else (),
        reviews=tuple(_review(each) for each in reviews),
        listings=tuple(Listing(**each) for each in listings),
    )


async def papers_of(owner_kind: str, owner_id: int, *, today: date) -> list[PaperOf]:
    """The papers of somebody (row id) that count, what ends first on top."""
    rows = await database.fetch(
        "SELECT public_id AS id, type, number, valid_to FROM qualification"
        " WHERE owner_kind = $1 AND owner_id = $2 AND withdrawn_at IS NULL"
        " ORDER BY CASE WHEN valid_to IS NULL THEN 1 ELSE 0 END, valid_to, id",
        owner_kind,
        owner_id,
    )
    return [_paper(row, today=today) for row in rows]


async def _shelf(actor: Actor, *, today: date, merchant_id: int = 0, product_id: int = 0) -> list[OnShelf]:
    require(actor, Permission.MERCHANT_READ)
    rows = await database.fetch(
        f"SELECT {queries.PRODUCT}, coalesce(m.name, '') AS merchant, coalesce(m.public_id, '') AS"
        f" merchant_ref FROM product p LEFT JOIN merchant m ON m.id = p.merchant_id AND {_visible(actor)}"
        " WHERE p.centre_id = $1 AND (CAST($2 AS bigint) = 0 OR p.merchant_id = $2)"
        " AND (CAST($3 AS bigint) = 0 OR p.id = $3) ORDER BY p.name, p.id",
        actor.centre_id,
        merchant_id,
        product_id,
    )
    stand = await standing.of_products([row["id"] for row in rows], day=today)
    return [_on_shelf(row, stand[row["id"]], today=today) for row in rows]


def _on_shelf(row: Mapping[str, Any], stand: Standing, *, today: date) -> OnShelf:
    state = LACKING if stand.papers else UNSELECTED if stand.selection else READY
    names = ProductView.__struct_fields__
    return OnShelf(
        product=ProductView(**{name: row[name] for name in names}),
        merchant=row["merchant"],
        merchant_id=row["merchant_ref"],
        state=state,
        standing=stand,
        days_left=None if stand.ends is None else (stand.ends[1] - today) // timedelta(days=1),
    )


def _paper(row: Mapping[str, Any], *, today: date) -> PaperOf:
    valid_to = None if row["valid_to"] is None else clock.day_of_number(row["valid_to"])
    return PaperOf(
        id=row["id"],
        type=row["type"],
        number=row["number"],
        valid_to=valid_to,
        days_left=None if valid_to is None else (valid_to - today) // timedelta(days=1),
    )


def _review(row: Mapping[str, Any]) -> Review:
    return Review(
        meeting_on=clock.day_of_number(row["meeting_on"]),
        decision=row["decision"],
        valid_to=None if row["valid_to"] is None else clock.day_of_number(row["valid_to"]),
        reasons=row["reasons"],
        decided_by=row["decided_by"],
        at=clock.from_ms(row["at"]),
    )


def _visible(actor: Actor) -> str:
    """Which merchants ``m`` an actor may see: a bureau's reader those of its campaigns.

    Campaigns belong to a rung above: only their tables are asked, no code of theirs is imported.
    """
    require(actor, Permission.MERCHANT_READ)
    within = _of_bureaus(actor, "c")
    if not within:
        return "1 = 1"
    return (
        "EXISTS (SELECT 1 FROM merchant_enrolment e JOIN campaign c ON c.id = e.campaign_id"
        f" WHERE e.merchant_id = m.id{within})"
    )


def _of_bureaus(actor: Actor, owner: str) -> str:
    """A further condition: what the actor's bureaus own, '' where the whole centre is hers to see."""
    scope = bureau_scope(actor, Permission.MERCHANT_READ)
    if scope is None:
        return ""
    numbers = ", ".join(str(int(each)) for each in sorted(scope)) or "0"
    return f" AND {owner}.bureau_id IN ({numbers})"
