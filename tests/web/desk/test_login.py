"""The front door: a password becomes a cookie, and nobody is sent where a stranger's link wants her."""

from __future__ import annotations

import pytest

from livehub.accounts import forms, logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import AuditEntry, Role, Session
from livehub.kit import clock
from livehub.web import doors
from livehub.web.login import local_path
from tests.factories.accounts import PASSWORD, a_bureau, a_centre, a_user
from tests.site import Site
from tests.web.phones import hidden, visible


async def enter(
    site: Site, login: str, password: str = PASSWORD, **fields: str
) -> tuple[int, str, str, object]:
    """Open the form and send it."""
    page = await site.text("/login?again=1")
    given = {"account": login, "password": password, "csrf": hidden(page, "csrf"), **fields}
    async with site.post("/login", data=given) as answer:
        return answer.status, await answer.text(), answer.headers.get("Location", ""), answer.cookies


async def test_a_password_opens_the_desk_and_logging_out_closes_it(client: Site) -> None:
    user = await a_user(Grant(Role.MANAGER), centre=await a_centre())

    status, _, where, cookies = await enter(client, f" {user.login.upper()} ")
    desk = await client.text("/desk")
    async with client.post("/logout", data={"csrf": hidden(desk, "csrf")}) as answer:
        left = (answer.status, answer.headers["Location"])

    assert (status, where) == (303, "/desk")
    for name in ("__Host-session", "__Host-device"):
        flags = cookies[name]
        assert (flags["secure"], flags["httponly"], flags["path"], flags["samesite"]) == (
            True,
            True,
            "/",
            "Lax",
        )
    assert "中心负责人" in visible(desk)
    assert left == (303, "/login")
    assert await Session.all().count() == 0
    async with client.get("/desk") as answer:
        assert answer.headers["Location"] == "/login?next=/desk"


@pytest.mark.parametrize(
    ("role", "home"),
    [(Role.BUREAU, "/bureau"), (Role.FINANCE, "/desk"), (Role.AUDITOR, "/desk"), (Role.ADMIN, "/desk")],
)
async def test_everybody_comes_home(client: Site, role: Role, home: str) -> None:
    centre = await a_centre()
    bureau = await a_bureau(centre)
    user = await a_user(Grant(role, bureau_id=bureau.id if role is Role.BUREAU else 0), centre=centre)

    status, _, where, _ = await enter(client, user.login)
    async with client.get("/") as answer:
        start = answer.headers["Location"]
    async with client.get("/login") as answer:
        again = (answer.status, answer.headers["Location"])

    assert (status, where, start, again) == (303, home, home, (303, home))


async def test_a_stranger_at_the_root_is_asked_to_log_in(client: Site) -> None:
    async with client.get("/") as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/login")


async def test_a_wrong_password_keeps_the_name_and_says_so(client: Site) -> None:
    user = await a_user(Grant(Role.STAFF), centre=await a_centre())

    status, body, _, _ = await enter(client, user.login, "not-her-password")
    unknown, other, _, _ = await enter(client, "nobody", "not-her-password")

    assert (status, unknown) == (401, 401)
    assert "账号或密码不正确。" in visible(body)
    assert f'value="{user.login}"' in body
    assert "not-her-password" not in body
    assert "账号或密码不正确。" in visible(other)
    assert await AuditEntry.filter(action="login.failed", result="refused").count() == 2


async def test_too_many_tries_wait(client: Site) -> None:
    user = await a_user(Grant(Role.STAFF), centre=await a_centre())
    for _ in range(10):
        await enter(client, user.login, "not-her-password")

    page = await client.text("/login")
    given = {"account": user.login, "password": PASSWORD, "csrf": hidden(page, "csrf")}
    async with client.post("/login", data=given) as answer:
        status, wait = answer.status, int(answer.headers["Retry-After"])

    assert status == 429
    assert 0 < wait <= 900


async def test_her_own_browser_is_let_in_while_a_stranger_guesses(client: Site) -> None:
    user = await a_user(Grant(Role.STAFF), centre=await a_centre())
    await enter(client, user.login)
    desk = await client.text("/desk")
    async with client.post("/logout", data={"csrf": hidden(desk, "csrf")}):
        pass
    async with client.browser() as stranger:
        for _ in range(12):
            page = await (await stranger.get("/login")).text()
            given = {"account": user.login, "password": "guess-guess", "csrf": hidden(page, "csrf")}
            async with stranger.post("/login", data=given, allow_redirects=False):
                pass

    status, _, _, _ = await enter(client, user.login)

    assert status == 303


