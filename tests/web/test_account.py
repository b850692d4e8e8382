"""我的账号: one's own password, open logins and second factor, at every door."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
import time_machine

from livehub.accounts import factor_codes, totp
from livehub.accounts.actors import Grant
from livehub.accounts.models import AuditEntry, Role, Session, User
from livehub.kit import clock
from tests.factories.accounts import PASSWORD, a_centre, a_user
from tests.factories.merchants import a_merchant
from tests.site import Site
from tests.web.desk.test_login import enter
from tests.web.phones import hidden, tap, visible

NEW = "Another-password-7"
MORNING = datetime(2026, 5, 20, 1, 0, 10, tzinfo=UTC)


@pytest.fixture
async def user(client: Site) -> AsyncIterator[User]:
    """A clerk who is logged in at the client's browser."""
    with time_machine.travel(MORNING, tick=False):
        made = await a_user(Grant(Role.STAFF), centre=await a_centre())
        assert (await enter(client, made.login))[0] == 303
        yield made


async def elsewhere(site: Site, user: User, password: str = PASSWORD) -> aiohttp.ClientSession:
    """Another browser that is logged in; close it."""
    browser = site.browser(headers={"User-Agent": "Mozilla/5.0 (iPhone) Safari"})
    page = await (await browser.get("/login")).text()
    given = {"account": user.login, "password": password, "csrf": hidden(page, "csrf")}
    async with browser.post("/login", data=given, allow_redirects=False) as answer:
        assert answer.status == 303
    return browser


async def test_a_new_password_ends_the_other_logins_and_not_this_one(client: Site, user: User) -> None:
    other = await elsewhere(client, user)
    page = await client.text("/account/password")

    answer = await tap(client, "/account/password", page=page, old=PASSWORD, password=NEW, again=NEW)

    assert (answer[0], answer[2]) == (303, "/account?done=password-changed")
    assert "其他设备上的登录已结束" in visible(await client.text("/account?done=password-changed"))
    async with other.get("/desk", allow_redirects=False) as answer:
        assert answer.status == 303
    await other.close()
    assert await Session.filter(user_id=user.id).count() == 1
    assert (await enter(client, user.login))[0] == 401
    assert (await enter(client, user.login, NEW))[0] == 303


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"old": "guess"}, "old"),
        ({"old": ""}, "old"),
        ({"password": "short"}, "password"),
        ({"password": ""}, "password"),
        ({"password": PASSWORD, "again": PASSWORD}, "password"),
        ({"again": "other"}, "again"),
    ],
)
async def test_a_refused_password_says_where_and_shows_none(
    client: Site, user: User, fields: dict[str, str], field: str
) -> None:
    page = await client.text("/account/password")
    given = {"old": PASSWORD, "password": NEW, "again": fields.get("password", NEW), **fields}

    status, body, _ = await tap(client, "/account/password", page=page, **given)

    assert (status, f'id="{field}-wrong"' in body) == (422, True), visible(body)
    assert [text for text in given.values() if text and f'value="{text}"' in body] == []
    assert (await User.get(id=user.id)).password_hash == user.password_hash


async def test_guessing_the_old_password_is_counted(client: Site, user: User) -> None:
    page = await client.text("/account/password")
    for _ in range(25):
        status, _, _ = await tap(client, "/account/password", page=page, old="guess", password=NEW, again=NEW)
        if status == 429:
            break

    assert status == 429
    assert (await tap(client, "/account/password", page=page, old=PASSWORD, password=NEW, again=NEW))[
        0
    ] == 429


async def test_a_login_is_ended_from_another_one(client: Site, user: User) -> None:
    first, second, third = [await elsewhere(client, user) for _ in range(3)]
    page = await client.text("/account")
    shown = visible(page)
    assert (shown.count("苹果手机"), "当前" in shown, "127.0.0.1" in shown) == (3, True, True)
    numbers = re.findall(r'name="login" value="(\d+)"', page)
    assert len(numbers) == 3

    stranger = await a_user(Grant(Role.STAFF))
    theirs = await elsewhere(client, stranger)
    row = await Session.get(user_id=stranger.id)
    await tap(client, "/account/logins/end", page=page, login=str(row.id))
    assert await Session.filter(user_id=stranger.id).count() == 1
    assert (await tap(client, "/account/logins/end", page=page, login=numbers[0]))[0] == 303
    assert await Session.filter(user_id=user.id).count() == 3
    assert (await tap(client, "/account/logins/end", page=page))[0] == 303

    assert await Session.filter(user_id=user.id).count() == 1
    await client.text("/account")
    for browser in (first, second, third, theirs):
        await browser.close()


async def enrolled(site: Site, user: User) -> tuple[bytes, list[str]]:
    """Switch the second factor on: the secret, and the recovery codes."""
    page = await site.text("/account")
    assert (await tap(site, "/account/second-factor", page=page))[2] == "/account/second-factor/confirm"
    page = await site.text("/account/second-factor/confirm")
    assert ("<svg" in page, "otpauth" in page) == (True, False)
    factor = await factor_codes.of(user.id)
    assert factor
    secret = factor_codes.secret_of(factor)
    assert totp.shown(secret) in page
    wrong = await tap(site, "/account/second-factor/confirm", page=page, totp="000000")
    assert (wrong[0], 'id="totp-wrong"' in wrong[1]) == (422, True)
    status, page, _ = await tap(site, "/account/second-factor/confirm", page=page, totp=now_code(secret))
    codes = re.findall(r"(?:\w{4}-){3}\w{4}", visible(page))
    assert (status, len(codes)) == (200, 10)
    return secret, codes


