"""收件箱: searching messages, one message with what it changed, its delivery, and its replay."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.inbox import queries, queue
from livehub.inbox.models import MessageStatus
from livehub.inbox.queries import MessageRow, Search
from livehub.inbox.queue import NotReplayable
from livehub.platforms.contract import Event
from livehub.reports import messages
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import Asked, Section
from livehub.web.api.named import row_number
from livehub.web.api.orders import OrderMessage, message_of_order
from livehub.web.api.shapes import Instant, Listed, Nothing, Paging, RowRef

calls = Section("收件箱")

Text = Annotated[str, Meta(max_length=128)]


class MessageSearch(Paging, frozen=True, kw_only=True):
    """要哪些消息；留空即不限。"""

    q: Annotated[Text, Meta(description="完整的订单号、消息编号或消息类型")] = ""
    platform: Text = ""
    shop: Annotated[Text, Meta(description="店铺公开编号")] = ""
    status: MessageStatus | None = None
    reason: Annotated[Text, Meta(description="隔离原因，如 shop、identity")] = ""
    source: Annotated[Text, Meta(description="push 推送，pull 接口取回，own 本系统产生")] = ""
    since: Annotated[Instant | None, Meta(description="收到的时刻，起（含）")] = field(
        default=None, name="from"
    )
    until: Annotated[Instant | None, Meta(description="止（不含）")] = field(default=None, name="to")


class FoundMessage(Struct, frozen=True, kw_only=True):
    """清单里的一条消息。"""

    id: RowRef
    delivery: RowRef
    received_at: Instant
    processed_at: Instant | None
    platform: str
    shop: str
    shop_name: str
    shop_ref: str
    native_type: str
    native_id: str
    order_ref: str
    status: MessageStatus
    reason: str
    attempts: int
    error: str
    source: str


class Replay(Struct, frozen=True, kw_only=True):
    """谁为什么重放过。"""

    at: Instant
    actor_name: str
    why: str


class Message(Struct, frozen=True, kw_only=True):
    """一条消息：它说了什么（不含个人信息），改变了什么。"""

    message: OrderMessage
    platform: str
    shop_ref: str
    facts: Annotated[list[Event], Meta(description="归一后的事实；时刻为毫秒")]
    fetched_because: Annotated[list[OrderMessage], Meta(description="接口取回的：引起取回的推送")]
    entries: Annotated[int, Meta(description="它引起的入账笔数")]
    replays: list[Replay]


class Delivery(Struct, frozen=True, kw_only=True):
    """一次推送或一次取回：除原文以外的一切。"""

    id: RowRef
    platform: str
    endpoint_name: str
    source: str
    verdict: str
    status: str
    error: str
    size: int
    sha256: str
    headers: dict[str, str]
    host: str
    request_id: str
    received_at: Instant
    is_erased: Annotated[bool, Meta(description="原文已按保存期限删除")]
    messages: list[OrderMessage]


class Why(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """重放的理由，记入审计。"""

    why: Annotated[str, Meta(min_length=1, max_length=200)]


@calls.get(
    "/inbox/messages",
    summary="查找消息，新的在前",
    needs=(Permission.INBOX_READ,),
    query=MessageSearch,
    answer=Listed[FoundMessage],
)
async def search(asked: Asked[MessageSearch, None]) -> Listed[FoundMessage]:
    """The messages of the centre that fit."""
    query = asked.query
    wanted = Search(
        q=query.q,
        platform=query.platform,
        shop=query.shop,
        status=query.status or "",
        reason=query.reason,
        source=query.source,
        since=as_utc(query.since) if query.since else None,
        until=as_utc(query.until) if query.until else None,
    )
    page = await queries.messages(wanted, actor=asked.actor, number=query.page, size=query.size)
    return Listed(
        items=[_found(row) for row in page.items], page=page.number, size=page.size, total=page.total
    )


@calls.get(
    "/inbox/messages/{message_id}",
    summary="一条消息",
    needs=(Permission.INBOX_READ,),
    query=Nothing,
    answer=Message,
)
async def one(asked: Asked[Nothing, None], message_id: str) -> Message:
    """What it says, what it changed, and who replayed it."""
    return await _message(asked, message_id)


@calls.post(
    "/inbox/messages/{message_id}/replay",
    summary="重放一条已隔离或已放弃的消息",
    needs=(Permission.INBOX_REPLAY,),
    body=Why,
    answer=Message,
    refusals=(NotReplayable,),
)
async def replay(asked: Asked[None, Why], message_id: str) -> Message:
    """Put it back into the queue."""
    number = row_number(message_id)
    await messages.message(number, actor=asked.actor)  # of this centre
    await database.unit(lambda: queue.replay(number, actor=asked.actor, why=asked.body.why, now=asked.now))
    return await _message(asked, message_id)


@calls.get(
    "/inbox/deliveries/{delivery_id}",
    summary="一次推送的来历与结论",
    needs=(Permission.INBOX_READ,),
    query=Nothing,
    answer=Delivery,
)
async def delivery(asked: Asked[Nothing, None], delivery_id: str) -> Delivery:
    """Everything about its bytes but the bytes."""
    view = await messages.delivery(row_number(delivery_id), actor=asked.actor)
    return Delivery(
        id=str(view.id),
        platform=view.platform,
        endpoint_name=view.endpoint,
        source=view.source,
        verdict=view.verdict,
        status=view.status,
        error=view.error,
        size=view.size,
        sha256=view.sha256,
        headers=view.headers,
        host=view.host,
        request_id=view.request_id,
        received_at=view.received_at,
        is_erased=view.erased,
        messages=[message_of_order(each) for each in view.messages],
    )


async def _message(asked: Asked[Nothing, None] | Asked[None, Why], message_id: str) -> Message:
    view = await messages.message(row_number(message_id), actor=asked.actor)
    return Message(
        message=message_of_order(view.seen),
        platform=view.platform,
        shop_ref=view.shop_ref,
        facts=list(view.facts),
        fetched_because=[message_of_order(each) for each in view.fetched_because],
        entries=view.entries,
        replays=[Replay(at=each.at, actor_name=each.actor_name, why=each.why) for each in view.replays],
    )


def _found(row: MessageRow) -> FoundMessage:
    values = {name: getattr(row, name) for name in FoundMessage.__struct_fields__ if name not in _OWN}
    return FoundMessage(
        id=str(row.id), delivery=str(row.delivery_id), status=MessageStatus(row.status), **values
    )


_OWN = frozenset({"id", "delivery", "status"})
