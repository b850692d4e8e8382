"""Who may come through which door: every route declares its policy here, and none has another way in.

Staff come with a session's cookie, machines with a token, streamers and claimants with cookies of their own
(their doors are in streamer/ and claim/), everybody with ``public``. A form carries a hidden token, which
is checked with the request's origin before the handler runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

import structlog
from sanic import Request, Sanic
from sanic.response import HTTPResponse

from livehub.accounts import forms, logins, refusals, tokens
from livehub.accounts.actors import Actor
from livehub.accounts.errors import PasswordChangeNeeded
from livehub.accounts.models import Role
from livehub.accounts.permissions import Permission, may, require
from livehub.database import DatabaseUnavailable, reserved
from livehub.kit import clock
from livehub.kit.errors import Forbidden, LivehubError, Unavailable
from livehub.kit.group_read import GroupRead
from livehub.web.shell import Shell

# (request, **path) as Sanic calls it; (request, actor, **path) as we write it.
Handler = Callable[..., Awaitable[HTTPResponse | None]]
Refusal = TypeVar("Refusal", bound=LivehubError)

log = structlog.get_logger(__name__)

SESSION = "__Host-session"
DEVICE = "__Host-device"
POLICY, FRESHLY = "__policy__", "__freshly__"  # what tests read from every route's handler
STREAMS = "__streams__"  # a handler that receives its body itself

ROLE_NAMES = {
    Role.BUREAU: "主管部门",
    Role.STAFF: "中心运营",
    Role.MANAGER: "中心负责人",
    Role.FINANCE: "财务",
    Role.AUDITOR: "审计",
    Role.MERCHANT: "商户",
    Role.ADMIN: "系统管理员",
}
UPLOAD_SECONDS = 180  # for a file to arrive
_FORM_BYTES = 64 * 1024  # of a form around its file
_DESK = "/desk"  # where it is seen what is wrong
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class SignInNeeded(LivehubError):
    """请先登录。"""

    code, status = "SIGN_IN_NEEDED", 401


class SignInAgain(LivehubError):
    """为了资金和数据安全，这一步需要您重新登录后再做。"""

    code, status = "SIGN_IN_AGAIN", 401


class TokenNeeded(LivehubError):
    """请求须携带有效的访问令牌（Authorization: Bearer …）。"""

    code, status = "TOKEN_NEEDED", 401


class CrossSite(Forbidden):
    """请求来自其他网站，已拒绝。"""

    code = "CROSS_SITE"


def public(handler: Handler) -> Handler:
    """Anybody may come; said out loud, so that a route without a policy is a mistake."""
    setattr(handler, POLICY, "public")
    return handler


def signed_in(
    *permissions: Permission, freshly: bool = False, first: bool = False
) -> Callable[[Handler], Handler]:
    """A page of a login that holds any of the permissions; a form's token is checked on the way in.

    ``freshly``: money and exports want a password that was typed a short while ago. ``first``: also who
    has not got a password of her own yet may come.
    """

    def declare(handler: Handler) -> Handler:
        @wraps(handler)
        async def entered(request: Request, **path: Any) -> HTTPResponse | None:
            actor = await actor_of_session(request, first=first)
            async with noting(actor, request):
                _require_any(actor, permissions)
                if request.method not in _SAFE:
                    require_same_site(request)
                    _require_form_token(request)
                if freshly:
                    await _require_fresh(request)
                with reserved() if request.path.startswith(_DESK) else nullcontext():
                    return await handler(request, actor, **path)

        setattr(entered, POLICY, ("session", permissions))
        setattr(entered, FRESHLY, freshly)
        return entered

    return declare


def uploading(*permissions: Permission) -> Callable[[Handler], Handler]:
    """A form with a large file: its body is received once it is known who sends it, one at a time.

    The route must be declared with ``stream=True``, else the body comes first.
    """

    def declare(handler: Handler) -> Handler:
        @wraps(handler)
        async def entered(request: Request, **path: Any) -> HTTPResponse | None:
            actor = await actor_of_session(request)
            async with noting(actor, request):
                _require_any(actor, permissions)
                require_same_site(request)
                if request.app.ctx.uploads.locked():
                    raise Unavailable("另一个文件正在上传，请稍后再试。")
                async with request.app.ctx.uploads:
                    await _receive(request)
                    _require_form_token(request)
                    with reserved():
                        return await handler(request, actor, **path)

        setattr(entered, POLICY, ("session", permissions))
        setattr(entered, FRESHLY, False)
        setattr(entered, STREAMS, True)
        return entered

    return declare


async def _receive(request: Request) -> None:
    """The whole body of an upload; Sanic answers 413 when it is larger than statements may be."""
    stream: Any = request.stream
    connection: Any = request.protocol  # ours: livehub.connections.Connection
    stream.request_max_size = request.app.ctx.settings.statement_limit + _FORM_BYTES
    connection.grant(UPLOAD_SECONDS)
    await request.receive_body()  # type: ignore[no-untyped-call]  # Sanic's


def machine(*permissions: Permission, freshly: bool = False) -> Callable[[Handler], Handler]:
    """A call of /api: a bearer token, or a login's cookie with the form token in ``X-CSRF-Token``."""

    def declare(handler: Handler) -> Handler:
        @wraps(handler)
        async def entered(request: Request, **path: Any) -> HTTPResponse | None:
            actor = await actor_of_call(request, now=clock.now())
            async with noting(actor, request):
                _require_any(actor, permissions)
                if freshly and actor.kind == "user":  # a token has no password
                    await _require_fresh(request)
                return await handler(request, actor, **path)

        setattr(entered, POLICY, ("machine", permissions))
        setattr(entered, FRESHLY, freshly)
        return entered

    return declare


