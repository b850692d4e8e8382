"""Logging in, staying in, and what wrong tries do to whom."""

import asyncio
import threading
from datetime import timedelta

import pytest

from livehub.accounts import devices, forms, logins, passwords, throttle, users
from livehub.accounts.actors import Grant, system
from livehub.accounts.errors import FormExpired, TooManyLogins, WrongLogin
from livehub.accounts.models import AuditEntry, Role, Session, User
from livehub.kit import limits, sealing
from tests.factories.accounts import NOW, PASSWORD, a_bureau, a_user

HERE, NEARBY, ELSEWHERE = "203.0.113.5", "203.0.113.77", "198.51.100.9"


async def log_in(login, password=PASSWORD, *, ip=HERE, now=NOW, device=""):
    return await logins.log_in(
        login, password, ip=ip, agent="Firefox", now=now, device=device, request_id="r1"
    )


async def fail(login, times, *, ip=HERE, now=NOW, device=""):
    for _ in range(times):
        with pytest.raises(WrongLogin):
            await log_in(login, "wrong password", ip=ip, now=now, device=device)


async def trail():
    rows = await AuditEntry.all().order_by("id")
    return [(row.action, row.result, row.actor_id, row.object_id) for row in rows]


async def test_a_login_becomes_an_actor_with_all_roles(db):
    bureau = await a_bureau()
    centre = await bureau.centre
    user = await a_user(Grant(Role.BUREAU, bureau.id), Grant(Role.FINANCE), centre=centre, login="zhang.san")

    token, session = await log_in("  Zhang.San ")
    actor = await logins.actor_of(token, now=NOW, ip=ELSEWHERE, request_id="r2")

    assert (actor.kind, actor.id, actor.name, actor.centre_id) == ("user", user.id, "张三", centre.id)
    assert actor.grants == (Grant(Role.BUREAU, bureau.id), Grant(Role.FINANCE))
    assert (actor.ip, actor.request_id) == (ELSEWHERE, "r2")
    assert len(token) == 43, "256 bits"
    assert session.token_hash == sealing.token_hash(token)
    assert (session.ip, session.agent, session.expires_at) == (HERE, "Firefox", NOW + logins.ABSOLUTE)
    assert await trail() == [("login.succeeded", "ok", user.id, user.public_id)]


async def test_a_user_without_roles_is_somebody_who_may_nothing(db):
    await a_user(login="li.si")

    token, _ = await log_in("li.si")

    assert (await logins.actor_of(token, now=NOW)).grants == ()


async def test_wrong_unknown_and_switched_off_look_the_same_and_are_audited(db):
    user = await a_user(login="zhangsan")
    gone = await a_user(login="gone", active=False)

    refusals = []
    for login, password in (
        ("zhangsan", "wrong"),
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
        ("张\x00三", PASSWORD),
    ):
        with pytest.raises(WrongLogin) as refused:
            await log_in(login, password)
        refusals.append((refused.value.status, refused.value.message, refused.value.data))

    assert len(set(map(str, refusals))) == 1
    assert await Session.all().count() == 0
    assert await trail() == [
        ("login.failed", "refused", 0, user.public_id),
        ("login.failed", "refused", 0, ""),
        ("login.failed", "refused", 0, gone.public_id),
        ("login.failed", "refused", 0, ""),
    ]


async def test_a_password_typed_as_login_is_not_written_down(db):
    with pytest.raises(WrongLogin):
        await log_in(PASSWORD, "x")

    entry = await AuditEntry.get()
    assert PASSWORD.lower() not in entry.detail.lower()
    assert PASSWORD not in str(vars(entry))


async def test_guessing_ends_and_the_owner_elsewhere_is_let_in(db):
    await a_user(login="zhangsan")
    await fail("zhangsan", throttle.PER_LOGIN_AND_NETWORK)

    with pytest.raises(TooManyLogins) as refused:
        await log_in("zhangsan", PASSWORD, ip=NEARBY)
    token, _ = await log_in("zhangsan", ip=ELSEWHERE)

    assert refused.value.status == 429
    assert 0 < refused.value.retry_after <= throttle.WINDOW_SECONDS
    assert await logins.actor_of(token, now=NOW)


