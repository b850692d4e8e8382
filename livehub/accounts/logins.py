"""Logging in and out: a password becomes a token in a cookie, a token becomes an actor.

Call ``log_in`` outside any transaction: it settles the count of tries, the slow password check and the
session each on their own, so that a refusal stays counted and audited.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
import structlog

from livehub import database
from livehub.accounts import audit, factor_codes, passwords, throttle
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.errors import ChallengeOver, CodeNeeded, TooManyLogins, WrongCode, WrongLogin
from livehub.accounts.models import Role, Session, User
from livehub.kit import clock, ids, sealing, signing

T = TypeVar("T")

log = structlog.get_logger(__name__)

ABSOLUTE = timedelta(hours=12)  # a login ends
IDLE = timedelta(hours=2)  # and ends sooner when nobody uses it
FRESH = timedelta(minutes=15)  # how long ago a password may have been typed for money and exports
CHALLENGE = timedelta(minutes=5)  # how long a right password waits for its code
SEEN_EVERY = timedelta(minutes=1)  # how often use is written down

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,39}")
_ACTORS = """
    SELECT s.token_hash, s.id AS session_id, s.seen_at, u.id, u.name, u.centre_id,
        u.must_change, m.role, m.bureau_id, m.merchant_id
    FROM v JOIN session AS s ON s.token_hash = v.token_hash JOIN user_account AS u ON u.id = s.user_id
        LEFT JOIN membership AS m ON m.user_id = u.id
    WHERE s.expires_at > v.now AND s.seen_at > v.idle_since AND u.active ORDER BY m.id
"""


def canonical(login: str) -> str:
    """The spelling a login is stored in, or an empty text when it cannot be one."""
    spelled = login.strip().lower()
    return spelled if _LOGIN.fullmatch(spelled) else ""


async def log_in(
    login: str,
    password: str,
    *,
    ip: str,
    agent: str,
    now: datetime,
    device: str = "",
    request_id: str = "",
) -> tuple[str, Session]:
    """Open a session: its token, kept nowhere in plain, and its row. WrongLogin or TooManyLogins else.

    CodeNeeded where the account has a second factor: its challenge goes to ``enter_code``.

    ``device`` is the browser's mark from ``devices.mark``, set after an earlier login.
    """
    name = canonical(login)
    visitor = Actor(kind="user", ip=ip[:45], request_id=request_id)
    verdict = await throttle.count(name, ip=ip, device=device, now=now)
    if verdict.over:
        if verdict.just_over:
            await _note_refusal("login.throttled", name, visitor, now)
        raise TooManyLogins(retry_after=verdict.retry_after)
    user = await User.get_or_none(login=name, active=True) if name else None
    if not await passwords.verify(user.password_hash if user else None, password) or user is None:
        await _note_refusal("login.failed", name, visitor, now)
        raise WrongLogin
    renewed = await passwords.renewed(user.password_hash, password)
    if await factor_codes.is_on(user.id):
        await throttle.forgive(verdict, now=now)
        raise CodeNeeded(_challenge(user, until=now + CHALLENGE))
    token = ids.token()

    async def work() -> Session:
        await _still_valid(user, renewed=renewed)
        await throttle.forgive(verdict, now=now)
        return await _open(user, token, visitor=visitor, agent=agent, now=now)

    return token, await database.unit(work)


async def enter_code(
    challenge: str,
    code: str,
    *,
    ip: str,
    agent: str,
    now: datetime,
    device: str = "",
    request_id: str = "",
) -> tuple[str, Session, str]:
    """The second step of a login with a second factor: token, session, and the login's name.

    ChallengeOver, WrongCode or TooManyLogins else. Outside any transaction, as ``log_in``.
    """
    user = await _challenged(challenge, now=now)
    visitor = _herself(user, Actor(kind="user", ip=ip[:45], request_id=request_id))
    token = ids.token()

    async def work() -> Session:
        await _still_valid(user, renewed=user.password_hash)
        return await _open(user, token, visitor=visitor, agent=agent, now=now)

    return token, await with_code(user, code, work, actor=visitor, device=device, now=now), user.login


async def with_code(
    user: User, code: str, work: Callable[[], Awaitable[T]], *, actor: Actor, device: str, now: datetime
) -> T:
    """Do something in one transaction with using a code of the user's factor up; tries are counted."""
    since = await factor_codes.on_since(user.id) or now
    verdict = await throttle.count_code(user.login, device=device, since=since, now=now)
    if verdict.over:
        if verdict.just_over:
            await _note_refusal("login.throttled", user.login, actor, now)
        raise TooManyLogins(retry_after=verdict.retry_after)

    async def with_it() -> T:
        if await factor_codes.use(user.id, code, now=now) == "recovery":
            await audit.write(
                "login.recovery_code_used", actor=actor, about=("user", user.public_id), now=now
            )
        done = await work()
        await throttle.forgive(verdict, now=now)
        return done

    try:
        return await database.unit(with_it)
    except WrongCode:
        await _note_refusal("login.code_failed", user.login, actor, now)
        raise


