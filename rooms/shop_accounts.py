"""On which accounts a shop sells: how an order that names no room and no author finds its broadcast."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, outbox
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.platforms.models import Shop
from rooms.errors import TooManyAccounts
from rooms.facts import ShopAccountChanged
from rooms.models import ShopAccount

MOST = 20  # accounts of one shop
# Accounts of a centre: of its streamers, and those its broadcasts were put on.
_KNOWN = (
    "SELECT a.platform, a.account_ref FROM streamer_account a JOIN streamer s ON s.id = a.streamer_id"
    " WHERE s.centre_id = $1 UNION SELECT c.platform, c.account_ref FROM broadcast_account c"
    " JOIN broadcast x ON x.id = c.broadcast_id WHERE x.centre_id = $1"
)


class Account(Struct, frozen=True, kw_only=True):
    """An account of a platform, and what it is called."""

    platform: str
    account_ref: str
    streamer: str  # whose it is, '' when it is nobody's


@database.atomic
async def bind(shop: str, *, platform: str, account_ref: str, actor: Actor, now: datetime) -> None:
    """Say that a shop sells on an account; saying it again changes nothing. Earlier orders follow."""
    found = await _shop(shop, actor=actor)
    await _require_known(found, platform=platform, account_ref=account_ref)
    if await ShopAccount.filter(shop_id=found.id).count() >= MOST:
        raise TooManyAccounts
    added = await database.fetch(
        "INSERT INTO shop_account (shop_id, platform, account_ref, created_at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (shop_id, platform, account_ref) DO NOTHING RETURNING id",
        found.id,
        platform,
        account_ref,
        clock.to_ms(now),
    )
    if added:
        await _tell("shop.account_bound", found, platform, account_ref, actor=actor, now=now)


@database.atomic
async def unbind(shop: str, *, platform: str, account_ref: str, actor: Actor, now: datetime) -> None:
    """Say that a shop does not sell on an account; what was attributed by it is judged anew."""
    found = await _shop(shop, actor=actor)
    gone = await database.fetch(
        "DELETE FROM shop_account WHERE shop_id = $1 AND platform = $2 AND account_ref = $3 RETURNING id",
        found.id,
        platform,
        account_ref,
    )
    if gone:
        await _tell("shop.account_unbound", found, platform, account_ref, actor=actor, now=now)


async def of(shop_ids: list[int]) -> dict[int, list[Account]]:
    """The accounts that shops sell on, by shop, in the order in which they were bound."""
    rows = await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in sorted(set(shop_ids))],
        "SELECT b.shop_id, b.platform, b.account_ref, coalesce(s.stage_name, '') AS streamer FROM v"
        " JOIN shop_account b ON b.shop_id = v.id LEFT JOIN streamer_account a"
        " ON a.platform = b.platform AND a.account_ref = b.account_ref"
        " LEFT JOIN streamer s ON s.id = a.streamer_id ORDER BY b.shop_id, b.id",
    )
    found: dict[int, list[Account]] = {}
    for row in rows:
        found.setdefault(row.pop("shop_id"), []).append(Account(**row))
    return found


async def known(centre_id: int) -> list[Account]:
    """Every account a shop of a centre may be bound to, by platform and streamer."""
    rows = await database.fetch(
        f"SELECT k.platform, k.account_ref, coalesce(s.stage_name, '') AS streamer FROM ({_KNOWN}) k"
        " LEFT JOIN streamer_account a ON a.platform = k.platform AND a.account_ref = k.account_ref"
        " LEFT JOIN streamer s ON s.id = a.streamer_id ORDER BY k.platform, streamer, k.account_ref",
        centre_id,
    )
    return [Account(**row) for row in rows]


class Progress(Struct, frozen=True):
    """How many orders were judged anew so far, while there are more."""

    platform: str
    account_ref: str
    orders: int


async def judging(shop_id: int) -> list[Progress]:
    """The accounts of a shop whose orders are still being judged anew."""
    return [
        Progress(fact.platform, fact.account_ref, fact.orders)
        for fact in await outbox.waiting(ShopAccountChanged)
        if fact.shop_id == shop_id
    ]


async def _shop(public_id: str, *, actor: Actor) -> Shop:
    shop = await Shop.get_or_none(public_id=public_id)
    if shop is None:
        raise NotFound
    require(actor, Permission.SHOP_MANAGE, centre_id=shop.centre_id)
    return shop


async def _require_known(shop: Shop, *, platform: str, account_ref: str) -> None:
    """A misspelt account would never be on air, and nobody would see why."""
    row = await database.fetch_one(
        f"SELECT 1 AS one FROM ({_KNOWN}) k WHERE k.platform = $2 AND k.account_ref = $3",
        shop.centre_id,
        platform,
        account_ref,
    )
    if row is None:
        expected = "主播档案里的账号，或某一场直播登记过的账号"
        raise Invalid(details=[Detail("account", "本中心没有这个开播账号", expected)])


async def _tell(
    action: str, shop: Shop, platform: str, account_ref: str, *, actor: Actor, now: datetime
) -> None:
    fact = ShopAccountChanged(
        shop_id=shop.id, centre_id=shop.centre_id, platform=platform, account_ref=account_ref
    )
    await outbox.record(fact, now=now)
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("shop", shop.public_id),
        bureau_id=shop.bureau_id,
        detail={"platform": platform, "account_ref": account_ref},
    )
