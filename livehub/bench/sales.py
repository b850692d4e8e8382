"""A town that sells, and what its ERP tells of every order: the same from the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from livehub.accounts import users
from livehub.accounts.actors import system
from livehub.bench import shows
from livehub.bench.shows import Show
from livehub.kit import clock
from livehub.merchants import registry as merchants
from livehub.platforms import queries as platforms
from livehub.platforms import shops

PLATFORM = "standard_webhooks"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105 -- opens nothing
SHOPS = tuple(f"shop-{n}" for n in range(4))
PRODUCTS = tuple(f"product-{n:02}" for n in range(40))
MAPPED = 36  # of the products; the others stay 未映射
DAY = 86_400
SPAN = 30 * DAY
DUPLICATES, SHUFFLED, REFUNDED = 0.10, 0.10, 0.08
IN_ROOM, BY_AUTHOR, BY_VOUCHER = (
    0.45,
    0.15,
    0.03,
)  # how an order names the show it was sold in; the others none
LATEST = 7 * DAY  # how much later a shuffled message comes


class Town(Struct, frozen=True, kw_only=True):
    """Where the messages go."""

    centre_id: int
    bureau_id: int
    endpoint_id: int
    endpoint_key: str


async def seed() -> Town:
    """A centre with an endpoint, four shops and their products, in an empty database."""
    now, clerk = clock.now(), system("bench")
    centre = await users.create_centre("基准", city="北海", actor=clerk, now=now)
    clerk = system("bench", centre_id=centre.id)
    bureau = await users.create_bureau("农业", kind="agriculture", centre_id=centre.id, actor=clerk, now=now)
    endpoint = await shops.add_endpoint(
        centre.id, platform=PLATFORM, name="基准", app_key="bench", secret=SECRET, actor=clerk, now=now
    )
    products = [
        await merchants.add_product(
            f"产品 {n}",
            centre_id=centre.id,
            category="edible_agri",
            price_fen=5000,
            town=f"第{n % 7}镇",
            actor=clerk,
            now=now,
        )
        for n in range(MAPPED)
    ]
    for ref in SHOPS:
        shop = await shops.add_shop(
            bureau.id, endpoint_id=endpoint.id, shop_ref=ref, name=ref, actor=clerk, now=now
        )
        for product_ref, product in zip(PRODUCTS, products, strict=False):
            await merchants.map_product(
                shop.id, product_ref=product_ref, product=product.public_id, actor=clerk, now=now
            )
    return Town(
        centre_id=centre.id,
        bureau_id=bureau.id,
        endpoint_id=endpoint.id,
        endpoint_key=endpoint.endpoint_key,
    )


async def past_shows(town: Town, *, start: datetime, orders: int) -> list[Show]:
    """The evenings on air of thirty days, with a voucher for each order that is to carry one."""
    now = clock.now()
    first = clock.at_local(clock.local_day(start) + timedelta(days=1), hour=20)
    on = await _stage(town, now=start)
    selling = [each.public_id for each in (await platforms.shops_of(town.centre_id))[:2]]
    await shows.sell_on_accounts(on, selling, now=now)
    held = await shows.evenings(on, first=first, days=SPAN // DAY - 1)
    await shows.give_vouchers(on, held, count=int(orders * BY_VOUCHER), now=now)
    return held


async def shows_on_air(town: Town) -> list[Show]:
    """Shows that are on air now."""
    now = clock.now()
    return await shows.on_air(await _stage(town, now=now), now=now)


async def _stage(town: Town, *, now: datetime) -> shows.Stage:
    return await shows.stage(centre_id=town.centre_id, bureau_id=town.bureau_id, platform=PLATFORM, now=now)


def history(orders: int, *, seed: int, start: datetime, held: Sequence[Show]) -> list[tuple[str, bytes]]:
    """(webhook id, body) of thirty days in the order of their arrival: four messages an order at least.

    A tenth comes again under another id, so that only the merge can know it; a tenth comes late. Two thirds
    are sold in shows, the most by their room, some by their streamer's account or by a voucher of her link.
    """
    dice = Random(seed)
    arrivals = [
        (at, number, message_id, body)
        for number in range(orders)
        for at, message_id, body in _told(number, dice, start, held)
    ]
    return [(message_id, body) for _, _, message_id, body in sorted(arrivals)]


def paid_now(number: int, dice: Random, *, at: datetime, on_air: Sequence[Show] = ()) -> bytes:
    """One order, paid this moment, perhaps in one of the shows that are on air."""
    order = _order(number, dice)
    if on_air and dice.random() < IN_ROOM + BY_AUTHOR:
        _sell_in(dice.choice(on_air), order, by_room=True)
    return _body("order.paid", order, at=at, status="paid", created_at=at, paid_at=at)


def _told(
    number: int, dice: Random, start: datetime, held: Sequence[Show]
) -> Iterator[tuple[float, str, bytes]]:
    created = int(dice.random() * SPAN)
    order, refunded = _order(number, dice), dice.random() < REFUNDED
    way = dice.random()
    if way < IN_ROOM + BY_AUTHOR + BY_VOUCHER:
        show = dice.choice(held)
        created = int((show.starts_at - start).total_seconds() + dice.random() * (shows.MINUTES - 1) * 60)
        if way < IN_ROOM + BY_AUTHOR:
            _sell_in(show, order, by_room=way < IN_ROOM)
        elif show.codes:
            order |= {"voucher_code": show.codes.pop(), "lines": [_line_with_voucher(number, dice)]}
    steps = [
        ("order.created", "created", 0),
        ("order.paid", "paid", 30),
        ("order.shipped", "shipped", DAY // 2),
    ]
    last = "refund.succeeded" if refunded else "order.finished"
    steps.append((last, "finished", 2 * DAY))
    for step, (kind, status, after) in enumerate(steps):
        at = start + timedelta(seconds=created + after)
        times = {"created_at": start + timedelta(seconds=created)}
        if step:
            times["paid_at"] = start + timedelta(seconds=created + 30)
        refunds = [_refund(number, order, dice, at=at)] if kind == "refund.succeeded" else []
        body = _body(kind, order, at=at, status=status, refunds=refunds, **times)
        arrives = created + after + (dice.random() * LATEST if dice.random() < SHUFFLED else 0)
        yield arrives, f"{number}.{step}", body
        if dice.random() < DUPLICATES:
            yield arrives + dice.random() * 3600, f"{number}.{step}.again", body


def _sell_in(show: Show, order: dict[str, Any], *, by_room: bool) -> None:
    for line in order["lines"]:
        line["author_ref"] = show.author_ref
        if by_room:
            line["room_ref"] = show.room_ref


def _order(number: int, dice: Random) -> dict[str, Any]:
    return {
        "shop_ref": dice.choice(SHOPS),
        "order_ref": f"69{number:016}",
        "currency": "CNY",
        "buyer_id": f"buyer-{dice.randrange(10**6)}",
        "lines": [_line(f"{number}-{n}", dice) for n in range(dice.choice((1, 1, 1, 2, 3)))],
    }


def _line(ref: str, dice: Random) -> dict[str, Any]:
    quantity = dice.randint(1, 3)
    return _sold(ref, dice, quantity=quantity, whole=quantity * dice.randrange(990, 30_000))


def _line_with_voucher(number: int, dice: Random) -> dict[str, Any]:
    return _sold(f"{number}-0", dice, quantity=1, whole=dice.randrange(20_001, 60_000))


def _sold(ref: str, dice: Random, *, quantity: int, whole: int) -> dict[str, Any]:
    merchant, platform = whole // 10, whole // 20
    voucher = shows.FACE_FEN if whole > 20_000 else 0
    return {
        "line_ref": ref,
        "product_ref": dice.choice(PRODUCTS),
        "title": "沙田沙虫干 250 克",
        "quantity": quantity,
        "list_fen": whole,
        "merchant_disc_fen": merchant,
        "platform_disc_fen": platform,
        "voucher_subsidy_fen": voucher,
        "buyer_paid_fen": whole - merchant - platform - voucher,
    }


def _refund(number: int, order: dict[str, Any], dice: Random, *, at: datetime) -> dict[str, Any]:
    lines = order["lines"]
    whole = dice.random() < 0.5
    first = lines[0]
    return {
        "refund_ref": f"r{number}",
        "line_ref": "" if whole else first["line_ref"],
        "kind": "refund_only",
        "status": "succeeded",
        "refunded_fen": sum(line["buyer_paid_fen"] for line in lines)
        if whole
        else first["buyer_paid_fen"] // 2,
        "applied_at": at - timedelta(days=1),
        "succeeded_at": at,
        "updated_at": at,
    }


def _body(kind: str, order: dict[str, Any], *, at: datetime, **more: Any) -> bytes:
    return msgspec.json.encode({"type": kind, "timestamp": at, "data": {**order, "updated_at": at, **more}})
