"""/desk/users 用户: who may log in, with which roles; a password that is shown once, and an end to logins."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.accounts import factor_codes, passwords, queries, second_factor, users
from livehub.accounts.actors import Actor
from livehub.accounts.models import Role, User
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Invalid, LivehubError, NotFound
from livehub.web import doors, granting, reading
from livehub.web.desk.frame import Reason, asked, back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page

bp = Blueprint("desk_users", url_prefix="/desk/users")

PATH = "/desk/users"
PublicId = Annotated[str, Meta(max_length=16)]


class Query(Struct):
    """The list's address."""

    q: Annotated[str, Meta(max_length=40)] = ""
    role: Role | None = None
    bureau: PublicId = ""
    state: Literal["", "active", "off"] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


class RoleForm(Struct):
    """A role, and whom it is for."""

    role: Annotated[Role, Meta(extra={"expected": "选择角色"})]
    bureau: PublicId = ""
    merchant: PublicId = ""


class NewUser(RoleForm, kw_only=True):
    """Somebody new with one role."""

    login: Annotated[str, Meta(min_length=2, max_length=40)]
    name: Annotated[str, Meta(min_length=1, max_length=40)]


@bp.get("/")
@doors.signed_in(Permission.USER_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """The list."""
    query = reading.query(request, Query)
    units = await granting.units(actor.centre_id)
    bureau = next((each.id for each in units.bureaus if each.public_id == query.bureau), -1)
    found = await queries.users(
        actor,
        number=query.page,
        search=query.q,
        role=query.role,
        bureau_id=bureau if query.bureau else None,
        active={"active": True, "off": False}.get(query.state),
    )
    return page(
        "desk/users.html",
        shell=await frame(request, actor, "users"),
        query=asked(request, Query),
        page=found,
        units=units,
        roles=_role_options(),
        role_names=doors.ROLE_NAMES,
        may_manage=may(actor, Permission.USER_MANAGE),
    )


@bp.get("/new")
@doors.signed_in(Permission.USER_MANAGE, freshly=True)
async def ask_new(request: Request, actor: Actor) -> HTTPResponse:
    """The form for somebody new."""
    return await _new(request, actor, form=reading.blank())


@bp.post("/new")
@doors.signed_in(Permission.USER_MANAGE, freshly=True)
async def create(request: Request, actor: Actor) -> HTTPResponse:
    """Make the account; its first password is in the answer and nowhere else."""
    try:
        wanted = reading.form(request, NewUser)
        units = await granting.units(actor.centre_id)
        grant = units.grant(wanted.role, bureau=wanted.bureau, merchant=wanted.merchant)
        password = passwords.initial()
        user = await users.create_user(
            wanted.login,
            password,
            name=wanted.name,
            centre_id=actor.centre_id,
            actor=actor,
            now=clock.now(),
            grants=[grant],
            must_change=True,
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _new(request, actor, form=form, status=error.status)
    return await _password(request, actor, user, password)


@bp.get("/<user_id:str>")
@doors.signed_in(Permission.USER_READ)
async def show_user(request: Request, actor: Actor, user_id: str) -> HTTPResponse:
    """One account: roles, logins, and what an administrator may do."""
    return await _user(request, actor, await users.by_public_id(user_id, actor=actor))


@bp.post("/<user_id:str>/roles")
@doors.signed_in(Permission.USER_MANAGE, freshly=True)
async def give_role(request: Request, actor: Actor, user_id: str) -> HTTPResponse:
    """Give one more role."""
    user = await users.by_public_id(user_id, actor=actor)
    try:
        wanted = reading.form(request, RoleForm)
        units = await granting.units(actor.centre_id)
        grant = units.grant(wanted.role, bureau=wanted.bureau, merchant=wanted.merchant)
        await users.grant_role(user, grant, actor=actor, now=clock.now())
    except LivehubError as error:
        return await _user(request, actor, user, refusal=doors.shown(request, error))
    return back(f"{PATH}/{user_id}", done="role-given")


@bp.post("/<user_id:str>/roles/withdraw")
@doors.signed_in(Permission.USER_MANAGE, freshly=True)
async def withdraw_role(request: Request, actor: Actor, user_id: str) -> HTTPResponse:
    """Take a role away."""
    user = await users.by_public_id(user_id, actor=actor)
    try:
        wanted = reading.form(request, RoleForm)
        units = await granting.units(actor.centre_id)
        grant = units.grant(wanted.role, bureau=wanted.bureau, merchant=wanted.merchant)
        await users.withdraw_role(user, grant, actor=actor, now=clock.now())
    except LivehubError as error:
        return await _user(request, actor, user, refusal=doors.shown(request, error))
    return back(f"{PATH}/{user_id}", done="role-withdrawn")


@bp.post("/<user_id:str>/disable")
@doors.signed_in(Permission.USER_MANAGE)
async def disable(request: Request, actor: Actor, user_id: str) -> HTTPResponse:
    """Switch the account off, and end its logins."""
    user = await users.by_public_id(user_id, actor=actor)
    try:
        why = reading.form(request, Reason).reason
        await users.deactivate(user, reason=why, actor=actor, now=clock.now())
    except LivehubError as error:
        return await _user(request, actor, user, refusal=doors.shown(request, error))
    return back(f"{PATH}/{user_id}", done="user-disabled")


@bp.post("/<user_id:str>/enable")
@doors.signed_in(Permission.USER_MANAGE)
async def enable(request: Request, actor: Actor, user_id: str) -> HTTPResponse:
    """Switch it on again."""
    user = await users.by_public_id(user_id, actor=actor)
    try:
        await users.reactivate(user, actor=actor, now=clock.now())
    except LivehubError as error:
        return await _user(request, actor, user, refusal=doors.shown(request, error))
    return back(f"{PATH}/{user_id}", done="user-enabled")


@bp.post("/<user_id:str>/password")
@doors.signed_in(Permission.USER_MANAGE, freshly=True)
async def new_password(request: Request, actor: Actor, user_id: str) -> HTTPResponse:
    """A new first password, shown in the answer and nowhere else."""
    user = await users.by_public_id(user_id, actor=actor)
    password = passwords.initial()
    try:
        await users.set_password(user, password, actor=actor, now=clock.now(), must_change=True)
    except LivehubError as error:
        return await _user(request, actor, user, refusal=doors.shown(request, error))
    return await _password(request, actor, user, password)


@bp.post("/<user_id:str>/unlock")
@doors.signed_in(Permission.USER_MANAGE)
async def unlock(_: Request, actor: Actor, user_id: str) -> HTTPResponse:
    """Let somebody try again at once who mistyped too often."""
    user = await users.by_public_id(user_id, actor=actor)
    await users.unlock(user, actor=actor, now=clock.now())
    return back(f"{PATH}/{user_id}", done="user-unlocked")


@bp.post("/<user_id:str>/logins/end")
@doors.signed_in(Permission.USER_MANAGE)
async def end_logins(_: Request, actor: Actor, user_id: str) -> HTTPResponse:
    """End every open login."""
    user = await users.by_public_id(user_id, actor=actor)
    await users.end_logins(user, actor=actor, now=clock.now())
    return back(f"{PATH}/{user_id}" if user.id != actor.id else "/login", done="logins-ended")


@bp.post("/<user_id:str>/second-factor/reset")
@doors.signed_in(Permission.USER_MANAGE, freshly=True)
async def reset_second_factor(request: Request, actor: Actor, user_id: str) -> HTTPResponse:
    """Take the second factor away from somebody who lost it."""
    user = await users.by_public_id(user_id, actor=actor)
    try:
        why = reading.form(request, Reason).reason
        await second_factor.reset(user, reason=why, actor=actor, now=clock.now())
    except LivehubError as error:
        return await _user(request, actor, user, refusal=doors.shown(request, error))
    return back(f"{PATH}/{user_id}", done="second-factor-reset")


async def _new(request: Request, actor: Actor, *, form: Form, status: int = 200) -> HTTPResponse:
    return page(
        "desk/user_new.html",
        status=status,
        shell=await frame(request, actor, "users"),
        form=form,
        units=await granting.units(actor.centre_id),
        roles=_role_options(),
    )


async def _password(request: Request, actor: Actor, user: User, password: str) -> HTTPResponse:
    return page(
        "desk/user_password.html",
        shell=await frame(request, actor, "users"),
        user=user,
        password=password,
        address=f"{request.scheme}://{request.host}/login",
    )


async def _user(
    request: Request, actor: Actor, user: User, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    """The account as it is now; a refusal stands above, and beside its field where it has one."""
    if isinstance(refusal, NotFound):
        raise refusal
    now, fresh = clock.now(), await User.get(id=user.id)
    factor = await factor_codes.of(user.id)
    return page(
        "desk/user.html",
        status=refusal.status if refusal else 200,
        shell=await frame(
            request, actor, "users", refusal=refusal if not isinstance(refusal, Invalid) else None
        ),
        user=fresh,
        grants=(await queries.grants_of([user.id]))[user.id],
        logins=await queries.logins_of(fresh, actor=actor),
        sessions=await queries.sessions_of(fresh, actor=actor, now=now),
        factor=factor if factor is not None and factor.confirmed_at is not None else None,
        now=now,
        form=reading.refused(request, refusal) if refusal else reading.blank(),
        units=await granting.units(actor.centre_id),
        roles=_role_options(),
        role_names=doors.ROLE_NAMES,
        is_self=actor.kind == "user" and actor.id == user.id,
        may_manage=may(actor, Permission.USER_MANAGE),
    )


def _role_options() -> list[tuple[str, str]]:
    return [(str(role), name) for role, name in doors.ROLE_NAMES.items()]
