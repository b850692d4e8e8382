"""The consumer's door: everybody may come; one cookie makes the forms' token, another says whose phone it is.

Web-views of other apps may ignore SameSite, so a form without the token is refused whatever sent it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any

import msgspec
from msgspec import Struct
from sanic import Request, Sanic
from sanic.response import HTTPResponse

from livehub.accounts import forms
from livehub.kit import clock, ids
from livehub.kit.group_read import GroupRead
from livehub.vouchers import identity
from livehub.vouchers.identity import ClaimantRef
from livehub.web import doors

CLAIMANT = "__Host-claimant"
VISITOR = "__Host-visitor"
SECONDS = int(identity.SESSION_TTL.total_seconds())
_SAFE = frozenset({"GET", "HEAD"})

Handler = Callable[..., Awaitable[HTTPResponse]]


class Visitor(Struct, frozen=True, kw_only=True):
    """Who holds the phone: perhaps somebody whose number was verified here before."""

    mark: str
    claimant: ClaimantRef | None = None
    token: str = ""

    @property
    def csrf(self) -> str:
        """The hidden token of this visitor's forms."""
        return forms.form_token(self.mark)

    def of(self, centre_id: int) -> ClaimantRef | None:
        """The claimant, where she is one of this centre."""
        known = self.claimant
        return known if known is not None and known.centre_id == centre_id else None

    def now_known(self, claimant: ClaimantRef) -> Visitor:
        """The same visitor, now that it is known who she is."""
        return msgspec.structs.replace(self, claimant=claimant)


def visitor(handler: Handler) -> Handler:
    """A page of the consumer's phone; the handler gets ``(request, visitor, **path)``."""

    @wraps(handler)
    async def known(request: Request, visitor: Visitor, **path: Any) -> HTTPResponse:
        return await handler(request, await recognised(request, visitor), **path)

    return unasked(known)


def unasked(handler: Handler) -> Handler:
    """The same, for a handler that asks itself whose the cookie is: its visitor has no claimant yet."""

    @wraps(handler)
    async def entered(request: Request, **path: Any) -> HTTPResponse:
        mark = _cookie(request, VISITOR)
        if request.method not in _SAFE:
            doors.require_same_site(request)
            forms.check_form_token(mark, given=str(request.form.get("csrf") or "") if request.form else "")
        fresh = "" if mark else ids.token()
        stranger = Visitor(mark=mark or fresh, token=_cookie(request, CLAIMANT))
        answer = await handler(request, stranger, **path)
        if fresh:
            doors.set_cookie(answer, VISITOR, fresh, seconds=SECONDS)
        return answer

    setattr(entered, doors.POLICY, "claimant")
    return entered


async def recognised(request: Request, visitor: Visitor) -> Visitor:
    """The visitor with her claimant, where the cookie is somebody's."""
    if not visitor.token:
        return visitor
    claimants: GroupRead[str, ClaimantRef] = request.app.ctx.claimants
    claimant = await claimants.get(visitor.token)
    return visitor.now_known(claimant) if claimant is not None else visitor


def remember(answer: HTTPResponse, session: identity.Session | None) -> HTTPResponse:
    """The answer, with the cookie of a session that was just opened."""
    if session is not None:
        doors.set_cookie(answer, CLAIMANT, session.token, seconds=SECONDS)
    return answer


def open_door(app: Sanic[Any, Any]) -> None:
    """Look up cookies with one question for all that come at a time."""

    async def fetch(tokens: Sequence[str]) -> dict[str, ClaimantRef]:
        return await identity.claimants_of(tokens, now=clock.now())

    app.ctx.claimants = GroupRead(fetch)


def _cookie(request: Request, name: str) -> str:
    """The cookie of exactly this name; Sanic's own look-up tries it with two prefixes first."""
    values = dict.get(request.cookies, name)
    return values[0] if values else ""
