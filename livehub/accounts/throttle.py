"""How many wrong passwords are too many, so that guessing is slow and nobody can lock somebody else out.

An account is never locked. Wrong passwords are counted where they come from:

* a browser that has logged in to this account before carries a device mark (``devices.py``) and is
  counted alone, by its mark. Whatever strangers do, its owner's right password is let in;
* everybody else is counted by account and network (IPv4 /24, IPv6 /64) and by address. A stranger who
  guesses uses up the account's tries in the stranger's own network only.

A try is counted before the password is looked at, so that parallel tries cannot slip through, and given
back when the password was right, so that an office behind one address does not shut itself out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.accounts import devices
from livehub.kit import clock, limits, sealing

WINDOW_SECONDS = 15 * 60
PER_DEVICE = limits.declare("login.device", 10, seconds=WINDOW_SECONDS).most
PER_LOGIN_AND_NETWORK = limits.declare("login.account_and_network", 10, seconds=WINDOW_SECONDS).most
CODES_PER_DEVICE = limits.declare("second_factor.device", 10, seconds=WINDOW_SECONDS).most
CODES_PER_ACCOUNT = limits.declare("second_factor.account", 20, seconds=WINDOW_SECONDS).most
PER_ADDRESS = limits.declare("login.address", 100, seconds=WINDOW_SECONDS, setting="login_address_limit")


class Verdict(Struct, frozen=True):
    """What a try was counted under, and whether it may go on."""

    keys: tuple[str, ...]
    over: bool = False
    just_over: bool = False  # the first refused one of its window: worth an audit entry
    retry_after: int = 0  # seconds


async def count(login: str, *, ip: str, device: str, now: datetime) -> Verdict:
    """Count one try and say whether it may go on."""
    known = devices.recognise(device, login=login, now=now)
    if known:
        verdict = await _count([(_key("device", known), PER_DEVICE)], now=now)
        if not verdict.over:
            return verdict
    return await _count(
        [
            (_key("address", ip), PER_ADDRESS.most),
            (_key("login", f"{login}\x00{limits.network(ip)}"), PER_LOGIN_AND_NETWORK),
        ],
        now=now,
    )


async def count_code(login: str, *, device: str, since: datetime, now: datetime) -> Verdict:
    """The same for a code of the second factor, which only who knows the password may try.

    A known browser is counted alone; all the others of an account together, however many networks they come
    from: there are a million codes only. Known is which gave a code since the factor is there: before it, a
    password alone made as many known browsers as somebody liked.
    """
    known = devices.recognise(device, login=login, since=since, now=now)
    if known:
        return await _count([(_key("code device", known), CODES_PER_DEVICE)], now=now)
    return await _count([(_key("code", login), CODES_PER_ACCOUNT)], now=now)


async def forgive(verdict: Verdict, *, now: datetime) -> None:
    """Give the try back: its password was right."""
    for key in verdict.keys:
        await limits.give_back(key, seconds=WINDOW_SECONDS, now=now)


async def unlock(login: str, *, ips: Collection[str], now: datetime) -> int:
    """Forget the tries for an account from the networks of some addresses, and those for its codes.

    Returns how many of these windows had some. Those of an address for all accounts, and those of a known
    browser, are left alone: without the network's they let her in.
    """
    keys = {_key("login", f"{login}\x00{limits.network(ip)}") for ip in ips} | {_key("code", login)}
    return sum([await limits.forget(key, seconds=WINDOW_SECONDS, now=now) for key in sorted(keys)])


async def _count(tries: Sequence[tuple[str, int]], *, now: datetime) -> Verdict:
    async def work() -> list[int]:
        return [await limits.hit(key, seconds=WINDOW_SECONDS, now=now) for key, _ in tries]

    counts = await database.unit(work)
    beyond = [n - limit for n, (_, limit) in zip(counts, tries, strict=True) if n > limit]
    return Verdict(
        tuple(key for key, _ in tries),
        over=bool(beyond),
        just_over=bool(beyond) and min(beyond) == 1,
        retry_after=WINDOW_SECONDS - clock.to_ms(now) // 1000 % WINDOW_SECONDS,
    )


def _key(kind: str, text: str) -> str:
    """Keyed, so that the table of windows names neither people nor addresses."""
    return f"login:{kind}:{sealing.ring().blind(text, purpose='login throttle').hex()}"
