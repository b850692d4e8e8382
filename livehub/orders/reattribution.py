"""Orders attributed anew when a mapping, a broadcast or a voucher says more than was known."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from livehub import database
from livehub.inbox import barrier
from livehub.kit import clock, outbox
from livehub.merchants.facts import ProductMapped
from livehub.orders import ledger
from rooms import matching
from rooms import queries as rooms
from rooms.facts import AccountBound, BroadcastEnded, BroadcastStarted, ShopAccountChanged

BATCH = 500  # orders that are judged anew in one transaction
SHOWS = 100  # that are looked at for them


async def on_account_bound(fact: AccountBound, now: datetime) -> None:
    """A broadcast's room became known, or another: what names it moves there, what it had is judged anew."""
    await barrier.outwait()
    found = await _orders_of_room(fact.platform, fact.room_ref)
    found += await _orders_booked_on(fact.broadcast_id)
    found += await _orders_of_accounts(fact.broadcast_id, since_ms=0)
    await ledger.book_anew(found, reason="attribution", now=now)


async def on_broadcast_started(fact: BroadcastStarted, now: datetime) -> None:
    """Orders of its accounts may have come before we knew that it was on air, or on air again."""
    await barrier.outwait()
    since = fact.at_ms if fact.run == 1 else 0
    await ledger.book_anew(
        await _orders_of_accounts(fact.broadcast_id, since_ms=since), reason="attribution", now=now
    )


async def on_broadcast_ended(fact: BroadcastEnded, now: datetime) -> None:
    """An end may be told late: what its accounts sold after it does not belong to it."""
    await barrier.outwait()
    await ledger.book_anew(
        await _orders_of_accounts(fact.broadcast_id, since_ms=fact.at_ms), reason="attribution", now=now
    )


async def on_shop_account_changed(fact: ShopAccountChanged, now: datetime) -> None:
    """A shop sells on an account, or no longer: what it sold during the account's shows is judged anew.

    Some at a time, each in a transaction of its own with the word of how far it came: a shop may have sold
    for a year, and whoever is killed is gone on from there. Judging an order again changes nothing.
    """
    await barrier.outwait()
    show, after = fact.broadcast_id, fact.order_id
    found: list[int] = []
    for _ in range(SHOWS):
        following = await _show_of_account(fact, show)
        if following is None:
            await ledger.book_anew(found, reason="attribution", now=now)
            return
        after = after if following == show else 0
        show = following
        some = await _orders_during(show, after, fact=fact, most=BATCH - len(found))
        found += some
        if len(found) == BATCH:
            after = some[-1]
            break
        show, after = show + 1, 0
    await ledger.book_anew(found, reason="attribution", now=now)
    judged = fact.orders + len(found)
    await outbox.record(replace(fact, broadcast_id=show, order_id=after, orders=judged), now=now)


async def _show_of_account(fact: ShopAccountChanged, first: int) -> int | None:
    row = await database.fetch_one(
        "SELECT min(c.broadcast_id) AS id FROM broadcast_account c WHERE c.platform = $1"
        " AND c.account_ref = $2 AND c.broadcast_id >= $3",
        fact.platform,
        fact.account_ref,
        first,
    )
    return row["id"] if row else None


async def _orders_during(show: int, after: int, *, fact: ShopAccountChanged, most: int) -> list[int]:
    """The next orders without room and author that a shop sold during a show."""
    return await _ids_of(
        "SELECT DISTINCT l.order_id FROM broadcast x JOIN order_line l ON l.shop_id = $1"
        " AND l.paid_at >= x.started_at AND l.paid_at <= coalesce(x.ended_at, l.paid_at)"
        f" WHERE x.id = $2 AND l.order_id > $3 AND {_IS_UNTOLD} ORDER BY l.order_id LIMIT {int(most)}",
        fact.shop_id,
        show,
        after,
    )


_FACTS = (AccountBound, BroadcastStarted, BroadcastEnded, ShopAccountChanged, ProductMapped)


async def all_told() -> bool:
    """Whether no fact that may move orders still waits for its listener above."""
    kinds = ", ".join(f"'{fact.__name__}'" for fact in _FACTS)
    waiting = await database.fetch_one(
        f"SELECT 1 AS one FROM outbox_message WHERE status = 'waiting' AND kind IN ({kinds}) LIMIT 1"
    )
    return waiting is None


