"""The streamer's door: her link leaves a cookie on one device; another device has to show it is hers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import wraps
from typing import Any

import msgspec
from sanic import Request
from sanic.response import HTTPResponse

from livehub.accounts import forms
from livehub.database import DatabaseUnavailable
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.web import doors
from streamers import links

DEVICE = "__Host-streamer"
LINK = "__Host-streamer-link"  # the link's own token, while a device waits to be let in
LINK_SECONDS = 15 * 60
_SAFE = frozenset({"GET", "HEAD"})

Handler = Callable[..., Awaitable[HTTPResponse | None]]  # None: it sent its answer as a stream


class LinkNeeded(LivehubError):
    """请用中心发给您的链接打开这个页面。"""

    code, status = "STREAMER_LINK_NEEDED", 401


def streamer(handler: Handler) -> Handler:
    """A page of the streamer whose device this is; the handler gets ``(request, actor, **path)``."""

    @wraps(handler)
    async def entered(request: Request, **path: Any) -> HTTPResponse | None:
        token = request.cookies.get(DEVICE) or ""
        actor = await links.actor_of_device(token, now=clock.now()) if token else None
        if actor is None:
            raise LinkNeeded
        actor = msgspec.structs.replace(actor, **doors.where(request))
        async with doors.noting(actor, request):
            _require_own_form(request, token)
            return await handler(request, actor, **path)

    setattr(entered, doors.POLICY, "streamer")
    return entered


def still_hers(request: Request) -> Callable[[], Awaitable[bool]]:
    """Whether this device is still the one of her link; an outage ends nothing."""

    async def ask() -> bool:
        try:
            return await links.actor_of_device(request.cookies.get(DEVICE) or "", now=clock.now()) is not None
        except DatabaseUnavailable:
            return True

    return ask


def newcomer(handler: Handler) -> Handler:
    """A page of a device that asks to be let in; the handler gets ``(request, link's token, **path)``."""

    @wraps(handler)
    async def entered(request: Request, **path: Any) -> HTTPResponse | None:
        token = request.cookies.get(LINK) or ""
        if not token:
            raise LinkNeeded
        _require_own_form(request, token)
        return await handler(request, token, **path)

    setattr(entered, doors.POLICY, "streamer-link")
    return entered


def csrf(request: Request, *, cookie: str = DEVICE) -> str:
    """The hidden token of this device's forms."""
    return forms.form_token(request.cookies.get(cookie) or "")


def let_in(answer: HTTPResponse, opened: links.Opened, *, now: datetime) -> HTTPResponse:
    """The answer, with the cookie that makes this device hers for as long as the link lives."""
    seconds = int((opened.expires_at - now).total_seconds())
    doors.set_cookie(answer, DEVICE, opened.device_token, seconds=seconds)
    return answer


def _require_own_form(request: Request, token: str) -> None:
    if request.method in _SAFE:
        return
    doors.require_same_site(request)
    forms.check_form_token(token, given=str(request.form.get("csrf") or "") if request.form else "")