async def test_the_form_of_another_site_is_refused(client: Site) -> None:
    user = await a_user(Grant(Role.STAFF), centre=await a_centre())
    page = await client.text("/login")
    given = {"account": user.login, "password": PASSWORD}

    for fields, headers in (
        (given, {}),
        ({**given, "csrf": "f" * 32}, {}),
        ({**given, "csrf": hidden(page, "csrf")}, {"Sec-Fetch-Site": "cross-site"}),
        ({**given, "csrf": hidden(page, "csrf")}, {"Origin": "https://evil.example"}),
    ):
        async with client.post("/login", data=fields, headers=headers) as answer:
            assert answer.status == 403
            assert "__Host-session" not in answer.cookies
    assert await Session.all().count() == 0


async def test_an_empty_form_says_what_is_missing(client: Site) -> None:
    status, body, _, _ = await enter(client, "", "")

    assert status == 422
    assert visible(body).count("请填写") >= 1


async def test_next_leads_on_inside_and_nowhere_else(client: Site) -> None:
    user = await a_user(Grant(Role.MANAGER), centre=await a_centre())

    _, _, inside, _ = await enter(client, user.login, next="/desk/sales?basis=G2")
    async with client.get("/login", params={"next": "//evil.example"}) as answer:
        outside = answer.headers["Location"]

    assert (inside, outside) == ("/desk/sales?basis=G2", "/desk")


@pytest.mark.parametrize(
    "text",
    [
        "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "desk", "",
        "/\tevil", "/login", "/login?next=/login", "/logout", " /desk",
    ],
)  # fmt: skip
def test_what_is_not_a_page_of_ours_is_no_next(text: str) -> None:
    assert local_path(text) == ""


def test_a_page_of_ours_is() -> None:
    assert local_path("/desk/orders/a/b%2Fc?x=1") == "/desk/orders/a/b%2Fc?x=1"


async def test_logging_out_everywhere_ends_every_login_of_this_person_only(client: Site) -> None:
    centre = await a_centre()
    mine, other = [await a_user(Grant(Role.MANAGER), centre=centre) for _ in range(2)]
    tokens = []
    for user in (mine, mine, other):
        token, _ = await logins.log_in(
            user.login, PASSWORD, ip="198.51.100.7", agent="tests", now=clock.now()
        )
        tokens.append(token)
    cookie, given = {"Cookie": f"{doors.SESSION}={tokens[0]}"}, {"csrf": forms.form_token(tokens[0])}
    async with client.post("/logout/everywhere", data=given, headers=cookie) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/login")

    found = [await logins.actor_of(token, now=clock.now()) for token in tokens]

    assert [actor.id if actor else None for actor in found] == [None, None, other.id]


async def test_money_and_exports_ask_for_the_password_anew_after_a_while(client: Site) -> None:
    centre = await a_centre()
    user = await a_user(Grant(Role.FINANCE), centre=centre)
    await enter(client, user.login)
    assert (await client.text("/desk/sales/export.csv")).startswith("\ufeff")
    await Session.all().update(created_at=clock.now() - logins.FRESH)

    async with client.get("/desk/sales/export.csv?by=shop") as answer:
        asked = answer.status, answer.headers["Location"]
    async with client.get(asked[1]) as answer:  # a form, although somebody is logged in
        assert answer.status == 200
    given = {"csrf": hidden(await client.text("/desk/"), "csrf"), "version": "1"}
    async with client.post("/desk/campaigns/xyz/countersign", data=given) as answer:
        sent = answer.status, answer.headers["Location"]
    async with client.post("/account/second-factor/off", data={**given, "totp": "1"}) as answer:
        deep = answer.headers["Location"]  # nothing stands at /account/second-factor
    await client.text("/desk/sales/")  # only looking goes on

    assert asked == (303, "/login?next=/desk/sales/export.csv%3Fby%3Dshop&again=1")
    assert sent == (303, "/login?next=/desk/campaigns/xyz&again=1")
    assert deep == "/login?next=/account&again=1"
    await enter(client, user.login)
    await client.text("/desk/sales/export.csv")