async def test_the_owners_browser_is_let_in_from_the_very_network_of_the_guesser(db):
    await a_user(login="zhangsan")
    mark = devices.mark("zhangsan", now=NOW)
    await fail("zhangsan", throttle.PER_LOGIN_AND_NETWORK)
    with pytest.raises(TooManyLogins):
        await log_in("zhangsan")

    token, _ = await log_in("zhangsan", device=mark)

    assert token


async def test_an_address_that_tries_many_accounts_is_stopped_but_not_known_browsers_behind_it(db):
    await a_user(login="zhangsan")
    key = throttle._key("address", HERE)
    for _ in range(throttle.PER_ADDRESS.most - 1):
        await limits.hit(key, seconds=throttle.WINDOW_SECONDS, now=NOW)
    await fail("nobody", 1)

    with pytest.raises(TooManyLogins):
        await log_in("zhangsan")
    token, _ = await log_in("zhangsan", device=devices.mark("zhangsan", now=NOW))

    assert token


async def test_a_stolen_mark_guesses_no_faster(db):
    await a_user(login="zhangsan")
    mark = devices.mark("zhangsan", now=NOW)

    await fail("zhangsan", throttle.PER_DEVICE + throttle.PER_LOGIN_AND_NETWORK, device=mark)

    with pytest.raises(TooManyLogins):
        await log_in("zhangsan", device=mark)


async def test_a_mark_is_of_one_account_and_one_time():
    mark = devices.mark("zhangsan", now=NOW)

    assert devices.recognise(mark, login="zhangsan", now=NOW)
    assert not devices.recognise(mark, login="lisi", now=NOW)
    assert not devices.recognise(mark, login="zhangsan", now=NOW + devices.LIFETIME)
    for forged in ("", ".", "a.b.c", mark[:-1], mark.replace(".", ".9", 1)):
        assert not devices.recognise(forged, login="zhangsan", now=NOW)


async def test_right_passwords_use_nothing_up(db):
    await a_user(login="zhangsan")

    for _ in range(throttle.PER_LOGIN_AND_NETWORK + 3):
        await log_in("zhangsan")

    assert (await Session.all().count()) == throttle.PER_LOGIN_AND_NETWORK + 3


async def test_tries_at_the_same_moment_are_all_counted(db):
    await a_user(login="zhangsan")

    answers = await asyncio.gather(*(log_in("zhangsan", "wrong") for _ in range(25)), return_exceptions=True)

    assert [type(each) for each in answers].count(WrongLogin) == throttle.PER_LOGIN_AND_NETWORK
    assert [type(each) for each in answers].count(TooManyLogins) == 25 - throttle.PER_LOGIN_AND_NETWORK


async def test_a_storm_of_refused_tries_leaves_one_entry(db):
    await a_user(login="zhangsan")
    await fail("zhangsan", throttle.PER_LOGIN_AND_NETWORK)
    for _ in range(5):
        with pytest.raises(TooManyLogins):
            await log_in("zhangsan")

    assert [action for action, *_ in await trail()].count("login.throttled") == 1


async def test_waiting_helps(db):
    await a_user(login="zhangsan")
    await fail("zhangsan", throttle.PER_LOGIN_AND_NETWORK)

    token, _ = await log_in("zhangsan", now=NOW + timedelta(seconds=throttle.WINDOW_SECONDS))

    assert token


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("203.0.113.5", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.5", "203.0.113.0/24"),
        ("not an address", "not an address"),
    ],
)
def test_networks(ip, network):
    assert limits.network(ip) == network


async def test_a_session_ends_after_twelve_hours_of_use_or_two_of_rest(db):
    await a_user(login="zhangsan")
    token, _ = await log_in("zhangsan")
    step = logins.IDLE - timedelta(minutes=1)

    at = NOW
    while at + step < NOW + logins.ABSOLUTE:
        at += step
        assert await logins.actor_of(token, now=at), f"used all the time, {at}"
    assert await logins.actor_of(token, now=NOW + logins.ABSOLUTE - timedelta(milliseconds=1))
    assert await logins.actor_of(token, now=NOW + logins.ABSOLUTE) is None

    idle, _ = await log_in("zhangsan")
    assert await logins.actor_of(idle, now=NOW + logins.IDLE) is None


