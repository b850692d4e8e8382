"""日历订阅: addresses for calendars, made, changed and ended by whoever they belong to."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.web.api import named
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Instant, Nothing
from rooms import feeds
from rooms.errors import TooManyFeeds
from rooms.feeds import Issued

calls = Section("日历订阅")


class FeedShown(Struct, frozen=True, kw_only=True):
    """一个订阅；地址只在生成时给一次。"""

    id: str
    bureau: Annotated[str, Meta(description="部门公开编号；空是整个中心")]
    created_at: Instant
    rotated_at: Instant | None
    last_seen_at: Instant | None


class NewFeed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """订阅什么。"""

    bureau: Annotated[str, Meta(max_length=16, description="部门公开编号；中心人员留空是整个中心")] = ""


class FeedAddress(Struct, frozen=True, kw_only=True):
    """订阅地址，只给这一次；谁有地址谁能看，请不要转发。"""

    id: str
    url: str


@calls.get(
    "/feeds",
    summary="我的日历订阅",
    needs=(Permission.CALENDAR_SUBSCRIBE,),
    query=Nothing,
    answer=All[FeedShown],
)
async def own(asked: Asked[Nothing, None]) -> All[FeedShown]:
    """The caller's living subscriptions."""
    bureaus = await named.bureaus(asked.actor.centre_id)
    return All(
        items=[
            FeedShown(
                id=each.public_id,
                bureau=bureaus.get(each.bureau_id, ""),
                created_at=each.created_at,
                rotated_at=each.rotated_at,
                last_seen_at=each.last_seen_at,
            )
            for each in await feeds.own(asked.actor)
        ]
    )


@calls.post(
    "/feeds",
    summary="新的日历订阅；只认登录的人",
    needs=(Permission.CALENDAR_SUBSCRIBE,),
    body=NewFeed,
    answer=FeedAddress,
    status=201,
    refusals=(TooManyFeeds,),
)
async def subscribe(asked: Asked[None, NewFeed]) -> FeedAddress:
    """An address for what the caller may see."""
    bureau_id = 0
    if asked.body.bureau or asked.actor.bureaus():
        bureau_id = await named.bureau_id(
            asked.body.bureau, actor=asked.actor, permission=Permission.CALENDAR_SUBSCRIBE
        )
    issued = await database.unit(
        lambda: feeds.subscribe(bureau_id=bureau_id, actor=asked.actor, now=asked.now)
    )
    return _address(issued, asked.opened.settings.url)


@calls.post(
    "/feeds/{feed_id}/rotate",
    summary="换一个地址，旧的立即失效",
    needs=(Permission.CALENDAR_SUBSCRIBE,),
    body=Nothing,
    answer=FeedAddress,
)
async def rotate(asked: Asked[None, Nothing], feed_id: str) -> FeedAddress:
    """A new address in the place of the old one."""
    issued = await database.unit(lambda: feeds.rotate(feed_id, actor=asked.actor, now=asked.now))
    return _address(issued, asked.opened.settings.url)


@calls.post(
    "/feeds/{feed_id}/revoke",
    summary="停用订阅",
    needs=(Permission.CALENDAR_SUBSCRIBE,),
    body=Nothing,
    answer=Nothing,
)
async def revoke(asked: Asked[None, Nothing], feed_id: str) -> Nothing:
    """End a subscription."""
    await database.unit(lambda: feeds.revoke(feed_id, actor=asked.actor, now=asked.now))
    return Nothing()


def _address(issued: Issued, base: str) -> FeedAddress:
    return FeedAddress(id=issued.public_id, url=f"{base}/feeds/{issued.token}.ics")