async def prove(user: User, password: str, *, actor: Actor, device: str, now: datetime) -> None:
    """Have somebody who is logged in say her password once more, counted like a login: WrongLogin else."""
    verdict = await throttle.count(user.login, ip=actor.ip, device=device, now=now)
    if verdict.over:
        raise TooManyLogins(retry_after=verdict.retry_after)
    if not await passwords.verify(user.password_hash, password):
        await _note_refusal("login.failed", user.login, actor, now)
        raise WrongLogin
    await throttle.forgive(verdict, now=now)


async def actor_of(token: str, *, now: datetime, ip: str = "", request_id: str = "") -> Actor | None:
    """Who a session's token stands for; None when it is unknown, too old or was idle for too long."""
    actor = (await actors_of([token], now=now)).get(token)
    return at_place(actor, ip=ip, request_id=request_id) if actor is not None else None


async def actors_of(tokens: Sequence[str], *, now: datetime) -> dict[str, Actor]:
    """The same of many tokens with one question, not yet said from where they came."""
    by_hash = {sealing.token_hash(token): token for token in tokens}
    at, idle_since = clock.to_ms(now), clock.to_ms(now - IDLE)
    rows = await database.with_rows(
        {"token_hash": "bytea", "now": "bigint", "idle_since": "bigint"},
        [(each, at, idle_since) for each in sorted(by_hash)],
        _ACTORS,
        by_index=True,
    )
    unseen_since = clock.to_ms(now - SEEN_EVERY)
    unseen = {row["session_id"] for row in rows if row["seen_at"] <= unseen_since}
    if unseen:
        await _write_seen(sorted(unseen), now=now)
    of_token: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        of_token.setdefault(by_hash[bytes(row["token_hash"])], []).append(row)
    return {token: _actor(roles) for token, roles in of_token.items()}


def at_place(actor: Actor, *, ip: str, request_id: str) -> Actor:
    """The actor with where the request came from."""
    return msgspec.structs.replace(actor, ip=ip[:45], request_id=request_id)


def _actor(rows: Sequence[Mapping[str, Any]]) -> Actor:
    """A session's user, of one row for each role."""
    return Actor(
        kind="user",
        id=rows[0]["id"],
        name=rows[0]["name"],
        centre_id=rows[0]["centre_id"],
        must_change=bool(rows[0]["must_change"]),
        grants=tuple(
            Grant(Role(row["role"]), row["bureau_id"], row["merchant_id"]) for row in rows if row["role"]
        ),
    )


async def is_fresh(token: str, *, now: datetime) -> bool:
    """Whether the password of this login was typed a short while ago."""
    row = await database.fetch_one(
        "SELECT created_at FROM session WHERE token_hash = $1", sealing.token_hash(token)
    )
    return row is not None and clock.from_ms(row["created_at"]) > now - FRESH


async def log_out(token: str, *, actor: Actor, now: datetime) -> None:
    """End one session; harmless when it has ended."""
    digest = sealing.token_hash(token)

    async def work() -> None:
        if await database.execute("DELETE FROM session WHERE token_hash = $1", digest):
            await audit.write("login.ended", actor=actor, now=now)

    await database.unit(work)


async def log_out_everywhere(user_id: int, *, actor: Actor, now: datetime, but: str = "") -> int:
    """End every session of a user, in the current transaction; returns how many there were.

    ``but`` is the token of one that goes on.
    """
    ended = await database.execute(
        "DELETE FROM session WHERE user_id = $1 AND token_hash <> $2", user_id, sealing.token_hash(but)
    )
    await audit.write(
        "login.ended_everywhere",
        actor=actor,
        about=("user", await _public_id(user_id)),
        now=now,
        detail={"sessions": ended},
    )
    return ended


