"""Passwords: argon2id in threads of its own, two at a time, equally slow for unknown users."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from livehub.accounts.errors import WeakPassword
from livehub.kit import ids
from livehub.kit.errors import Detail, Unavailable

T = TypeVar("T")

MIN_LENGTH, MAX_LENGTH, MIN_DIFFERENT = 10, 128, 5
WAITING_LIMIT = 64  # more than that would wait for seconds: tell them to come back

# OWASP's second choice: 19 MiB and two rounds, about 50 ms; two threads use 38 MiB at most.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
_COMMON = (
    *("password", "passw0rd", "p@ssw0rd", "qwertyuiop", "123456", "987654", "666666", "888888"),
    *("abcdefghij", "administrator", "iloveyou", "woaini", "1qaz2wsx", "qazwsxedc", "asdfghjkl", "livehub"),
)


class TooManyPasswords(Unavailable):
    """现在登录的人太多了，请几秒后再试。"""

    code = "TOO_MANY_PASSWORDS"


def ensure_strong(password: str, *, login: str) -> None:
    """Raise WeakPassword unless the password is long enough and not one that is tried first."""
    lowered = password.lower()
    rest = lowered
    for word in (login.lower(), *_COMMON):
        rest = rest.replace(word, "") if len(word) >= 3 else rest
    long_enough = MIN_LENGTH <= len(password) <= MAX_LENGTH
    if not long_enough or len(set(lowered)) < MIN_DIFFERENT or len(rest) < MIN_LENGTH // 2:
        raise WeakPassword(
            details=[Detail("password", "不符合要求", f"{MIN_LENGTH} 至 {MAX_LENGTH} 个字符，不过于简单")]
        )


def initial() -> str:
    """A first password that can be read out: 80 random bits in groups of four without look-alikes."""
    text = ids.secret_code()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


async def hash_password(password: str) -> str:
    """The argon2id hash, with its parameters and salt in it."""
    return await _in_thread(lambda: _HASHER.hash(_bytes(password)))


async def verify(password_hash: str | None, password: str) -> bool:
    """Whether the password is right. None (no such user) takes as long as a wrong password does."""
    too_long = len(password) > MAX_LENGTH
    return await _in_thread(lambda: _verify(password_hash, password[:MAX_LENGTH])) and not too_long


async def renewed(password_hash: str, password: str) -> str:
    """The hash to keep after a right password: a new one if our parameters have changed since."""
    if not _HASHER.check_needs_rehash(password_hash):
        return password_hash
    return await hash_password(password)


def _verify(password_hash: str | None, password: str) -> bool:
    dummy = _dummy()  # made here even when not needed, so that the first unknown user is not slower
    try:
        return _HASHER.verify(password_hash or dummy, _bytes(password)) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _dummy() -> str:
    return _HASHER.hash("nobody has this password")


def same(one: str, other: str) -> bool:
    """Whether two spellings are one password."""
    return _bytes(one) == _bytes(other)


def _bytes(password: str) -> bytes:
    """The same bytes for the same characters, however the keyboard composed them."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


async def _in_thread(work: Callable[[], T]) -> T:
    if _THREADS._work_queue.qsize() >= WAITING_LIMIT:  # noqa: SLF001 -- the pool shows its queue nowhere else
        raise TooManyPasswords
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)
