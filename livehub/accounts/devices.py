"""The mark of a browser that has logged in to an account before; it proves nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

from livehub.kit import clock, ids, sealing, signing

LIFETIME = timedelta(days=180)
SECONDS = int(LIFETIME.total_seconds())


def mark(login: str, *, now: datetime) -> str:
    """A new mark for the browser in which this login has just succeeded; set it as a cookie."""
    nonce, until = ids.public_id(), str(clock.to_ms(now + LIFETIME) // 1000)
    return f"{nonce}.{until}.{_seal(nonce, until, login)}"


def recognise(cookie: str, *, login: str, now: datetime, since: datetime | None = None) -> str:
    """The browser's own name if the mark is ours, of this login, not made before ``since`` and still good.

    An empty text otherwise.
    """
    nonce, _, rest = cookie.partition(".")
    until, _, seal = rest.partition(".")
    if not signing.matches(_seal(nonce, until, login), seal):
        return ""
    ends = clock.from_ms(int(until) * 1000)
    is_old = since is not None and ends - LIFETIME < since.replace(microsecond=0)  # marks know whole seconds
    return nonce if now < ends and not is_old else ""


def _seal(nonce: str, until: str, login: str) -> str:
    return signing.mac(sealing.ring().secret("login device"), nonce, until, login)
