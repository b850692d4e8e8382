"""用户: accounts of the centre, their roles and logins; who keeps them has a login, no token."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from livehub.accounts import factor_codes, passwords, queries, second_factor, users
from livehub.accounts.actors import Grant
from livehub.accounts.errors import BadGrant, LastAdmin, LoginTaken, OwnAccount
from livehub.accounts.models import Role, User
from livehub.accounts.permissions import Permission
from livehub.web import granting
from livehub.web.api.declared import Asked, Section
from livehub.web.api.me import Named, Right
from livehub.web.api.shapes import Listed, Nothing, Paging
from livehub.web.doors import SignInAgain
from livehub.web.granting import Units

calls = Section("用户")

READ, MANAGE = (Permission.USER_READ,), (Permission.USER_MANAGE,)
UnitId = Annotated[str, Meta(max_length=16, description="公开编号，角色不需要时留空")]


class UserQuery(Paging, frozen=True, kw_only=True):
    """按条件找用户。"""

    q: Annotated[str, Meta(max_length=40, description="账号或姓名里的字")] = ""
    role: Role | None = None
    bureau: UnitId = ""
    active: bool | None = None


class RoleWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个角色，主管部门和商户角色须指定单位。"""

    role: Role
    bureau: UnitId = ""
    merchant: UnitId = ""


class UserWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """新用户和第一个角色。"""

    login: Annotated[str, Meta(min_length=2, max_length=40)]
    name: Annotated[str, Meta(min_length=1, max_length=40)]
    role: Role
    bureau: UnitId = ""
    merchant: UnitId = ""


