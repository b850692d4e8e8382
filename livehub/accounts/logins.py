"""Logging in and out: a password becomes a token in a cookie, a token becomes an actor.

Call ``log_in`` outside any transaction: it settles the count of tries, the slow password check and the
session each on their own, so that a refusal stays counted and audited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog

from livehub import database
from livehub.accounts import audit, passwords, throttle
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.errors import TooManyLogins, WrongLogin
from livehub.accounts.models import Role, Session, User
from livehub.kit import clock, ids, sealing

log = structlog.get_logger(__name__)

ABSOLUTE = timedelta(hours=12)  # a login ends
IDLE = timedelta(hours=2)  # and ends sooner when nobody uses it
FRESH = timedelta(minutes=15)  # how long ago a password may have been typed for money and exports
SEEN_EVERY = timedelta(minutes=1)  # how often use is written down

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,39}")
_ACTORS = """
    SELECT s.token_hash, s.id AS session_id, s.seen_at, u.id, u.name, u.centre_id,
        m.role, m.bureau_id, m.merchant_id
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
    token = ids.token()

    async def work() -> Session:
        await _still_valid(user, renewed=renewed)
        await throttle.forgive(verdict, now=now)
        return await _open(user, token, visitor=visitor, agent=agent, now=now)

    return token, await database.unit(work)


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


async def log_out_everywhere(user_id: int, *, actor: Actor, now: datetime) -> int:
    """End every session of a user, in the current transaction; returns how many there were."""
    ended = await database.execute("DELETE FROM session WHERE user_id = $1", user_id)
    await audit.write(
        "login.ended_everywhere",
        actor=actor,
        about=("user", await _public_id(user_id)),
        now=now,
        detail={"sessions": ended},
    )
    return ended


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
    actor = Actor(
        kind="user",
        id=user.id,
        name=user.name,
        centre_id=user.centre_id,
        ip=visitor.ip,
        request_id=visitor.request_id,
    )
    await audit.write("login.succeeded", actor=actor, about=("user", user.public_id), now=now)
    return session


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