class noting:  # noqa: N801 -- used like a function
    """Audit what is refused for want of a right, also where an object is said not to exist."""

    __slots__ = ("_actor", "_request")

    def __init__(self, actor: Actor, request: Request) -> None:
        self._actor = actor
        self._request = request

    async def __aenter__(self) -> None:
        """Nothing yet."""

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Note what became the answer, or what a page showed itself."""
        if isinstance(error, LivehubError):
            await _note(error, self._actor, self._request)
        elif error is None:
            for refusal in getattr(self._request.ctx, "shown", ()):
                await _note(refusal, self._actor, self._request)


def shown(request: Request, error: Refusal) -> Refusal:
    """A refusal that a page shows itself: it is audited like one that becomes the answer."""
    request.ctx.shown = [*getattr(request.ctx, "shown", ()), error]
    return error


async def _note(error: LivehubError, actor: Actor, request: Request) -> None:
    asked = f"{request.method} {request.uri_template or request.path}"
    try:
        await refusals.note(error, actor=actor, asked=asked, named=request.match_info, now=clock.now())
    except DatabaseUnavailable:
        log.warning("refusal_not_noted", code=error.code)


def still_in(request: Request, permission: Permission) -> Callable[[], Awaitable[bool]]:
    """Whether the login that opened a stream goes on, and may still see it; an outage ends nothing."""

    async def ask() -> bool:
        try:
            return may(await actor_of_session(request), permission)
        except (SignInNeeded, PasswordChangeNeeded):
            return False
        except DatabaseUnavailable:
            return True

    return ask


def install(app: Sanic[Any, Any]) -> None:
    """Look up sessions with one question for all that come at a time."""

    async def fetch(tokens: Sequence[str]) -> dict[str, Actor]:
        return await logins.actors_of(tokens, now=clock.now())

    app.ctx.sessions = GroupRead(fetch)
    app.ctx.uploads = asyncio.Lock()


def session_token(request: Request) -> str:
    """The login's cookie, empty when there is none; Sanic looks for three names each time it is asked."""
    sent = dict.get(request.cookies, SESSION)
    return sent[0] if sent else ""


async def actor_of_session(request: Request, *, first: bool = False) -> Actor:
    """Who is logged in; SignInNeeded when nobody is, PasswordChangeNeeded but for what is ``first``."""
    token = session_token(request)
    sessions: GroupRead[str, Actor] = request.app.ctx.sessions
    actor = await sessions.get(token) if token else None
    if actor is None:
        raise SignInNeeded
    if actor.must_change and not first:
        raise PasswordChangeNeeded
    return logins.at_place(actor, **where(request))


async def actor_of_call(request: Request, *, now: datetime) -> Actor:
    """Who calls the API; TokenNeeded when nobody does."""
    bearer = request.token
    if bearer:
        actor = await tokens.actor_of_token(bearer, now=now, **where(request))
        if actor is None:
            raise TokenNeeded
        return actor
    if not session_token(request):
        raise TokenNeeded
    actor = await actor_of_session(request)
    if request.method not in _SAFE:
        require_same_site(request)
        _check(request.headers.get("x-csrf-token", ""), request)
    return actor


def require_same_site(request: Request) -> None:
    """Refuse what another site's page sent: by Sec-Fetch-Site where the browser says it, else by Origin."""
    fetched = request.headers.get("sec-fetch-site")
    if fetched in {"same-origin", "none"}:
        return
    origin = request.headers.get("origin")
    if fetched is not None or (origin is not None and urlsplit(origin).netloc != request.host):
        raise CrossSite


def csrf(request: Request) -> str:
    """The hidden token of this session's forms."""
    return forms.form_token(session_token(request))


def shell(
    request: Request, actor: Actor, *, door: str, current: str, place: str = "", flash: str = ""
) -> Shell:
    """The frame of a staff page."""
    roles = "、".join(dict.fromkeys(ROLE_NAMES[grant.role] for grant in actor.grants))
    return Shell(
        door=door,
        current=current,
        who=actor.name,
        role=roles,
        csrf=csrf(request),
        place=place,
        flash=flash,
    )


def set_cookie(response: HTTPResponse, name: str, value: str, *, seconds: int) -> None:
    """A ``__Host-`` cookie: only this host and no script can read it. Browsers take it on loopback too."""
    response.add_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Lax")


def drop_cookie(response: HTTPResponse, name: str) -> None:
    """Take a cookie back."""
    set_cookie(response, name, "", seconds=0)


def home_of(actor: Actor) -> str:
    """The door somebody comes for."""
    if actor.has(Role.BUREAU):
        return "/bureau"
    if actor.has(Role.MERCHANT):
        return "/m"
    return "/desk"


def where(request: Request) -> dict[str, str]:
    """Where a request came from, as every Actor carries it."""
    return {"ip": _forwarded(request) or request.ip, "request_id": str(request.id)}


def _forwarded(request: Request) -> str:
    """The address a trusted proxy tells; without one nobody is asked: Sanic reads the headers each time."""
    config = request.app.config
    if not (config["PROXIES_COUNT"] or config["REAL_IP_HEADER"] or config["FORWARDED_SECRET"]):
        return ""  # by their keys: as attributes of Sanic's configuration they cost ten times as much
    return _plain(request.remote_addr)


def _plain(address: str) -> str:
    """The address alone: Sanic puts brackets around IPv6, and some proxies say the port too."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _require_any(actor: Actor, permissions: tuple[Permission, ...]) -> None:
    for each in permissions:
        if may(actor, each):
            return
    if permissions:
        require(actor, permissions[0])


async def _require_fresh(request: Request) -> None:
    if not await logins.is_fresh(session_token(request), now=clock.now()):
        raise SignInAgain


def _require_form_token(request: Request) -> None:
    _check(str(request.form.get("csrf") or "") if request.form else "", request)


def _check(given: str, request: Request) -> None:
    forms.check_form_token(session_token(request), given=given)
