"""Headers of every answer, cookies of every login, and no change by another site's page.

The routes are the router's own; a form is sent by somebody who may send it, and one thing is wrong with it.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from typing import Any

import aiohttp
import pytest
from msgspec import Struct

from livehub.accounts.models import Role
from livehub.accounts.permissions import RIGHTS
from livehub.web import doors, headers, login
from tests.web.phones import hidden
from tests.web.tenancy.people import Comer
from tests.web.tenancy.test_tenants import contents
from tests.web.tenancy.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

MACHINES_OWN = {"/hooks/<platform:str>/<endpoint_key:str>"}  # signed, and no browser's
ALL = {**headers.HEADERS, "Referrer-Policy": None, "Cache-Control": None}
FILLED = {
    "slug": "slug",
    "platform": "standard_webhooks",
    "endpoint_key": "nobody",
    "version": "v",
    "name": "app.css",
}


class Form(Struct, frozen=True):
    """One POST route of pages, and somebody who may use it."""

    path: str
    who: Comer
    body: dict[str, Any]


def filled(town: Town, path: str) -> str:
    """Any route's address with something in it."""
    if path.startswith(("/c", "/s", "/hooks", "/static", "/feeds")):
        known = {
            **FILLED,
            "slug": town.ours["slug"],
            "token": "nothing",
            "broadcast": town.ours["broadcasts"],
            "lesson": town.ours["lesson_id"],
            "code": "nothing",
            "centre_id": "nothing",
        }
        parts = [re.match(r"\w+", part[1:])[0] if part.startswith("<") else "" for part in path.split("/")]
        return "/".join(
            known[name] if name else part for name, part in zip(parts, path.split("/"), strict=True)
        )
    return town.named(path)


async def newcomer(town: Town) -> Comer:
    """A device on which a streamer's link was opened."""
    nobody = town.crowd.nobody()
    await nobody.ask("GET", f"/s/{town.ours['link_token']}")
    cookies = {"__Host-streamer-link": town.ours["link_token"]}
    return Comer(name="newcomer", http=nobody.http, cookies=cookies, csrf=forms_of(cookies))


def forms_of(cookies: dict[str, str]) -> str:
    from livehub.accounts import forms  # noqa: PLC0415 -- one use

    return forms.form_token(next(iter(cookies.values())))


async def forms(town: Town) -> list[Form]:
    """Every form of the router with somebody who may send it, and what it holds."""
    crowd, found = town.crowd, []
    phones = {
        "claimant": await crowd.claimant("13911119999", centre=town.office.house.centre),
        "streamer": await crowd.streamer(town.office.house.streamer),
        "streamer-link": await newcomer(town),
    }
    for route in town.office.site.app.router.routes:
        path, policy = f"/{route.path}", getattr(route.handler, doors.POLICY, None)
        if (
            "POST" not in route.methods
            or path in MACHINES_OWN
            or path.startswith("/api/")
            or path in {"/login", "/login/code"}
        ):
            continue
        if isinstance(policy, str):
            found.append(Form(filled(town, path), phones[policy], {"phone": "13911119999"}))
            continue
        _, permissions = policy
        who = next(
            each for each in town.colleagues if not permissions or RIGHTS[each.role] & set(permissions)
        )
        found.append(Form(town.named(path), who, town.body(path) if "<" in path else {}))
    assert len(found) > 25
    return found


@asynccontextmanager
async def sent(form: Form, data: Any, **more: str) -> AsyncIterator[aiohttp.ClientResponse]:
    cookie = "; ".join(f"{name}={value}" for name, value in form.who.cookies.items())
    request = form.who.http.post(
        form.path, data=data, headers={"Cookie": cookie, **more}, allow_redirects=False
    )
    async with request as answer:
        yield answer


