"""A clerk's word on lines: given to a broadcast (class M) or taken back, with a reason, never erased."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.orders import ledger
from livehub.orders.attribution import NEWEST
from rooms.models import Broadcast, BroadcastState

MOST = 200  # lines at once
REASON = (2, 200)  # characters

_COLUMNS = {
    "order_id": "bigint",
    "line_ref": "text",
    "broadcast_id": "bigint",
    "streamer_id": "bigint",
    "reason": "text",
    "actor_id": "bigint",
    "actor_name": "text",
    "at": "bigint",
}


class Named(Struct, frozen=True, order=True):
    """A line of an order, by the names that people see."""

    shop: str  # public id
    order_ref: str
    line_ref: str


class Word(Struct, frozen=True, kw_only=True):
    """What a clerk said of a line, and when."""

    line_ref: str
    broadcast: str  # public id, '' where the word was taken back
    title: str
    reason: str
    by: str
    at: datetime
    counts: bool  # whether nothing newer was said


class _Found(Struct, frozen=True, kw_only=True):
    order_id: int
    line_ref: str
    platform: str
    order_ref: str
    bureau_id: int  # of the shop
    given_to: int  # the broadcast of the word that counts, 0 for none


@database.atomic
async def give(lines: Sequence[Named], *, broadcast: str, reason: str, actor: Actor, now: datetime) -> int:
    """Give lines to a broadcast of the same centre; returns how many were elsewhere before.

    NotFound when a line or the broadcast is not the actor's centre's; Invalid without a reason.
    """
    show = await Broadcast.get_or_none(public_id=broadcast, centre_id=actor.centre_id)
    if show is None:
        raise Invalid(details=[Detail("broadcast", "没有这一场直播", "本中心的一场直播")])
    require(actor, Permission.SALES_ASSIGN, centre_id=show.centre_id)
    if show.state is BroadcastState.ABORTED:
        raise Invalid(details=[Detail("broadcast", "这一场取消了，没有播出", "没有取消的一场直播")])
    found = [each for each in await _lines(lines, reason, actor=actor) if each.given_to != show.id]
    await _say(found, show=show, reason=reason, actor=actor, now=now)
    return len(found)


@database.atomic
async def take_back(lines: Sequence[Named], *, reason: str, actor: Actor, now: datetime) -> int:
    """Let lines be attributed as if no clerk had said anything; returns for how many that was so."""
    require(actor, Permission.SALES_ASSIGN, centre_id=actor.centre_id)
    found = [each for each in await _lines(lines, reason, actor=actor) if each.given_to]
    await _say(found, show=None, reason=reason, actor=actor, now=now)
    return len(found)


async def words_on(order_id: int) -> list[Word]:
    """Everything clerks said of an order's lines, the newest first."""
    rows = await database.fetch(
        f"SELECT a.*, {NEWEST} AS counts, coalesce(b.public_id, '') AS broadcast,"
        " coalesce(b.title, '') AS title FROM line_assignment a"
        " LEFT JOIN broadcast b ON b.id = a.broadcast_id WHERE a.order_id = $1 ORDER BY a.id DESC",
        order_id,
    )
    return [
        Word(
            line_ref=row["line_ref"],
            broadcast=row["broadcast"],
            title=row["title"],
            reason=row["reason"],
            by=row["actor_name"],
            at=clock.from_ms(row["at"]),
            counts=bool(row["counts"]),
        )
        for row in rows
    ]


async def _lines(lines: Sequence[Named], reason: str, *, actor: Actor) -> list[_Found]:
    details = []
    if not REASON[0] <= len(reason.strip()) <= REASON[1]:
        details.append(Detail("reason", "请写明依据", f"{REASON[0]} 到 {REASON[1]} 个字"))
    if not 0 < len(lines) <= MOST:
        details.append(Detail("lines", "请选择明细", f"1 到 {MOST} 行"))
    if details:
        raise Invalid(details=details)
    wanted = sorted(set(lines))
    rows = await database.with_rows(
        {"centre_id": "bigint", "shop": "text", "order_ref": "text", "line_ref": "text"},
        [(actor.centre_id, each.shop, each.order_ref, each.line_ref) for each in wanted],
        "SELECT o.id AS order_id, l.line_ref, o.platform, o.order_ref, s.bureau_id,"
        " coalesce(a.broadcast_id, 0) AS given_to FROM v"
        " JOIN shop s ON s.public_id = v.shop AND s.centre_id = v.centre_id"
        " JOIN sales_order o ON o.shop_id = s.id AND o.order_ref = v.order_ref"
        " JOIN order_line l ON l.order_id = o.id AND l.line_ref = v.line_ref"
        f" LEFT JOIN line_assignment a ON a.order_id = o.id AND a.line_ref = l.line_ref AND {NEWEST}"
        " ORDER BY o.id, l.line_ref",
    )
    if len(rows) < len(wanted):
        raise NotFound
    return [_Found(**row) for row in rows]


async def _say(
    found: Sequence[_Found], *, show: Broadcast | None, reason: str, actor: Actor, now: datetime
) -> None:
    """Note the word on each line and book the orders anew: what others said is read under their locks."""
    broadcast_id, streamer_id = (show.id, show.streamer_id) if show else (0, 0)
    text, at = reason.strip(), clock.to_ms(now)
    await database.with_rows(
        _COLUMNS,
        [
            (each.order_id, each.line_ref, broadcast_id, streamer_id, text, actor.id, actor.name, at)
            for each in found
        ],
        f"INSERT INTO line_assignment ({', '.join(_COLUMNS)}) SELECT {', '.join(_COLUMNS)} FROM v",
    )
    await ledger.book_anew([each.order_id for each in found], reason="clerk", now=now)
    await audit.write_many(
        [
            audit.Entry(
                action="line.given" if show else "line.taken_back",
                actor=actor,
                about=("order", f"{each.platform}:{each.order_ref}"),
                bureau_id=show.bureau_id if show else each.bureau_id,
                detail={
                    "line_ref": each.line_ref,
                    "broadcast": show.public_id if show else "",
                    "reason": text,
                },
            )
            for each in found
        ],
        now=now,
    )
