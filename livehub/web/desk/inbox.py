"""/desk/inbox: every message that came, why one is stuck, and putting it back into the queue."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.inbox import queries, queue
from livehub.inbox.models import MessageStatus
from livehub.inbox.queries import MessageRow, Search
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.platforms import queries as platforms
from livehub.platforms import registry
from livehub.platforms.queries import ShopView
from livehub.reports import messages, orders
from livehub.reports.messages import MessageView
from livehub.reports.orders import OrderView
from livehub.web import doors, exports, reading
from livehub.web.desk import words
from livehub.web.desk.frame import Reason, asked, back, frame, order_path
from livehub.web.desk.orders import titles_of
from livehub.web.reading import Form, LocalTime
from livehub.web.rendering import page

bp = Blueprint("desk_inbox", url_prefix="/desk/inbox")

HEAD = (
    *("收到时间", "平台", "店铺", "店铺号", "类型", "消息号", "订单号"),
    *("来源", "状态", "隔离原因", "尝试", "错误"),
)
REPLAYABLE = (MessageStatus.PARKED, MessageStatus.DEAD)


class Query(Struct, rename={"since": "from", "until": "to"}):
    """The list's address."""

    q: Annotated[str, Meta(max_length=64)] = ""
    platform: Annotated[str, Meta(max_length=32)] = ""
    shop: Annotated[str, Meta(max_length=16)] = ""
    status: Annotated[str, Meta(max_length=16)] = ""
    reason: Annotated[str, Meta(max_length=16)] = ""
    since: LocalTime | None = None
    until: LocalTime | None = None
    sort: Annotated[str, Meta(max_length=16)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1

    def search(self) -> Search:
        """The same question to the inbox."""
        return Search(
            q=self.q,
            platform=self.platform,
            shop=self.shop,
            status=self.status,
            reason=self.reason,
            since=self.since,
            until=self.until,
            oldest_first=self.sort == "received_at",
        )


@bp.get("/")
@doors.signed_in(Permission.INBOX_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list."""
    now, query = clock.now(), reading.query(request, Query)
    health = await queries.health(actor=actor, now=now)
    shops = await platforms.shops_of(actor.centre_id)
    return page(
        "desk/inbox.html",
        shell=await frame(request, actor, "inbox"),
        now=now,
        query=asked(request, Query),
        health=health,
        oldest_seconds=None if health.oldest_at is None else (now - health.oldest_at).total_seconds(),
        platforms=[(each.name, each.label) for each in registry.all()],
        shops=[*((each.public_id, each.name) for each in shops), (queries.UNREGISTERED, "（未登记）")],
        page=await queries.messages(query.search(), actor=actor, number=query.page, count_to=queries.COUNTED),
        counted=queries.COUNTED,
    )


@bp.get("/export.csv")
@doors.signed_in(Permission.INBOX_READ, freshly=True)
async def export(request: Request, actor: Actor) -> HTTPResponse:
    """The list as a file."""
    query = reading.query(request, Query)
    rows = await queries.first(query.search(), actor=actor, limit=exports.LIMIT + 1)
    return exports.csv_file(
        "推送收件箱",
        HEAD,
        (_cells(row) for row in rows[: exports.LIMIT]),
        cut=exports.cut(len(rows)),
    )


@bp.get("/<message_id:int>")
@doors.signed_in(Permission.INBOX_READ)
async def show_message(request: Request, actor: Actor, message_id: int) -> HTTPResponse:
    """One message and what it changed."""
    return await _message(request, actor, message_id, form=reading.blank())


@bp.post("/<message_id:int>/replay")
@doors.signed_in(Permission.INBOX_REPLAY)
async def replay(request: Request, actor: Actor, message_id: int) -> HTTPResponse:
    """Put one parked or dead message back into the queue."""
    await messages.message(message_id, actor=actor)  # of this centre, or NotFound
    try:
        why = reading.form(request, Reason).reason
        await database.unit(lambda: queue.replay(message_id, actor=actor, why=why, now=clock.now()))
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _message(request, actor, message_id, form=form, status=error.status)
    return back(f"/desk/inbox/{message_id}", done="replayed")


async def _message(
    request: Request, actor: Actor, message_id: int, *, form: Form, status: int = 200
) -> HTTPResponse:
    view = await messages.message(message_id, actor=actor)
    seen = view.seen
    delivery = await messages.delivery(seen.delivery_id, actor=actor) if seen.delivery_id else None
    shops = await platforms.shops_by_ref([(view.platform, view.shop_ref)])
    shop = shops.get((view.platform, view.shop_ref))
    order = await _order(view, shop, actor=actor) if shop else None
    return page(
        "desk/inbox_message.html",
        status=status,
        shell=await frame(request, actor, "inbox"),
        message=seen,
        platform=view.platform,
        shop_ref=view.shop_ref,
        shop=shop.name if shop else "",
        order_ref=_order_ref(view),
        order_href=order_path(order.shop, order.order_ref) if order else "",
        body=_readable(view),
        because=view.fetched_because,
        delivery=delivery,
        titles=await titles_of(order, actor=actor) if order else {},
        effects=[each for each in order.entries if each.message_id == seen.id] if order else [],
        replays=view.replays,
        may_replay=seen.status in REPLAYABLE and may(actor, Permission.INBOX_REPLAY),
        form=form,
    )


async def _order(view: MessageView, shop: ShopView, *, actor: Actor) -> OrderView | None:
    """The order a message speaks of, where there is one and the reader may see it."""
    order_ref = _order_ref(view)
    if not order_ref or not may(actor, Permission.SALES_READ):
        return None
    try:
        return await orders.order(shop.public_id, order_ref, actor=actor)
    except LivehubError:
        return None


def _order_ref(view: MessageView) -> str:
    return view.order_key.removeprefix(f"{view.platform}:{view.shop_ref}:")


def _readable(view: MessageView) -> str:
    """The facts as stored: names, phones and addresses never were among them."""
    if not view.facts:
        return ""
    return msgspec.json.format(msgspec.json.encode(view.facts), indent=2).decode()


def _cells(row: MessageRow) -> list[str | int | datetime]:
    return [
        row.received_at,
        words.platform(row.platform),
        row.shop_name,
        row.shop_ref,
        row.native_type,
        row.native_id,
        row.order_ref,
        "取数" if row.source == "pull" else "推送" if row.source == "push" else "本系统",
        words.state("message", row.status),
        words.reason(row.reason),
        row.attempts,
        row.error,
    ]
