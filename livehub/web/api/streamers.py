"""主播：名册、平台账号、手机链接，和一段时间的业绩。"""

from __future__ import annotations

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Invalid
from livehub.reports import performance
from livehub.reports.basis import Basis
from livehub.reports.ranking import K
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Listed, Nothing, listed
from livehub.web.api.streamer_shapes import (
    NewStreamer,
    NewStreamerAccount,
    NewStreamerStatus,
    StreamerAccountSeen,
    StreamerClass,
    StreamerDays,
    StreamerFilter,
    StreamerLinkEnded,
    StreamerLinkMade,
    StreamerLinkSeen,
    StreamerNamed,
    StreamerPerformance,
    StreamerRanking,
    StreamerShown,
    StreamerWhole,
    performance_of,
    place_of,
)
from livehub.web.api.training_shapes import NewPerson
from streamers import joining, links, listing, people, queries, registry
from streamers.errors import AccountKnown, IdentityKnown, PersonKnown, StreamerKnown, StreamerRefused

calls = Section("主播")


@calls.get(
    "/streamers",
    summary="主播名册",
    needs=(Permission.STREAMER_READ,),
    query=StreamerFilter,
    answer=Listed[StreamerShown],
)
async def latest(asked: Asked[StreamerFilter, None]) -> Listed[StreamerShown]:
    """Who streams."""
    query = asked.query
    found = await listing.streamers(
        actor=asked.actor,
        name=query.name,
        status=query.status,
        trained=query.trained,
        bureau=query.bureau,
        number=query.page,
        size=query.size,
    )
    names = StreamerShown.__struct_fields__
    answer = listed(found)
    return Listed(
        items=[StreamerShown(**{name: getattr(each, name) for name in names}) for each in answer.items],
        page=answer.page,
        size=answer.size,
        total=answer.total,
    )


@calls.post(
    "/streamers",
    summary="登记一位主播",
    needs=(Permission.STREAMER_MANAGE,),
    body=NewStreamer,
    answer=StreamerNamed,
    status=201,
    refusals=(StreamerRefused, PersonKnown, IdentityKnown, StreamerKnown),
)
async def join(asked: Asked[None, NewStreamer]) -> StreamerNamed:
    """A new streamer."""
    body, actor = asked.body, asked.actor
    wanted = people.NewPerson(**{name: getattr(body, name) for name in NewPerson.__struct_fields__})
    made = await database.unit(
        lambda: joining.join(
            wanted,
            stage_name=body.stage_name,
            status=body.status,
            centre_id=actor.centre_id,
            actor=actor,
            now=asked.now,
        )
    )
    return StreamerNamed(id=made.public_id, stage_name=made.stage_name, status=made.status)


@calls.get(
    "/streamers/{streamer_id}",
    summary="一位主播的档案",
    needs=(Permission.STREAMER_READ,),
    query=Nothing,
    answer=StreamerWhole,
)
async def whole(asked: Asked[Nothing, None], streamer_id: str) -> StreamerWhole:
    """What is on file."""
    found = await listing.dossier(streamer_id, actor=asked.actor)
    who = found.who
    return StreamerWhole(
        id=who.public_id,
        person=found.person,
        stage_name=who.stage_name,
        name=who.name,
        town=who.town,
        status=who.status,
        category=found.category,
        education=found.education,
        has_identity=found.has_identity,
        has_phone=found.has_phone,
        is_age_known=found.is_age_known,
        accounts=[
            StreamerAccountSeen(platform=each.platform, account_ref=each.account_ref, name=each.name)
            for each in found.accounts
        ],
        classes=[
            StreamerClass(
                cohort=each.cohort,
                name=each.name,
                programme_name=each.programme,
                bureau_name=each.bureau,
                state=each.state,
                starts_on=each.starts_on,
                ends_on=each.ends_on,
                certificate=each.serial,
            )
            for each in found.classes
        ],
        links=[
            StreamerLinkSeen(
                id=each.id,
                created_at=each.created_at,
                expires_at=each.expires_at,
                revoked_at=each.revoked_at,
                bound=each.bound,
            )
            for each in await queries.links(who.id)
        ],
    )


