"""The one place where an error becomes an answer: a page for people, JSON for machines."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote

import msgspec
import structlog
from sanic import Request, Sanic
from sanic.exceptions import SanicException
from sanic.response import HTTPResponse, redirect
from tortoise.exceptions import ValidationError

from livehub.accounts.errors import PasswordChangeNeeded
from livehub.database import errors as database_errors
from livehub.kit.errors import LivehubError, NotFound, TooLarge, Unavailable
from livehub.web.rendering import page

_MACHINES = ("/api/", "/open/", "/hooks/", "/feeds/", "/healthz", "/readyz", "/metrics")
_WITH_LOGIN = ("/desk", "/bureau", "/wall", "/m", "/account")
_PHONES = ("/c", "/s", "/m")
_UNKNOWN_FAULT = 500
Headers = dict[str, str]
_log = structlog.get_logger(__name__)


class BadRequest(LivehubError):
    """这个请求无法识别。"""

    code, status = "BAD_REQUEST", 400


class MethodNotAllowed(LivehubError):
    """这个地址不支持这种操作。"""

    code, status = "METHOD_NOT_ALLOWED", 405


class RequestTimedOut(LivehubError):
    """等待请求内容超时，请重试。"""

    code, status = "REQUEST_TIMEOUT", 408


class Fault(LivehubError):
    """系统出错了，我们已经记录下来。请稍后再试，或把下面的编号告诉管理员。"""

    code, status = "INTERNAL", 500


_OF_SANIC: dict[int, type[LivehubError]] = {
    404: NotFound,
    405: MethodNotAllowed,
    408: RequestTimedOut,
    413: TooLarge,
}


def install(app: Sanic[Any, Any]) -> None:
    """Answer every exception of every handler here."""
    app.exception(Exception)(answer)


async def answer(request: Request, error: Exception) -> HTTPResponse:
    """The page or JSON of an error; what we did not foresee is logged and told only by its number."""
    meant = _meaning(error)
    if meant.status >= _UNKNOWN_FAULT and not isinstance(meant, Unavailable):
        route = request.uri_template  # and not the path: addresses below /s/ are secrets
        _log.error("request.failed", route=route, exc_info=error)
    headers = _headers(error, meant)
    if meant.status == 405:
        headers.setdefault("Allow", ", ".join(_allowed(request, request.path)))
    if wants_json(request):
        return json_refusal(request, meant, headers)
    if meant.status == 401 and _below(request.path, _WITH_LOGIN):
        return redirect(_login_for(request, again=meant.code == "SIGN_IN_AGAIN"), status=303)
    if meant.code == PasswordChangeNeeded.code:
        return redirect("/account/password", status=303)
    return html_refusal(request, meant, headers)


def _login_for(request: Request, *, again: bool) -> str:
    """The login's address with the way back: to the page that was asked for, or the one a form stood on."""
    asked = f"{request.path}?{request.query_string}" if request.query_string else request.path
    if request.method != "GET":
        asked = _page_of(request) if again else ""
    query = [f"next={quote(asked, safe='/')}"] if asked else []
    query += ["again=1"] if again else []
    return "&".join(["/login?" + query[0], *query[1:]]) if query else "/login"


def _page_of(request: Request) -> str:
    """The nearest address above a form's own that is a page."""
    path = request.path
    while path := path.rpartition("/")[0]:
        if "GET" in _allowed(request, path):
            return path
    return ""


def wants_json(request: Request) -> bool:
    """Whether a machine asked: by its door, or because it accepts JSON and no page."""
    if request.path.startswith(_MACHINES):
        return True
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def json_refusal(request: Request, error: LivehubError, headers: Headers | None = None) -> HTTPResponse:
    """{code, message, details[]}, with the request's number for a fault of ours."""
    body: dict[str, object] = {"code": error.code, "message": error.message, "details": error.details}
    if error.data:
        body["data"] = error.data
    if error.status >= _UNKNOWN_FAULT:
        body["request_id"] = request.id
    return HTTPResponse(
        msgspec.json.encode(body), status=error.status, headers=headers, content_type="application/json"
    )


def html_refusal(request: Request, error: LivehubError, headers: Headers | None = None) -> HTTPResponse:
    """The error page of the visitor's door."""
    answered = page(
        "error.html",
        status=error.status,
        error_status=error.status,
        code=error.code,
        message=error.message,
        details=error.details,
        retry_after=error.retry_after,
        request_id=request.id,
        is_phone=_below(request.path, _PHONES),
        home=_home(request.path),
        again=request.path if request.method == "GET" else "",
    )
    answered.headers.update(headers or {})
    return answered


def _meaning(error: Exception) -> LivehubError:
    if isinstance(error, LivehubError):
        return error
    if isinstance(error, SanicException):
        return _of_sanic(error)
    if isinstance(error, UnicodeEncodeError):  # halves of letters: nothing of ours makes them
        return BadRequest()
    if isinstance(error, ValidationError):  # a name longer than any: Tortoise checks filters too
        return NotFound()
    seen: BaseException | None = error
    while seen is not None:  # an ORM wraps the driver's exception
        unavailable = database_errors.translate(seen)
        if unavailable is not None:
            return unavailable
        seen = seen.__cause__
    return Fault()


def _of_sanic(error: SanicException) -> LivehubError:
    status = error.status_code or _UNKNOWN_FAULT
    if status == 503:
        return Unavailable()
    if status >= _UNKNOWN_FAULT:
        return Fault()
    return _OF_SANIC.get(status, BadRequest)()


def _headers(error: Exception, meant: LivehubError) -> Headers:
    headers = {str(k): str(v) for k, v in getattr(error, "headers", {}).items()}
    if meant.retry_after is not None:
        headers["Retry-After"] = str(meant.retry_after)
    return headers


def _allowed(request: Request, path: str) -> list[str]:
    """What an address can do; Sanic does not know it of one with a name in it and several methods."""
    found = []
    for method in ("GET", "POST"):
        with suppress(SanicException):
            request.app.router.get(path, method, None)
            found.append(method)
    return found


def _below(path: str, doors: tuple[str, ...]) -> bool:
    return any(path == door or path.startswith(f"{door}/") for door in doors)


def _home(path: str) -> str:
    for door in ("/desk", "/bureau", "/m", "/s/"):
        if _below(path, (door.rstrip("/"),)):
            return door
    return "" if _below(path, ("/c",)) else "/"
