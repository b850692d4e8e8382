"""A second factor: a code opens once, whoever else holds it; an administrator takes it away, not her own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub.accounts import devices, factor_codes, logins, second_factor, totp, users
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.errors import (
    ChallengeOver,
    CodeNeeded,
    LastAdmin,
    OwnAccount,
    PermissionMissing,
    SecondFactorOn,
    TooManyLogins,
    WrongCode,
)
from livehub.accounts.models import AuditEntry, RecoveryCode, Role, SecondFactor, User
from tests.factories.accounts import NOW, PASSWORD, a_centre, a_user, an_actor


def herself(user: User) -> Actor:
    return an_actor(Role.STAFF, centre_id=user.centre_id, user_id=user.id)


async def enrolled(user: User) -> tuple[bytes, list[str]]:
    """A factor that is on since a minute ago."""
    before = NOW - timedelta(minutes=1)
    await second_factor.begin(herself(user), now=before)
    secret = factor_codes.secret_of(await SecondFactor.get(user_id=user.id))
    code = totp.code_at(secret, totp.step_of(before))
    return secret, await second_factor.confirm(user, code, actor=herself(user), now=before)


async def challenge(user: User) -> str:
    with pytest.raises(CodeNeeded) as needed:
        await logins.log_in(user.login, PASSWORD, ip="", agent="", now=NOW)
    return needed.value.challenge


async def test_a_code_opens_once(db):
    user = await a_user()
    secret, _ = await enrolled(user)
    given, code = await challenge(user), totp.code_at(secret, totp.step_of(NOW))

    token, _, login = await logins.enter_code(given, code, ip="", agent="", now=NOW)
    with pytest.raises(WrongCode):
        await logins.enter_code(given, code, ip="", agent="", now=NOW)
    with pytest.raises(WrongCode):  # nor one that is older than the last
        await logins.enter_code(given, totp.code_at(secret, totp.step_of(NOW) - 1), ip="", agent="", now=NOW)

    assert (login, (await logins.actor_of(token, now=NOW)).id) == (user.login, user.id)


async def test_the_secret_and_the_codes_lie_nowhere_in_the_clear(db):
    user = await a_user()
    secret, codes = await enrolled(user)

    stored = bytes((await SecondFactor.get(user_id=user.id)).secret_sealed)
    hashes = {bytes(row.code_hash) for row in await RecoveryCode.all()}
    details = " ".join([row.detail for row in await AuditEntry.all()])

    assert (secret in stored, len(hashes)) == (False, 10)
    assert [code for code in codes if code in details or code.replace("-", "").encode() in hashes] == []


async def test_a_challenge_ends_with_time_and_with_the_password(db):
    user = await a_user()
    secret, _ = await enrolled(user)
    given = await challenge(user)
    late = NOW + logins.CHALLENGE

    for wrong, now in ((given, late), (given[:-1] + "x", NOW), ("", NOW), ("a.b.c", NOW), ("\udcff", NOW)):
        with pytest.raises(ChallengeOver):
            await logins.enter_code(wrong, totp.code_at(secret, totp.step_of(now)), ip="", agent="", now=now)
    admin = an_actor(Role.ADMIN, centre_id=user.centre_id)
    await users.set_password(user, "Another-password-7", actor=admin, now=NOW)
    with pytest.raises(ChallengeOver):
        await logins.enter_code(given, totp.code_at(secret, totp.step_of(NOW)), ip="", agent="", now=NOW)


async def test_one_that_is_on_is_not_begun_anew(db):
    user = await a_user()
    await enrolled(user)

    with pytest.raises(SecondFactorOn):
        await second_factor.begin(herself(user), now=NOW)
    with pytest.raises(SecondFactorOn):
        await second_factor.confirm(user, "123456", actor=herself(user), now=NOW)


async def test_browsers_that_were_known_before_it_guess_as_one(db):
    user = await a_user()
    earlier = [devices.mark(user.login, now=NOW - timedelta(minutes=2 + n)) for n in range(30)]
    secret, _ = await enrolled(user)
    wrong = "000000" if totp.code_at(secret, totp.step_of(NOW)) != "000000" else "000001"

    async def tried(device: str) -> type[Exception] | None:
        try:
            await logins.enter_code(given, wrong, ip="", agent="", device=device, now=NOW)
        except (WrongCode, TooManyLogins) as error:
            return type(error)

    given = await challenge(user)
    said = [await tried(each) for each in earlier]
    later = await tried(devices.mark(user.login, now=NOW))

    assert said == [WrongCode] * 20 + [TooManyLogins] * 10
    assert later is WrongCode


async def test_an_administrator_resets_it_and_not_her_own(db):
    user = await a_user()
    await enrolled(user)
    admin = an_actor(Role.ADMIN, centre_id=user.centre_id)

    with pytest.raises(PermissionMissing):
        await second_factor.reset(
            user, reason="x", actor=an_actor(Role.MANAGER, centre_id=user.centre_id), now=NOW
        )
    with pytest.raises(OwnAccount):
        own = an_actor(Role.ADMIN, centre_id=user.centre_id, user_id=user.id)
        await second_factor.reset(user, reason="x", actor=own, now=NOW)
    await second_factor.reset(user, reason="手机遗失", actor=admin, now=NOW)
    await second_factor.reset(user, reason="again", actor=admin, now=NOW)

    assert await AuditEntry.filter(action="user.second_factor_reset").count() == 1
    assert (await logins.log_in(user.login, PASSWORD, ip="", agent="", now=NOW))[0]


async def test_the_last_administrator_stays_one(db):
    centre = await a_centre()
    last = await a_user(Grant(Role.ADMIN), Grant(Role.STAFF), centre=centre)
    await a_user(Grant(Role.ADMIN), centre=centre, active=False)
    await a_user(Grant(Role.ADMIN))
    other = an_actor(Role.ADMIN, centre_id=centre.id)

    with pytest.raises(LastAdmin):
        await users.deactivate(last, actor=other, now=NOW)
    with pytest.raises(LastAdmin):
        await users.withdraw_role(last, Grant(Role.ADMIN), actor=other, now=NOW)
    await users.withdraw_role(last, Grant(Role.STAFF), actor=other, now=NOW)
    await a_user(Grant(Role.ADMIN), centre=centre)
    await users.withdraw_role(last, Grant(Role.ADMIN), actor=other, now=NOW)