async def test_a_form_from_elsewhere_or_without_its_token_changes_nothing(town: Town) -> None:
    every = await forms(town)
    before, let_in = await contents(), []
    other = town.stranger("manager elsewhere")
    for form in every:
        good = {**form.body, "csrf": form.who.csrf}
        text = "&".join(f"{name}={value}" for name, value in good.items())
        wrong: list[tuple[str, Any, dict[str, str]]] = [
            ("cross-site", good, {"Sec-Fetch-Site": "cross-site"}),
            ("a sub-domain's", good, {"Sec-Fetch-Site": "same-site"}),
            ("another origin", good, {"Origin": "https://evil.example"}),
            ("no origin at all", good, {"Origin": "null"}),
            ("no token", form.body, {}),
            ("an empty token", {**form.body, "csrf": ""}, {}),
            ("another session's token", {**form.body, "csrf": other.csrf}, {}),
            ("the session's own text", {**form.body, "csrf": next(iter(form.who.cookies.values()))}, {}),
            ("plain text", text, {"Content-Type": "text/plain"}),
            ("JSON", "{}", {"Content-Type": "application/json"}),
        ]
        for name, data, more in wrong:
            async with sent(form, data, **more) as answer:
                if answer.status != 403:
                    let_in.append((form.path, name, answer.status))
    assert not let_in, "\n".join(map(str, let_in))
    assert await contents() == before


async def test_the_login_form_is_guarded_alike(town: Town) -> None:
    nobody = town.crowd.nobody()
    shown = await nobody.ask("GET", "/login")
    gate = SimpleCookie(shown.headers["Set-Cookie"])[login.GATE].value
    who = Comer(name="", http=nobody.http, cookies={login.GATE: gate}, csrf=hidden(shown.body, "csrf"))
    given = {"account": "somebody", "password": "wrong-password", "csrf": who.csrf}
    answers = {}
    for name, data, more in (
        ("cross-site", given, {"Sec-Fetch-Site": "cross-site"}),
        ("no token", {**given, "csrf": ""}, {}),
        ("text", "account=somebody&password=x", {"Content-Type": "text/plain"}),
        ("ours", given, {"Sec-Fetch-Site": "same-origin"}),
    ):
        async with sent(Form("/login", who, {}), data, **more) as answer:
            answers[name] = answer.status
    assert answers == {"cross-site": 403, "no token": 403, "text": 422, "ours": 401}


async def test_calls_by_a_logins_cookie_need_the_token_in_a_header_and_json(town: Town) -> None:
    before, let_in = await contents(), []
    other = town.stranger("manager elsewhere")
    for route in town.office.site.app.router.routes:
        path, policy = f"/{route.path}", getattr(route.handler, doors.POLICY, None)
        if "POST" not in route.methods or not path.startswith("/api/"):
            continue
        who = next(each for each in town.colleagues if RIGHTS[each.role] & set(policy[1]))
        form = Form(town.named(path), who, town.body(path) if "<" in path else {})
        for name, more, expected in (
            ("no token", {}, 403),
            ("another's token", {"X-CSRF-Token": other.csrf}, 403),
            ("cross-site", {"X-CSRF-Token": who.csrf, "Sec-Fetch-Site": "cross-site"}, 403),
            ("another origin", {"X-CSRF-Token": who.csrf, "Origin": "https://evil.example"}, 403),
            ("text", {"X-CSRF-Token": who.csrf, "Content-Type": "text/plain", "Idempotency-Key": "k"}, 415),
            ("a form", {"X-CSRF-Token": who.csrf, "Content-Type": "application/x-www-form-urlencoded",
                        "Idempotency-Key": "k"}, 415),
        ):  # fmt: skip
            async with sent(form, '{"x": 1}', **{"Content-Type": "application/json", **more}) as answer:
                if answer.status != expected:
                    let_in.append((path, name, answer.status))
    assert not let_in, "\n".join(map(str, let_in))
    assert await contents() == before


async def test_looking_changes_nothing(town: Town) -> None:
    before = await contents()
    for who in town.colleagues:
        for path in town.routes("GET"):
            if path.endswith("/events"):
                continue
            answer = await who.ask("GET", town.named(path))
            assert answer.status < 500, (who.name, path)
    after = await contents()
    assert {name for name in after if after[name] != before[name]} == set()