async def test_use_is_written_down_once_a_minute(db):
    await a_user(login="zhangsan")
    token, session = await log_in("zhangsan")

    seen = []
    for seconds in (30, 59, 60, 90, 125):
        await logins.actor_of(token, now=NOW + timedelta(seconds=seconds))
        seen.append((await Session.get(id=session.id)).seen_at - NOW)

    assert [each.total_seconds() for each in seen] == [0, 0, 60, 60, 125]


async def test_logging_out_ends_one_session_or_all(db):
    user = await a_user(login="zhangsan")
    first, _ = await log_in("zhangsan")
    second, _ = await log_in("zhangsan")
    third, _ = await log_in("zhangsan")
    actor = await logins.actor_of(first, now=NOW)

    await logins.log_out(first, actor=actor, now=NOW)
    await logins.log_out(first, actor=actor, now=NOW)
    left = [bool(await logins.actor_of(each, now=NOW)) for each in (first, second, third)]
    ended = await logins.log_out_everywhere(user.id, actor=actor, now=NOW)
    after = [bool(await logins.actor_of(each, now=NOW)) for each in (first, second, third)]

    assert (left, ended, after) == ([False, True, True], 2, [False, False, False])
    assert [action for action, *_ in await trail()][3:] == ["login.ended", "login.ended_everywhere"]


async def test_a_switched_off_account_is_out_at_once(db):
    user = await a_user(login="zhangsan")
    token, _ = await log_in("zhangsan")

    await users.deactivate(user, actor=system("test", centre_id=user.centre_id), now=NOW)

    assert await logins.actor_of(token, now=NOW) is None
    with pytest.raises(WrongLogin):
        await log_in("zhangsan")


async def test_a_session_of_a_switched_off_account_is_worth_nothing(db):
    user = await a_user(login="zhangsan")
    token, _ = await log_in("zhangsan")

    await User.filter(id=user.id).update(active=False)

    assert await logins.actor_of(token, now=NOW) is None


@pytest.mark.parametrize("change", [{"password_hash": "changed meanwhile"}, {"active": False}])
async def test_an_account_changed_during_the_check_opens_no_session(db, change):
    user = await a_user(login="zhangsan")
    go_on, both_busy = threading.Event(), threading.Barrier(3)
    for _ in range(2):
        passwords._THREADS.submit(lambda: both_busy.wait() >= 0 and go_on.wait())
    await asyncio.to_thread(both_busy.wait, 10)
    trying = asyncio.create_task(log_in("zhangsan"))
    while not passwords._THREADS._work_queue.qsize():  # noqa: ASYNC110 -- the pool tells nobody
        await asyncio.sleep(0.001)

    await User.filter(id=user.id).update(**change)
    go_on.set()

    with pytest.raises(WrongLogin):
        await trying
    assert await Session.all().count() == 0


async def test_expired_sessions_are_forgotten(db):
    await a_user(login="zhangsan")
    await log_in("zhangsan")
    token, _ = await log_in("zhangsan", now=NOW + timedelta(hours=1))

    assert await logins.forget_expired(now=NOW + logins.IDLE) == 1
    assert await logins.actor_of(token, now=NOW + logins.IDLE)


@pytest.mark.parametrize("token", ["", "x", "x" * 5000, "\x00", "汉"])
async def test_what_is_no_token_is_nobody(db, token):
    assert await logins.actor_of(token, now=NOW) is None


async def test_a_forms_token_is_of_one_login(db):
    token = forms.form_token("session one")

    forms.check_form_token("session one", given=token)
    for session, given in (
        ("session two", token),
        ("session one", ""),
        ("session one", "汉"),
        ("", forms.form_token("")),
    ):
        with pytest.raises(FormExpired):
            forms.check_form_token(session, given=given)
    assert "session one" not in token
