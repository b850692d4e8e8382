"""Who comes to the doors: everybody of every role, with a cookie or a token, and what they may send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from msgspec import Struct

from livehub import database
from livehub.accounts import forms, logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Centre, Role
from livehub.kit import clock
from livehub.vouchers import identity
from livehub.web import doors
from livehub.web.claim import door as claim_door
from livehub.web.streamer import door as streamer_door
from streamers import links
from streamers.models import Streamer
from tests.factories.accounts import PASSWORD, a_user, an_actor
from tests.site import Site
from tests.web.api.callers import a_token


class Answer(Struct, frozen=True):
    """What came back."""

    status: int
    body: str
    headers: Mapping[str, str]  # whatever the case of their names


class Comer(Struct, kw_only=True):
    """Somebody at a door: with cookies and the hidden token that goes with them, or with a bearer's token."""

    name: str
    http: aiohttp.ClientSession
    role: Role | None = None
    centre_id: int = 0
    cookies: dict[str, str] = {}
    csrf: str = ""
    bearer: str = ""
    actor: tuple[str, int] = ("", 0)  # as the audit trail knows her

    @property
    def is_known(self) -> bool:
        """Whether a refusal can be laid at somebody's door."""
        return self.actor != ("", 0)

    def comes_to(self, path: str) -> bool:
        """Machines have no business at the pages."""
        return path.startswith("/api/") or not self.bearer

    async def ask(self, method: str, path: str, *, body: dict[str, Any] | None = None, **more: Any) -> Answer:
        """One request as this person's browser or program sends it; no redirect is followed."""
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if self.bearer:
            headers = {"Authorization": f"Bearer {self.bearer}"}
        if method in ("POST", "PUT"):
            is_call = path.startswith("/api/")
            given = body or {}
            headers |= {"X-CSRF-Token": self.csrf, "Idempotency-Key": "k1"} if is_call else {}
            more |= {"json": given} if is_call else {"data": {"csrf": self.csrf, **given}}
        request = self.http.request(method, path, headers=headers, allow_redirects=False, **more)
        async with request as answer:
            return Answer(answer.status, await answer.text(errors="replace"), answer.headers)


class Crowd:
    """Makes people; close it when they have gone."""

    def __init__(self, site: Site) -> None:
        self._http = aiohttp.ClientSession(
            base_url=site.url,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=20),  # a stream that opened to a stranger never ends
        )

    async def close(self) -> None:
        await self._http.close()

    def nobody(self) -> Comer:
        """Without any cookie."""
        return Comer(name="nobody", http=self._http)

    async def user(
        self, role: Role, *, centre: Centre, bureau_id: int = 0, merchant_id: int = 0, where: str = ""
    ) -> Comer:
        """Somebody who logged in."""
        user = await a_user(Grant(role, bureau_id, merchant_id), centre=centre, name=f"{role}{where}")
        token, _ = await logins.log_in(
            user.login, PASSWORD, ip="198.51.100.7", agent="tests", now=clock.now()
        )
        return Comer(
            name=f"{role}{where}",
            http=self._http,
            role=role,
            centre_id=centre.id,
            cookies={doors.SESSION: token},
            csrf=forms.form_token(token),
            actor=("user", user.id),
        )

    async def program(
        self, role: Role, *, centre: Centre, bureau_id: int = 0, merchant_id: int = 0, where: str = ""
    ) -> Comer:
        """A machine with a token."""
        plain = await a_token(role, centre_id=centre.id, bureau_id=bureau_id, merchant_id=merchant_id)
        row = await database.fetch_one("SELECT max(id) AS id FROM api_token")
        return Comer(
            name=f"{role}'s machine{where}",
            http=self._http,
            role=role,
            centre_id=centre.id,
            bearer=plain,
            actor=("token", row["id"] if row else 0),
        )

    async def claimant(self, phone: str, *, centre: Centre, where: str = "") -> Comer:
        """Somebody whose phone was verified on this browser."""
        ref = await identity.enter(phone, centre_id=centre.id, now=clock.now())
        session = await database.unit(
            lambda: identity._open_session(phone, centre_id=centre.id, now=clock.now())
        )
        assert session.claimant.id == ref.id
        return Comer(
            name=f"claimant{where}",
            http=self._http,
            centre_id=centre.id,
            cookies={claim_door.CLAIMANT: session.token, claim_door.VISITOR: f"v{ref.id}"},
            csrf=forms.form_token(f"v{ref.id}"),
        )

    async def streamer(self, streamer: Streamer, *, where: str = "") -> Comer:
        """A streamer on the device of her link."""
        staff = an_actor(Role.STAFF, centre_id=streamer.centre_id)
        issued = await links.issue(streamer.public_id, actor=staff, now=clock.now())
        opened = await links.open_link(issued.token, device_token=None, now=clock.now())
        return Comer(
            name=f"streamer{where}",
            http=self._http,
            centre_id=streamer.centre_id,
            cookies={streamer_door.DEVICE: opened.device_token},
            csrf=forms.form_token(opened.device_token),
            actor=("streamer", streamer.id),
        )
