"""Whom the load of a fault test speaks for: a shop that pushes orders, people with phones, a till."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from livehub import database, process
from livehub.accounts import tokens
from livehub.accounts.actors import Grant, system
from livehub.accounts.forms import form_token
from livehub.accounts.models import Role
from livehub.kit import clock, ids, sealing
from livehub.settings import Settings
from livehub.vouchers import enrolments, identity
from tests.factories.platforms import STANDARD_SECRET, a_shop, an_endpoint
from tests.factories.vouchers import a_kind, a_merchant, a_world

FACE_FEN, THRESHOLD_FEN = 2000, 10_000
SHOP_REF = "900001"


class Shopper(Struct, frozen=True):
    """Somebody whose phone was verified: what her browser sends along."""

    number: int
    phone_tail: str
    cookie: str
    csrf: str


class Town(Struct, frozen=True, kw_only=True):
    """Everything a sender must know, and nothing of the database."""

    endpoint_key: str
    secret: str
    shop_ref: str
    shop_id: int
    slug: str
    stock: int
    shoppers: tuple[Shopper, ...]
    till_token: str


async def a_town(settings: Settings, *, people: int, stock: int) -> Town:
    """Build it into a migrated database that nobody serves yet."""
    await process.start(settings)
    try:
        return await _build(people=people, stock=stock)
    finally:
        await process.stop()


async def _build(*, people: int, stock: int) -> Town:
    now = clock.now()
    world = await a_world(a_kind(face_fen=FACE_FEN, threshold_fen=THRESHOLD_FEN, quantity=stock), now=now)
    merchant, _ = await a_merchant(world)
    await enrolments.enrol(world.campaign.id, merchant_id=merchant.id, actor=world.officer, now=now)
    till_token, _ = await tokens.create(
        "收银台",
        Grant(Role.MERCHANT, merchant_id=merchant.id),
        actor=system("tests"),
        now=now,
        centre_id=world.bureau.centre_id,
    )
    endpoint = await an_endpoint(world.bureau, platform="standard_webhooks")
    shop = await a_shop(world.bureau, endpoint=endpoint, shop_ref=SHOP_REF)
    return Town(
        endpoint_key=endpoint.endpoint_key,
        secret=STANDARD_SECRET,
        shop_ref=SHOP_REF,
        shop_id=shop.id,
        slug=world.link.slug,
        stock=stock,
        shoppers=await _shoppers(people, centre_id=world.bureau.centre_id),
        till_token=till_token,
    )


async def _shoppers(people: int, *, centre_id: int) -> tuple[Shopper, ...]:
    """Many people at once, each with a session of thirty days."""
    ring, at = sealing.ring(), clock.to_ms(clock.now())
    phones = [f"138{number:08d}" for number in range(people)]
    rows = await database.with_rows(
        {
            "public_id": "text",
            "centre_id": "bigint",
            "person_key": "bytea",
            "sealed": "bytea",
            "at": "bigint",
        },
        [
            (
                ids.public_id(),
                centre_id,
                identity.phone_index(phone),
                ring.seal_text(phone, place=identity.PHONE_PLACE),
                at,
            )
            for phone in phones
        ],
        "INSERT INTO claimant (public_id, centre_id, person_key, phone_sealed, created_at)"
        " SELECT public_id, centre_id, person_key, sealed, at FROM v RETURNING id, person_key",
    )
    number_of = {identity.phone_index(phone): number for number, phone in enumerate(phones)}
    made = [(number_of[bytes(row["person_key"])], row["id"], ids.token(), ids.token()) for row in rows]
    until = clock.to_ms(clock.now() + timedelta(days=30))
    await database.with_rows(
        {"token_hash": "bytea", "claimant_id": "bigint", "at": "bigint", "expires_at": "bigint"},
        [(sealing.token_hash(token), claimant_id, at, until) for _, claimant_id, token, _ in made],
        "INSERT INTO claimant_session (token_hash, claimant_id, created_at, expires_at)"
        " SELECT token_hash, claimant_id, at, expires_at FROM v",
    )
    return tuple(
        Shopper(
            number=number,
            phone_tail=phones[number][-4:],
            cookie=f"__Host-claimant={token}; __Host-visitor={mark}",
            csrf=form_token(mark),
        )
        for number, _, token, mark in sorted(made)
    )