def every_address(town: Town) -> Iterator[tuple[str, str]]:
    for route in town.office.site.app.router.routes:
        for method in sorted(route.methods):
            yield method, filled(town, f"/{route.path}")


async def test_every_answer_carries_the_headers_and_every_cookie_is_the_hosts_own(town: Town) -> None:
    visitors = [
        town.crowd.nobody(),
        next(each for each in town.colleagues if each.role is Role.MANAGER),
        town.stranger("streamer next door"),
        town.stranger("claimant"),
    ]
    bare, loose, kinds = [], [], set()
    asked = [(method, path, 0) for method, path in every_address(town)]
    asked += [(method, path, 0) for path in ("/desk/", "/c/nothing", "/api/v1/rooms", "/login") for method in
              ("DELETE", "PUT", "PATCH", "OPTIONS")]  # fmt: skip
    asked += [
        ("GET", path, {})
        for path in ("/nothing", "/api/v1/nothing", "/static/x/y.js", "/wall", "/%00", "/s//")
    ]
    asked += [("POST", path, 1024 * 1024 + 1) for path in ("/login", "/api/v1/bookings", "/hooks/a/b")]
    for who in visitors:
        cookie = "; ".join(f"{name}={value}" for name, value in who.cookies.items())
        for method, path, size in asked:
            more: dict[str, Any] = {"data": io.BytesIO(b"x" * size)} if size else {}
            request = who.http.request(
                method, path, headers={"Cookie": cookie}, allow_redirects=False, **more
            )
            async with request as answer:
                kinds.add(answer.status)
                untold = f"{path}/".startswith(("/s/", "/c/"))
                expected = {**headers.HEADERS, "Referrer-Policy": "no-referrer" if untold else "same-origin"}
                given = {name: answer.headers.get(name) for name in expected}
                caching = answer.headers.get("Cache-Control", "")
                is_file = path.startswith(("/static/", "/favicon")) and answer.status == 200
                if given != expected or (caching != "no-store") != is_file or "Server" in answer.headers:
                    bare.append((method, path, answer.status, given, caching))
                cookies = answer.headers.getall("Set-Cookie", [])
                loose += [(path, text) for text in cookies if not is_strict(text)]
    assert not bare, "\n".join(map(str, bare[:20]))
    assert loose == []
    assert {200, 303, 401, 403, 404, 405, 413} <= kinds


def is_strict(text: str) -> bool:
    """Whether a Set-Cookie can be read by no script, sent by no other site's form, set by no sub-domain."""
    ((name, morsel),) = SimpleCookie(text).items()
    return bool(
        name.startswith("__Host-")
        and morsel["secure"]
        and morsel["httponly"]
        and morsel["samesite"] == "Lax"
        and morsel["path"] == "/"
        and not morsel["domain"]
    )


async def test_what_cannot_be_served_or_read_carries_the_headers_too(town: Town) -> None:
    """A full queue's 503, and bytes that are no request at all."""
    site = town.office.site
    cashier = next(each for each in town.colleagues if each.role is Role.MERCHANT)
    await site.app.ctx.redeem_desk.stop()
    try:
        call = {"code": town.ours["code"], "order_fen": 20_000, "phone_tail": "7789"}
        refused = await cashier.ask("POST", "/api/v1/redemptions", body=call)
    finally:
        site.app.ctx.redeem_desk.start()
    assert refused.status == 503
    assert refused.headers["Retry-After"]
    assert {name: refused.headers.get(name) for name in headers.HEADERS} == headers.HEADERS

    for raw in (
        b"NONSENSE\r\n\r\n",
        b"GET /login HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nx" * 2000,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.url.port)
        writer.write(raw)
        got = await asyncio.wait_for(reader.read(), 15)
        writer.close()
        assert b" 500 " not in got.partition(b"\r\n")[0]
        assert b"Traceback" not in got
        if got:
            assert b"content-security-policy" in got.lower(), got[:300]