def now_code(secret: bytes, *, later: int = 0) -> str:
    return totp.code_at(secret, totp.step_of(clock.now()) + later)


async def test_a_code_is_asked_for_after_the_password_and_opens_once(client: Site, user: User) -> None:
    secret, _ = await enrolled(client, user)
    later = clock.now() + timedelta(seconds=30)

    status, page, _, _ = await enter(client, user.login)
    assert (status, "输入动态码" in visible(page)) == (200, True)
    used = await tap(client, "/login/code", page=page, totp=now_code(secret))
    assert (used[0], 'id="totp-wrong"' in used[1]) == (422, True)  # the enrolment used it up
    with time_machine.travel(later, tick=False):
        code = now_code(secret)
        status, _, where = await tap(
            client, "/login/code", page=page, totp=f" {code[:3]} {code[3:]} ", next="/desk/rooms"
        )
        again = await (await client.get("/login?again=1")).text()
        given = {"account": user.login, "password": PASSWORD, "csrf": hidden(again, "csrf")}
        async with client.post("/login", data=given) as answer:
            second = await answer.text()
        replayed = await tap(client, "/login/code", page=second, totp=code)

    assert (status, where) == (303, "/desk/rooms")
    assert replayed[0] == 422
    assert await AuditEntry.filter(action="login.code_failed", result="refused").count() == 2


async def test_a_recovery_code_opens_once(client: Site, user: User) -> None:
    _, codes = await enrolled(client, user)

    answers = []
    for _ in range(2):
        _, page, _, _ = await enter(client, user.login)
        answers.append((await tap(client, "/login/code", page=page, totp=codes[3].lower()))[0])

    assert answers == [303, 422]
    assert await factor_codes.codes_left(user.id) == 9
    assert await AuditEntry.filter(action="login.recovery_code_used").count() == 1


async def test_without_the_password_no_code_helps(client: Site, user: User) -> None:
    secret, _ = await enrolled(client, user)
    _, page, _, _ = await enter(client, user.login)
    async with client.browser() as stranger:
        other = await (await stranger.get("/login")).text()
        given = {"csrf": hidden(other, "csrf"), "totp": now_code(secret, later=1)}
        async with stranger.post("/login/code", data=given, allow_redirects=False) as answer:
            assert answer.status == 401
    with time_machine.travel(clock.now() + timedelta(minutes=6), tick=False):
        late = await tap(client, "/login/code", page=page, totp=now_code(secret))

    assert late[0] in (401, 422)  # the challenge's cookie has gone, or is too old
    assert "重新输入" in visible(late[1])


async def test_who_guesses_codes_is_stopped_and_her_own_browser_is_not(client: Site, user: User) -> None:
    secret, _ = await enrolled(client, user)
    async with client.browser() as thief:  # who knows the password
        page = await (await thief.get("/login")).text()
        given = {"account": user.login, "password": PASSWORD, "csrf": hidden(page, "csrf")}
        page = await (await thief.post("/login", data=given)).text()
        statuses = [
            (await tap(client, "/login/code", page=page, browser=thief, totp="123456"))[0] for _ in range(21)
        ]
        right = await tap(client, "/login/code", page=page, browser=thief, totp=now_code(secret, later=1))

    _, page, _, _ = await enter(client, user.login)
    own = await tap(client, "/login/code", page=page, totp=now_code(secret, later=1))

    assert (statuses, right[0], own[0]) == ([422] * 20 + [429], 429, 303)


async def test_it_is_taken_away_by_a_code_only(client: Site, user: User) -> None:
    _, codes = await enrolled(client, user)
    page = await client.text("/account")

    wrong = await tap(client, "/account/second-factor/off", page=page, totp="000000")
    right = await tap(client, "/account/second-factor/off", page=page, totp=codes[0])

    assert (wrong[0], 'id="totp-wrong"' in wrong[1], right[2]) == (
        422,
        True,
        "/account?done=second-factor-off",
    )
    assert (await enter(client, user.login))[0] == 303
    assert await factor_codes.codes_left(user.id) == 0


async def test_new_recovery_codes_end_the_older_ones(client: Site, user: User) -> None:
    secret, codes = await enrolled(client, user)
    page = await client.text("/account")

    status, shown, _ = await tap(
        client, "/account/second-factor/codes", page=page, totp=now_code(secret, later=1)
    )
    _, page, _, _ = await enter(client, user.login)
    old = await tap(client, "/login/code", page=page, totp=codes[0])

    assert (status, codes[0] in shown, old[0]) == (200, False, 422)


async def test_a_cashier_comes_from_the_till_and_goes_back(client: Site) -> None:
    centre = await a_centre()
    merchant = await a_merchant(centre)
    user = await a_user(Grant(Role.MERCHANT, merchant_id=merchant.id), centre=centre)
    await enter(client, user.login)

    till, page = await client.text("/m/"), await client.text("/account")

    assert ('href="/account"' in till, 'href="/m"' in page) == (True, True)
    async with client.browser() as nobody, nobody.get("/account", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/login?next=/account"