async def end_one(session_id: int, *, actor: Actor, now: datetime) -> None:
    """End one of the actor's own sessions; harmless when it has ended or is somebody else's."""

    async def work() -> None:
        if await Session.filter(id=session_id, user_id=actor.id).delete():
            await audit.write("login.ended", actor=actor, about=("user", await _public_id(actor.id)), now=now)

    await database.unit(work)


async def forget_expired(*, now: datetime) -> int:
    """Delete sessions that have ended by themselves."""
    return await database.execute(
        "DELETE FROM session WHERE expires_at <= $1 OR seen_at <= $2",
        clock.to_ms(now),
        clock.to_ms(now - IDLE),
    )


async def _still_valid(user: User, *, renewed: str) -> None:
    """Lock the user's row and make sure that nobody changed the password or the account meanwhile."""
    changed = await database.execute(
        "UPDATE user_account SET password_hash = $1 WHERE id = $2 AND password_hash = $3 AND active",
        renewed,
        user.id,
        user.password_hash,
    )
    if changed != 1:
        raise WrongLogin


async def _open(user: User, token: str, *, visitor: Actor, agent: str, now: datetime) -> Session:
    session = await Session.create(
        token_hash=sealing.token_hash(token),
        user_id=user.id,
        created_at=now,
        seen_at=now,
        expires_at=now + ABSOLUTE,
        ip=visitor.ip,
        agent=agent.replace("\x00", "")[:200],
    )
    actor = _herself(user, visitor)
    await audit.write("login.succeeded", actor=actor, about=("user", user.public_id), now=now)
    return session


def _challenge(user: User, *, until: datetime) -> str:
    at = str(clock.to_ms(until))
    return f"{user.public_id}.{at}.{_challenge_seal(user, at)}"


def _challenge_seal(user: User, at: str) -> str:
    return signing.mac(sealing.ring().secret("second factor"), user.public_id, at, user.password_hash)


async def _challenged(challenge: str, *, now: datetime) -> User:
    """Whose password was right a short while ago, and is still the same."""
    public_id, _, rest = challenge.partition(".")
    at, _, seal = rest.partition(".")
    user = await User.get_or_none(public_id=public_id, active=True) if challenge.isascii() else None
    if user is None or not signing.matches(_challenge_seal(user, at), seal) or clock.to_ms(now) >= int(at):
        raise ChallengeOver
    return user


def _herself(user: User, visitor: Actor) -> Actor:
    return msgspec.structs.replace(visitor, id=user.id, name=user.name, centre_id=user.centre_id)


async def _note_refusal(action: str, login: str, visitor: Actor, now: datetime) -> None:
    """Audit a refused try; an unknown login may be a password in the wrong field, so only its keyed hash."""

    async def work() -> None:
        user = await User.get_or_none(login=login) if login else None
        if user is not None:
            about, detail, centre_id = ("user", user.public_id), {}, user.centre_id
        else:
            digest = sealing.ring().blind(login, purpose="unknown login").hex()
            about, detail, centre_id = ("user", ""), {"unknown_login": digest}, 0
        actor = Actor(kind="user", centre_id=centre_id, ip=visitor.ip, request_id=visitor.request_id)
        await audit.write(action, actor=actor, about=about, now=now, result="refused", detail=detail)

    await database.unit(work)


async def _write_seen(sessions: Sequence[int], *, now: datetime) -> None:
    at = clock.to_ms(now)

    async def work() -> None:
        await database.with_rows(
            {"id": "bigint", "at": "bigint"},
            [(each, at) for each in sessions],
            "UPDATE session SET seen_at = v.at FROM v WHERE session.id = v.id AND session.seen_at < v.at",
        )

    try:
        await database.unit(work)
    except database.DatabaseUnavailable:  # who they are was read; a busy database must not log people out
        log.warning("session.seen_not_written", sessions=len(sessions))


async def _public_id(user_id: int) -> str:
    row = await database.fetch_one("SELECT public_id FROM user_account WHERE id = $1", user_id)
    return str(row["public_id"]) if row else ""
