"""/account 我的账号, at every door: one's own password, open logins, and the second factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub import database
from livehub.accounts import devices, factor_codes, logins, queries, second_factor, totp, users
from livehub.accounts.actors import Actor
from livehub.accounts.errors import WeakPassword, WrongCode, WrongLogin
from livehub.accounts.models import User
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError
from livehub.web import doors, reading
from livehub.web.reading import Form
from livehub.web.rendering import page

bp = Blueprint("account", url_prefix="/account")

ISSUER = "直播消费促进中心"
_DONE = {
    "password-changed": "密码已更改，其他设备上的登录已结束",
    "login-ended": "已结束这个登录",
    "logins-ended": "已结束其他设备上的登录",
    "second-factor-off": "动态码已停用，登录只要密码",
}


class Code(Struct):
    """A code of the authenticator, or a recovery code where one will do."""

    totp: Annotated[str, Meta(min_length=1, max_length=32, extra={"expected": "动态码"})]


class Ending(Struct):
    """Which login; 0: all but this one."""

    login: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


@bp.get("/")
@doors.signed_in()
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """What is hers."""
    return await _account(request, actor)


@bp.get("/password")
@doors.signed_in(first=True)
async def ask_password(request: Request, actor: Actor) -> HTTPResponse:
    """The form for a new password."""
    return _password(request, actor, form=reading.blank())


@bp.post("/password")
@doors.signed_in(first=True)
async def change_password(request: Request, actor: Actor) -> HTTPResponse:
    """A new password for the old one; every other login ends."""
    old, new, again = (reading.field_text(request, name) for name in ("old", "password", "again"))
    try:
        missing = [Detail(name, "请填写") for name, text in (("old", old), ("password", new)) if not text]
        if new != again:
            missing.append(Detail("again", "两次输入的新密码不一样"))
        if missing:
            raise Invalid(details=missing)
        await users.change_password(
            await User.get(id=actor.id),
            new,
            old=old,
            actor=actor,
            now=clock.now(),
            device=request.cookies.get(doors.DEVICE) or "",
            keep=doors.session_token(request),
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        if isinstance(error, WrongLogin):
            form = Form(errors={"old": "原密码不正确"}, message="原密码不正确。")
        if isinstance(error, WeakPassword):
            form = Form(errors={"password": error.message}, message="请换一个密码。")
        status = 422 if isinstance(error, WrongLogin) else error.status
        return _password(request, actor, form=form, status=status, retry_after=error.retry_after)
    return redirect("/account?done=password-changed", status=303)


@bp.post("/logins/end")
@doors.signed_in()
async def end_logins(request: Request, actor: Actor) -> HTTPResponse:
    """End one of her logins, or all others."""
    wanted, now = reading.form(request, Ending), clock.now()
    token = doors.session_token(request)
    if wanted.login:
        await logins.end_one(wanted.login, actor=actor, now=now)
        return redirect("/account?done=login-ended", status=303)
    await database.unit(lambda: logins.log_out_everywhere(actor.id, actor=actor, now=now, but=token))
    return redirect("/account?done=logins-ended", status=303)


@bp.post("/second-factor")
@doors.signed_in(freshly=True)
async def begin(_: Request, actor: Actor) -> HTTPResponse:
    """Make a secret, and go where it is shown."""
    await second_factor.begin(actor, now=clock.now())
    return redirect("/account/second-factor/confirm", status=303)


@bp.get("/second-factor/confirm")
@doors.signed_in(freshly=True)
async def show_secret(request: Request, actor: Actor) -> HTTPResponse:
    """The secret as a QR code, until a first code has proved it."""
    return await _enrolment(request, actor, form=reading.blank())


@bp.post("/second-factor/confirm")
@doors.signed_in(freshly=True)
async def confirm(request: Request, actor: Actor) -> HTTPResponse:
    """Switch it on by a first code; the recovery codes are in the answer and nowhere else."""
    user = await User.get(id=actor.id)
    try:
        code = reading.form(request, Code).totp
        now = clock.now()
        codes = await second_factor.confirm(user, code, actor=actor, now=now)
    except (Invalid, WrongCode) as error:
        return await _enrolment(request, actor, form=reading.refused(request, error), status=error.status)
    answer = _codes(request, actor, codes)
    doors.set_cookie(answer, doors.DEVICE, devices.mark(user.login, now=now), seconds=devices.SECONDS)
    return answer


@bp.post("/second-factor/off")
@doors.signed_in(freshly=True)
async def switch_off(request: Request, actor: Actor) -> HTTPResponse:
    """Take it away, for a code."""
    user, now = await User.get(id=actor.id), clock.now()
    device = request.cookies.get(doors.DEVICE) or ""
    try:
        code = reading.form(request, Code).totp
        await second_factor.switch_off(user, code, actor=actor, device=device, now=now)
    except LivehubError as error:
        return await _account(request, actor, refusal=doors.shown(request, error))
    return redirect("/account?done=second-factor-off", status=303)


@bp.post("/second-factor/codes")
@doors.signed_in(freshly=True)
async def renew_codes(request: Request, actor: Actor) -> HTTPResponse:
    """New recovery codes, for a code."""
    user, now = await User.get(id=actor.id), clock.now()
    device = request.cookies.get(doors.DEVICE) or ""
    try:
        code = reading.form(request, Code).totp
        codes = await second_factor.renew_codes(user, code, actor=actor, device=device, now=now)
    except LivehubError as error:
        return await _account(request, actor, refusal=doors.shown(request, error))
    return _codes(request, actor, codes)


async def _account(request: Request, actor: Actor, *, refusal: LivehubError | None = None) -> HTTPResponse:
    now, user = clock.now(), await User.get(id=actor.id)
    factor = await factor_codes.of(user.id)
    answer = page(
        "account/account.html",
        status=refusal.status if refusal else 200,
        **_frame(request, actor),
        user=user,
        now=now,
        flash=_DONE.get(str(request.args.get("done", "")), ""),
        form=reading.refused(request, refusal) if refusal else reading.blank(),
        sessions=await queries.sessions_of(user, actor=actor, now=now, token=doors.session_token(request)),
        logins=await queries.logins_of(user, actor=actor),
        factor=factor if factor is not None and factor.confirmed_at is not None else None,
        codes_left=await factor_codes.codes_left(user.id),
    )
    return _waiting(answer, refusal.retry_after if refusal else None)


def _password(
    request: Request, actor: Actor, *, form: Form, status: int = 200, retry_after: int | None = None
) -> HTTPResponse:
    answer = page(
        "account/password.html",
        status=status,
        **_frame(request, actor),
        form=form,
        is_first=actor.must_change,
    )
    return _waiting(answer, retry_after)


async def _enrolment(request: Request, actor: Actor, *, form: Form, status: int = 200) -> HTTPResponse:
    factor = await factor_codes.of(actor.id)
    if factor is None or factor.confirmed_at is not None:
        return redirect("/account", status=303)
    user, secret = await User.get(id=actor.id), factor_codes.secret_of(factor)
    return page(
        "account/second_factor.html",
        status=status,
        **_frame(request, actor),
        form=form,
        uri=totp.uri(secret, login=user.login, issuer=ISSUER),
        secret=totp.shown(secret),
    )


def _codes(request: Request, actor: Actor, codes: Sequence[str]) -> HTTPResponse:
    return page("account/codes.html", **_frame(request, actor), codes=codes)


def _frame(request: Request, actor: Actor) -> dict[str, Any]:
    return {"csrf": doors.csrf(request), "who": actor.name, "home": doors.home_of(actor)}


def _waiting(answer: HTTPResponse, retry_after: int | None) -> HTTPResponse:
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer
