"""The staff's front door: log in, with a code where there is a second factor, log out, and the way home."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub import database
from livehub.accounts import devices, forms, logins, queries
from livehub.accounts.actors import Actor
from livehub.accounts.errors import ChallengeOver, CodeNeeded
from livehub.kit import clock, ids
from livehub.kit.errors import Detail, Invalid, LivehubError
from livehub.web import doors, reading
from livehub.web.reading import Form
from livehub.web.rendering import page

bp = Blueprint("login")

GATE = "__Host-gate"  # random, and what the login form's hidden token is made of
GATE_SECONDS = 3600
CHALLENGE = "__Host-challenge"  # that the password was right, while the code is looked up
CHALLENGE_SECONDS = int(logins.CHALLENGE.total_seconds())
SESSION_SECONDS = int(logins.ABSOLUTE.total_seconds())


class Credentials(Struct):
    """What the login form sends, apart from the password, whose spaces count."""

    account: Annotated[str, Meta(min_length=1, max_length=64)]
    next: Annotated[str, Meta(max_length=500)] = ""


class Code(Struct):
    """What the second form sends."""

    totp: Annotated[str, Meta(min_length=1, max_length=32)]
    next: Annotated[str, Meta(max_length=500)] = ""


@bp.get("/")
@doors.public
async def home(request: Request) -> HTTPResponse:
    """Everybody's own start."""
    actor = await _whoever(request)
    return redirect(doors.home_of(actor) if actor else "/login", status=303)


@bp.get("/login")
@doors.public
async def show(request: Request) -> HTTPResponse:
    """The form; who is logged in already goes on."""
    wanted = local_path(str(request.args.get("next", "")))
    actor = await _whoever(request)
    if actor is not None and "again" not in request.args:
        return redirect(wanted or doors.home_of(actor), status=303)
    return await _form(request, reading.blank(), wanted=wanted)


@bp.post("/login")
@doors.public
async def enter(request: Request) -> HTTPResponse:
    """Name and password become a session's cookie; a refusal keeps what was typed but the password."""
    try:
        return await _enter(request)
    except LivehubError as error:
        wanted = local_path(reading.typed(request).get("next", ""))
        return await _form(request, reading.refused(request, error), wanted=wanted, refusal=error)


@bp.post("/login/code")
@doors.public
async def enter_code(request: Request) -> HTTPResponse:
    """The second step: a code of the authenticator, or a recovery code."""
    try:
        return await _enter_code(request)
    except ChallengeOver as error:
        return await _form(request, reading.refused(request, error), wanted="", refusal=error)
    except LivehubError as error:
        wanted = local_path(reading.typed(request).get("next", ""))
        return _code_form(request, reading.refused(request, error), wanted=wanted, refusal=error)


@bp.post("/logout")
@doors.signed_in(first=True)
async def leave(request: Request, actor: Actor) -> HTTPResponse:
    """End this session, here and in the database."""
    await logins.log_out(request.cookies.get(doors.SESSION) or "", actor=actor, now=clock.now())
    answer = redirect("/login", status=303)
    doors.drop_cookie(answer, doors.SESSION)
    return answer


@bp.post("/logout/everywhere")
@doors.signed_in(first=True)
async def leave_everywhere(_request: Request, actor: Actor) -> HTTPResponse:
    """End this login and every other one of the same person: a lost phone, a desk left open."""
    now = clock.now()
    await database.unit(lambda: logins.log_out_everywhere(actor.id, actor=actor, now=now))
    answer = redirect("/login", status=303)
    doors.drop_cookie(answer, doors.SESSION)
    return answer


def local_path(text: str) -> str:
    """The path if it is one of our own pages; empty for other hosts, schemes and the login itself."""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
        return ""
    parts = urlsplit(text)
    if (
        parts.scheme
        or parts.netloc
        or parts.path in {"/login", "/login/code", "/logout", "/logout/everywhere"}
    ):
        return ""
    return text


async def _enter(request: Request) -> HTTPResponse:
    now = clock.now()
    doors.require_same_site(request)
    given = reading.form(request, Credentials)
    forms.check_form_token(request.cookies.get(GATE) or "", given=reading.field_text(request, "csrf"))
    password = reading.field_text(request, "password")
    if not password:
        raise Invalid(details=[Detail("password", "请填写")])
    wanted = local_path(given.next)
    try:
        token, _ = await logins.log_in(given.account, password, now=now, **_browser(request))
    except CodeNeeded as needed:
        answer = _code_form(request, reading.blank(), wanted=wanted)
        doors.set_cookie(answer, CHALLENGE, needed.challenge, seconds=CHALLENGE_SECONDS)
        return answer
    return await _let_in(token, login=logins.canonical(given.account), wanted=wanted, now=now)


async def _enter_code(request: Request) -> HTTPResponse:
    now = clock.now()
    doors.require_same_site(request)
    given = reading.form(request, Code)
    forms.check_form_token(request.cookies.get(GATE) or "", given=reading.field_text(request, "csrf"))
    challenge = request.cookies.get(CHALLENGE) or ""
    token, _, login = await logins.enter_code(challenge, given.totp, now=now, **_browser(request))
    answer = await _let_in(token, login=login, wanted=local_path(given.next), now=now)
    doors.drop_cookie(answer, CHALLENGE)
    return answer


async def _let_in(token: str, *, login: str, wanted: str, now: datetime) -> HTTPResponse:
    actor = await logins.actor_of(token, now=now)
    answer = redirect(wanted or (doors.home_of(actor) if actor else "/"), status=303)
    doors.set_cookie(answer, doors.SESSION, token, seconds=SESSION_SECONDS)
    doors.set_cookie(answer, doors.DEVICE, devices.mark(login, now=now), seconds=devices.SECONDS)
    doors.drop_cookie(answer, GATE)
    return answer


def _browser(request: Request) -> dict[str, str]:
    return {
        "agent": request.headers.get("user-agent", ""),
        "device": request.cookies.get(doors.DEVICE) or "",
        **doors.where(request),
    }


def _code_form(
    request: Request, form: Form, *, wanted: str, refusal: LivehubError | None = None
) -> HTTPResponse:
    """The form for a code; a browser without the gate's cookie cannot have come through the first one."""
    gate = request.cookies.get(GATE) or ""
    answer = page(
        "login_code.html",
        status=refusal.status if refusal else 200,
        form=form,
        csrf=forms.form_token(gate),
        next=wanted,
    )
    if refusal is not None and refusal.retry_after is not None:
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


async def _form(
    request: Request, form: Form, *, wanted: str, refusal: LivehubError | None = None
) -> HTTPResponse:
    gate = request.cookies.get(GATE) or ids.token(nbytes=16)
    centres = await queries.centres()
    answer = page(
        "login.html",
        status=refusal.status if refusal else 200,
        form=form,
        csrf=forms.form_token(gate),
        next=wanted,
        place="、".join(centre.name for centre in centres[:2]),
    )
    doors.set_cookie(answer, GATE, gate, seconds=GATE_SECONDS)
    if refusal is not None and refusal.retry_after is not None:
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


async def _whoever(request: Request) -> Actor | None:
    token = request.cookies.get(doors.SESSION)
    return await logins.actor_of(token, now=clock.now()) if token else None
