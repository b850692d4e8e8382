"""Passwords: what is refused, what is stored, and how long a wrong one takes."""

import asyncio
import time

import pytest
from argon2 import PasswordHasher

from livehub.accounts import passwords
from livehub.accounts.errors import WeakPassword
from tests.factories.accounts import PASSWORD


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short-1",
        "aaaaaaaaaaaaaa",
        "1234567890",
        "password1234",
        "Password123456789",
        "zhangsan2026",
        "x" * 129,
    ],
)
def test_weak_passwords_are_refused(password):
    with pytest.raises(WeakPassword):
        passwords.ensure_strong(password, login="zhangsan")


@pytest.mark.parametrize("password", [PASSWORD, "沙虫和海鸭蛋都很好吃啊", "correct horse battery"])
def test_sensible_passwords_are_taken(password):
    passwords.ensure_strong(password, login="zhangsan")


async def test_a_hash_opens_for_its_password_only():
    stored = await passwords.hash_password("沙虫２０２６-Beihai")

    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "沙虫2026-Beihai"), "full-width digits are the same digits"
    assert not await passwords.verify(stored, "沙虫2026-beihai")
    assert not await passwords.verify("not a hash", PASSWORD)
    assert not await passwords.verify(None, PASSWORD)
    assert not await passwords.verify(None, "nobody has this password")
    assert not await passwords.verify(stored, "\ud800" * 20)


async def test_only_the_first_characters_do_not_suffice():
    stored = await passwords.hash_password("x" * passwords.MAX_LENGTH)

    assert not await passwords.verify(stored, "x" * (passwords.MAX_LENGTH + 1))


async def test_an_unknown_user_takes_as_long_as_a_wrong_password():
    stored = await passwords.hash_password(PASSWORD)
    await passwords.verify(None, "warm")

    async def taken(password_hash):
        start = time.perf_counter()
        await passwords.verify(password_hash, "wrong password")
        return time.perf_counter() - start

    pairs = [(await taken(None), await taken(stored)) for _ in range(15)]  # side by side: alike disturbed
    unknown, wrong = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)

    assert 0.5 < unknown / wrong < 2
    assert unknown > 0.005, "no hash was computed"


async def test_old_parameters_are_renewed_and_present_ones_kept():
    old = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)

    renewed = await passwords.renewed(old, PASSWORD)

    assert renewed != old
    assert await passwords.verify(renewed, PASSWORD)
    assert await passwords.renewed(renewed, PASSWORD) == renewed


async def test_a_rush_is_told_to_come_back_and_not_queued_without_end():
    stored = await passwords.hash_password(PASSWORD)

    answers = await asyncio.gather(
        *(passwords.verify(stored, PASSWORD) for _ in range(passwords.WAITING_LIMIT + 20)),
        return_exceptions=True,
    )

    refused = [each for each in answers if isinstance(each, passwords.TooManyPasswords)]
    assert 1 <= len(refused) <= 20
    assert all(each is True for each in answers if not isinstance(each, Exception))
    assert refused[0].status == 503
    assert refused[0].retry_after