async def _orders_of_accounts(broadcast_id: int, *, since_ms: int) -> list[int]:
    """Orders of its rooms, and of its accounts those paid since an instant and since it went on air."""
    accounts = await rooms.accounts_of(broadcast_id)
    shows = await matching.by_account([(platform, account_ref) for platform, account_ref, _ in accounts])
    found: list[int] = []
    for platform, account_ref, room_ref in accounts:
        found += await _orders_of_room(platform, room_ref) if room_ref else []
        for show in shows.get((platform, account_ref), []):
            if show.broadcast_id == broadcast_id:
                since = max(since_ms, show.started_at_ms)
                found += await _orders_of_account(platform, account_ref, since_ms=since)
    return found + await _orders_of_shops(broadcast_id, since_ms=since_ms)


async def on_product_mapped(fact: ProductMapped, now: datetime) -> None:
    """A platform's product id became known: its lines leave 未映射. Some at a time, as a shop's account."""
    await barrier.outwait()
    found = await _orders_of_product(fact, most=BATCH)
    await ledger.book_anew(found, reason="mapping", now=now)
    if len(found) == BATCH:
        await outbox.record(replace(fact, order_id=found[-1]), now=now)


async def assign(order_id: int, *, broadcast_id: int, streamer_id: int, source: str, now: datetime) -> None:
    """Give an order to the broadcast of its voucher (class B) and move it; in the current transaction."""
    await database.execute(
        "INSERT INTO order_assignment (order_id, broadcast_id, streamer_id, attribution, source, at)"
        " VALUES ($1, $2, $3, 'B', $4, $5) ON CONFLICT (order_id) DO UPDATE SET"
        " broadcast_id = excluded.broadcast_id, streamer_id = excluded.streamer_id,"
        " source = excluded.source, at = excluded.at",
        order_id,
        broadcast_id,
        streamer_id,
        source,
        clock.to_ms(now),
    )
    await ledger.book_anew([order_id], reason="attribution", now=now)


async def _orders_of_room(platform: str, room_ref: str) -> list[int]:
    """Orders with a line sold in a platform's room."""
    return await _ids_of(
        "SELECT DISTINCT order_id FROM order_line WHERE platform = $1 AND room_ref = $2",
        platform,
        room_ref,
    )


async def _orders_booked_on(broadcast_id: int) -> list[int]:
    """Orders of which something was ever booked on a broadcast."""
    return await _ids_of(
        "SELECT DISTINCT order_id FROM contribution_entry WHERE broadcast_id = $1", broadcast_id
    )


async def _orders_of_account(platform: str, account_ref: str, *, since_ms: int) -> list[int]:
    """Orders with a line of a platform's author, paid since an instant."""
    return await _ids_of(
        "SELECT DISTINCT order_id FROM order_line WHERE platform = $1 AND author_ref = $2 AND paid_at >= $3",
        platform,
        account_ref,
        since_ms,
    )


async def _orders_of_shops(broadcast_id: int, *, since_ms: int) -> list[int]:
    """Orders without room and author of the shops on its accounts, paid since it went on air."""
    return await _ids_of(
        "SELECT DISTINCT l.order_id FROM broadcast x JOIN broadcast_account c ON c.broadcast_id = x.id"
        " JOIN shop_account a ON a.platform = c.platform AND a.account_ref = c.account_ref JOIN order_line l"
        " ON l.shop_id = a.shop_id AND l.paid_at >= x.started_at AND l.paid_at >= $2"
        f" WHERE x.id = $1 AND {_IS_UNTOLD}",
        broadcast_id,
        since_ms,
    )


_IS_UNTOLD = "l.room_ref = '' AND l.author_ref = ''"  # as the condition of the index order_line_of_nowhere


_OF_PRODUCT = (
    "SELECT DISTINCT order_id FROM order_line WHERE shop_id = $1 AND product_ref = $2 AND order_id > $3"
    " ORDER BY order_id LIMIT $4"
)


async def _orders_of_product(fact: ProductMapped, *, most: int) -> list[int]:
    """The next orders with a line of a platform's product id."""
    return await _ids_of(
        _OF_PRODUCT,
        fact.shop_id,
        fact.product_ref,
        fact.order_id,
        most,
    )


async def _ids_of(question: str, *args: object) -> list[int]:
    return sorted(row["order_id"] for row in await database.fetch(question, *args))