class UserReason(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """为什么，写进审计记录。"""

    reason: Annotated[str, Meta(min_length=2, max_length=200)]


class UserSummary(Struct, frozen=True, kw_only=True):
    """清单里的一个用户。"""

    id: str
    login: str
    name: str
    active: bool
    must_change: Annotated[bool, Meta(description="还在用初始密码")]
    created_at: datetime
    rights: list[Right]


class UserLogin(Struct, frozen=True, kw_only=True):
    """一个打开的登录；来自哪里只告诉能看审计记录的人。"""

    created_at: datetime
    seen_at: datetime
    ip: str
    agent: str


class UserDetail(UserSummary, frozen=True, kw_only=True):
    """一个用户。"""

    second_factor: Annotated[bool, Meta(description="登录要动态码")]
    logins: list[UserLogin]


class FirstPassword(Struct, frozen=True, kw_only=True):
    """初始密码，只在这个应答里；第一次登录必须改。"""

    user: str
    login: str
    password: str


@calls.get("/users", summary="用户清单", needs=READ, query=UserQuery, answer=Listed[UserSummary])
async def listing(asked: Asked[UserQuery, None]) -> Listed[UserSummary]:
    """The accounts of the centre."""
    query, units = asked.query, await granting.units(asked.actor.centre_id)
    bureau = next((each.id for each in units.bureaus if each.public_id == query.bureau), -1)
    found = await queries.users(
        asked.actor,
        number=query.page,
        size=query.size,
        search=query.q,
        role=query.role,
        bureau_id=bureau if query.bureau else None,
        active=query.active,
    )
    items = [
        UserSummary(
            id=row.public_id,
            login=row.login,
            name=row.name,
            active=row.active,
            must_change=row.must_change,
            created_at=row.created_at,
            rights=[_right(grant, units) for grant in row.grants],
        )
        for row in found.items
    ]
    return Listed(items=items, page=found.number, size=found.size, total=found.total)


@calls.post(
    "/users",
    summary="新建用户，初始密码只显示一次",
    needs=MANAGE,
    body=UserWanted,
    answer=FirstPassword,
    status=201,
    refusals=(LoginTaken, BadGrant, SignInAgain),
)
async def create(asked: Asked[None, UserWanted]) -> FirstPassword:
    """Make an account."""
    wanted, units = asked.body, await granting.units(asked.actor.centre_id)
    password = passwords.initial()
    user = await users.create_user(
        wanted.login,
        password,
        name=wanted.name,
        centre_id=asked.actor.centre_id,
        actor=asked.actor,
        now=asked.now,
        grants=[units.grant(wanted.role, bureau=wanted.bureau, merchant=wanted.merchant)],
        must_change=True,
    )
    return FirstPassword(user=user.public_id, login=user.login, password=password)


@calls.get("/users/{user_id}", summary="一个用户", needs=READ, query=Nothing, answer=UserDetail)
async def one(asked: Asked[Nothing, None], user_id: str) -> UserDetail:
    """One account."""
    return await _detail(asked, await users.by_public_id(user_id, actor=asked.actor))


@calls.post(
    "/users/{user_id}/roles",
    summary="授予角色",
    needs=MANAGE,
    body=RoleWanted,
    answer=UserDetail,
    refusals=(BadGrant, OwnAccount, SignInAgain),
)
async def give_role(asked: Asked[None, RoleWanted], user_id: str) -> UserDetail:
    """Give a role."""
    user = await users.by_public_id(user_id, actor=asked.actor)
    await users.grant_role(user, await _grant(asked), actor=asked.actor, now=asked.now)
    return await _detail(asked, user)


@calls.post(
    "/users/{user_id}/roles/withdraw",
    summary="撤销角色",
    needs=MANAGE,
    body=RoleWanted,
    answer=UserDetail,
    refusals=(BadGrant, OwnAccount, LastAdmin, SignInAgain),
)
async def withdraw_role(asked: Asked[None, RoleWanted], user_id: str) -> UserDetail:
    """Take a role away."""
    user = await users.by_public_id(user_id, actor=asked.actor)
    await users.withdraw_role(user, await _grant(asked), actor=asked.actor, now=asked.now)
    return await _detail(asked, user)


@calls.post(
    "/users/{user_id}/disable",
    summary="停用，全部登录结束",
    needs=MANAGE,
    body=UserReason,
    answer=UserDetail,
    refusals=(OwnAccount, LastAdmin),
)
async def disable(asked: Asked[None, UserReason], user_id: str) -> UserDetail:
    """Switch an account off."""
    user = await users.by_public_id(user_id, actor=asked.actor)
    await users.deactivate(user, reason=asked.body.reason, actor=asked.actor, now=asked.now)
    return await _detail(asked, user)


@calls.post(
    "/users/{user_id}/enable",
    summary="启用",
    needs=MANAGE,
    body=Nothing,
    answer=UserDetail,
    refusals=(OwnAccount,),
)
async def enable(asked: Asked[None, Nothing], user_id: str) -> UserDetail:
    """Switch it on again."""
    user = await users.by_public_id(user_id, actor=asked.actor)
    await users.reactivate(user, actor=asked.actor, now=asked.now)
    return await _detail(asked, user)


@calls.post(
    "/users/{user_id}/password",
    summary="新的初始密码，只显示一次；全部登录结束",
    needs=MANAGE,
    body=Nothing,
    answer=FirstPassword,
    refusals=(OwnAccount, SignInAgain),
)
async def new_password(asked: Asked[None, Nothing], user_id: str) -> FirstPassword:
    """A new first password."""
    user, password = await users.by_public_id(user_id, actor=asked.actor), passwords.initial()
    await users.set_password(user, password, actor=asked.actor, now=asked.now, must_change=True)
    return FirstPassword(user=user.public_id, login=user.login, password=password)


@calls.post("/users/{user_id}/unlock", summary="解除登录限制", needs=MANAGE, body=Nothing, answer=UserDetail)
async def unlock(asked: Asked[None, Nothing], user_id: str) -> UserDetail:
    """Let somebody try again at once."""
    user = await users.by_public_id(user_id, actor=asked.actor)
    await users.unlock(user, actor=asked.actor, now=asked.now)
    return await _detail(asked, user)


@calls.post(
    "/users/{user_id}/logins/end", summary="结束全部登录", needs=MANAGE, body=Nothing, answer=UserDetail
)
async def end_logins(asked: Asked[None, Nothing], user_id: str) -> UserDetail:
    """End every open login."""
    user = await users.by_public_id(user_id, actor=asked.actor)
    await users.end_logins(user, actor=asked.actor, now=asked.now)
    return await _detail(asked, user)


@calls.post(
    "/users/{user_id}/second-factor/reset",
    summary="重置动态码，全部登录结束",
    needs=MANAGE,
    body=UserReason,
    answer=UserDetail,
    refusals=(OwnAccount, SignInAgain),
)
async def reset_second_factor(asked: Asked[None, UserReason], user_id: str) -> UserDetail:
    """Take somebody's second factor away."""
    user = await users.by_public_id(user_id, actor=asked.actor)
    await second_factor.reset(user, reason=asked.body.reason, actor=asked.actor, now=asked.now)
    return await _detail(asked, user)


async def _grant(asked: Asked[None, RoleWanted]) -> Grant:
    units = await granting.units(asked.actor.centre_id)
    return units.grant(asked.body.role, bureau=asked.body.bureau, merchant=asked.body.merchant)


async def _detail(asked: Asked[Any, Any], user: User) -> UserDetail:
    fresh, units = await User.get(id=user.id), await granting.units(user.centre_id)
    return UserDetail(
        id=fresh.public_id,
        login=fresh.login,
        name=fresh.name,
        active=fresh.active,
        must_change=fresh.must_change,
        created_at=fresh.created_at,
        rights=[_right(grant, units) for grant in (await queries.grants_of([user.id]))[user.id]],
        second_factor=await factor_codes.is_on(user.id),
        logins=[
            UserLogin(created_at=row.created_at, seen_at=row.seen_at, ip=row.ip, agent=row.agent)
            for row in await queries.sessions_of(fresh, actor=asked.actor, now=asked.now)
        ],
    )


def _right(grant: Grant, units: Units) -> Right:
    unit = units.of(grant)
    named = Named(id=unit.public_id, name=unit.name) if unit else None
    return Right(
        role=grant.role,
        bureau=named if grant.bureau_id else None,
        merchant=named if grant.merchant_id else None,
    )