@calls.post(
    "/streamers/{streamer_id}/status",
    summary="更改主播的状态；已离开的不再排期",
    needs=(Permission.STREAMER_MANAGE,),
    body=NewStreamerStatus,
    answer=StreamerNamed,
)
async def status(asked: Asked[None, NewStreamerStatus], streamer_id: str) -> StreamerNamed:
    """How far she is."""
    done = await database.unit(
        lambda: registry.set_status(streamer_id, status=asked.body.status, actor=asked.actor, now=asked.now)
    )
    return StreamerNamed(id=done.public_id, stage_name=done.stage_name, status=done.status)


@calls.post(
    "/streamers/{streamer_id}/accounts",
    summary="登记主播的平台账号",
    needs=(Permission.STREAMER_MANAGE,),
    body=NewStreamerAccount,
    answer=StreamerAccountSeen,
    status=201,
    refusals=(StreamerRefused, AccountKnown),
)
async def account(asked: Asked[None, NewStreamerAccount], streamer_id: str) -> StreamerAccountSeen:
    """An account of hers."""
    body = asked.body
    made = await database.unit(
        lambda: registry.add_account(
            streamer_id,
            platform=body.platform,
            account_ref=body.account_ref,
            name=body.name,
            actor=asked.actor,
            now=asked.now,
        )
    )
    return StreamerAccountSeen(platform=made.platform, account_ref=made.account_ref, name=made.name)


@calls.post(
    "/streamers/{streamer_id}/links",
    summary="生成主播的手机链接，只给这一次",
    needs=(Permission.STREAMER_MANAGE,),
    body=Nothing,
    answer=StreamerLinkMade,
    status=201,
)
async def make_link(asked: Asked[None, Nothing], streamer_id: str) -> StreamerLinkMade:
    """A link for her phone."""
    made = await database.unit(lambda: links.issue(streamer_id, actor=asked.actor, now=asked.now))
    return StreamerLinkMade(id=made.link_id, path=f"/s/{made.token}", expires_at=made.expires_at)


@calls.post(
    "/streamers/{streamer_id}/links/{link_id}/revoke",
    summary="作废主播的一个手机链接",
    needs=(Permission.STREAMER_MANAGE,),
    body=Nothing,
    answer=StreamerLinkEnded,
)
async def end_link(asked: Asked[None, Nothing], streamer_id: str, link_id: str) -> StreamerLinkEnded:
    """Close a link and the device bound to it."""
    number = await queries.link_of(streamer_id, link_id, actor=asked.actor)
    await database.unit(lambda: links.revoke(number, actor=asked.actor, now=asked.now))
    return StreamerLinkEnded(id=number)


@calls.get(
    "/streamers/{streamer_id}/performance",
    summary="一位主播一段时间的业绩，每个数都带口径和明细",
    needs=(Permission.STREAMER_READ,),
    query=StreamerDays,
    answer=StreamerPerformance,
    refusals=(Invalid,),
)
async def performed(asked: Asked[StreamerDays, None], streamer_id: str) -> StreamerPerformance:
    """How she did."""
    days = performance.period(asked.query.since, asked.query.until, today=clock.local_day(asked.now))
    found = await performance.of_streamer(streamer_id, days, actor=asked.actor, now=asked.now)
    return performance_of(found)


@calls.get(
    "/reports/streamers",
    summary="各主题的主播名次",
    needs=(Permission.STREAMER_READ,),
    query=StreamerDays,
    answer=StreamerRanking,
    refusals=(Invalid,),
)
async def ranking(asked: Asked[StreamerDays, None]) -> StreamerRanking:
    """Who sells best in each theme."""
    days = performance.period(asked.query.since, asked.query.until, today=clock.local_day(asked.now))
    found = await performance.places_of(days, actor=asked.actor)
    named = await queries.by_ids([each.streamer_id for each in found])
    return StreamerRanking(
        since=days.since,
        until=days.until,
        as_of=asked.now,
        basis=Basis.G3,
        k=K,
        items=[place_of(each, named[each.streamer_id]) for each in found],
    )
